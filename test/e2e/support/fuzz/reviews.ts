import type { Pod } from '../../../../admission/api/kinds.ts';
import { type Random, random } from '../../../rig/random.ts';
import type { Crowd } from './crowd.ts';
import { forge } from './forge.ts';
import { mutate, oneOf, percent } from './mutate.ts';

/** A request to the admission port. */
export interface FuzzedReview {
	number: number;
	path: string;
	body: string;
	contentType: string;
	/** The body is a review of an eviction: its webhook ignores failures, so it has to be answered with 200, or asked again. */
	eviction: boolean;
	/** A busy runner's deletion as the API server would tell it, but for the path: it has to be refused. */
	truthful: boolean;
}

/** What a caller knows of the path: the whole of it, or not. */
export type Knowledge = 'path' | 'nothing';

const routes = ['/pods/delete', '/pods/evict', '/pods/update', '/pods/create', '/sets/replicas'];
const odd = ['/', '/pods', '/pods/delete/', '/PODS/DELETE', '//pods/evict', '/%ff', '/pods/delete/../evict'];

/** Paths that come near the right one, which begins with this segment, `/EPOCH.SIGNATURE`. */
const wrongPaths: ((segment: string, route: string) => string)[] = [
	(_, route) => route,
	(segment, route) => segment.replace(/.$/, (last) => (last === '0' ? '1' : '0')) + route,
	(segment, route) => segment.replace(/^\/\d+/, '/1700000000') + route,
	(segment, route) => segment.replace(/^\/\d/, '/9') + route,
	(segment, route) => segment.toUpperCase().replace(/[A-F]?$/, 'A') + route,
	(segment, route) => `${segment.slice(0, -1)}${route}`,
	(segment, route) => `${route}${segment}`,
	(segment, route) => `/${segment}${route}`,
	(segment, route) => `/x${segment}${route}`,
	(segment, route) => `${route}?path=${segment}${route}`,
	(segment, route) => `/%31${segment.slice(2)}${route}`,
];

const users = [
	'alice',
	'',
	'system:kube-scheduler',
	'system:serviceaccount:kube-system:namespace-controller',
	'system:serviceaccount:kube-system:generic-garbage-collector',
	'system:serviceaccount:runners-system:runners-admission',
	'system:node:node-1',
	'kubernetes-admin',
];

/** The review number `index` of this seed: always the same, but for the path and what the cluster gave the pods. */
export function reviewNumber(
	{ seed, index, knows }: { seed: number; index: number; knows: Knowledge },
	crowd: Crowd,
	segment: string,
): FuzzedReview {
	const chance = random(Math.imul(seed, 7919) + index);
	const { request: made, route, mayChange, truthful } = requestAbout(crowd, knows, chance);
	const request = structuredClone(made);
	const any = percent(chance, 20) ? oneOf(chance, [...routes, ...odd]) : route;
	const path =
		knows === 'path' ? segment + (mayChange ? any : route) : oneOf(chance, wrongPaths)(segment, any);
	const isChanged = mayChange && percent(chance, 50);
	if (isChanged) for (let count = chance.between(1, 4); count > 0; count--) mutate(request, chance);
	const review = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request };
	const timeout = percent(chance, 50) && !path.includes('?') ? '?timeout=5s' : '';
	const sent = {
		number: index,
		path: path + timeout,
		contentType: 'application/json',
		body: JSON.stringify(review),
	};
	if (!isChanged || percent(chance, 90))
		return { ...sent, eviction: isEviction(review), truthful: truthful && !isChanged };
	return { ...noReview(sent, chance), eviction: false, truthful: false };
}

interface Asked {
	request: Record<string, unknown>;
	/** By which the API server would send it. */
	route: string;
	/** Whatever else may be changed: it names only who may be named. */
	mayChange: boolean;
	truthful: boolean;
}

function requestAbout(crowd: Crowd, knows: Knowledge, chance: Random): Asked {
	const named = knows === 'nothing' || percent(chance, 5) ? [...crowd.busy, ...crowd.idle] : crowd.busy;
	const others = [...crowd.plain, ...nowhere];
	if (knows === 'path' && crowd.bystanders.length > 0 && percent(chance, 10))
		return aboutAnother(crowd, chance);
	const pod = oneOf(chance, percent(chance, 80) ? named : others);
	const signal = structuredClone(pod);
	const truthful = crowd.busy.includes(pod) && percent(chance, 30);
	if (!truthful) for (let count = chance.between(0, 5); count > 0; count--) forge(signal, crowd, chance);
	const eviction = percent(chance, 40);
	if (truthful || percent(chance, 60))
		return {
			...(eviction ? evictionOf(pod, chance) : deletionOf(signal, chance)),
			mayChange: true,
			truthful,
		};
	return { ...otherwise(signal, pod, chance), mayChange: true, truthful: false };
}

/** Names a bystander, but means another pod: the API server would find no such pod, and nothing may come of it. */
function aboutAnother(crowd: Crowd, chance: Random): Asked {
	const signal = structuredClone(oneOf(chance, crowd.bystanders));
	signal.metadata.uid = oneOf(chance, [...crowd.busy, ...crowd.plain]).metadata.uid ?? '';
	const asked = percent(chance, 50)
		? deletionOf(signal, chance)
		: evictionOf(signal, chance, signal.metadata.uid);
	return { ...asked, mayChange: false, truthful: false };
}

const nowhere: Pod[] = ['default', 'kube-system', 'runners-system'].map((namespace) => ({
	metadata: { name: 'no-such-pod', namespace, uid: '00000000-0000-0000-0000-000000000000' },
	spec: { containers: [{ name: 'runner', env: [{ name: 'RUNNER_ORG', value: namespace }] }] },
	status: { phase: 'Running' },
}));

const pods = { group: '', version: 'v1', resource: 'pods' };

function common({ metadata: { name, namespace } }: Pod, chance: Random) {
	return {
		uid: `review-${chance.between(0, 1_000_000)}`,
		kind: { group: '', version: 'v1', kind: 'Pod' },
		resource: pods,
		requestKind: { group: '', version: 'v1', kind: 'Pod' },
		name,
		namespace,
		userInfo: { username: oneOf(chance, users), groups: ['system:masters', 'system:authenticated'] },
		dryRun: percent(chance, 20),
	};
}

const optionsOf = (chance: Random) => ({
	...(percent(chance, 30) ? { gracePeriodSeconds: oneOf(chance, [0, 30, -1, 1e12]) } : {}),
	...(percent(chance, 30)
		? { propagationPolicy: oneOf(chance, ['Foreground', 'Background', 'Orphan', 'None']) }
		: {}),
	...(percent(chance, 10) ? { dryRun: ['All'] } : {}),
});

const deletionOf = (signal: Pod, chance: Random) => ({
	request: {
		...common(signal, chance),
		...(percent(chance, 20) ? { name: '' } : {}), // as with deletecollection
		operation: 'DELETE',
		oldObject: signal,
		object: null,
		options: { kind: 'DeleteOptions', apiVersion: 'meta.k8s.io/v1', ...optionsOf(chance) },
	},
	route: '/pods/delete',
});

const evictionOf = (pod: Pod, chance: Random, uid?: string) => ({
	request: {
		...common(pod, chance),
		kind: { group: 'policy', version: 'v1', kind: 'Eviction' },
		subResource: 'eviction',
		operation: 'CREATE',
		object: {
			apiVersion: 'policy/v1',
			kind: 'Eviction',
			metadata: { name: pod.metadata.name, namespace: pod.metadata.namespace },
			...(uid || percent(chance, 50)
				? { deleteOptions: { ...optionsOf(chance), ...(uid ? { preconditions: { uid } } : {}) } }
				: {}),
		},
	},
	route: '/pods/evict',
});

/** Everything else that can be asked about a pod. */
function otherwise(
	signal: Pod,
	pod: Pod,
	chance: Random,
): { request: Record<string, unknown>; route: string } {
	const request = { ...common(signal, chance), object: signal, options: null };
	const subResource = oneOf(chance, ['status', 'resize', 'ephemeralcontainers', 'exec', 'binding', '']);
	return oneOf(chance, [
		() => ({
			request: { ...request, operation: 'UPDATE', subResource, oldObject: pod },
			route: '/pods/update',
		}),
		() => ({ request: { ...request, operation: 'CREATE', oldObject: null }, route: '/pods/create' }),
		() => ({ request: { ...request, operation: 'CONNECT', subResource, object: {} }, route: '/pods/update' }),
		() => ({
			request: { ...request, operation: oneOf(chance, ['DELETE', '*', 'delete']) },
			route: '/pods/delete',
		}),
		() => ({
			request: {
				...request,
				operation: oneOf(chance, ['CREATE', 'UPDATE']),
				resource: { group: 'actions.summerwind.dev', version: 'v1alpha1', resource: 'runnersets' },
				object: { metadata: signal.metadata, spec: { replicas: oneOf(chance, [0, 5, -1, null]) } },
				oldObject: { metadata: signal.metadata, spec: { replicas: 3 } },
			},
			route: '/sets/replicas',
		}),
	])();
}

type Sent = Omit<FuzzedReview, 'eviction' | 'truthful'>;

/** What is no AdmissionReview at all. */
function noReview(sent: Sent, chance: Random): Sent {
	const { body } = sent;
	return oneOf<() => Sent>(chance, [
		() => ({ ...sent, body: body.slice(0, chance.between(0, body.length)) }),
		() => ({ ...sent, body: body.replace('AdmissionReview', 'Review') }),
		() => ({ ...sent, body: body.replace('admission.k8s.io/v1', 'admission.k8s.io/v1beta1') }),
		() => ({ ...sent, body: `[${body}]` }),
		() => ({ ...sent, contentType: oneOf(chance, ['text/plain', 'application/jsonx', '']) }),
		() => ({ ...sent, body: body.replaceAll('"', '\u0000') }),
	])();
}

/** Whether the server can read this as the review of an eviction. */
function isEviction({ request }: { request: Record<string, unknown> }): boolean {
	const { uid, operation, userInfo, resource, subResource, object } = request;
	const { group, resource: plural } = (resource ?? {}) as { group?: unknown; resource?: unknown };
	return (
		typeof uid === 'string' &&
		operation === 'CREATE' &&
		subResource === 'eviction' &&
		group === '' &&
		plural === 'pods' &&
		isObject(userInfo) &&
		isObject(object) &&
		isObject(object.metadata)
	);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
	typeof value === 'object' && value !== null;

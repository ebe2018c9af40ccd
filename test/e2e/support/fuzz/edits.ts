import { arc, busy, progress, record } from '../../../../admission/api/keys.ts';
import type { Pod } from '../../../../admission/api/kinds.ts';
import { type Random, random } from '../../../rig/random.ts';
import type { Crowd } from './crowd.ts';
import { mutate, oneOf, percent } from './mutate.ts';

/** One request about a runner's pod, as somebody who may edit pods sends it. Never with break-glass. */
export interface FuzzedEdit {
	number: number;
	method: string;
	path: string;
	body: object;
	/** Content type. */
	type?: string;
}

const types = {
	merge: 'application/merge-patch+json',
	strategic: 'application/strategic-merge-patch+json',
	json: 'application/json-patch+json',
	apply: 'application/apply-patch+yaml',
};

/** The edit number `index` of this seed: always the same, but for what the cluster gave the pods. */
export function editNumber({ seed, index }: { seed: number; index: number }, crowd: Crowd): FuzzedEdit {
	const chance = random(Math.imul(seed, 7919) + index);
	const pod = oneOf(chance, crowd.busy);
	const all = `/api/v1/namespaces/${crowd.namespace}/pods`;
	const path = `${all}/${pod.metadata.name}`;
	if (percent(chance, 15)) return { number: index, ...ending(pod, all, chance) };
	const made = percent(chance, 15) ? whole(pod, chance) : part(pod, crowd, chance);
	const {
		subresource = percent(chance, 90) ? '' : oneOf(chance, ['/status', '/resize', '/ephemeralcontainers']),
	} = made;
	const query =
		made.type === types.apply ? '?fieldManager=mallory&force=true' : percent(chance, 5) ? '?dryRun=All' : '';
	const { method = 'PATCH', body, type } = made;
	return { number: index, method, path: path + subresource + query, body, type };
}

interface Change {
	body: object;
	type: string;
	method?: string;
	/** Default any. */
	subresource?: string;
}

/** A deletion or eviction of one pod, or of all. */
function ending({ metadata: { name, uid } }: Pod, all: string, chance: Random): Omit<FuzzedEdit, 'number'> {
	const options = {
		apiVersion: 'v1',
		kind: 'DeleteOptions',
		...(percent(chance, 50) ? { gracePeriodSeconds: oneOf(chance, [0, 1, 30]) } : {}),
		...(percent(chance, 30) ? { preconditions: { uid } } : {}),
		...(percent(chance, 30) ? { propagationPolicy: oneOf(chance, ['Foreground', 'Orphan']) } : {}),
	};
	if (percent(chance, 10)) return { method: 'DELETE', path: all, body: options };
	if (percent(chance, 50)) return { method: 'DELETE', path: `${all}/${name}`, body: options };
	const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name }, deleteOptions: options };
	return { method: 'POST', path: `${all}/${name}/eviction`, body: eviction };
}

/** The whole pod, as it was before or changed in some places. */
function whole(pod: Pod, chance: Random): Change {
	const body = structuredClone(pod);
	delete body.metadata.resourceVersion;
	for (let count = chance.between(0, 3); count > 0; count--)
		mutate(chance.between(0, 2) ? body.metadata : body, chance);
	return oneOf<Change>(chance, [
		{ method: 'PUT', type: 'application/json', body: { apiVersion: 'v1', kind: 'Pod', ...body } },
		{ type: types.merge, body },
		{ type: types.strategic, body },
	]);
}

/** Keys of labels and annotations that mean something to somebody; break-glass is not among them. */
const keys: readonly string[] = [
	...[record, progress].flatMap((all) => Object.values(all)),
	...[busy.label, busy.since, busy.job, busy.marks],
	...Object.values(arc),
	...[
		'karpenter.sh/do-not-disrupt',
		'cluster-autoscaler.kubernetes.io/safe-to-evict',
		'app',
		'runner-template-hash',
	],
];

function part(pod: Pod, crowd: Crowd, chance: Random): Change {
	const another = oneOf(chance, crowd.busy);
	const time = oneOf(chance, [new Date().toISOString(), '2020-01-01T00:00:00Z', '2999-01-01T00:00:00Z', '']);
	const value = (key: string) =>
		oneOf(chance, [
			null,
			'',
			'x',
			'true',
			'True',
			'bob',
			'999999',
			'{"via":"delete"}',
			time,
			`${time} ${'A'.repeat(43)}`,
			another.metadata.annotations?.[key] ?? null,
			another.metadata.labels?.[key] ?? null,
		]);
	const values = () => {
		const chosen = Array.from({ length: chance.between(1, 5) }, () => oneOf(chance, keys));
		return Object.fromEntries(chosen.map((key) => [key, value(key)]));
	};
	const containers = (pod.spec?.containers ?? []).map(({ name }) => name);
	const index = chance.between(0, containers.length);
	const name = containers[index] ?? '';
	const image = oneOf(chance, ['example.com/other:1', 'busybox', '']);
	const operations = (...body: object[]): Change => ({ body, type: types.json });
	const merge = (body: object): Change => ({ body, type: oneOf(chance, [types.merge, types.strategic]) });
	const apply = (body: object): Change => ({
		body: { apiVersion: 'v1', kind: 'Pod', ...body },
		type: types.apply,
		subresource: '',
	});
	const ephemeral = {
		name: `debug-${chance.between(0, 1_000_000)}`,
		image: 'busybox',
		targetContainerName: name,
	};
	const ended = {
		name: 'runner',
		state: { terminated: { exitCode: 0 } },
		image,
		imageID: '',
		ready: false,
		restartCount: 0,
	};
	return oneOf<() => Change>(chance, [
		() => merge({ metadata: { annotations: values() } }),
		() => merge({ metadata: { annotations: values(), labels: values() } }),
		() => merge({ metadata: { labels: values() } }),
		() => merge({ metadata: { [oneOf(chance, ['labels', 'annotations', 'ownerReferences'])]: null } }),
		() => ({ body: { metadata: { annotations: { $patch: 'replace' } } }, type: types.strategic }),
		() =>
			operations({
				op: 'remove',
				path: `/metadata/${oneOf(chance, ['labels', 'annotations', 'ownerReferences'])}`,
			}),
		() => operations({ op: 'move', from: '/metadata/annotations', path: '/metadata/labels' }),
		() => operations({ op: 'copy', from: '/metadata/labels', path: '/metadata/annotations' }),
		() => apply({ metadata: { annotations: values(), labels: values() } }),
		() => apply({ spec: { containers: [{ name, image }] } }),
		() => merge({ metadata: { ownerReferences: ownersFor(pod, another, chance) } }),
		() => merge({ metadata: { finalizers: oneOf(chance, [null, [], ['example.com/kept']]) } }),
		() => merge({ metadata: { deletionTimestamp: time, deletionGracePeriodSeconds: 0 } }),
		() => merge({ spec: { activeDeadlineSeconds: oneOf(chance, [0, 1, 3_600, null]) } }),
		() => merge({ spec: { terminationGracePeriodSeconds: oneOf(chance, [0, 1, -1]) } }),
		() => operations({ op: 'add', path: '/spec/activeDeadlineSeconds', value: 1 }),
		() => operations({ op: 'replace', path: `/spec/containers/${index}/image`, value: image }),
		() => operations({ op: 'replace', path: `/spec/containers/${index}/name`, value: 'other' }),
		() => ({ body: { spec: { containers: [{ name, image }] } }, type: types.strategic }),
		() => ({
			body: { spec: { containers: [{ name, env: [{ name: 'RUNNER_ORG', value: 'evil' }] }] } },
			type: types.strategic,
		}),
		() => ({ body: { spec: { tolerations: [{ operator: 'Exists' }] } }, type: types.merge }),
		() =>
			operations({
				op: 'add',
				path: '/spec/tolerations/-',
				value: { key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 1 },
			}),
		() => operations({ op: 'replace', path: `/spec/tolerations/0/tolerationSeconds`, value: 0 }),
		() => ({
			body: { spec: { ephemeralContainers: [ephemeral] } },
			type: types.strategic,
			subresource: '/ephemeralcontainers',
		}),
		() => ({
			body: { spec: { containers: [{ name, resources: { limits: { memory: '1Mi' } } }] } },
			type: types.strategic,
			subresource: '/resize',
		}),
		() => ({
			body: { status: { phase: 'Failed', containerStatuses: [ended] } },
			type: types.merge,
			subresource: '/status',
		}),
	])();
}

/** Owners that would have the pod collected, or looked up elsewhere. */
function ownersFor(pod: Pod, another: Pod, chance: Random): object[] {
	const own = pod.metadata.ownerReferences ?? [];
	const uid = `00000000-0000-0000-0000-${String(chance.between(0, 1e9)).padStart(12, '0')}`;
	const gone = { apiVersion: 'v1', kind: 'ConfigMap', name: 'gone', uid };
	const fake = { apiVersion: 'actions.github.com/v1alpha1', kind: 'EphemeralRunner', name: 'gone', uid };
	return oneOf<object[]>(chance, [
		[],
		[gone],
		[...own, gone],
		[...own, { ...gone, blockOwnerDeletion: true }],
		[...own, fake],
		[fake, ...own],
		another.metadata.ownerReferences ?? [],
		own.map((owner) => ({ ...owner, uid })),
		own.map((owner) => ({ ...owner, controller: false })),
	]);
}

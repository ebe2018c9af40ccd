import { autoscaleKinds, type HorizontalRunnerAutoscaler } from '../../../admission/api/autoscale.ts';
import { names } from '../../../admission/api/keys.ts';
import type { EphemeralRunner, KubeObject, Pod } from '../../../admission/api/kinds.ts';
import { collectionPath, groupPath, objectPath, resources } from '../../../admission/api/paths.ts';
import { heartbeatSeconds, type Report, reportKey } from '../../../admission/api/report.ts';
import { apiVersion as setsApiVersion } from '../../../admission/api/sets.ts';
import { type AllOccupants, addPod } from '../../evictions/occupants.ts';
import { type KubeClient, version } from '../../kube/client.ts';
import { ApiError, isForbidden, isNotFound, UnreachableError } from '../../kube/failure.ts';
import { listWholePods } from '../../kube/pods.ts';
import { readPod } from '../../runners/read.ts';
import { eventsReports } from './events-reports.ts';
import type { Budget, Deployment, Facts, Fetched, Lease, WebhookConfiguration } from './facts.ts';
import { layoutOf } from './layouts.ts';
import { probe } from './probe.ts';

/** Page size of the lists. */
const listLimit = '500';

/**
 * Fetches everything that the checks need, concurrently, as far as the user may. Writes nothing: the request to the
 * guard is a dry run.
 *
 * @throws UnreachableError without an API server, ApiError 401 if the user is not logged in: then nothing can be checked.
 */
export async function fetchFacts(
	client: KubeClient,
	givenNamespace: string | undefined,
	signal: AbortSignal,
): Promise<Facts> {
	const get = <T>(path: string, right: string, query: Record<string, string> = {}): Promise<Fetched<T>> =>
		attempt(right, signal, () => client.json<T>('GET', path, { query, signal }));
	// Fetched alone and first: if the API server does not answer, one refused connection is enough.
	const apiServer = await get<{ gitVersion: string }>('/version', 'get /version');
	if (signal.aborted)
		throw new UnreachableError('Unable to connect to the server: no answer within --timeout');

	const [validating, mutating] = await Promise.all(
		(['validating', 'mutating'] as const).map((kind) =>
			get<WebhookConfiguration>(
				objectPath(resources[`${kind}Webhooks`], { name: names.server }),
				`get ${kind}webhookconfigurations`,
			),
		),
	);
	const namespace = givenNamespace ?? serviceNamespace(validating!) ?? names.namespace;
	const inNamespace = `in namespace ${namespace}`;
	const [lease, configMap, deployment, namespaces, budgets, autoscalers, setResources, pods] =
		await Promise.all([
			get<Lease>(objectPath(resources.leases, { namespace, name: names.lease }), `get leases ${inNamespace}`),
			get<StatusConfigMap>(
				objectPath(resources.configMaps, { namespace, name: names.status }),
				`get configmaps ${inNamespace}`,
			),
			get<Deployment>(
				objectPath(resources.deployments, { namespace, name: names.server }),
				`get deployments ${inNamespace}`,
			),
			list<KubeObject>(client, collectionPath(resources.namespaces), 'list namespaces', {}, signal),
			list<Budget>(
				client,
				collectionPath(resources.podDisruptionBudgets),
				'list poddisruptionbudgets of all namespaces',
				{},
				signal,
			),
			list<HorizontalRunnerAutoscaler>(
				client,
				collectionPath(autoscaleKinds.autoscaler),
				'list horizontalrunnerautoscalers of all namespaces',
				{},
				signal,
			),
			get<{ resources: { name: string }[] }>(groupPath(setsApiVersion), `get ${groupPath(setsApiVersion)}`),
			fetchPods(client, signal),
		]);
	const facts: Omit<Facts, 'reach'> = {
		nowMs: Date.now(),
		version,
		namespace,
		apiServer,
		validating: validating!,
		mutating: mutating!,
		lease,
		report: readReport(configMap),
		eventsReports: mapFound(configMap, ({ metadata }) => eventsReports(metadata?.annotations)),
		deployment,
		namespaces,
		...pods,
		ephemeralRunners: await fetchOwners(client, pods.pods, signal),
		budgets,
		autoscalers,
		setResources: mapFound(setResources, (served) => served.resources.map(({ name }) => name)),
	};
	return { ...facts, reach: await probe(client, facts, signal) };
}

/** Pods of all namespaces, or of the context's namespace if the others may not be listed. */
async function fetchPods(
	client: KubeClient,
	signal: AbortSignal,
): Promise<Pick<Facts, 'pods' | 'podsOf' | 'occupants'>> {
	const occupants: AllOccupants = new Map();
	const keep = (pod: Pod) => {
		addPod(occupants, pod);
		return layoutOf(pod) !== undefined;
	};
	const fetch = (namespace: string | undefined, where: string) =>
		attempt(`list pods ${where}`, signal, async () => {
			return (await listWholePods(client, { namespace }, keep, signal)).pods;
		});
	const everywhere = await fetch(undefined, 'of all namespaces');
	if (everywhere.kind !== 'forbidden') return { pods: everywhere, podsOf: undefined, occupants };
	const here = await fetch(client.namespace, `in namespace ${client.namespace}`);
	return here.kind === 'found'
		? { pods: here, podsOf: client.namespace, occupants }
		: { pods: everywhere, podsOf: undefined, occupants };
}

/** EphemeralRunners, if a pod's scope is known from nowhere else. */
async function fetchOwners(
	client: KubeClient,
	pods: Facts['pods'],
	signal: AbortSignal,
): Promise<Facts['ephemeralRunners']> {
	const needsOwner = (pod: Pod) => {
		const runner = readPod(pod);
		return runner?.kind === 'scale-set' && !runner.scope;
	};
	if (pods.kind !== 'found' || !pods.value.some(needsOwner)) return { kind: 'found', value: [] };
	const path = collectionPath(resources.ephemeralRunners);
	return list<EphemeralRunner>(client, path, 'list ephemeralrunners of all namespaces', {}, signal);
}

async function list<T extends KubeObject>(
	client: KubeClient,
	path: string,
	right: string,
	query: Record<string, string>,
	signal: AbortSignal,
): Promise<Fetched<T[]>> {
	return attempt(right, signal, async () => {
		const items: T[] = [];
		let token: string | undefined;
		do {
			const page = await client.json<{ metadata?: { continue?: string }; items: T[] }>('GET', path, {
				query: { ...query, limit: listLimit, continue: token },
				signal,
			});
			items.push(...page.items);
			token = page.metadata?.continue || undefined;
		} while (token);
		return items;
	});
}

async function attempt<T>(right: string, signal: AbortSignal, look: () => Promise<T>): Promise<Fetched<T>> {
	try {
		return { kind: 'found', value: await look() };
	} catch (error) {
		if (signal.aborted) return { kind: 'failed', message: `no answer in time (${right})` };
		if (!(error instanceof ApiError) || error.code === 401) throw error;
		if (isNotFound(error)) return { kind: 'not-found' };
		if (isForbidden(error)) return { kind: 'forbidden', right };
		return { kind: 'failed', message: error.message };
	}
}

function serviceNamespace(configuration: Fetched<WebhookConfiguration>): string | undefined {
	if (configuration.kind !== 'found') return undefined;
	return configuration.value.webhooks?.find(({ clientConfig }) => clientConfig?.service)?.clientConfig
		?.service?.namespace;
}

interface StatusConfigMap {
	metadata?: { annotations?: Record<string, string> };
	data?: Record<string, string>;
}

function readReport(configMap: Fetched<StatusConfigMap>): Fetched<Report> {
	if (configMap.kind !== 'found') return configMap;
	const report = parseReport(configMap.value.data?.[reportKey] ?? '');
	if (report) return { kind: 'found', value: report };
	const message = `ConfigMap ${names.status} contains no report that this plugin can read, so somebody has edited it; the leader writes it again within ${heartbeatSeconds} s`;
	return { kind: 'failed', message };
}

/** undefined: a field that the checks read is missing or of another type. */
function parseReport(text: string): Report | undefined {
	let read: unknown;
	try {
		read = JSON.parse(text);
	} catch {
		return undefined;
	}
	const { version, updatedAt, guard, certificates, credentials } = (read ?? {}) as Record<string, unknown>;
	const isRead =
		typeof version === 'string' &&
		typeof updatedAt === 'string' &&
		isObject(guard) &&
		typeof guard.unguardedSeconds === 'number' &&
		isListOf(certificates, ['name', 'notAfter']) &&
		isListOf(credentials, ['account', 'state']) &&
		credentials.every(({ forbidden }) => forbidden === undefined || isListOf(forbidden, ['scope', 'detail']));
	return isRead ? (read as Report) : undefined;
}

/** Objects in which these fields are strings. */
const isListOf = (value: unknown, texts: string[]): value is Record<string, unknown>[] =>
	Array.isArray(value) &&
	value.every((item: unknown) => isObject(item) && texts.every((name) => typeof item[name] === 'string'));

const isObject = (value: unknown): value is Record<string, unknown> =>
	typeof value === 'object' && value !== null;

function mapFound<T, R>(fetched: Fetched<T>, map: (value: T) => R): Fetched<R> {
	return fetched.kind === 'found' ? { kind: 'found', value: map(fetched.value) } : fetched;
}

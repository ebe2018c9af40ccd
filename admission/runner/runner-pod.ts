import { arc, breakGlass, busy, progress, record } from '../api/keys.ts';
import type { Container, EphemeralRunner, KubeObject, Pod, RecordedOptions } from '../api/kinds.ts';
import { type Scope, scopeFromConfigUrl, scopeFromEnvironment } from './scope.ts';

/** The state of the runner's container, read from its container status. */
export type Process =
	| { state: 'never-started'; sinceMs?: undefined }
	| { state: 'running'; sinceMs: number | undefined }
	| { state: 'exited'; sinceMs?: undefined };

export interface DeletionRecord {
	requestedAt: string;
	requestedBy: string;
	options: RecordedOptions;
}

/** A runner pod as plain data. Decisions know nothing else about it. */
export interface RunnerPod {
	namespace: string;
	name: string;
	uid: string;
	resourceVersion: string | undefined;
	/** creationTimestamp, ms since the epoch; 0 if it is not known. */
	createdMs: number;
	kind: 'legacy' | 'scale-set';
	/** The name it registers under at GitHub. */
	runnerName: string;
	runnerId: number | undefined;
	scope: Scope | undefined;
	ephemeral: boolean;
	/** Name of the Secret with its GitHub credentials, in the pod's namespace; undefined: the server's own credentials. */
	credentialsSecret: string | undefined;
	/** The EphemeralRunner that owns a scale-set pod. `found`: it could be read. */
	owner: { name: string; uid: string; found: boolean } | undefined;
	nodeName: string | undefined;
	terminating: boolean;
	breakGlass: string | undefined;
	process: Process;
	/** How often the runner's container was restarted in place. */
	restarts: number;
	/** Something says that it runs a job. Its presence is reason enough to deny; its absence is no reason to allow. */
	busyHint: { sinceMs: number | undefined; job: string | undefined } | undefined;
	/** GitHub answered the last DELETE of this runner with 422: it runs a job. */
	busyAnswer: boolean;
	/** The replica that last wrote "I ask GitHub now" on the pod, and when, ms since the epoch. */
	claim: { atMs: number; by: string } | undefined;
	/** The pod says that its runner is unregistered, which anybody may have written. `proven`: this server signed it. */
	unregistered: { at: string; proven: boolean } | undefined;
	/** Its Node object has been missing for nodeGoneAfterMs. */
	nodeGone: boolean;
	/** The recorded deletion, if there is one. */
	record: DeletionRecord | undefined;
}

/** What the caller has found out beside the pod object. */
export interface Facts {
	/** The EphemeralRunner of a scale-set pod; undefined if there is none or it can't be read. */
	ephemeralRunner?: EphemeralRunner | undefined;
	/** Whether the proof annotation is this server's signature. */
	proven?: boolean;
	/** Whether the pod's Node object has been missing for nodeGoneAfterMs. */
	nodeGone?: boolean;
}

const legacyScopeVariables = ['RUNNER_REPO', 'RUNNER_ORG', 'RUNNER_ENTERPRISE'];
const scaleSetVariable = 'ACTIONS_RUNNER_INPUT_JITCONFIG';

/** Variables that make a container named `runner` a GitHub Actions runner: a scope, or a ready-made registration. */
export const runnerVariables: readonly string[] = [...legacyScopeVariables, scaleSetVariable];

/**
 * Whether this is a runner pod: it has a container `runner`, and that container has the env that ARC gives it, or the pod
 * has one of ARC's labels. The webhook configurations' matchConditions say the same in CEL: change both together.
 */
export function isRunnerPod(pod: Pod): boolean {
	const container = runnerContainer(pod);
	if (!container) return false;
	const labels = pod.metadata.labels ?? {};
	return (
		hasVariable(container, runnerVariables) ||
		[arc.runner, arc.runnerSet, arc.runnerDeployment].some((key) => key in labels) ||
		labels[arc.ephemeralRunner] === 'True'
	);
}

/** The EphemeralRunner that owns the pod; undefined if the pod does not belong to a scale set. */
export function ephemeralRunnerOf(pod: Pod): { name: string; uid: string } | undefined {
	return pod.metadata.ownerReferences?.find((owner) => owner.kind === 'EphemeralRunner');
}

/** The pod as a RunnerPod; undefined if it is not a runner pod. */
export function readRunnerPod(pod: Pod, facts: Facts = {}): RunnerPod | undefined {
	const container = runnerContainer(pod);
	if (!container || !isRunnerPod(pod)) return undefined;
	const { labels = {}, annotations = {} } = pod.metadata;
	const env = (name: string) => container.env?.find((variable) => variable.name === name)?.value;
	const owner = ephemeralRunnerOf(pod);
	const er = facts.ephemeralRunner;
	const completedAt = annotations[progress.completedAt];
	const process = readProcess(pod);
	const scaleSet =
		owner !== undefined ||
		labels[arc.ephemeralRunner] === 'True' ||
		hasVariable(container, [scaleSetVariable]);

	return {
		namespace: pod.metadata.namespace ?? '',
		name: pod.metadata.name,
		uid: pod.metadata.uid ?? '',
		resourceVersion: pod.metadata.resourceVersion,
		createdMs: toMs(pod.metadata.creationTimestamp) ?? 0,
		kind: scaleSet ? 'scale-set' : 'legacy',
		runnerName: (scaleSet ? er?.status?.runnerName : env('RUNNER_NAME')) || pod.metadata.name,
		runnerId: positiveInteger(annotations[progress.runnerId]) ?? positiveInteger(er?.status?.runnerId),
		scope: scaleSet ? scaleSetScope(er, labels) : scopeFromEnvironment(env),
		ephemeral: scaleSet || env('RUNNER_EPHEMERAL') !== 'false',
		credentialsSecret:
			(scaleSet ? er?.spec?.githubConfigSecret : undefined) ?? annotations[arc.credentialsSecret],
		owner: owner && { name: owner.name, uid: owner.uid, found: er !== undefined },
		nodeName: pod.spec?.nodeName,
		terminating: pod.metadata.deletionTimestamp !== undefined,
		breakGlass: annotations[breakGlass] || undefined,
		process,
		restarts: restartsOf(pod),
		busyHint: readBusyHint(labels, annotations, er),
		busyAnswer: hasBusyAnswer(process, annotations),
		claim: readClaim(annotations[progress.claim]),
		unregistered:
			completedAt && (facts.proven || !startedAfter(process, completedAt))
				? { at: completedAt, proven: facts.proven === true }
				: undefined,
		nodeGone: facts.nodeGone === true,
		record: readRecord(annotations),
	};
}

/**
 * The runner container's state. A pod phase alone proves nothing: the pod garbage collector writes phase Failed before
 * its DELETE is refused, while the container status still says running (measured). The phase counts only if there is
 * no status for the container at all: then the kubelet rejected or evicted the pod without starting it.
 */
function readProcess(pod: Pod): Process {
	const status = pod.status?.containerStatuses?.find((one) => one.name === 'runner');
	const phase = pod.status?.phase ?? 'Pending';
	if (!status) {
		if (phase === 'Succeeded' || phase === 'Failed') return { state: 'exited' };
		return phase === 'Pending' ? { state: 'never-started' } : { state: 'running', sinceMs: undefined };
	}
	if (status.state?.running) return { state: 'running', sinceMs: toMs(status.state.running.startedAt) };
	if (status.state?.terminated || status.lastState?.terminated) return { state: 'exited' };
	if ((status.restartCount ?? 0) > 0) return { state: 'exited' };
	// It waits, or has no state, which the API defines as waiting.
	return { state: 'never-started' };
}

/** How often the runner's container was restarted in place. */
export function restartsOf(pod: Pod): number {
	return pod.status?.containerStatuses?.find((one) => one.name === 'runner')?.restartCount ?? 0;
}

/** Whether GitHub has answered 422 for this run of the container. After a restart in place it is another runner. */
function hasBusyAnswer(process: Process, annotations: Record<string, string>): boolean {
	const { [progress.completionWait]: waitSince, [progress.failureMessage]: message } = annotations;
	if (waitSince !== undefined && startedAfter(process, waitSince)) return false;
	return waitSince !== undefined || message !== undefined;
}

/** Whether the container started after that time, and so may have registered again. Both times are cut to the second. */
function startedAfter(process: Process, completedAt: string): boolean {
	return process.state === 'running' && (process.sinceMs ?? 0) > (toMs(completedAt) ?? 0) + 1_000;
}

function readBusyHint(
	labels: Record<string, string>,
	annotations: Record<string, string>,
	er: EphemeralRunner | undefined,
): RunnerPod['busyHint'] {
	const job = annotations[busy.job] ?? (er && jobOf(er));
	if (labels[busy.label] !== 'true' && !er?.status?.jobId) return undefined;
	return { sinceMs: toMs(annotations[busy.since]), job };
}

/** A scale set's job, for people: `build (octo-org/app, run 42)`; undefined if it has none. */
export function jobOf(er: EphemeralRunner): string | undefined {
	const status = er.status;
	if (!status?.jobId) return undefined;
	const where = [status.jobRepositoryName, status.workflowRunId && `run ${status.workflowRunId}`].filter(
		Boolean,
	);
	return `${status.jobDisplayName ?? status.jobId}${where.length > 0 ? ` (${where.join(', ')})` : ''}`;
}

function readRecord(annotations: Record<string, string>): DeletionRecord | undefined {
	const requestedBy = annotations[record.requestedBy];
	if (!requestedBy) return undefined; // requestedAt alone is ARC's mark of its own scale-down
	return {
		requestedAt: annotations[record.requestedAt] ?? '',
		requestedBy,
		options: parseOptions(annotations[record.options]),
	};
}

/** The recorded options. Anybody may have edited the annotation: if it can't be read, it counts as a plain delete. */
function parseOptions(text: string | undefined): RecordedOptions {
	try {
		const value = JSON.parse(text ?? '') as RecordedOptions;
		const options: RecordedOptions = { via: value.via === 'eviction' ? 'eviction' : 'delete' };
		if (Number.isInteger(value.gracePeriodSeconds)) options.gracePeriodSeconds = value.gracePeriodSeconds;
		if (typeof value.propagationPolicy === 'string') options.propagationPolicy = value.propagationPolicy;
		return options;
	} catch {
		return { via: 'delete' };
	}
}

/** The scope of a scale set's pod. ARC cuts labels at 63 characters, so a value of that length is not used. */
function scaleSetScope(er: EphemeralRunner | undefined, labels: Record<string, string>): Scope | undefined {
	const url = er?.spec?.githubConfigUrl;
	if (url) return scopeFromConfigUrl(url);
	const label = (key: string) => ((labels[key]?.length ?? 63) < 63 ? labels[key] : undefined);
	const organization = label(arc.organization);
	const repository = label(arc.repository);
	const enterprise = label(arc.enterprise);
	if (organization && repository) return { kind: 'repository', owner: organization, name: repository };
	if (organization && !(arc.repository in labels)) return { kind: 'organization', name: organization };
	return enterprise ? { kind: 'enterprise', name: enterprise } : undefined;
}

function readClaim(text: string | undefined): RunnerPod['claim'] {
	const [at, by = ''] = (text ?? '').split(' ');
	const atMs = toMs(at);
	return atMs === undefined ? undefined : { atMs, by };
}

function runnerContainer(pod: Pod): Container | undefined {
	return pod.spec?.containers?.find((container) => container.name === 'runner');
}

function hasVariable(container: Container, names: readonly string[]): boolean {
	return container.env?.some((variable) => names.includes(variable.name)) ?? false;
}

function positiveInteger(value: string | number | undefined): number | undefined {
	const number = Number(value);
	return Number.isSafeInteger(number) && number > 0 ? number : undefined;
}

function toMs(time: string | undefined): number | undefined {
	const ms = Date.parse(time ?? '');
	return Number.isNaN(ms) ? undefined : ms;
}

/** `namespace/name`, for keys and messages. */
export const podKey = (object: KubeObject): string => `${object.metadata.namespace}/${object.metadata.name}`;

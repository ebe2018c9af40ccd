import { arc, breakGlass, busy, progress, record } from '../api/keys.ts';
import type { Container, EphemeralRunner, KubeObject, Pod, RecordedOptions } from '../api/kinds.ts';
import { type Scope, scopeFromConfigUrl, scopeFromEnvironment } from './scope.ts';

/** What the runner's container does, read from its container status alone. */
export type Process =
	| { state: 'never-started' }
	| { state: 'running'; sinceMs: number | undefined }
	| { state: 'exited' };

export interface DeletionRecord {
	requestedAt: string;
	requestedBy: string;
	options: RecordedOptions;
}

/** A runner pod as plain data: everything `decide` may know. */
export interface RunnerPod {
	namespace: string;
	name: string;
	uid: string;
	resourceVersion: string | undefined;
	/** 0: not known. */
	createdMs: number;
	kind: 'legacy' | 'scale-set';
	/** The name it registers under at GitHub. */
	runnerName: string;
	runnerId: number | undefined;
	scope: Scope | undefined;
	ephemeral: boolean;
	/** A Secret in the pod's namespace; undefined: the server's own credentials. */
	credentialsSecret: string | undefined;
	/** The EphemeralRunner that owns a scale-set pod. */
	owner: { name: string; uid: string; found: boolean } | undefined;
	nodeName: string | undefined;
	terminating: boolean;
	breakGlass: string | undefined;
	process: Process;
	/** How often the runner's container was restarted in place. */
	restarts: number;
	/** Known to run a job: a hint that is good enough to deny, never to allow. */
	busyHint: { sinceMs: number | undefined; job: string | undefined } | undefined;
	/** GitHub said 422 when it was last asked. */
	busyAnswer: boolean;
	/** The last replica that set out to ask GitHub, and when. */
	claim: { atMs: number; by: string } | undefined;
	/** Somebody wrote that the runner is unregistered; `proven` says whether this server's signature is with it. */
	unregistered: { at: string; proven: boolean } | undefined;
	nodeGone: boolean;
	record: DeletionRecord | undefined;
}

/** What the edges know beside the pod object. */
export interface Facts {
	/** The EphemeralRunner of a scale-set pod; undefined when there is none or it can't be read. */
	ephemeralRunner?: EphemeralRunner | undefined;
	/** Does the proof annotation carry this server's signature? */
	proven?: boolean;
	/** Is the pod's Node object gone, and has been for nodeGoneAfterMs? */
	nodeGone?: boolean;
}

const legacyScopeVariables = ['RUNNER_REPO', 'RUNNER_ORG', 'RUNNER_ENTERPRISE'];
const scaleSetVariable = 'ACTIONS_RUNNER_INPUT_JITCONFIG';

/**
 * Is this a runner pod? By what it is (a container `runner` with the env that ARC gives it), or by ARC's labels on a
 * pod with such a container. The webhook configurations' matchConditions say the same in CEL: change both together.
 */
export function isRunnerPod(pod: Pod): boolean {
	const container = runnerContainer(pod);
	if (!container) return false;
	const labels = pod.metadata.labels ?? {};
	return (
		hasVariable(container, legacyScopeVariables) ||
		hasVariable(container, [scaleSetVariable]) ||
		[arc.runner, arc.runnerSet, arc.runnerDeployment].some((key) => key in labels) ||
		labels[arc.ephemeralRunner] === 'True'
	);
}

/** The EphemeralRunner that owns the pod, if it is a scale set's. */
export function ephemeralRunnerOf(pod: Pod): { name: string; uid: string } | undefined {
	return pod.metadata.ownerReferences?.find((owner) => owner.kind === 'EphemeralRunner');
}

/** Reads a runner pod; undefined when it is none. */
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
 * The runner container's state. A pod phase alone proves nothing: the pod garbage collector writes phase Failed
 * before its DELETE is refused, while the container status still says running (real-deleters C3). Only where there
 * is no status for the container at all does the phase speak: the kubelet rejected or evicted the pod without one.
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
	// waiting, or no state at all, which the API defines as waiting
	return { state: 'never-started' };
}

export function restartsOf(pod: Pod): number {
	return pod.status?.containerStatuses?.find((one) => one.name === 'runner')?.restartCount ?? 0;
}

/** An ephemeral runner that was restarted in place since (it should not be) is another one: it may be asked about. */
function hasBusyAnswer(process: Process, annotations: Record<string, string>): boolean {
	const { [progress.completionWait]: waitSince, [progress.failureMessage]: message } = annotations;
	if (waitSince !== undefined && startedAfter(process, waitSince)) return false;
	return waitSince !== undefined || message !== undefined;
}

/** A container that started after the runner was unregistered may have registered again. Both times are to the second. */
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

/** A scale set's job in a person's words: `build (octo-org/app, run 42)`; undefined when it has none. */
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
	if (!requestedBy) return undefined; // ARC writes requestedAt alone, for its own scale-down
	return {
		requestedAt: annotations[record.requestedAt] ?? '',
		requestedBy,
		options: parseOptions(annotations[record.options]),
	};
}

/** Anybody may have edited the annotation: what can't be read counts as a plain delete. */
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

/** Labels hold at most 63 characters and ARC cuts there, so a value of that length is no scope. */
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

function hasVariable(container: Container, names: string[]): boolean {
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

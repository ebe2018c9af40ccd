import { arc, busy, identityProof, progress } from '../api/keys.ts';
import type { Container, EphemeralRunner, KubeObject, Pod } from '../api/kinds.ts';
import { type ObjectKey, objectKey } from '../api/object-key.ts';
import { type GuardedPod, readGuardedPod, toMs } from './guarded-pod.ts';
import {
	ephemeralRunnerName,
	type Identity,
	type IdentityFacts,
	identify,
	ownerOf,
	runnerVariables,
	unreadIdentity,
} from './identity/identity.ts';
import { type Pin, readPin } from './identity/pin.ts';
import { type JobSignal, readSignals } from './job-signals.ts';
import { type Process, readProcess } from './process.ts';
import type { Scope } from './scope.ts';
import { absent, idle, pinned, registered, runnerText, unregistered, type Verify } from './statements.ts';

/** A runner pod as plain data. Decisions know nothing else about it. */
export interface RunnerPod extends GuardedPod {
	kind: 'legacy' | 'scale-set';
	/** The name it registers under at GitHub; where `scope` is undefined, only the most likely one. */
	runnerName: string;
	/** GitHub's id of the runner. Anybody may have written it, unless `registered`. */
	runnerId: number | undefined;
	/** This server has seen `runnerId` in GitHub's list under this name, during this run of the container. */
	registered: boolean;
	/** Where it is registered; undefined unless this and its name are certain. Without it nobody asks GitHub. */
	scope: Scope | undefined;
	/** Why they are not certain, for people; undefined where they are. */
	uncertain: string | undefined;
	/** Host of its GitHub, as hostOf gives it. */
	host: string | undefined;
	ephemeral: boolean;
	/** Name of the Secret with its GitHub credentials, in the pod's namespace; undefined: the server's own credentials. */
	credentialsSecret: string | undefined;
	/** The EphemeralRunner of a scale-set pod. `found`: it could be read. */
	owner: { name: string; uid: string; found: boolean } | undefined;
	nodeName: string | undefined;
	process: Process;
	/** How often the runner's container was restarted in place. */
	restarts: number;
	/** Something says that it runs a job. Its presence is reason enough to deny; its absence is no reason to allow. */
	busyHint: { sinceMs: number | undefined; job: string | undefined } | undefined;
	/** What its log, job hooks and GitHub's events have said of its jobs: this server signed that. */
	signals: readonly JobSignal[];
	/**
	 * GitHub answered the last DELETE of this runner with 422, it runs a job: when, ms since the epoch, and to whom. Anybody
	 * may have written it.
	 */
	busyAnswer: { atMs: number; to: 'us' | 'arc' } | undefined;
	/** The replica that last wrote "I ask GitHub now" on the pod, and when, ms since the epoch. Anybody may have written it. */
	attempt: { atMs: number; by: string } | undefined;
	/** GitHub's lists have lacked it since then, ms since the epoch: this server signed that. */
	absentSinceMs: number | undefined;
	/** GitHub's lists have shown it as idle since then, ms since the epoch: this server signed that. */
	idleSinceMs: number | undefined;
	/**
	 * ARC, or whoever may edit the pod, says that GitHub has unregistered the runner, and since when, ms since the epoch: its
	 * list may well lack it.
	 */
	saidToBeGone: { atMs: number } | undefined;
	/**
	 * ARC is having the runner unregistered, as far as annotations tell that anybody can write. Until GitHub has agreed, ARC
	 * asks it once more at each change of a static runner's pod.
	 */
	leavingByArc: boolean;
	/** GitHub answered 204 for this runner: this server signed that. RFC 3339. */
	unregistered: { at: string } | undefined;
	/** Its Node object has been missing for nodeGoneAfterMs. */
	nodeGone: boolean;
}

/** What the caller has found out beside the pod object. */
export interface Facts extends Omit<IdentityFacts, 'pin'> {
	/** Checks this server's signatures on the pod; undefined: whoever reads it has no key, and none counts. */
	verify?: Verify | undefined;
	/** Whether the pod's Node object has been missing for nodeGoneAfterMs. */
	nodeGone?: boolean;
}

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

/** Name of the EphemeralRunner that a scale set's pod belongs to; undefined for any other pod. */
export function ephemeralRunnerOf(pod: Pod): string | undefined {
	const container = runnerContainer(pod);
	return container && isRunnerPod(pod) ? ephemeralRunnerName(pod, container) : undefined;
}

/** The pod as a RunnerPod; undefined if it is not a runner pod. */
export function readRunnerPod(pod: Pod, facts: Facts = {}): RunnerPod | undefined {
	const container = runnerContainer(pod);
	if (!container || !isRunnerPod(pod)) return undefined;
	const verify = facts.verify ?? nothingSigned;
	const who = identify(pod, container, { ...facts, pin: pinOn(pod, verify) });
	return readAs(who, pod, facts, verify);
}

/**
 * The pod by its form alone: neither its identity nor a signature is read, so that it costs next to nothing whatever stands on
 * it. Its scope is not certain, and nothing that lets a runner go counts. undefined if it is not a runner pod.
 */
export function outlineRunnerPod(pod: Pod): RunnerPod | undefined {
	const container = runnerContainer(pod);
	if (!container || !isRunnerPod(pod)) return undefined;
	return readAs(unreadIdentity(pod, container), pod, {}, nothingSigned);
}

const nothingSigned: Verify = () => false;

function readAs(who: Identity, pod: Pod, facts: Facts, verify: Verify): RunnerPod {
	const { labels = {}, annotations = {} } = pod.metadata;
	const er = who.kind === 'scale-set' ? facts.ephemeralRunner : undefined;
	const process = readProcess(pod);

	const ownId = positiveInteger(annotations[progress.runnerId]);
	const identity = {
		uid: pod.metadata.uid ?? '',
		restarts: restartsOf(pod),
		runnerName: who.runnerName,
		scope: who.scope,
	};
	const gitHubSaid = whatGitHubSaid(identity, ownId, annotations, verify);

	return {
		...readGuardedPod(pod, verify),
		...identity,
		kind: who.kind,
		uncertain: 'uncertain' in who ? who.uncertain.slice(0, longestReason) : undefined,
		host: who.host,
		runnerId: ownId ?? positiveInteger(annotations[arc.runnerId]) ?? positiveInteger(er?.status?.runnerId),
		registered: gitHubSaid.registered,
		absentSinceMs: gitHubSaid.absentSinceMs,
		idleSinceMs: gitHubSaid.idleSinceMs,
		saidToBeGone: readSaidToBeGone(annotations[arc.completedAt], er),
		leavingByArc: annotations[arc.requestedAt] !== undefined && annotations[arc.completedAt] === undefined,
		ephemeral: who.ephemeral,
		credentialsSecret: who.credentialsSecret,
		owner: readOwner(pod, who, er),
		nodeName: pod.spec?.nodeName,
		process,
		busyHint: readBusyHint(labels, annotations, er),
		signals: readSignals(annotations[busy.signals], identity, verify),
		busyAnswer: readBusyAnswer(process, annotations),
		attempt: readAttempt(annotations[progress.attempt]),
		unregistered: gitHubSaid.unregistered,
		nodeGone: facts.nodeGone === true,
	};
}

/** Names of variables can be as long as a pod may be. */
const longestReason = 200;

/** A pin without this server's signature counts as none: its author could as well have removed the right one. */
function pinOn({ metadata: { uid = '', annotations = {} } }: Pod, verify: Verify): Pin | undefined {
	const read = readPin(annotations[identityProof]);
	return read && uid && verify(pinned(uid, read.pin), read.signature) ? read.pin : undefined;
}

function readOwner(pod: Pod, { kind }: Identity, er: EphemeralRunner | undefined): RunnerPod['owner'] {
	if (kind !== 'scale-set') return undefined;
	const { name, uid = '' } = er?.metadata ?? ownerOf(pod) ?? {};
	return name ? { name, uid, found: er !== undefined } : undefined;
}

/** How often the runner's container was restarted in place. */
function restartsOf(pod: Pod): number {
	return pod.status?.containerStatuses?.find((one) => one.name === 'runner')?.restartCount ?? 0;
}

/**
 * What this server has signed of GitHub's answers. It counts only for the runner that the pod still is. The EphemeralRunner
 * of a scale set's pod goes first, and its scope with it: what was signed before is still true then.
 */
function whatGitHubSaid(
	pod: Pick<RunnerPod, 'uid' | 'restarts' | 'scope' | 'runnerName'>,
	runnerId: number | undefined,
	annotations: Record<string, string>,
	verify: Verify,
): Pick<RunnerPod, 'registered' | 'unregistered' | 'absentSinceMs' | 'idleSinceMs'> {
	const runner = runnerText(pod) ?? annotations[progress.registeredAs] ?? '';
	const run = { uid: pod.uid, restarts: pod.restarts, runner };
	const sinceOf = (key: string, statement: typeof absent) => {
		const [since = '', given] = (annotations[key] ?? '').split(' ', 2);
		return verify(statement(run, since), given) ? toMs(since) : undefined;
	};
	const absentSinceMs = sinceOf(progress.absentSince, absent);
	const idleSinceMs = sinceOf(progress.idleSince, idle);
	if (runnerId === undefined)
		return { registered: false, unregistered: undefined, absentSinceMs, idleSinceMs };
	const at = annotations[progress.completedAt] ?? '';
	return {
		registered: verify(registered(run, runnerId), annotations[progress.registered]),
		unregistered: verify(unregistered(run, runnerId, at), annotations[progress.proof]) ? { at } : undefined,
		absentSinceMs,
		idleSinceMs,
	};
}

/**
 * ARC writes the time on a legacy runner's pod. From a scale set's EphemeralRunner that is being deleted it takes one
 * finalizer when GitHub has removed the runner, and keeps it while the runner has a job.
 */
function readSaidToBeGone(
	completedAt: string | undefined,
	er: EphemeralRunner | undefined,
): RunnerPod['saidToBeGone'] {
	if (completedAt !== undefined) return { atMs: toMs(completedAt) ?? 0 };
	const { deletionTimestamp, finalizers = [] } = er?.metadata ?? {};
	if (deletionTimestamp === undefined || finalizers.includes(arc.registrationFinalizer)) return undefined;
	return { atMs: toMs(deletionTimestamp) ?? 0 };
}

/**
 * GitHub's 422 for this run of the container, to this server or, for an ephemeral runner, to ARC. After a restart in place
 * it is another runner. A time that cannot be read counts as long ago.
 */
function readBusyAnswer(process: Process, annotations: Record<string, string>): RunnerPod['busyAnswer'] {
	const { [progress.refusal]: ours, [arc.completionWait]: arcs } = annotations;
	const said = ours?.split(' ', 1)[0] ?? arcs;
	if (said === undefined) return undefined;
	const atMs = toMs(said) ?? 0;
	// Both times are cut to the second.
	const startedLater = process.state === 'running' && (process.sinceMs ?? 0) > atMs + 1_000;
	return atMs > 0 && startedLater ? undefined : { atMs, to: ours === undefined ? 'arc' : 'us' };
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

function readAttempt(text: string | undefined): RunnerPod['attempt'] {
	const [at, by = ''] = (text ?? '').split(' ', 2);
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

/** `namespace/name`, for keys and messages. */
export const podKey = (object: KubeObject): ObjectKey => objectKey(object.metadata);

import { busy, progress, record } from '../../admission/api/keys.ts';
import type { ContainerState, Pod } from '../../admission/api/kinds.ts';

/**
 * What a runner is doing, for people. Read off the pod alone: the server writes there what GitHub says, so that
 * nobody needs GitHub credentials to see it.
 *
 * - pending: not on a node yet
 * - starting: on a node; its runner has not started, or not registered yet
 * - idle: waits for a job
 * - busy: runs one
 * - draining: its deletion is asked for (recorded) or under way
 * - stopped: its runner has ended; only the pod is left
 * - unknown: the runner runs, but nobody says whether it is busy: the server is not installed or cannot ask GitHub
 */
export type State = 'pending' | 'starting' | 'idle' | 'busy' | 'draining' | 'stopped' | 'unknown';

/** A registered runner is seen by the server within seconds; one that runs for longer unseen is not "starting". */
const registrationMs = 120_000;

export function stateOf(pod: Pod, nowMs: number): State {
	const container = runnerState(pod);
	if (container?.terminated || isFinished(pod)) return 'stopped';
	// ARC's own scale-down writes the time alone: its deletion is asked for, too, though not with us.
	if (isTerminating(pod) || pod.metadata.annotations?.[record.requestedAt] !== undefined) return 'draining';
	if (isBusy(pod)) return 'busy';
	if (!pod.spec?.nodeName) return 'pending';
	if (!container?.running) return 'starting';
	if (isKnownIdle(pod)) return 'idle';

	const { startedAt } = container.running;
	const runsForMs = startedAt === undefined ? 0 : nowMs - Date.parse(startedAt);
	return runsForMs < registrationMs ? 'starting' : 'unknown';
}

export function isTerminating(pod: Pod): boolean {
	return pod.metadata.deletionTimestamp !== undefined;
}

/** Is its deletion on record with our server, which completes it when the job ends? */
export function isDeletionRecorded(pod: Pod): boolean {
	return pod.metadata.annotations?.[record.requestedBy] !== undefined;
}

export function isBusy(pod: Pod): boolean {
	return pod.metadata.labels?.[busy.label] === 'true' || busyCondition(pod) === 'True';
}

/** Runs, is registered, and has no job, whether its deletion is recorded or not. */
export function isIdle(pod: Pod): boolean {
	return runnerState(pod)?.running !== undefined && !isTerminating(pod) && !isBusy(pod) && isKnownIdle(pod);
}

/** Registered, and no job: GitHub's id is on the pod, or the server says "not busy". */
function isKnownIdle(pod: Pod): boolean {
	return busyCondition(pod) === 'False' || pod.metadata.annotations?.[progress.runnerId] !== undefined;
}

function busyCondition(pod: Pod): string | undefined {
	return pod.status?.conditions?.find(({ type }) => type === busy.condition)?.status;
}

/** The state of the runner's own container; undefined before the kubelet has reported one. */
export function runnerState(pod: Pod): ContainerState | undefined {
	return pod.status?.containerStatuses?.find(({ name }) => name === 'runner')?.state;
}

/** For the list only: deciding whether a job may be running needs the container's status (see admission/runner). */
function isFinished(pod: Pod): boolean {
	const hasStatuses = (pod.status?.containerStatuses?.length ?? 0) > 0;
	return !hasStatuses && (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed');
}

import { busy, progress } from '../../api/keys.ts';
import type { EphemeralRunner, Pod } from '../../api/kinds.ts';
import { openSignal, worksBy } from '../../jobs/rules/job-signals.ts';
import { busyMarks, idleMarks, type Marks } from '../../jobs/rules/marks.ts';
import { jobText } from '../../runner/job-signals.ts';
import { pinOf, registeredAs } from '../../runner/record.ts';
import { jobOf, type RunnerPod } from '../../runner/runner-pod.ts';
import type { Sign } from '../../runner/statements.ts';
import { currentBusyAnswer } from '../subjects/runner/rules/decide.ts';
import { jobOverMs } from './policy.ts';

/** What GitHub's list says about a runner. */
export interface Sighting {
	runner: { id: number; busy: boolean; status: string; ephemeral?: boolean | undefined } | undefined;
	/** The list held every runner of the scope, so a runner that is not in it is not registered. */
	complete: boolean;
	/** When the reading of the list began, ms since the epoch. */
	atMs: number;
	/** For how long every list has lacked the runner or shown it offline and idle, in ms. */
	overForMs: number;
}

interface MarkCircumstances {
	nowMs: number;
	/** No list has been read for longer than two polls: what was known of an idle runner is no longer known. */
	old: boolean;
	sign: Sign;
}

interface MarkChange extends Marks {
	/** The runner has become busy (true) or idle (false); undefined: as before. */
	busy: boolean | undefined;
}

/** Whether the list shows the runner as one whose job is over: absent, or offline and idle. Its container may still run. */
export function looksOver(sighting: Omit<Sighting, 'overForMs'>): boolean {
	const { runner, complete } = sighting;
	return runner ? !runner.busy && runner.status === 'offline' : complete;
}

/**
 * Whether the runner runs a job, as far as is known; undefined: nothing new is known, so the pod is left as it is.
 *
 * A 422 that is newer than the list wins over it. A list that lacks an ephemeral runner says nothing at first: GitHub
 * removes the runner when its job ends, a moment before its container stops. If the container still runs a minute later
 * (jobOverMs), it hangs.
 */
function isBusy(
	pod: RunnerPod,
	er: EphemeralRunner | undefined,
	sighting: Sighting | undefined,
	{ nowMs, old }: Pick<MarkCircumstances, 'nowMs' | 'old'>,
): boolean | undefined {
	const { state } = pod.process;
	if (state === 'unbound' || state === 'exited') return false;
	if (worksBy(pod.signals)) return true;
	if (er?.status?.jobId) return true;
	if (state === 'starting') return undefined; // a list may show a runner of an earlier pod of its name
	const answer = currentBusyAnswer(pod, nowMs);
	if (answer && (sighting === undefined || answer.atMs > sighting.atMs)) return true;
	if (!sighting || old) return undefined;
	if (sighting.overForMs >= jobOverMs) return false;
	if (answer && isEphemeral(pod, sighting)) return true; // it ends with its job, so a list that shows it idle is out of date
	// A list from before the end of a job, as its job signals report that, does not show what came after.
	const endedMs = Math.max(0, ...pod.signals.map(({ sinceMs }) => sinceMs));
	if (sighting.runner) return sighting.runner.busy && sighting.atMs >= endedMs;
	return sighting.complete && !pod.ephemeral ? false : undefined;
}

/** Whether GitHub says that the runner is ephemeral, where the list has it; else whether its pod says so. */
const isEphemeral = (pod: RunnerPod, sighting: Sighting | undefined): boolean =>
	sighting?.runner?.ephemeral ?? pod.ephemeral;

/**
 * Whether the change removes or replaces what somebody may have written since the pod was read: a job hook or an event sets
 * the label `true` while the watch is still behind. Then it may be written on that version of the pod only.
 */
export const overwrites = ({ labels, annotations }: Marks): boolean =>
	Object.values(annotations).includes(null) || (busy.label in labels && labels[busy.label] !== 'true');

/**
 * The changes that make the pod show its runner's id and whether it is busy; undefined: none.
 *
 * Until a runner has been seen idle, and again while nothing new is known of it, its label is "unknown": then the back-stop
 * budget refuses its eviction, even if no replica answers the API server in time.
 */
export function planMarks(
	object: Pod,
	pod: RunnerPod,
	er: EphemeralRunner | undefined,
	sighting: Sighting | undefined,
	circumstances: MarkCircumstances,
): MarkChange | undefined {
	const { nowMs, old, sign } = circumstances;
	const { labels = {}, annotations = {} } = object.metadata;
	const change: MarkChange = { labels: {}, annotations: {}, busy: undefined };
	const listed = pod.process.state === 'running' ? sighting?.runner : undefined;
	// A list from before its absence was noted does not end it: the note would be written and removed again without end.
	const back = (sighting?.atMs ?? 0) > (pod.absentSinceMs ?? Infinity);
	const known = pod.registered && pod.runnerId === listed?.id;
	if (listed && (pod.absentSinceMs === undefined ? !known : back))
		Object.assign(change.annotations, registeredAs(pod, listed.id, sign));
	if (!listed && er?.status?.runnerId && annotations[progress.runnerId] === undefined)
		change.annotations[progress.runnerId] = String(er.status.runnerId);

	for (const [key, pin] of Object.entries(pinOf(pod, sign)))
		if (pod.process.state === 'running' && annotations[key] !== pin) change.annotations[key] = pin;

	if (listed?.busy && progress.idleSince in annotations) change.annotations[progress.idleSince] = null;

	const mark = labels[busy.label];
	const add = (marks: Marks) => {
		Object.assign(change.labels, marks.labels);
		Object.assign(change.annotations, marks.annotations);
	};
	const now = isBusy(pod, er, sighting, circumstances);
	// The label is also written where a hook or an event is received, and removed where the log has ended a job signal.
	const isConditionTrue = object.status?.conditions?.some(
		({ type, status }) => type === busy.condition && status === 'True',
	);
	if (now === true) {
		const signal = openSignal(pod.signals);
		add(busyMarks(object, signal ? jobText(signal.job) : er && jobOf(er), nowMs));
		if (mark !== 'true' || (signal && !isConditionTrue && !pod.leavingByArc)) change.busy = true;
	}
	const { process } = pod;
	// Its container has ended, its job with it, and the kubelet says that it cannot start again for now.
	if (now === undefined && mark === 'true' && process.state === 'starting' && process.failing !== undefined) {
		change.busy = false;
		add(idleMarks(object));
		change.labels[busy.label] = 'unknown';
	}
	const unseen = process.state === 'unbound' || (now === undefined && (!pod.registered || old));
	if (unseen && !pod.unregistered) {
		if (mark === undefined) change.labels[busy.label] = 'unknown';
	} else if (now === false && mark !== undefined) {
		if (mark === 'true') {
			change.busy = false;
			add(idleMarks(object));
		} else change.labels[busy.label] = null;
	} else if (now === false && isConditionTrue && !pod.leavingByArc) change.busy = false;
	// When a list shows a static runner's job, the 422 is cleared, so that GitHub is asked again as soon as a list shows
	// the runner idle. A list that never showed the job is out of date: then the next regular try is awaited (invariant
	// 5). For an ephemeral runner the 422 is cleared only when its job is certainly over.
	const answer = pod.busyAnswer;
	const shown =
		!isEphemeral(pod, sighting) && listed?.busy === true && (sighting?.atMs ?? 0) > (answer?.atMs ?? 0);
	const over = now === false && (sighting?.overForMs ?? 0) >= jobOverMs && pod.process.state === 'running';
	if (answer?.to === 'us' && (shown || over)) {
		for (const key of [progress.refusal, progress.attempt]) {
			if (key in annotations) change.annotations[key] = null;
		}
	}
	const changes = Object.keys(change.labels).length + Object.keys(change.annotations).length;
	return changes > 0 || change.busy !== undefined ? change : undefined;
}

import { autoscalerMarks, busy, progress } from '../../api/keys.ts';
import type { EphemeralRunner, Pod } from '../../api/kinds.ts';
import { jobOf, type RunnerPod } from '../../runner/runner-pod.ts';
import { jobOverMs } from './policy.ts';

/** What GitHub's list says about a runner. */
export interface Sighting {
	runner: { id: number; busy: boolean; status: string } | undefined;
	/** The list held every runner of the scope, so a runner that is not in it is not registered. */
	complete: boolean;
	/** When the reading of the list began, ms since the epoch. */
	atMs: number;
	/** For how long every list has lacked the runner or shown it offline and idle, in ms. */
	overForMs: number;
}

/** Labels and annotations to change; null removes one. */
export interface MarkChange {
	labels: Record<string, string | null>;
	annotations: Record<string, string | null>;
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
export function isBusy(
	pod: RunnerPod,
	er: EphemeralRunner | undefined,
	sighting: Sighting | undefined,
): boolean | undefined {
	if (pod.process.state !== 'running') return false;
	if (er?.status?.jobId) return true;
	const answered = pod.busyAnswer && (sighting === undefined || (pod.claim?.atMs ?? 0) > sighting.atMs);
	if (answered) return true;
	if (!sighting) return undefined;
	if (sighting.overForMs >= jobOverMs) return false;
	if (pod.busyAnswer && pod.ephemeral) return true; // it ends with its job, so a list that shows it idle is out of date
	if (sighting.runner) return sighting.runner.busy;
	return sighting.complete && !pod.ephemeral ? false : undefined;
}

/** The changes that make the pod show its runner's id and whether it is busy; undefined: none. */
export function planMarks(
	object: Pod,
	pod: RunnerPod,
	er: EphemeralRunner | undefined,
	sighting: Sighting | undefined,
	nowMs: number,
): MarkChange | undefined {
	const { labels = {}, annotations = {} } = object.metadata;
	const change: MarkChange = { labels: {}, annotations: {}, busy: undefined };
	const id = sighting?.runner?.id ?? er?.status?.runnerId;
	if (id && annotations[progress.runnerId] !== String(id)) change.annotations[progress.runnerId] = String(id);

	const marked = labels[busy.label] === 'true';
	const now = isBusy(pod, er, sighting);
	if (now === true) {
		const job = er && jobOf(er);
		if (job && annotations[busy.job] !== job) change.annotations[busy.job] = job;
		if (!marked) {
			change.busy = true;
			change.labels[busy.label] = 'true';
			change.annotations[busy.since] = new Date(nowMs).toISOString();
			// A mark that is on the pod already was set by somebody else: it stays when the job ends.
			const missing = Object.entries(autoscalerMarks).filter(([key]) => annotations[key] === undefined);
			for (const [key, value] of missing) change.annotations[key] = value;
			change.annotations[busy.marks] = missing.map(([key]) => key).join(',');
		}
	}
	if (now === false && marked) {
		change.busy = false;
		change.labels[busy.label] = null;
		const ours = (annotations[busy.marks] ?? '').split(',').filter((key) => key in autoscalerMarks);
		for (const key of [busy.since, busy.job, busy.marks, ...ours])
			if (key in annotations) change.annotations[key] = null;
	}
	// When a list shows a static runner's job, the 422 is cleared, so that GitHub is asked again as soon as a list shows
	// the runner idle. A list that never showed the job is out of date: then the next regular try is awaited (invariant
	// 5). For an ephemeral runner the 422 is cleared only when its job is certainly over.
	const listed = !pod.ephemeral && sighting?.runner?.busy === true && sighting.atMs > (pod.claim?.atMs ?? 0);
	const over = now === false && (sighting?.overForMs ?? 0) >= jobOverMs && pod.process.state === 'running';
	if (pod.busyAnswer && (listed || over)) {
		for (const key of [progress.failureMessage, progress.completionWait, progress.claim]) {
			if (key in annotations) change.annotations[key] = null;
		}
	}
	const something = Object.keys(change.labels).length + Object.keys(change.annotations).length > 0;
	return something ? change : undefined;
}

import { autoscalerMarks, busy, progress } from '../api/keys.ts';
import type { EphemeralRunner, Pod } from '../api/kinds.ts';
import { jobOf, type RunnerPod } from './runner-pod.ts';

/** What GitHub's list says of a runner, and when that list was begun. */
export interface Sighting {
	runner: { id: number; busy: boolean } | undefined;
	/** The list held every runner of the scope, so that an absent one is absent. */
	complete: boolean;
	atMs: number;
}

/** Labels and annotations to change; null takes one away. */
export interface MarkChange {
	labels: Record<string, string | null>;
	annotations: Record<string, string | null>;
	/** The runner has become busy (true) or idle (false); undefined: as before. */
	busy: boolean | undefined;
}

/**
 * Does the runner run a job, as far as is known? undefined: nothing new is known, leave the pod as it is.
 *
 * A 422 that is newer than the list wins over it; a list that lacks an ephemeral runner says nothing, since GitHub
 * removes one at its job's end, a moment before its container stops.
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
	if (sighting.runner) return sighting.runner.busy;
	return sighting.complete && !pod.ephemeral ? false : undefined;
}

/** What to write on the pod so that it shows its runner's id and whether it is busy; undefined: nothing. */
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
			// A mark that is there already is its owner's: it stays when the job ends.
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
	// Seen idle after the 422: the next try at once, not in half a minute.
	if (now === false && pod.busyAnswer && !pod.ephemeral) {
		for (const key of [progress.failureMessage, progress.completionWait, progress.claim]) {
			if (key in annotations) change.annotations[key] = null;
		}
	}
	const something = Object.keys(change.labels).length + Object.keys(change.annotations).length > 0;
	return something ? change : undefined;
}

import { autoscalerMarks, busy, progress } from '../../api/keys.ts';
import type { EphemeralRunner, Pod } from '../../api/kinds.ts';
import { jobOf, type RunnerPod } from '../../runner/runner-pod.ts';
import { jobOverMs } from './policy.ts';

/** What GitHub's list says of a runner, and when that list was begun. */
export interface Sighting {
	runner: { id: number; busy: boolean; status: string } | undefined;
	/** The list held every runner of the scope, so that an absent one is absent. */
	complete: boolean;
	atMs: number;
	/** For so long every list has shown it absent, or offline and idle: its job is over at GitHub. */
	overForMs: number;
}

/** Labels and annotations to change; null takes one away. */
export interface MarkChange {
	labels: Record<string, string | null>;
	annotations: Record<string, string | null>;
	/** The runner has become busy (true) or idle (false); undefined: as before. */
	busy: boolean | undefined;
}

/** Is this what a runner looks like at GitHub whose job is over, though its container may still run? */
export function looksOver(sighting: Omit<Sighting, 'overForMs'>): boolean {
	const { runner, complete } = sighting;
	return runner ? !runner.busy && runner.status === 'offline' : complete;
}

/**
 * Does the runner run a job, as far as is known? undefined: nothing new is known, leave the pod as it is.
 *
 * A 422 that is newer than the list wins over it. A list that lacks an ephemeral runner says nothing at first, since
 * GitHub removes one at its job's end, a moment before its container stops; a container that still runs a minute
 * later hangs.
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
	if (pod.busyAnswer && pod.ephemeral) return true; // it ends with its job: a list that says idle is a late one
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
	// A list that shows the job takes the place of a static runner's 422: the list that shows it idle then has it asked
	// at once. One that never showed the job is late, and waits for the next try (invariant 5). An ephemeral one is asked
	// again only when its job is over beyond doubt.
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

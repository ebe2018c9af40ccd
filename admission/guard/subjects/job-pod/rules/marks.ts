import { busy } from '../../../../api/keys.ts';
import type { Pod } from '../../../../api/kinds.ts';
import { openSignal, worksBy } from '../../../../jobs/rules/job-signals.ts';
import { busyMarks, idleMarks, type Marks } from '../../../../jobs/rules/marks.ts';
import type { JobPod } from '../../../../runner/job-pod.ts';
import { jobText } from '../../../../runner/job-signals.ts';
import type { RunnerPod } from '../../../../runner/runner-pod.ts';

/**
 * The changes that make a job pod show what its runner's pod shows: busy, unknown, or nothing, once its runner is idle, has
 * stopped or is gone; undefined: none. So the back-stop budgets, the scheduler and autoscalers spare it as well.
 */
export function planJobPodMarks(
	object: Pod,
	jobPod: JobPod,
	runner: { object: Pod; pod: RunnerPod } | undefined,
	nowMs: number,
): Marks | undefined {
	if (jobPod.terminating) return undefined;
	const is = object.metadata.labels?.[busy.label];
	const alive = runner?.pod.process.state === 'running' && !jobPod.ended;
	const shown = alive ? runner.object.metadata.labels?.[busy.label] : undefined;
	if (alive && (shown === 'true' || worksBy(runner.pod.signals))) {
		const signal = openSignal(runner.pod.signals);
		const job = signal ? jobText(signal.job) : runner.object.metadata.annotations?.[busy.job];
		return something(busyMarks(object, job, nowMs));
	}
	if (shown === 'unknown') {
		if (is === 'unknown') return undefined;
		return { labels: { [busy.label]: 'unknown' }, annotations: idleMarks(object).annotations };
	}
	return is === undefined ? undefined : idleMarks(object);
}

const something = (marks: Marks): Marks | undefined =>
	Object.keys(marks.labels).length + Object.keys(marks.annotations).length > 0 ? marks : undefined;

import type { Pod } from '../api/kinds.ts';
import { objectKey } from '../api/object-key.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import { KubeError } from '../kube/client.ts';
import { type Events, podSubject } from '../kube/events.ts';
import { jobText } from '../runner/job-signals.ts';
import { notIdle, signalsOf, withoutProof } from '../runner/record.ts';
import type { RunnerPod } from '../runner/runner-pod.ts';
import type { Sign } from '../runner/statements.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';
import { afterReport, type JobReport } from './rules/job-signals.ts';
import { busyMarks } from './rules/marks.ts';

export interface ReportDependencies {
	pods: RunnerPods;
	sign: Sign;
	events: Events;
	metrics: Metrics;
	clock: Clock;
	log: Log;
}

/** Others write on the pod as well: the kubelet, and the guard. */
const tries = 10;

/**
 * Writes what a source reports on the pod, with the marks of a busy runner, in one patch: the signal is on the pod when this
 * resolves. A report that changes nothing writes nothing.
 *
 * If a job starts after GitHub had answered that the runner is removed, GitHub was wrong: that proof is deleted.
 *
 * @param object the pod, read from the API server: where it has changed since, the write fails and it is read anew
 * @returns 'gone': the pod no longer exists, or its runner has ended
 * @throws KubeError if the pod can't be read or written, code 409 if others changed it at every try
 */
export async function recordReport(
	object: Pod,
	report: JobReport,
	dependencies: ReportDependencies,
): Promise<'written' | 'unchanged' | 'gone'> {
	const { pods, sign, clock } = dependencies;
	let current = object;
	for (let attempt = 0; attempt < tries; attempt++) {
		const pod = pods.read(current);
		if (!pod || pod.uid !== object.metadata.uid || pod.process.state === 'exited') return 'gone';
		const signals = afterReport(pod.signals, report, clock.now());
		if (signals === pod.signals) return 'unchanged';
		const refuted = report.says === 'started' && pod.unregistered !== undefined;
		const marks = busyMarks(current, jobText(report.job), clock.now());
		const annotations = {
			...marks.annotations,
			...signalsOf({ ...pod, signals }, sign),
			...notIdle(pod),
			...(refuted ? withoutProof : {}),
		};
		const written = await pods.patch(pod, { labels: marks.labels, annotations }, pod.resourceVersion);
		if (written === 'gone') return 'gone';
		if (written !== 'conflict') {
			if (refuted) reportRefutedRemoval(pod, jobText(report.job), dependencies);
			return 'written';
		}
		const fresh = await pods.get(pod.namespace, pod.name);
		if (!fresh) return 'gone';
		current = fresh;
	}
	throw new KubeError(409, 'Conflict', `pod ${object.metadata.name} changed at every try to write on it`);
}

/** GitHub had answered that it removed the runner, and yet the runner has a job, which GitHub has probably lost. */
export function reportRefutedRemoval(
	pod: RunnerPod,
	job: string,
	{ events, metrics, log }: Pick<ReportDependencies, 'events' | 'metrics' | 'log'>,
): void {
	metrics.contradiction('removed-while-busy');
	log.warn(
		{ pod: objectKey(pod), runner: pod.runnerName, job },
		'a runner that GitHub had removed runs a job',
	);
	events.send(
		podSubject(pod),
		'Warning',
		'JobProbablyLost',
		'Delete',
		`runner ${pod.runnerName} runs ${job}, although GitHub had answered that it was removed: GitHub has probably lost the job. The pod stays until its container stops`,
	);
}

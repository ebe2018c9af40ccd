import type { Pod } from '../api/kinds.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import { KubeError } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { type Events, podSubject } from '../kube/events.ts';
import { jobText } from '../runner/claims.ts';
import { claimsOf, notIdle, withoutProof } from '../runner/record.ts';
import { podKey, type RunnerPod } from '../runner/runner-pod.ts';
import type { Sign } from '../runner/statements.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { afterWord, type Word } from './rules/claims.ts';
import { busyMarks } from './rules/marks.ts';

export interface HearDependencies {
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
 * Writes what a hook or an event has said on the pod, with the marks of a busy runner, in one patch: what is said is on
 * the pod when this resolves. Words that change nothing write nothing.
 *
 * A job that started after GitHub had said that the runner is removed takes that proof away: GitHub was wrong.
 *
 * @param object the pod, read from the API server: where it has changed since, the write fails and it is read anew
 * @returns 'gone': there is no such pod any more, or its runner has ended
 * @throws KubeError if the pod can't be read or written, code 409 if others changed it at every try
 */
export async function hear(
	object: Pod,
	word: Word,
	dependencies: HearDependencies,
): Promise<'written' | 'unchanged' | 'gone'> {
	const { pods, sign, clock } = dependencies;
	let current = object;
	for (let attempt = 0; attempt < tries; attempt++) {
		const pod = pods.read(current);
		if (!pod || pod.uid !== object.metadata.uid || pod.process.state === 'exited') return 'gone';
		const claims = afterWord(pod.claims, word, clock.now());
		if (claims === pod.claims) return 'unchanged';
		const refuted = word.says === 'started' && pod.unregistered !== undefined;
		const marks = busyMarks(current, jobText(word.job), clock.now());
		const annotations = {
			...marks.annotations,
			...claimsOf({ ...pod, claims }, sign),
			...notIdle(pod),
			...(refuted ? withoutProof : {}),
		};
		const written = await pods.patch(pod, { labels: marks.labels, annotations }, pod.resourceVersion);
		if (written === 'gone') return 'gone';
		if (written !== 'conflict') {
			if (refuted) tellRefuted(pod, jobText(word.job), dependencies);
			return 'written';
		}
		const fresh = await pods.get(pod.namespace, pod.name);
		if (!fresh) return 'gone';
		current = fresh;
	}
	throw new KubeError(409, 'Conflict', `pod ${object.metadata.name} changed at every try to write on it`);
}

/** GitHub had said that it removed the runner, and yet it has a job: which GitHub has probably lost. */
export function tellRefuted(
	pod: RunnerPod,
	job: string,
	{ events, metrics, log }: Pick<HearDependencies, 'events' | 'metrics' | 'log'>,
): void {
	metrics.contradiction('removed-while-busy');
	log.warn(
		{ pod: podKey({ metadata: pod }), runner: pod.runnerName, job },
		'a runner works that GitHub had removed',
	);
	events.send(
		podSubject(pod),
		'Warning',
		'JobProbablyLost',
		'Delete',
		`runner ${pod.runnerName} runs ${job}, though GitHub said that it was removed: the job is probably lost at GitHub. The pod stays until its container stops`,
	);
}

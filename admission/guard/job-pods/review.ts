import { breakGlass, busy } from '../../api/keys.ts';
import type { Pod } from '../../api/kinds.ts';
import type { RunnerPods } from '../../cluster/runner-pods.ts';
import type { LogReading } from '../../jobs/rules/runner-log.ts';
import type { Clock } from '../../kube/clock.ts';
import { type Events, podSubject } from '../../kube/events.ts';
import { isJobPod, type JobPod, readJobPod } from '../../runner/job-pod.ts';
import { askerOf, recordOf } from '../../runner/record.ts';
import type { RunnerPod } from '../../runner/runner-pod.ts';
import type { Sign, Verify } from '../../runner/statements.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { type AdmissionResponse, allowed, refused } from '../../webhook/review.ts';
import { type AskedDeletion, inTime } from '../review-deletion.ts';
import type { JobPodReason } from '../rules/denials.ts';
import { replacedTexts } from '../rules/message.ts';
import { answerWithinMs, lastTryMs } from '../rules/policy.ts';
import { type Deny, deny, type Verdict } from '../rules/verdict.ts';
import { judgeJobPod } from './judge.ts';
import { decideJobPod } from './rules/decide.ts';
import { jobPodTexts } from './rules/message.ts';

export interface JobPodDependencies {
	pods: RunnerPods;
	/** What the log of the runner says now; never fails. */
	readLog(runner: RunnerPod): Promise<LogReading>;
	sign: Sign;
	verify: Verify;
	events: Events;
	metrics: Metrics;
	clock: Clock;
	log: Log;
}

/** What was found out about the pod until now, so that a failure can still be told and recorded. */
interface Known {
	pod?: JobPod | undefined;
	runner?: RunnerPod | undefined;
}

/**
 * The verdict on one request to delete or evict the pod of a runner's job (containerMode kubernetes): the job runs there, so
 * it is kept while its runner works. undefined: it is no such pod. Never fails: what goes wrong inside denies.
 *
 * Compatibility (actions/runner-container-hooks 0.8): the runner deletes its job's pods itself, before and after each job,
 * with its pod's own token. The webhook's conditions let that pass by, so it needs none of our replicas. ARC deletes them
 * after the runner's pod.
 */
export async function reviewJobPod(
	asked: AskedDeletion,
	shown: Pod,
	dependencies: JobPodDependencies,
): Promise<AdmissionResponse | undefined> {
	if (!isJobPod(shown)) return undefined;
	const { review, name, namespace, refusal, arrival } = asked;
	const { clock, metrics, log } = dependencies;
	const untilMs = arrival.atMs + answerWithinMs;
	const known: Known = {};
	try {
		const ended = endedAsReviewed(asked, known, dependencies);
		if (ended) return await answer(asked, ended, known, dependencies);
		const judged = judge(asked, shown, known, dependencies);
		const outcome = await inTime(clock, judged, untilMs - lastTryMs);
		if (outcome === 'gone') return allowed(review);
		if (outcome === 'replaced') {
			const { message, facts } = replacedTexts(name);
			return refused(review, refusal, message, facts);
		}
		return await inTime(clock, answer(asked, outcome, known, dependencies), untilMs);
	} catch (error) {
		const detail = error instanceof Error ? error.message : String(error);
		log.error({ pod: `${namespace}/${name}`, error: detail }, 'deletion of a job pod could not be judged');
		const verdict = deny('internal-error', detail);
		return inTime(clock, answer(asked, verdict, known, dependencies), untilMs).catch((again: unknown) => {
			log.error({ pod: `${namespace}/${name}`, error: String(again) }, 'the deletion could not be recorded');
			metrics.decision('deny', 'internal-error');
			return refuse(asked, known.pod ?? readJobPod(shown), verdict, false, known, clock);
		});
	}
}

/**
 * The review's own copy is enough to refuse, and to allow where nothing runs in the pod: then the answer is all that happens
 * (see review-shortcut.ts). It is never enough to record.
 */
function endedAsReviewed(
	{ reviewed, caller }: AskedDeletion,
	known: Known,
	{ verify, clock }: JobPodDependencies,
): Verdict<JobPodReason> | undefined {
	const pod = reviewed && readJobPod(reviewed, verify);
	const decision = pod && decideJobPod(pod, undefined, caller, clock.now());
	if (decision?.kind !== 'allow') return undefined;
	if (decision.reason !== 'job-pod-ended' && decision.reason !== 'already-terminating') return undefined;
	known.pod = pod;
	return decision;
}

async function judge(
	{ namespace, name, uid, reviewed, caller }: AskedDeletion,
	shown: Pod,
	known: Known,
	dependencies: JobPodDependencies,
): Promise<Verdict<JobPodReason> | 'gone' | 'replaced'> {
	const { pods, verify } = dependencies;
	// Both at once, since the pod that the review shows mostly names the same runner.
	const supposed = readJobPod(shown)?.runner;
	const reading = supposed === undefined ? undefined : pods.get(namespace, supposed);
	reading?.catch(() => {}); // heard where it is awaited; where the pod cannot be read, that is what is told
	const object = await pods.get(namespace, name);
	if (!object) return 'gone';
	if (uid && object.metadata.uid !== uid) return reviewed ? 'replaced' : 'gone';
	const pod = readJobPod(object, verify);
	if (!pod) return 'gone'; // it is one no more; whoever takes the label away was judged by updatePods
	known.pod = pod;
	const isSupposed = pod.runner === supposed;
	const { verdict, runner } = await judgeJobPod(pod, caller, dependencies, isSupposed ? reading : undefined);
	known.runner = runner;
	return verdict;
}

async function answer(
	asked: AskedDeletion,
	verdict: Verdict<JobPodReason>,
	known: Known,
	dependencies: JobPodDependencies,
): Promise<AdmissionResponse> {
	const { review, deletion } = asked;
	const { pods, sign, metrics, log, events, clock } = dependencies;
	const { pod, runner } = known;
	if (!pod) throw new Error('the pod could not be read');
	const facts = {
		pod: `${pod.namespace}/${pod.name}`,
		runner: runner?.runnerName ?? pod.runner,
		user: deletion.user,
		via: deletion.options.via,
		reason: verdict.reason,
		dryRun: deletion.dryRun || undefined,
	};
	if (verdict.kind === 'allow') {
		// The API server reads the pod's labels after it has asked us: its back-stop budget would refuse.
		if (deletion.options.via === 'eviction' && pod.backstopped && !deletion.dryRun)
			await pods.patch(pod, { labels: { [busy.label]: null } });
		if (verdict.reason === 'break-glass' && !deletion.dryRun) tellBreakGlass(asked, pod, dependencies);
		metrics.decision('allow', verdict.reason);
		log.debug(facts, 'deletion of a job pod allowed');
		return allowed(review);
	}
	const annotations = deletion.dryRun ? {} : recordOf(pod, deletion, sign, clock.now());
	if (Object.keys(annotations).length > 0 && (await pods.patch(pod, { annotations })) === 'gone')
		return allowed(review);
	metrics.decision('deny', verdict.reason);
	const refusal = refuse(asked, pod, verdict, deletion.dryRun ? 'dry-run' : true, known, clock);
	if (deletion.dryRun || pod.record) {
		log.debug(facts, 'deletion of a job pod denied');
		return refusal;
	}
	// Told when it is new; the caller's retries change nothing and say nothing (F9).
	log.info(facts, 'deletion of a job pod recorded');
	const message = `asked by ${askerOf(deletion)}: ${refusal.status?.message}`;
	const occasion = `${pod.resourceVersion} ${deletion.user}`;
	events.send(podSubject(pod), 'Normal', 'DeletionRecorded', 'Delete', message, occasion);
	return refusal;
}

function refuse(
	{ review, refusal }: AskedDeletion,
	pod: JobPod | undefined,
	verdict: Deny<JobPodReason>,
	recorded: boolean | 'dry-run',
	{ runner }: Known,
	{ now }: Clock,
): AdmissionResponse {
	if (!pod) throw new Error('internal error: a pod that is no job pod cannot be refused as one');
	const { message, facts } = jobPodTexts(pod, runner, verdict, recorded, now());
	return refused(review, refusal, message, facts);
}

function tellBreakGlass({ deletion }: AskedDeletion, pod: JobPod, { events, log }: JobPodDependencies): void {
	const { breakGlass: why, runner } = pod;
	log.warn({ pod: `${pod.namespace}/${pod.name}`, runner, user: deletion.user, why }, 'break-glass');
	const message = `${askerOf(deletion)} deletes a job pod of runner ${runner}, by ${breakGlass}: ${why}`;
	const occasion = `${pod.resourceVersion} ${deletion.user}`;
	events.send(podSubject(pod), 'Warning', 'BreakGlass', 'Delete', message, occasion);
}

import { humanSpan } from '../api/duration.ts';
import { breakGlass, record } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import { type Events, podSubject } from '../kube/events.ts';
import type { DeletionRequest } from '../runner/record.ts';
import { podKey, type RunnerPod, readRunnerPod } from '../runner/runner-pod.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type AdmissionResponse, allowed, type Refusal, refused } from '../webhook/review.ts';
import type { LeavingOwner } from './exited-pods.ts';
import { denyAndRecord, type Ports, type Released, release } from './release.ts';
import { deny } from './rules/decide.ts';
import { denialTexts, ownerLeavingTexts } from './rules/message.ts';
import { admissionBudgetMs } from './rules/policy.ts';

export interface ReviewDependencies {
	pods: RunnerPods;
	ports: Ports;
	/** Only where the reconciler of RunnerSets runs. */
	leavingOwner?: LeavingOwner | undefined;
	events: Events;
	metrics: Metrics;
	log: Log;
}

/**
 * The verdict on one request to delete one runner pod, as an AdmissionResponse. Every exit is counted and told with
 * the same reason. What goes wrong inside denies (invariant 3) and is recorded all the same.
 */
export async function reviewDeletion(
	uid: string,
	pod: Pod,
	request: DeletionRequest,
	refusal: Refusal,
	dependencies: ReviewDependencies,
): Promise<AdmissionResponse> {
	const { pods, ports, metrics, log } = dependencies;
	let released: Released;
	try {
		const runnerPod = await pods.from(pod);
		if (!runnerPod) {
			metrics.decision('allow', 'not-a-runner');
			return allowed(uid);
		}
		released = await inTime(ports, release(runnerPod, request, ports, limits));
		const owner = await leaving(pod, request, released, dependencies);
		if (owner) {
			metrics.decision('deny', 'owner-leaving');
			log.debug({ pod: podKey(pod), user: request.user, reason: 'owner-leaving' }, 'deletion denied');
			const { message, facts } = ownerLeavingTexts(released.pod, owner);
			return refused(uid, refusal, message, facts);
		}
	} catch (error) {
		released = await failed(pod, request, error, dependencies);
	}

	const { verdict, recorded, pod: runnerPod } = released;
	metrics.decision(verdict.kind, verdict.reason);
	const facts = {
		pod: `${runnerPod.namespace}/${runnerPod.name}`,
		runner: runnerPod.runnerName,
		runnerId: runnerPod.runnerId,
		user: request.user,
		via: request.options.via,
		reason: verdict.reason,
		dryRun: request.dryRun || undefined,
	};
	if (verdict.kind === 'allow') {
		if (verdict.reason === 'break-glass' && !request.dryRun)
			tellBreakGlass(pod, runnerPod, request, dependencies);
		log.debug(facts, 'deletion allowed');
		return allowed(uid);
	}
	const { message, facts: denial } = denialTexts(runnerPod, verdict, recorded, ports.now());
	// Told when it is new; the caller's retries change nothing and say nothing (F9).
	if (recorded === true && !pod.metadata.annotations?.[record.requestedBy]) {
		log.info(facts, 'deletion recorded');
		dependencies.events.send(
			podSubject(runnerPod),
			'Normal',
			'DeletionRecorded',
			'Delete',
			`asked by ${request.user}: ${message}`,
			occasionOf(pod, request),
		);
	} else {
		log.debug(facts, 'deletion denied');
	}
	return refused(uid, refusal, message, denial);
}

/** The StatefulSet that would make an exited runner's pod again, if it has not gone when that was waited for. */
async function leaving(
	pod: Pod,
	{ user, dryRun }: DeletionRequest,
	{ verdict }: Released,
	{ leavingOwner }: ReviewDependencies,
): Promise<string | undefined> {
	return verdict.reason === 'runner-exited' && !dryRun ? leavingOwner?.(pod, user) : undefined;
}

const limits = { budgetMs: admissionBudgetMs, priority: 'request' } as const;

/** Beyond GitHub's share of the time: the API server is slow to answer us. It must still hear from us in time. */
const hardLimitMs = admissionBudgetMs + 1_000;
/** What is left of the webhook's 5 s then: an eviction that is not answered in time is let through. */
const lastTryMs = 600;

async function inTime<T>({ after }: Ports, work: Promise<T>, limitMs = hardLimitMs): Promise<T> {
	let cancel = () => {};
	const late = new Promise<never>((_resolve, reject) => {
		cancel = after(limitMs, () => reject(new Error(`the API server did not answer within ${limitMs} ms`)));
	});
	try {
		return await Promise.race([work, late]);
	} finally {
		cancel();
	}
}

/** The API server did not answer us, or our own mistake: deny, and try to remember. */
async function failed(
	pod: Pod,
	request: DeletionRequest,
	error: unknown,
	{ ports, log }: ReviewDependencies,
): Promise<Released> {
	const detail = error instanceof Error ? error.message : String(error);
	log.error({ pod: podKey(pod), error: detail }, 'deletion could not be judged');
	const runnerPod = readRunnerPod(pod) as RunnerPod; // pods.from has found it to be one before anything could fail
	const verdict = deny('internal-error', detail);
	try {
		return await inTime(ports, denyAndRecord(runnerPod, verdict, request, ports), lastTryMs);
	} catch (again) {
		log.error({ pod: podKey(pod), error: String(again) }, 'the deletion could not be recorded');
		return { verdict, recorded: false, pod: runnerPod };
	}
}

function tellBreakGlass(
	object: Pod,
	pod: RunnerPod,
	request: DeletionRequest,
	{ events, log, ports }: ReviewDependencies,
): void {
	const { busyHint, breakGlass: reason } = pod;
	const since =
		busyHint?.sinceMs === undefined ? '' : ` for ${humanSpan(Math.max(0, ports.now() - busyHint.sinceMs))}`;
	const job = busyHint ? `, which ran ${busyHint.job ?? 'a job'}${since}` : '';
	log.warn(
		{
			pod: `${pod.namespace}/${pod.name}`,
			runner: pod.runnerName,
			user: request.user,
			why: reason,
			job: busyHint?.job,
		},
		'break-glass',
	);
	events.send(
		podSubject(pod),
		'Warning',
		'BreakGlass',
		'Delete',
		`${request.user} deletes runner ${pod.runnerName}${job}, by ${breakGlass}: ${reason}`,
		occasionOf(object, request),
	);
}

/** The reviews of one DELETE, answered by whichever replica, show the same version of the pod. */
const occasionOf = (pod: Pod, { user }: DeletionRequest) => `${pod.metadata.resourceVersion} ${user}`;

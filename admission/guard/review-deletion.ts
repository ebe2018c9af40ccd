import { humanSpan } from '../api/duration.ts';
import { breakGlass, busy } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import { jobNow } from '../jobs/rules/job-signals.ts';
import { type Events, podSubject } from '../kube/events.ts';
import { askerOf, type DeletionRequest } from '../runner/record.ts';
import type { RunnerPod } from '../runner/runner-pod.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type AdmissionResponse, type Arrival, allowed, type Refusal, refused } from '../webhook/review.ts';
import type { LeavingOwner } from './exited-pods.ts';
import type { BoundPod } from './job-pods/rules/decide.ts';
import { denyAndRecord, type Ports, type Released, release } from './release.ts';
import { shortcutOf } from './review-shortcut.ts';
import type { RunnerReason } from './rules/denials.ts';
import { replacedTexts, unreadableTexts } from './rules/message.ts';
import { admissionBudgetMs, answerWithinMs, lastTryMs } from './rules/policy.ts';
import { denialTexts } from './rules/runner-message.ts';
import { deny, type Verdict } from './rules/verdict.ts';

export interface ReviewDependencies {
	pods: RunnerPods;
	ports: Ports;
	/** Only where the reconciler of RunnerSets runs. */
	leavingOwner?: LeavingOwner | undefined;
	/** Judges the pod of a runner's job; undefined: it is none. The pod is as the API server or the review shows it. */
	jobPod?: ((asked: AskedDeletion, pod: Pod) => Promise<AdmissionResponse | undefined>) | undefined;
	events: Events;
	metrics: Metrics;
	log: Log;
}

/** A request to delete a pod, as a review tells it. */
export interface AskedDeletion {
	/** UID of the review. */
	review: string;
	namespace: string;
	name: string;
	/** UID of the pod that is meant; undefined: whichever has this name. */
	uid: string | undefined;
	/** The pod as the review shows it. Enough to refuse; for anything else the pod is read from the API server. */
	reviewed?: Pod | undefined;
	deletion: DeletionRequest;
	/** The pod in which the caller runs. */
	caller?: BoundPod | undefined;
	refusal: Refusal;
	arrival: Arrival;
}

/** What was found out about the pod until now, so that a failure can still be told and recorded. */
interface Known {
	pod?: RunnerPod;
}

type Outcome =
	| { kind: 'not-a-runner'; object: Pod }
	/** No pod of this name and UID: the API server itself answers 404 or 409. */
	| { kind: 'gone' }
	/** Another pod of this name has taken the place of the one in the review. */
	| { kind: 'replaced' }
	| { kind: 'owner-leaving'; pod: RunnerPod; owner: string }
	| (Released & { kind: 'released'; before: Pod | undefined; wasRecorded: boolean });

/**
 * The verdict on one request to delete one pod, as an AdmissionResponse. Every exit is counted and told with the same
 * reason. What goes wrong inside denies (invariant 3) and is recorded all the same, if the API server lets us.
 *
 * One deadline counts from the moment the review arrived, over everything: an eviction that is answered later is let
 * through by the API server.
 */
export async function reviewDeletion(
	asked: AskedDeletion,
	dependencies: ReviewDependencies,
): Promise<AdmissionResponse> {
	const { review, name, namespace, deletion, refusal } = asked;
	const { metrics, log } = dependencies;
	const known: Known = {};
	let outcome: Outcome;
	try {
		outcome = await judge(asked, known, dependencies);
	} catch (error) {
		const detail = error instanceof Error ? error.message : String(error);
		log.error({ pod: `${namespace}/${name}`, error: detail }, 'deletion could not be judged');
		const failure = await failed(asked, known, detail, dependencies);
		if (!failure) {
			metrics.decision('deny', 'internal-error');
			const { message, facts } = unreadableTexts(name, detail);
			return refused(review, refusal, message, facts);
		}
		outcome = {
			kind: 'released',
			...failure,
			before: undefined,
			wasRecorded: known.pod?.record !== undefined,
		};
	}

	switch (outcome.kind) {
		case 'not-a-runner': {
			const answered = await dependencies.jobPod?.(asked, outcome.object);
			if (answered) return answered;
			metrics.decision('allow', 'not-a-runner');
			return allowed(review);
		}
		case 'gone':
			return allowed(review);
		case 'replaced': {
			const { message, facts } = replacedTexts(name);
			return refused(review, refusal, message, facts);
		}
		case 'owner-leaving': {
			metrics.decision('deny', 'owner-leaving');
			const facts = { pod: `${namespace}/${name}`, user: deletion.user, reason: 'owner-leaving' };
			log.debug(facts, 'deletion denied');
			const verdict = deny('owner-leaving', `${outcome.owner} would make the pod again`);
			const texts = denialTexts(outcome.pod, verdict, false, dependencies.ports.now());
			return refused(review, refusal, texts.message, texts.facts);
		}
		case 'released':
			return answer(asked, outcome, dependencies);
	}
}

/** Judges by the review's word where that is enough, else by the pod as the API server has it now. */
async function judge(asked: AskedDeletion, known: Known, dependencies: ReviewDependencies): Promise<Outcome> {
	const { reviewed, deletion, arrival } = asked;
	const { ports } = dependencies;
	const untilMs = arrival.atMs + answerWithinMs - lastTryMs;
	const shortcut = reviewed && shortcutOf(reviewed, deletion, dependencies);
	if (shortcut?.kind === 'not-a-runner') return shortcut;
	if (shortcut?.kind === 'answers') {
		const { verdict, pod } = shortcut;
		const found = leaving(reviewed as Pod, asked, verdict, dependencies);
		const owner = found && (await inTime(ports, found, untilMs));
		if (owner) return { kind: 'owner-leaving', pod, owner };
		const recorded = verdict.kind === 'deny';
		return {
			kind: 'released',
			verdict,
			recorded,
			pod,
			before: reviewed,
			wasRecorded: pod.record !== undefined,
		};
	}
	const settled = shortcut?.kind === 'settled' ? shortcut.pod : undefined;
	return inTime(ports, judgeRead(asked, settled, known, dependencies), untilMs);
}

/** @param settled the unregistered runner, as the review shows it: `release` reads it while it hears its witnesses */
async function judgeRead(
	asked: AskedDeletion,
	settled: RunnerPod | undefined,
	known: Known,
	dependencies: ReviewDependencies,
): Promise<Outcome> {
	const { namespace, name, uid, reviewed, deletion, arrival } = asked;
	const { pods, ports } = dependencies;
	const object = settled ? reviewed : await pods.get(namespace, name);
	if (!object) return { kind: 'gone' };
	if (uid && object.metadata.uid !== uid) return { kind: reviewed ? 'replaced' : 'gone' };
	const pod = settled ?? (await pods.from(object));
	if (!pod) return { kind: 'not-a-runner', object };
	if (!settled) known.pod = pod; // whatever is recorded is so on the pod itself
	const answerByMs = Math.min(ports.now() + admissionBudgetMs, arrival.atMs + answerWithinMs - lastTryMs);
	const released = await release(pod, deletion, ports, { answerByMs, priority: 'request' });
	const owner = await leaving(object, asked, released.verdict, dependencies);
	if (owner) return { kind: 'owner-leaving', pod: released.pod, owner };
	const current =
		released.verdict.kind === 'allow'
			? await withoutBackstop(released.pod, object, deletion, ports)
			: undefined;
	return {
		kind: 'released',
		...released,
		pod: current ?? released.pod,
		before: object,
		wasRecorded: pod.record !== undefined,
	};
}

/**
 * An eviction that the guard allows must not meet the budget of the back-stop: the API server reads the pod's labels after
 * it has asked the guard (measured on Kubernetes 1.36). Of a pod in one of `unbudgeted` phases it asks no budget. There a
 * change of the label does harm: the API server deletes that pod only in the version that it has read, and where it has
 * changed, it tries again half a second later.
 */
async function withoutBackstop(
	pod: RunnerPod,
	{ status }: Pod,
	{ options, dryRun }: DeletionRequest,
	ports: Ports,
): Promise<RunnerPod | undefined> {
	if (options.via !== 'eviction' || dryRun || !pod.backstopped) return undefined;
	if (unbudgeted.has(status?.phase ?? '')) return undefined;
	const written = await ports.write(pod, { annotations: {}, labels: { [busy.label]: null } });
	return typeof written === 'string' ? undefined : written;
}

/** canIgnorePDB in pkg/registry/core/pod/storage/eviction.go of Kubernetes. */
const unbudgeted: ReadonlySet<string> = new Set(['Pending', 'Succeeded', 'Failed']);

function answer(
	{ review, deletion, refusal }: AskedDeletion,
	{ verdict, recorded, pod, before, wasRecorded }: Outcome & { kind: 'released' },
	dependencies: ReviewDependencies,
): AdmissionResponse {
	const { ports, metrics, log, events } = dependencies;
	metrics.decision(verdict.kind, verdict.reason);
	const facts = {
		pod: `${pod.namespace}/${pod.name}`,
		runner: pod.runnerName,
		runnerId: pod.runnerId,
		user: deletion.user,
		via: deletion.options.via,
		reason: verdict.reason,
		dryRun: deletion.dryRun || undefined,
	};
	if (verdict.kind === 'allow') {
		if (verdict.reason === 'break-glass' && !deletion.dryRun) tellBreakGlass(pod, deletion, dependencies);
		log.debug(facts, 'deletion allowed');
		return allowed(review);
	}
	const { message, facts: denial } = denialTexts(pod, verdict, recorded, ports.now());
	// Told when it is new; the caller's retries change nothing and say nothing (F9).
	if (recorded === true && !wasRecorded) {
		log.info(facts, 'deletion recorded');
		events.send(
			podSubject(pod),
			'Normal',
			'DeletionRecorded',
			'Delete',
			`asked by ${askerOf(deletion)}: ${message}`,
			// Reviews of several replicas may have seen the pod at different versions: the record is the same.
			pod.record?.requestedAt ?? occasionOf(before?.metadata.resourceVersion, deletion),
		);
	} else {
		log.debug(facts, 'deletion denied');
	}
	return refused(review, refusal, message, denial);
}

/** The StatefulSet that would make an exited runner's pod again, if it has not gone when that was waited for. undefined: nothing is to be waited for. */
function leaving(
	pod: Pod,
	{ deletion: { user, dryRun }, arrival }: AskedDeletion,
	verdict: Verdict<RunnerReason>,
	{ leavingOwner, ports }: ReviewDependencies,
): Promise<string | undefined> | undefined {
	if (verdict.reason !== 'runner-exited' || dryRun) return undefined;
	return leavingOwner?.(pod, user, arrival.atMs + answerWithinMs - 2 * lastTryMs - ports.now());
}

export async function inTime<T>(
	{ after, now }: Pick<Ports, 'after' | 'now'>,
	work: Promise<T>,
	untilMs: number,
): Promise<T> {
	let cancel = () => {};
	const late = new Promise<never>((_resolve, reject) => {
		cancel = after(Math.max(0, untilMs - now()), () =>
			reject(new Error('the API server did not answer us in time')),
		);
	});
	try {
		return await Promise.race([work, late]);
	} finally {
		cancel();
	}
}

/**
 * The API server did not answer us, or our own mistake: deny, and try to remember. undefined: it is not even known whether
 * the pod is a runner's.
 */
async function failed(
	{ namespace, name, uid, deletion, arrival }: AskedDeletion,
	known: Known,
	detail: string,
	{ pods, ports, log }: ReviewDependencies,
): Promise<Released | undefined> {
	const verdict = deny('internal-error', detail);
	const record = async () => {
		if (!known.pod) {
			const object = await pods.get(namespace, name);
			const pod = object && (!uid || object.metadata.uid === uid) ? pods.read(object) : undefined;
			if (!pod) return undefined;
			known.pod = pod;
		}
		return denyAndRecord(known.pod, verdict, deletion, ports);
	};
	try {
		return await inTime(ports, record(), arrival.atMs + answerWithinMs);
	} catch (again) {
		log.error({ pod: `${namespace}/${name}`, error: String(again) }, 'the deletion could not be recorded');
		return known.pod && { verdict, recorded: false, pod: known.pod };
	}
}

function tellBreakGlass(
	pod: RunnerPod,
	request: DeletionRequest,
	{ events, log, ports }: ReviewDependencies,
): void {
	const { breakGlass: reason } = pod;
	const ran = jobNow(pod);
	const since = ran?.sinceMs === undefined ? '' : ` for ${humanSpan(Math.max(0, ports.now() - ran.sinceMs))}`;
	const job = ran ? `, which ran ${ran.name ?? 'a job'}${since}` : '';
	log.warn(
		{
			pod: `${pod.namespace}/${pod.name}`,
			runner: pod.runnerName,
			user: request.user,
			why: reason,
			job: ran?.name,
		},
		'break-glass',
	);
	events.send(
		podSubject(pod),
		'Warning',
		'BreakGlass',
		'Delete',
		`${askerOf(request)} deletes runner ${pod.runnerName}${job}, by ${breakGlass}: ${reason}`,
		occasionOf(pod.resourceVersion, request),
	);
}

/** The reviews of one DELETE, answered by whichever replica, show the same version of the pod. */
const occasionOf = (version: string | undefined, { user }: DeletionRequest) => `${version} ${user}`;

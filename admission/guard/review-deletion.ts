import { breakGlassBy, busy } from '../api/keys.ts';
import { objectKey } from '../api/object-key.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import { type Events, podSubject } from '../kube/events.ts';
import type { GuardedPod } from '../runner/guarded-pod.ts';
import { askerOf } from '../runner/record.ts';
import { deletedBy, type Sign } from '../runner/statements.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';
import { waitFor } from '../time/deadline.ts';
import { type AdmissionResponse, allowed, refused } from '../webhook/review.ts';
import { occasionOf, reportBreakGlassDeletion } from './break-glass.ts';
import type { OneByOne } from './one-by-one.ts';
import { denyAndRecord, recordPorts } from './record-denial.ts';
import { replacedTexts, unreadableTexts } from './rules/message.ts';
import { answerWithinMs, lastTryMs } from './rules/policy.ts';
import { deny } from './rules/verdict.ts';
import { type DeletionReview, type Found, find, type Judged, type Subject } from './subject.ts';

export interface ReviewDependencies {
	/** The kinds of pods that are guarded. */
	subjects: readonly Subject[];
	pods: Pick<RunnerPods, 'get' | 'patch' | 'annotateWhile'>;
	sign: Sign;
	oneByOne: OneByOne;
	events: Events;
	metrics: Metrics;
	clock: Pick<Clock, 'now' | 'after'>;
	log: Log;
}

/** What was found out about the pod until now, so that a failure can still be reported and recorded. */
interface Known {
	/** The pod as the API server has it: only this is ever recorded. */
	current?: Found;
}

type Outcome =
	| { kind: 'not-guarded' }
	/** No pod of this name and UID: the API server itself answers 404 or 409. */
	| { kind: 'gone' }
	/** Another pod of this name has taken the place of the one in the review. */
	| { kind: 'replaced' }
	/** It is not even known whether the pod is guarded: the exception that invariant 9 names. */
	| { kind: 'unreadable'; why: string }
	/** `found`: as it was before anything was written. */
	| { kind: 'judged'; found: Found; judged: Judged<GuardedPod> };

/**
 * The verdict on one request to delete one pod, as an AdmissionResponse. Every exit is counted and logged with the same
 * reason. What goes wrong inside denies (invariant 3) and is recorded all the same, if the API server lets us.
 *
 * One deadline counts from the moment the review arrived, over everything: an eviction that is answered later is let
 * through by the API server.
 */
export async function reviewDeletion(
	review: DeletionReview,
	dependencies: ReviewDependencies,
): Promise<AdmissionResponse> {
	const { id, name, refusal, arrival } = review;
	const { clock, metrics } = dependencies;
	const known: Known = {};
	const judging = judge(review, known, dependencies);
	const outcome = await inTime(clock, judging, arrival.atMs + answerWithinMs - lastTryMs).catch(
		(error: unknown) => recordFailure(review, known, error, dependencies),
	);
	switch (outcome.kind) {
		case 'not-guarded':
			metrics.decision('allow', 'not-a-runner');
			return allowed(id);
		case 'gone':
			return allowed(id);
		case 'replaced': {
			const { message, facts } = replacedTexts(name);
			return refused(id, refusal, message, facts);
		}
		case 'unreadable': {
			metrics.decision('deny', 'internal-error');
			metrics.guard.unreadPod(review.deletion.options.via);
			const { message, facts } = unreadableTexts(name, outcome.why);
			return refused(id, refusal, message, facts);
		}
		case 'judged':
			return answer(review, outcome, dependencies);
	}
}

/** Judges by the reviewed object where that is enough, else by the pod as the API server has it now. */
async function judge(
	review: DeletionReview,
	known: Known,
	dependencies: ReviewDependencies,
): Promise<Outcome> {
	const { reviewed } = review;
	const shown = reviewed && find(dependencies.subjects, reviewed);
	if (reviewed && !shown) return { kind: 'not-guarded' };
	const shortcut = shown && (await shown.subject.shortcut(shown.pod, shown.object, review));
	if (shown && shortcut) return { kind: 'judged', found: shown, judged: shortcut };

	let reading: ReturnType<typeof readCurrent> | undefined;
	const read = () => (reading ??= readCurrent(review, known, dependencies));
	const judged =
		shown &&
		(await shown.subject.judge(review, shown.pod, async () => {
			const current = await read();
			return 'subject' in current && current.subject === shown.subject ? current.object : undefined;
		}));
	if (judged) return finish(review, known.current ?? shown, judged, dependencies);
	const current = await read();
	if ('kind' in current) return current;
	const { subject, object } = current;
	const now = await subject.judge(review, undefined, async () => object);
	return now ? finish(review, current, now, dependencies) : { kind: 'gone' };
}

async function readCurrent(
	{ namespace, name, uid, deletion }: DeletionReview,
	known: Known,
	{ pods, subjects }: ReviewDependencies,
): Promise<Found | (Outcome & { kind: 'gone' | 'replaced' | 'not-guarded' })> {
	const object = await pods.get(namespace, name);
	if (!object) return { kind: 'gone' };
	if (uid && object.metadata.uid !== uid)
		return { kind: deletion.options.via === 'delete' ? 'replaced' : 'gone' };
	const found = find(subjects, object);
	if (!found) return { kind: 'not-guarded' };
	known.current = found;
	return found;
}

/**
 * An eviction that the guard allows must not meet the budget of the back-stop: the API server reads the pod's labels after
 * it has asked the guard (measured on Kubernetes 1.36). Where somebody has changed the pod since it was judged, perhaps a
 * hook that reports a job, the label stays: then the budget refuses, and the caller asks again. Of a pod in one of `unbudgeted` phases it asks no budget. There a
 * change of the label does harm: the API server deletes that pod only in the version that it has read, and where it has
 * changed, it tries again half a second later.
 */
async function finish(
	{ deletion }: DeletionReview,
	found: Found,
	judged: Judged<GuardedPod>,
	{ pods, sign, log }: ReviewDependencies,
): Promise<Outcome> {
	const { options, dryRun } = deletion;
	const { verdict, pod } = judged;
	const asksBudget = !unbudgeted.has(found.object.status?.phase ?? '');
	const meetsBudget = options.via === 'eviction' && pod.backstopped && asksBudget;
	if (verdict.kind === 'allow' && meetsBudget && !dryRun)
		await pods.patch(pod, { annotations: {}, labels: { [busy.label]: null } }, pod.resourceVersion);
	const mayChange = options.via === 'delete' || asksBudget;
	if (verdict.kind === 'allow' && verdict.reason === 'break-glass' && !dryRun && mayChange)
		await noteBreakGlass(found, pod, askerOf(deletion), { pods, sign, log });
	return { kind: 'judged', found, judged };
}

/**
 * Only this review knows who uses break-glass; who asks later why the runner ended reads it from the pod. It goes on without:
 * break-glass is for when things do not work. The reviews of one DELETE write it once.
 */
async function noteBreakGlass(
	{ object }: Found,
	pod: GuardedPod,
	user: string,
	{ pods, sign, log }: Pick<ReviewDependencies, 'pods' | 'sign' | 'log'>,
): Promise<void> {
	const text = `${sign(deletedBy(pod.uid, user))} ${user}`;
	if (object.metadata.annotations?.[breakGlassBy] === text || user.length > longestUser) return;
	await pods.patch(pod, { annotations: { [breakGlassBy]: text } }).catch((error: unknown) => {
		log.warn({ pod: objectKey(pod), error: String(error) }, 'who used break-glass was not noted on the pod');
	});
}

/** Names of users have no limit in Kubernetes. */
const longestUser = 300;

/** canIgnorePDB in pkg/registry/core/pod/storage/eviction.go of Kubernetes. */
const unbudgeted: ReadonlySet<string> = new Set(['Pending', 'Succeeded', 'Failed']);

/** The API server did not answer us, or our own mistake: deny, and try to record the request. */
async function recordFailure(
	review: DeletionReview,
	known: Known,
	error: unknown,
	dependencies: ReviewDependencies,
): Promise<Outcome> {
	const { namespace, name, deletion, arrival } = review;
	const { pods, sign, clock, log } = dependencies;
	const why = error instanceof Error ? error.message : String(error);
	log.error({ pod: objectKey({ namespace, name }), error: why }, 'deletion could not be judged');
	const verdict = deny('internal-error', why);
	const record = async (): Promise<Outcome> => {
		if (!known.current) await readCurrent(review, known, dependencies);
		const found = known.current;
		if (!found) return { kind: 'unreadable', why };
		const ports = recordPorts((object) => found.subject.read(object), pods, { sign, now: clock.now });
		return { kind: 'judged', found, judged: await denyAndRecord(found.pod, verdict, deletion, ports) };
	};
	try {
		return await inTime(clock, record(), arrival.atMs + answerWithinMs);
	} catch (again) {
		log.error(
			{ pod: objectKey({ namespace, name }), error: String(again) },
			'the deletion could not be recorded',
		);
		const { current: found } = known;
		if (!found) return { kind: 'unreadable', why };
		return { kind: 'judged', found, judged: { verdict, recorded: false, pod: found.pod } };
	}
}

function answer(
	{ id, deletion, refusal, caller, arrival }: DeletionReview,
	{ found, judged }: Outcome & { kind: 'judged' },
	dependencies: ReviewDependencies,
): AdmissionResponse {
	const { clock, metrics, log, events, oneByOne } = dependencies;
	const { subject, object } = found;
	const { verdict, recorded, pod } = judged;
	metrics.decision(verdict.kind, verdict.reason);
	const facts = {
		pod: objectKey(pod),
		...subject.texts.facts(pod),
		user: deletion.user,
		via: deletion.options.via,
		reason: verdict.reason,
		dryRun: deletion.dryRun || undefined,
	};
	if (verdict.kind === 'allow') {
		if (verdict.reason === 'break-glass' && !deletion.dryRun)
			reportBreakGlassDeletion({ ...found, pod }, deletion, dependencies);
		log.debug(facts, 'deletion allowed');
		const waited = verdict.reason === 'unregistered' && deletion.options.via === 'delete' && !deletion.dryRun;
		const asked = { user: deletion.user, caller, pod: pod.uid, arrivedMs: arrival.atMs };
		const warning = waited ? oneByOne.warning(asked, clock.now()) : undefined;
		return allowed(id, warning === undefined ? [] : [warning]);
	}
	const { message, facts: denial } = subject.texts.denial(pod, verdict, recorded, clock.now());
	// Said when it is new; the caller's retries change nothing and say nothing (F9).
	if (recorded === true && !found.pod.record) {
		log.info(facts, 'deletion recorded');
		events.send(
			podSubject(pod),
			'Normal',
			'DeletionRecorded',
			'Delete',
			`requested by ${askerOf(deletion)}: ${message}`,
			// Reviews of several replicas may have seen the pod at different versions: the record is the same.
			pod.record?.requestedAt ?? occasionOf(object.metadata.resourceVersion, deletion.user),
		);
	} else {
		log.debug(facts, 'deletion denied');
	}
	return refused(id, refusal, message, denial);
}

const inTime = <T>(clock: Pick<Clock, 'now' | 'after'>, work: Promise<T>, untilMs: number): Promise<T> =>
	waitFor(clock, work, { ms: untilMs - clock.now() }, () => {
		throw new Error('the API server did not answer us in time');
	});

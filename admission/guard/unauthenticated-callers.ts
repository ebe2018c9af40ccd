import type { Pod, RecordedOptions } from '../api/kinds.ts';
import { objectKey } from '../api/object-key.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';
import { FixedWindow } from '../time/fixed-window.ts';
import {
	type AdmissionRequest,
	type AdmissionResponse,
	allowed,
	BadReview,
	type Refusal,
	refused,
} from '../webhook/review.ts';
import type { Handlers } from '../webhook/server.ts';
import { refusalOf } from './delete-pods.ts';
import { podOfEviction } from './evict-pods.ts';
import { boundPodOf } from './rules/bound-pod.ts';
import { unreadableTexts } from './rules/message.ts';
import { mostUnauthenticatedReads, mostUnauthenticatedReadsPerSecond } from './rules/policy.ts';
import { deny } from './rules/verdict.ts';
import { byOutline, find, type Subject } from './subject.ts';
import { updateLargePods } from './update-large-pods.ts';
import { updatePods } from './update-pods.ts';

interface Dependencies {
	/** The kinds of pods that are guarded. */
	subjects: readonly Subject[];
	pods: Pick<RunnerPods, 'get'>;
	/** The server's own user name. */
	user: string;
	metrics: Metrics;
	clock: Pick<Clock, 'monotonic'>;
	log: Log;
}

/** By which request a deletion is asked for, and how it is refused. */
interface Manner extends Pick<RecordedOptions, 'via'> {
	refusal: Refusal;
}

/**
 * Reviews that did not come by the path in the webhook configurations. Anybody who reaches the port can send them, so
 * they have no effect: no record, no call to GitHub, no Event, no Secret is read. Nor is it read which runner a pod is, or
 * what is signed on it. But they may be the API server's, whose configuration is a moment old or was just applied, so a pod
 * with which a job could end is refused; anything else may go, as it may when the caller is known.
 */
export function unauthenticated({
	subjects,
	pods,
	user,
	metrics,
	clock,
	log,
}: Dependencies): Pick<Handlers, '/pods/delete' | '/pods/evict' | '/pods/update'> {
	const kinds = byOutline(subjects);
	let reading = 0;
	const reads = new FixedWindow(mostUnauthenticatedReadsPerSecond, 1_000);
	const mayRead = () => reading < mostUnauthenticatedReads && reads.allows(undefined, clock.monotonic());

	/** @throws BadReview (503) where too many are read already */
	async function get(namespace: string, name: string): Promise<Pod | undefined> {
		if (!mayRead()) throw new BadReview(503, 'too many reviews of unknown callers at a time');
		reading += 1;
		return pods.get(namespace, name).finally(() => {
			reading -= 1;
		});
	}

	function judge(
		{ uid, userInfo }: AdmissionRequest,
		object: Pod | undefined,
		{ via, refusal }: Manner,
	): AdmissionResponse {
		const found = object && find(kinds, object);
		if (!found || found.pod.terminating || found.pod.breakGlass) return allowed(uid);
		const { subject, pod } = found;
		if (subject.endsNothing(pod, { via, caller: boundPodOf(userInfo) })) return allowed(uid);
		metrics.decision('deny', 'unknown-caller');
		log.debug({ pod: objectKey(pod), reason: 'unknown-caller' }, 'deletion denied');
		const { message, facts } = subject.texts.denial(pod, deny('unknown-caller'), false, 0);
		return refused(uid, refusal, message, facts);
	}

	async function readAndJudge(
		request: AdmissionRequest,
		{ namespace, name }: { namespace: string; name: string },
		manner: Manner,
	): Promise<AdmissionResponse> {
		try {
			return judge(request, await get(namespace, name), manner);
		} catch (error) {
			if (error instanceof BadReview) throw error;
			const why = error instanceof Error ? error.message : String(error);
			metrics.decision('deny', 'internal-error');
			const { message, facts } = unreadableTexts(name, why);
			return refused(request.uid, manner.refusal, message, facts);
		}
	}

	return {
		'/pods/delete'(request) {
			const shown = request.oldObject as Pod;
			const manner = { via: 'delete', refusal: refusalOf(request) } as const;
			if (!request.reduced) return judge(request, shown, manner);
			const { name, namespace = '' } = shown.metadata;
			return readAndJudge(request, { namespace, name }, manner);
		},
		'/pods/evict'(request) {
			const address = podOfEviction(request);
			if (!address) return allowed(request.uid);
			return readAndJudge(request, address, { via: 'eviction', refusal: { code: 429 } });
		},
		'/pods/update': (request) =>
			request.reduced
				? updateLargePods(request, user, { subjects: kinds, pods: { get }, metrics, log })
				: updatePods(request, user, kinds),
	};
}

import { breakGlass } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import { objectKey } from '../api/object-key.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import {
	type AdmissionRequest,
	type AdmissionResponse,
	allowed,
	BadReview,
	refused,
} from '../webhook/review.ts';
import type { BreakGlassEdit } from './break-glass.ts';
import { unreadableTexts } from './rules/message.ts';
import { find, type Subject } from './subject.ts';

interface Dependencies {
	/** The kinds of pods that are guarded. */
	subjects: readonly Subject[];
	pods: Pick<RunnerPods, 'get'>;
	metrics: Metrics;
	log: Log;
}

const tooLarge = 'this edit is too large to be checked (over 3 MiB): make it when the runner has ended';

/**
 * Reviews an UPDATE whose two objects are too large to be kept, so that they cannot be compared. Whose pod it is, is read: an
 * edit of a guarded pod that is not over is refused, any other is allowed.
 *
 * Compatibility: the webhook's conditions let only those edits come here that change something of what `edits` look at, so a
 * kubelet's updates of a large runner pod are not concerned. 429 where the pod cannot be read: the edit may be right.
 *
 * @param self the server's own user name
 * @param onBreakGlass is called for an edit that only break-glass permits, unless it is a dry run
 */
export async function updateLargePods(
	request: AdmissionRequest,
	self: string,
	{ subjects, pods, metrics, log }: Dependencies,
	onBreakGlass?: (edit: BreakGlassEdit) => void,
): Promise<AdmissionResponse> {
	const { uid, userInfo, dryRun } = request;
	const { name, namespace = '' } = (request.oldObject as Pod).metadata;
	if (userInfo.username === self) return allowed(uid);
	let object: Pod | undefined;
	try {
		object = await pods.get(namespace, name);
	} catch (error) {
		if (error instanceof BadReview) throw error;
		const why = error instanceof Error ? error.message : String(error);
		log.error({ pod: objectKey({ namespace, name }), error: why }, 'edit could not be judged');
		metrics.guard.unreadPod('edit');
		const { message, facts } = unreadableTexts(name, why);
		return refused(uid, { code: 429 }, message, facts);
	}
	const found = object && find(subjects, object);
	if (!found || found.subject.isOver(found.pod)) return allowed(uid);
	const why = found.pod.breakGlass || (request.object as Pod).metadata.annotations?.[breakGlass];
	if (why) {
		const user = userInfo.username || 'unknown';
		if (!dryRun) onBreakGlass?.({ shown: found.object, user, why, edits: [tooLarge] });
		return allowed(uid);
	}
	const { message, facts } = found.subject.texts.refusedEdits(found.pod, [tooLarge]);
	return refused(uid, { code: 403 }, message, facts);
}

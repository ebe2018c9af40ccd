import { breakGlass } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import { type AdmissionRequest, type AdmissionResponse, allowed, refused } from '../webhook/review.ts';
import type { BreakGlassEdit } from './break-glass.ts';
import { find, type Subject } from './subject.ts';

/**
 * Reviews UPDATE pods, pods/status and pods/resize, but only updates that change something that the subjects' `edits` look
 * at (the webhook's matchConditions say so): by which a guarded pod is recognised (A13), what would end its job without a
 * DELETE, and what this server has written on it.
 *
 * Compatibility: the webhook has failurePolicy Ignore, so no update is blocked while every replica is down. Nothing that
 * lets a runner go is lost by that: it is also recognised by its container and env, which no update can change, and what
 * is written on it proves nothing unless it is signed. The kubelet's updates of pods/status change nothing of this.
 *
 * @param self the server's own user name
 * @param onBreakGlass is called for an edit that only break-glass permits, unless it is a dry run
 */
export function updatePods(
	request: AdmissionRequest,
	self: string,
	subjects: readonly Subject[],
	onBreakGlass?: (edit: BreakGlassEdit) => void,
): AdmissionResponse {
	const before = request.oldObject as Pod;
	const after = request.object as Pod;
	const user = request.userInfo.username ?? '';
	const found = find(subjects, before);
	if (!found || user === self) return allowed(request.uid);
	const { subject, pod } = found;
	const edits = subject.edits(before, after, pod, user);
	if (edits.length === 0) return allowed(request.uid);
	const why = after.metadata.annotations?.[breakGlass];
	if (why) {
		if (!request.dryRun) onBreakGlass?.({ shown: before, user: user || 'unknown', why, edits });
		return allowed(request.uid);
	}
	const { message, facts } = subject.texts.refusedEdits(pod, edits);
	return refused(request.uid, { code: 403 }, message, facts);
}

import { breakGlass } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import { readJobPod } from '../runner/job-pod.ts';
import { readRunnerPod } from '../runner/runner-pod.ts';
import { type AdmissionRequest, type AdmissionResponse, allowed, refused } from '../webhook/review.ts';
import { jobPodEdits } from './job-pods/rules/edits.ts';
import { jobPodEditTexts } from './job-pods/rules/message.ts';
import { forbiddenEdits } from './rules/edits.ts';
import type { DenialTexts } from './rules/message.ts';
import { editRefusedTexts } from './rules/runner-message.ts';

/**
 * Reviews UPDATE pods, pods/status and pods/resize, but only updates that change something that `forbiddenEdits` looks at
 * (the webhook's matchConditions say so): by which a runner is recognised (A13), what would end its job without a DELETE,
 * and what this server has written on it; the same for the pod of a runner's job. `self` is the server's own user name.
 *
 * Compatibility: the webhook has failurePolicy Ignore, so no update is blocked while every replica is down. Nothing that
 * lets a runner go is lost by that: it is also recognised by its container and env, which no update can change, and what
 * is written on it proves nothing unless it is signed. The kubelet's updates of pods/status change nothing of this.
 */
export function updatePods(request: AdmissionRequest, self: string): AdmissionResponse {
	const before = request.oldObject as Pod;
	const after = request.object as Pod;
	const user = request.userInfo.username ?? '';
	if (user === self || after.metadata.annotations?.[breakGlass]) return allowed(request.uid);
	const texts = refusedEdits(before, after, user);
	return texts ? refused(request.uid, { code: 403 }, texts.message, texts.facts) : allowed(request.uid);
}

/** Why the update is refused; undefined: it may be made. */
function refusedEdits(before: Pod, after: Pod, user: string): DenialTexts | undefined {
	const runner = readRunnerPod(before);
	if (runner) {
		const edits = forbiddenEdits(before, after, runner, user);
		return edits.length === 0 ? undefined : editRefusedTexts(runner, edits);
	}
	const jobPod = readJobPod(before);
	const edits = jobPod ? jobPodEdits(before, after, jobPod) : [];
	return jobPod && edits.length > 0 ? jobPodEditTexts(jobPod, edits) : undefined;
}

import { arc, breakGlass, busy } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import { readRunnerPod } from '../runner/runner-pod.ts';
import { type AdmissionRequest, type AdmissionResponse, allowed, refused } from '../webhook/review.ts';
import { editRefusedTexts } from './rules/message.ts';

const guardedLabels = [arc.runner, arc.runnerSet, arc.runnerDeployment, arc.ephemeralRunner, busy.label];

/**
 * Reviews UPDATE pods, but only updates that change something below (the webhook's matchConditions say so). While a
 * runner's container runs, the labels by which it is recognised must stay (A13), and so must its image: a new image
 * restarts the container and kills the job. `self` is the server's own user name.
 *
 * Compatibility: the webhook has failurePolicy Ignore, so no update is blocked while every replica is down. Nothing is
 * lost by that: a runner pod is also recognised by its container and env, which no update can change.
 */
export function updatePods(request: AdmissionRequest, self: string): AdmissionResponse {
	const before = request.oldObject as Pod;
	const after = request.object as Pod;
	const runner = readRunnerPod(before);
	if (runner?.process.state !== 'running' || runner.terminating) return allowed(request.uid);
	if (request.userInfo.username === self || after.metadata.annotations?.[breakGlass])
		return allowed(request.uid);

	const gone = guardedLabels.filter(
		(key) =>
			before.metadata.labels?.[key] !== undefined &&
			after.metadata.labels?.[key] !== before.metadata.labels[key],
	);
	const image = (pod: Pod) => pod.spec?.containers?.find((container) => container.name === 'runner')?.image;
	const edits = [
		gone.length > 0 && `label${gone.length > 1 ? 's' : ''} ${gone.join(', ')} must stay`,
		image(before) !== image(after) && 'a new image would restart its container and kill its job',
	].filter((edit) => edit !== false);
	if (edits.length === 0) return allowed(request.uid);
	const { message, facts } = editRefusedTexts(runner, edits);
	return refused(request.uid, { code: 403 }, message, facts);
}

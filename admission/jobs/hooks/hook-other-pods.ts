import type { Pod } from '../../api/kinds.ts';
import { isRunnerPod } from '../../runner/runner-pod.ts';
import { applied } from '../../webhook/apply.ts';
import {
	type AdmissionRequest,
	type AdmissionResponse,
	allowed,
	type PatchOperation,
	patched,
} from '../../webhook/review.ts';
import { unknownMark } from '../rules/marks.ts';
import { absentBecause, type HookServer, injectHooks, willBeHooked } from './rules/inject.ts';
import type { Trials } from './trials.ts';

/**
 * Reviews CREATE pods of runners that are not our own sets': ARC's and scale sets'. They are marked as unknown as well,
 * because the API server asks once, whatever it asks for.
 *
 * Compatibility: the webhook has failurePolicy Ignore: these pods are not ours, and a runner without hooks is guarded all
 * the same. It is called again (reinvocationPolicy IfNeeded) after other webhooks have changed the pod, and then changes
 * nothing more. No hook is added in a namespace where pods with hooks are refused, or before that has been tried.
 */
export async function hookOtherPods(
	request: AdmissionRequest,
	server: HookServer,
	trials: Pick<Trials, 'in'>,
): Promise<AdmissionResponse> {
	if (request.reduced) return allowed(request.uid); // it is guarded without hooks as well
	const pod = request.object as Pod;
	const namespace = request.namespace ?? pod.metadata.namespace;
	if (!namespace || !isRunnerPod(pod)) return allowed(request.uid);
	const marked = (operations: PatchOperation[]) => patched(request.uid, [...operations, ...unknownMark(pod)]);
	const operations = injectHooks(pod, server);
	if (!willBeHooked(pod, operations)) return marked(operations);
	const trial = await trials.in(namespace, {
		hooked: () => applied(pod, operations),
		bare: (why) => applied(pod, absentBecause(pod, why)),
	});
	if (trial.state === 'refused') return marked(absentBecause(pod, trial.why));
	return marked(trial.state === 'accepted' ? operations : []);
}

/** As `hookOtherPods`, where pods of others get no hooks: a runner pod is only marked as unknown. */
export function markOtherPods({ uid, object, reduced }: AdmissionRequest): AdmissionResponse {
	if (reduced) return allowed(uid); // the server labels it as soon as it sees it
	const pod = object as Pod;
	return patched(uid, isRunnerPod(pod) ? unknownMark(pod) : []);
}

import type { Pod } from '../api/kinds.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import { type JobPod, readJobPod } from '../runner/job-pod.ts';
import { readRunnerPod } from '../runner/runner-pod.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import {
	type AdmissionRequest,
	type AdmissionResponse,
	allowed,
	type Refusal,
	refused,
} from '../webhook/review.ts';
import type { Handlers } from '../webhook/server.ts';
import { refusalOf } from './delete-pods.ts';
import { podOfEviction } from './evict-pods.ts';
import { boundPodOf } from './job-pods/rules/decide.ts';
import { jobPodTexts } from './job-pods/rules/message.ts';
import { unreadableTexts } from './rules/message.ts';
import { mostUnauthenticatedReads } from './rules/policy.ts';
import { denialTexts } from './rules/runner-message.ts';
import { deny } from './rules/verdict.ts';

interface Dependencies {
	pods: Pick<RunnerPods, 'get'>;
	metrics: Metrics;
	log: Log;
}

/**
 * Reviews that did not come by the path in the webhook configurations. Anybody who reaches the port can send them, so
 * they have no effect: no record, no call to GitHub, no Event, no Secret is read. But they may be the API server's, whose
 * configuration is a moment old or was just applied, so a live runner is refused; anything else may go, as it may when
 * the caller is known.
 */
export function unauthenticated({
	pods,
	metrics,
	log,
}: Dependencies): Pick<Handlers, '/pods/delete' | '/pods/evict'> {
	let reading = 0;

	function judge(request: AdmissionRequest, pod: Pod | undefined, refusal: Refusal): AdmissionResponse {
		const { uid } = request;
		const runner = pod && readRunnerPod(pod);
		const jobPod = pod && !runner ? readJobPod(pod) : undefined;
		if (jobPod) return judgeJobPod(request, jobPod, refusal);
		const isLive = runner?.process.state === 'running' && !runner.terminating && !runner.breakGlass;
		if (!isLive) return allowed(uid);
		metrics.decision('deny', 'unknown-caller');
		log.debug({ pod: `${runner.namespace}/${runner.name}`, reason: 'unknown-caller' }, 'deletion denied');
		const { message, facts } = denialTexts(runner, deny('unknown-caller'), false, 0);
		return refused(uid, refusal, message, facts);
	}

	/** Its runner's own clean-up passes, as it does in the webhook's conditions. */
	function judgeJobPod(
		{ uid, userInfo }: AdmissionRequest,
		pod: JobPod,
		refusal: Refusal,
	): AdmissionResponse {
		const caller = boundPodOf(userInfo);
		const isOwn = caller?.namespace === pod.namespace && caller.name === pod.runner;
		if (isOwn || pod.terminating || pod.ended || pod.breakGlass) return allowed(uid);
		metrics.decision('deny', 'unknown-caller');
		log.debug({ pod: `${pod.namespace}/${pod.name}`, reason: 'unknown-caller' }, 'deletion denied');
		const { message, facts } = jobPodTexts(pod, undefined, deny('unknown-caller'), false, 0);
		return refused(uid, refusal, message, facts);
	}

	return {
		'/pods/delete': (request) => judge(request, request.oldObject as Pod, refusalOf(request)),
		async '/pods/evict'(request: AdmissionRequest) {
			const { uid } = request;
			const address = podOfEviction(request);
			if (!address) return allowed(uid);
			const { namespace, name } = address;
			try {
				if (reading >= mostUnauthenticatedReads) throw new Error('too many evictions by unknown callers');
				reading += 1;
				const pod = await pods.get(namespace, name).finally(() => (reading -= 1));
				return judge(request, pod, { code: 429 });
			} catch (error) {
				const why = error instanceof Error ? error.message : String(error);
				metrics.decision('deny', 'internal-error');
				const { message, facts } = unreadableTexts(name, why);
				return refused(uid, { code: 429 }, message, facts);
			}
		},
	};
}

import { nodeGoneAfterMs } from '../../runner/policy.ts';
import { askerOf } from '../../runner/record.ts';
import type { RunnerPod } from '../../runner/runner-pod.ts';
import type { Allow } from './verdict.ts';

/** What the Event on a pod says when its recorded deletion is carried out. */
export function completionMessage(pod: RunnerPod, { reason }: Allow): string {
	const asked = pod.record
		? `, asked for by ${askerOf({ user: pod.record.requestedBy, options: pod.record.options })} at ${pod.record.requestedAt}`
		: '';
	if (reason === 'node-gone')
		return `node ${pod.nodeName} has been gone for ${nodeGoneAfterMs / 1000} s: runner ${pod.runnerName} is let go, its job is lost${asked}`;
	return `runner ${pod.runnerName}: ${reason.replaceAll('-', ' ')}; its deletion is carried out${asked}`;
}

import { deletionPendingCondition } from '../../admission/api/keys.ts';
import type { Pod } from '../../admission/api/kinds.ts';
import { podKey } from '../../admission/runner/runner-pod.ts';
import type { WaitingLine } from '../print/progress.ts';
import { isTerminating, jobOf, stateOf } from './state.ts';

/** What a pod's deletion is waiting for: "waiting for ci/runner-0: busy for 12m: build (octo-org/app, run 42)". */
export function describeWaiting(pod: Pod, nowMs: number): WaitingLine {
	const start = `waiting for ${podKey(pod)}: `;
	if (isTerminating(pod)) return { text: `${start}terminating` };
	const job = jobOf(pod);
	if (job) return { text: `${start}busy`, sinceMs: job.sinceMs, detail: job.name };
	const pending = pod.status?.conditions?.find(
		({ type, status }) => type === deletionPendingCondition && status === 'True',
	);
	return { text: start + (pending?.message || pending?.reason || stateOf(pod, nowMs)) };
}

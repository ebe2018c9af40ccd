import { busy, deletionPendingCondition } from '../../admission/api/keys.ts';
import type { Pod } from '../../admission/api/kinds.ts';
import type { WaitingLine } from '../print/progress.ts';
import { jobOf } from './columns.ts';
import { isBusy, isTerminating, stateOf } from './state.ts';

/** What keeps a pod from going, after its name: "waiting for ci/runner-0: busy, build (octo-org/app, run 42)". */
export function describeWaiting(pod: Pod, nowMs: number): WaitingLine {
	const start = `waiting for ${podKey(pod)}: `;
	if (isTerminating(pod)) {
		return { text: `${start}terminating` };
	}
	if (isBusy(pod)) {
		const job = jobOf(pod);
		const since = pod.metadata.annotations?.[busy.since];
		return {
			text: `${start}busy${job ? `, ${job}` : ''}`,
			...(since === undefined ? {} : { sinceMs: Date.parse(since) }),
		};
	}
	const pending = pod.status?.conditions?.find(
		({ type, status }) => type === deletionPendingCondition && status === 'True',
	);
	if (!pending) return { text: `${start}${stateOf(pod, nowMs)}` };
	return { text: `${start}${[pending.reason, pending.message].filter(Boolean).join(': ')}` };
}

export function podKey(pod: Pod): string {
	return `${pod.metadata.namespace ?? 'default'}/${pod.metadata.name}`;
}

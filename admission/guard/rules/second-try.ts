import { openSignal } from '../../jobs/rules/job-signals.ts';
import type { RunnerPod } from '../../runner/runner-pod.ts';
import { absenceMs, secondTryMs } from './policy.ts';

/** When the lists that show a runner idle and online, without one between them that does not, were begun: ms since the epoch. */
export interface IdleLists {
	firstMs: number;
	lastMs: number;
}

/**
 * Whether GitHub may be asked once more to remove an ephemeral runner for which it has answered 422 (invariant 5). Such a
 * runner ends with its job; but a job that is cancelled before the runner has received it never ends, and the deletion would
 * wait for ever. So two lists, begun after the answer and a minute apart, must show it idle, and nothing else may say that it
 * works; its log is read then. That is after 2, 4, 8 minutes and so on.
 *
 * @param answers how often GitHub has answered 422 for it, as far as this leader knows: 1 or more
 */
export function mayAskAgain(
	{ busyAnswer, ephemeral, signals }: RunnerPod,
	lists: IdleLists | undefined,
	answers: number,
	nowMs: number,
): boolean {
	if (!ephemeral || busyAnswer?.to !== 'us' || openSignal(signals)) return false;
	if (!lists || lists.firstMs <= busyAnswer.atMs || lists.lastMs - lists.firstMs < absenceMs) return false;
	return nowMs - busyAnswer.atMs >= Math.min(secondTryMs.most, secondTryMs.first * 2 ** (answers - 1));
}

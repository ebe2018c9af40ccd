import { offlineAfter } from './policy.ts';

/** GitHub's lists that have shown an idle runner offline, one after the other: when the first and the last were begun, ms since the epoch. */
export interface OfflineLists {
	firstMs: number;
	lastMs: number;
	count: number;
}

/**
 * After one more list. Pure.
 *
 * @param isOffline whether it shows the runner idle and offline
 * @param others how many of ours the list shows so, of how many: GitHub shows whole organizations offline in incidents, and
 * then it says nothing about any of them
 */
export function withList(
	before: OfflineLists | undefined,
	isOffline: boolean,
	others: { offline: number; all: number },
	atMs: number,
): OfflineLists | undefined {
	if (!isOffline || others.offline > Math.max(1, Math.floor(offlineAfter.part * others.all)))
		return undefined;
	return { firstMs: before?.firstMs ?? atMs, lastMs: atMs, count: (before?.count ?? 0) + 1 };
}

/** Whether the runner has lost GitHub, though its process runs: it will be given no job. */
export const isOffline = (lists: OfflineLists | undefined): boolean =>
	lists !== undefined &&
	lists.count >= offlineAfter.lists &&
	lists.lastMs - lists.firstMs >= offlineAfter.forMs;

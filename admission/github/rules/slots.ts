/**
 * The first moment at `wantedMs` or later that is at least `spacingMs` away from every one of `takenMs`, which is
 * ascending. All in ms since the epoch.
 */
export function freeSlot(takenMs: readonly number[], wantedMs: number, spacingMs: number): number {
	let atMs = wantedMs;
	for (const takenAtMs of takenMs) {
		if (takenAtMs >= atMs + spacingMs) break;
		if (takenAtMs > atMs - spacingMs) atMs = takenAtMs + spacingMs;
	}
	return atMs;
}

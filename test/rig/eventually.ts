import { setTimeout as sleep } from 'node:timers/promises';

/** Polls until `check` gives something truthy; fails with what was waited for. The bound is for a machine that is slow. */
export async function eventually<T>(
	what: string,
	check: () => T | Promise<T>,
	{ withinMs = 60_000, everyMs = 100 }: { withinMs?: number; everyMs?: number } = {},
): Promise<NonNullable<T>> {
	const deadline = Date.now() + withinMs;
	for (;;) {
		const value = await check();
		if (value) return value;
		if (Date.now() > deadline) throw new Error(`not within ${withinMs / 1000} s: ${what}`);
		await sleep(everyMs);
	}
}

import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Polls until `check` returns something truthy; fails with a message that says what it waited for. The timeout is for a
 * slow machine.
 */
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

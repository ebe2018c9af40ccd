import { setWritesAtOnce } from './rules/policy.ts';

/** Does `work` for all items, setWritesAtOnce at a time. Failures are collected and do not stop the others (E3). */
export async function inParallel<T>(
	items: Iterable<T>,
	work: (item: T) => Promise<void>,
	failures: unknown[],
): Promise<void> {
	const waiting = items[Symbol.iterator]();
	const worker = async () => {
		for (let next = waiting.next(); !next.done; next = waiting.next())
			await work(next.value).catch((error: unknown) => failures.push(error));
	};
	await Promise.all(Array.from({ length: setWritesAtOnce }, worker));
}

import { podPath } from '../api/paths.ts';
import { printable } from '../api/printable.ts';
import type { KubeClient } from '../kube/client.ts';
import type { RunnerPod } from '../runner/runner-pod.ts';
import { giveWay } from '../time/give-way.ts';
import { logReads, logWithinMs } from './rules/policy.ts';
import { hasLines, type LogReading, readInPieces } from './rules/runner-log.ts';

/** Does the work when there is room for this read, with what is left of the time, ms. @throws Error if there is none in time */
type Admission = (
	read: (typeof logReads)[number],
	withinMs: number,
	work: (leftMs: number) => Promise<boolean>,
) => Promise<boolean>;

/**
 * What the runner's log says now. Never fails: a log that cannot be read in time says nothing.
 *
 * The kubelet cuts the lines asked for at `limitBytes` from their front, so an answer that is as long as that does not
 * reach the log's end.
 */
export async function readLog(
	client: Pick<KubeClient, 'text'>,
	{ namespace, name }: Pick<RunnerPod, 'namespace' | 'name'>,
	admit: Admission = (_read, withinMs, work) => work(withinMs),
): Promise<LogReading> {
	let reading: LogReading = { says: 'unknown', why: 'its log was not read' };
	try {
		for (const read of logReads) {
			const { lines, mostBytes } = read;
			const query = { container: 'runner', tailLines: lines, limitBytes: mostBytes };
			// Admitted until it has been read, and not only until it has come: it is as long while it is read.
			const hasMore = await admit(read, logWithinMs, async (timeoutMs) => {
				const options = { query, mostBytes, timeoutMs };
				const { text, toItsEnd } = await client.text(podPath(namespace, name, 'log'), options);
				reading = await inTurns(text, toItsEnd);
				return hasLines(text, lines);
			});
			if (reading.says !== 'unknown' || !reading.further || !hasMore) break;
		}
		return reading;
	} catch (error) {
		const detail = error instanceof Error ? error.message : String(error);
		const why = `its log cannot be read: ${printable(detail).slice(0, 200)}`;
		return { says: 'unknown', why, unreadable: true };
	}
}

/** Reads the text, and gives way to others between its pieces. */
async function inTurns(text: string, toItsEnd: boolean): Promise<LogReading> {
	const reading = readInPieces(text, toItsEnd);
	for (;;) {
		const { done, value } = reading.next();
		if (done) return value;
		await giveWay();
	}
}

import { podPath } from '../api/paths.ts';
import { printable } from '../api/printable.ts';
import type { KubeClient } from '../kube/client.ts';
import type { RunnerPod } from '../runner/runner-pod.ts';
import { logReads, logWithinMs } from './rules/policy.ts';
import { type LogReading, readRunnerLog } from './rules/runner-log.ts';

/**
 * What the runner's log says now. Never fails: a log that cannot be read in time says nothing.
 *
 * The kubelet cuts the lines asked for at `limitBytes` from their front, so an answer that is as long as that does not
 * reach the log's end.
 */
export async function readLog(
	client: Pick<KubeClient, 'text'>,
	{ namespace, name }: Pick<RunnerPod, 'namespace' | 'name'>,
	withinMs = logWithinMs,
): Promise<LogReading> {
	let reading: LogReading = { says: 'unknown', why: 'its log was not read' };
	try {
		for (const { lines, mostBytes } of logReads) {
			const query = { container: 'runner', tailLines: lines, limitBytes: mostBytes };
			const { text, toItsEnd } = await client.text(podPath(namespace, name, 'log'), {
				query,
				mostBytes,
				timeoutMs: withinMs,
			});
			reading = readRunnerLog(text, toItsEnd);
			// Fewer lines than were asked for: there are no others.
			if (reading.says !== 'unknown' || !toItsEnd || text.split('\n').length <= lines) break;
		}
		return reading;
	} catch (error) {
		const detail = error instanceof Error ? error.message : String(error);
		const why = `its log cannot be read: ${printable(detail).slice(0, 200)}`;
		return { says: 'unknown', why, unreadable: true };
	}
}

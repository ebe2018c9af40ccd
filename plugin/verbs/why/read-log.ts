import { podPath } from '../../../admission/api/paths.ts';
import { printable } from '../../../admission/api/printable.ts';
import { logReads } from '../../../admission/jobs/rules/policy.ts';
import { hasLines, type LogReading, readRunnerLog } from '../../../admission/jobs/rules/runner-log.ts';
import type { RunnerPod } from '../../../admission/runner/runner-pod.ts';
import type { KubeClient } from '../../kube/client.ts';
import { ApiError, isForbidden, UnreachableError } from '../../kube/failure.ts';

/** A person waits for it: longer than the guard, which has to answer a review meanwhile. */
const withinMs = 5_000;

/**
 * What the runner's log says now, read with the asker's own rights. A log that cannot be read in time says nothing, and
 * why. As far back as the guard reads it.
 */
export async function readLog(
	client: KubeClient,
	{ namespace, name, process }: Pick<RunnerPod, 'namespace' | 'name' | 'process'>,
): Promise<LogReading> {
	if (process.state !== 'running') return { says: 'unknown', why: 'its container does not run' };
	let reading: LogReading = { says: 'unknown', why: 'its log was not read' };
	try {
		for (const { lines, mostBytes } of logReads) {
			const query = { container: 'runner', tailLines: String(lines), limitBytes: String(mostBytes) };
			const path = podPath(namespace, name, 'log');
			const { body } = await client.call('GET', path, { query, mostBytes, timeoutMs: withinMs });
			const toItsEnd = body.length < mostBytes;
			const text = body.toString();
			reading = readRunnerLog(text, toItsEnd);
			if (reading.says !== 'unknown' || !reading.further || !hasLines(text, lines)) break;
		}
		return reading;
	} catch (error) {
		if (isForbidden(error))
			return {
				says: 'unknown',
				why: `you may not get pods/log in namespace ${namespace}; the ClusterRoles view, runners-edit and runners-admin may`,
			};
		if (!(error instanceof ApiError) && !(error instanceof UnreachableError)) throw error;
		return { says: 'unknown', why: `its log cannot be read: ${printable(error.message).slice(0, 200)}` };
	}
}

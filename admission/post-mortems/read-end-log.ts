import { endedLimits } from '../api/ended-runners.ts';
import { podPath } from '../api/paths.ts';
import { hasLines } from '../jobs/rules/runner-log.ts';
import type { KubeClient } from '../kube/client.ts';
import { logWithinMs, mostLogBytes } from './rules/policy.ts';

/** The last lines of a runner's log. */
export interface EndLog {
	lines: readonly string[];
	/** There are no lines before them. */
	whole: boolean;
}

/** @param previous the run of the container before its last one. undefined: it cannot be read, or not in time */
export type ReadEndLog = (
	pod: { namespace: string; name: string },
	previous: boolean,
) => Promise<EndLog | undefined>;

/** Reads it from the kubelet, which keeps it for as long as the pod object is there. */
export const endLogs =
	(client: Pick<KubeClient, 'text'>): ReadEndLog =>
	async ({ namespace, name }, previous) => {
		const lines = endedLimits.logLines;
		const query = {
			container: 'runner',
			tailLines: lines,
			limitBytes: mostLogBytes,
			previous: previous || undefined,
		};
		try {
			const { text, toItsEnd } = await client.text(podPath(namespace, name, 'log'), {
				query,
				mostBytes: mostLogBytes,
				timeoutMs: logWithinMs,
			});
			const read = text.split('\n');
			if (read.at(-1) === '') read.pop();
			return { lines: read, whole: toItsEnd && !hasLines(text, lines) };
		} catch {
			return undefined; // the pod is gone, its node does not answer, or it never had a log: the end is reported without it
		}
	};

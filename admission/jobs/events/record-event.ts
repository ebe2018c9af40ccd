import type { Pod } from '../../api/kinds.ts';
import { foldName } from '../../runner/github-name.ts';
import { type ReportDependencies, recordReport } from '../record-report.ts';
import type { JobEvent } from './rules/delivery.ts';
import { isAbout } from './rules/runner-of.ts';

/**
 * Writes what an event says on its runner's pod, before it resolves.
 *
 * The pod is looked for among those whose own name is the runner's name, as ARC, scale sets and our sets name them: any
 * replica can do that without a cache. A runner of another name is not found this way: only the leader knows it, and an event
 * that counts only where the Service happens to send it to the leader is worth less than none. The runner's log and its hooks
 * report the same. Where several pods have the runner's name, none is believed.
 *
 * @throws KubeError if the API server could not be asked, or the pod not be written
 */
export async function recordEvent(
	event: JobEvent,
	dependencies: ReportDependencies,
): Promise<'written' | 'unchanged' | 'no-pod' | 'several-pods'> {
	const { pods } = dependencies;
	const found: Pod[] = [];
	for (const object of await pods.named(foldName(event.runnerName))) {
		const pod = await pods.from(object);
		if (pod && isAbout(event, pod)) found.push(object);
	}
	const [object, ...others] = found;
	if (!object) return 'no-pod';
	if (others.length > 0) return 'several-pods';
	// It comes from the API server's cache. Where it has changed since, the write fails, and it is read anew.
	const outcome = await recordReport(object, event.report, dependencies);
	return outcome === 'gone' ? 'no-pod' : outcome;
}

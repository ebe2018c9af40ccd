import type { Pod } from '../../../admission/api/kinds.ts';
import { isJobPod } from '../../../admission/runner/job-pod.ts';
import { isRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { untilInterrupted } from '../../cli/interrupt.ts';
import { exitCode } from '../../errors.ts';
import type { KubeClient } from '../../kube/client.ts';
import { followPods } from '../../kube/follow.ts';
import type { PodQuery } from '../../kube/pods.ts';
import { printError } from '../../print/out.ts';
import { type ColumnChoice, header, row } from './columns.ts';
import { WatchedRows } from './watched-rows.ts';

/** Lists, and then prints a row whenever anything but its age has changed, until Ctrl-C. */
export async function watchRunners(
	client: KubeClient,
	query: PodQuery,
	names: ReadonlySet<string>,
	options: ColumnChoice & { headers: boolean },
): Promise<number> {
	const rows = new WatchedRows(header(options), options.headers);
	const interrupt = untilInterrupted();
	const isMeant = (pod: Pod) =>
		(isRunnerPod(pod) || isJobPod(pod)) && (names.size === 0 || names.has(pod.metadata.name));
	const uid = (pod: Pod) => pod.metadata.uid ?? '';
	await followPods(
		client,
		query,
		{
			seen: (pod) => isMeant(pod) && rows.changed(uid(pod), row(pod, options, Date.now())),
			gone: (pod) => isMeant(pod) && rows.gone(uid(pod), row(pod, options, Date.now(), 'deleted')),
			synced: () => rows.flush(),
			failure: (message) => printError(`Warning: ${message}; trying again`),
		},
		interrupt.signal,
	);
	return interrupt.interrupted ? exitCode.interrupted : exitCode.done;
}

import { humanSpan } from '../../../admission/api/duration.ts';
import { progress, record } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { printable } from '../../../admission/api/printable.ts';
import { isJobPod } from '../../../admission/runner/job-pod.ts';
import type { Job } from '../../../admission/runner/job-signals.ts';
import { ageSince } from '../../print/age.ts';
import { scopeOf, setOf } from '../../runners/identity.ts';
import { jobPodJob, jobPodState } from '../../runners/job-pods.ts';
import { readPod } from '../../runners/read.ts';
import { jobOf, stateOf } from '../../runners/state.ts';

export interface ColumnChoice {
	namespace: boolean;
	wide: boolean;
}

const none = '<none>';

export function header(choice: ColumnChoice): string[] {
	const columns = ['NAME', 'SET', 'STATE', 'JOB', 'RUNNER ID', 'NODE', 'AGE'];
	if (choice.wide) columns.push('SCOPE', 'BUSY FOR', 'DELETION ASKED BY', 'WORKFLOW', 'RUN');
	return choice.namespace ? ['NAMESPACE', ...columns] : columns;
}

/** One runner as a row below `header`. `state`, if given, replaces the pod's own: for one that is gone. */
export function row(pod: Pod, choice: ColumnChoice, nowMs: number, state?: string): string[] {
	const runner = readPod(pod);
	if (!runner && isJobPod(pod)) return jobPodRow(pod, choice, nowMs, state);
	const job = jobOf(pod, runner);
	const cells = [
		pod.metadata.name,
		setOf(pod) ?? none,
		state ?? stateOf(pod, nowMs, runner),
		job ? jobCell(job.name) : none,
		printable(pod.metadata.annotations?.[progress.runnerId] ?? none),
		pod.spec?.nodeName ?? none,
		ageSince(pod.metadata.creationTimestamp, nowMs),
	];
	if (choice.wide) {
		cells.push(
			printable(scopeOf(pod, runner) ?? none),
			job?.sinceMs === undefined ? none : humanSpan(nowMs - job.sinceMs),
			runner?.record ? printable(runner.record.requestedBy) : none,
			printable(`${job?.details?.workflow ?? none}`),
			printable(runCell(job?.details) ?? none),
		);
	}
	return choice.namespace ? [pod.metadata.namespace ?? '', ...cells] : cells;
}

/** A job pod, as a row below its runner. */
function jobPodRow(pod: Pod, choice: ColumnChoice, nowMs: number, state?: string): string[] {
	const { name, namespace = '', creationTimestamp, annotations = {} } = pod.metadata;
	const cells = [
		`└─ ${name}`,
		none,
		state ?? jobPodState(pod),
		printable(jobPodJob(pod) ?? none),
		none,
		pod.spec?.nodeName ?? none,
		ageSince(creationTimestamp, nowMs),
	];
	if (choice.wide) cells.push(none, none, printable(annotations[record.requestedBy] ?? none), none, none);
	return choice.namespace ? [namespace, ...cells] : cells;
}

/** Where to find the job: its URL, or else its repository and run. */
function runCell({ url, repository, runId }: Partial<Job> = {}): string | undefined {
	if (url !== undefined) return `${url}`;
	return repository && `${repository}${runId === undefined ? '' : ` run ${runId}`}`;
}

/** `<unknown>`: the runner is busy, but it is not known with which job. */
const jobCell = (name: string | undefined) => name ?? '<unknown>';

import { breakGlass } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { printable } from '../../../admission/api/printable.ts';
import type { AllowReason } from '../../../admission/api/reasons.ts';
import { decideJobPod } from '../../../admission/guard/subjects/job-pod/rules/decide.ts';
import { type JobPod, readJobPod } from '../../../admission/runner/job-pod.ts';
import { podKey } from '../../../admission/runner/runner-pod.ts';
import type { KubeClient } from '../../kube/client.ts';
import { isNotFound } from '../../kube/failure.ts';
import { getPod } from '../../kube/pods.ts';
import { readPod } from '../../runners/read.ts';
import { jobData } from '../../runners/source-states.ts';
import { stateNow } from './look.ts';
import { askVerdict, type Verdict } from './verdict.ts';

interface ShownJobPod {
	pod: Pod;
	jobPod: JobPod;
	/** The pod of its runner; undefined: there is none. */
	runner: Pod | undefined;
	verdict: Verdict;
	nowMs: number;
}

/** A job pod, by the guard's own rules, and what would become of its deletion; undefined: it is not a job pod. */
export async function explainJobPod(client: KubeClient, pod: Pod): Promise<ShownJobPod | undefined> {
	// The plugin has no key: it shows what is signed at all.
	const jobPod = readJobPod(pod, (_statement, given) => Boolean(given));
	if (!jobPod) return undefined;
	const runner = await getPod(client, jobPod.namespace, jobPod.runner).catch((error: unknown) => {
		if (isNotFound(error)) return undefined;
		throw error;
	});
	const nowMs = Date.now();
	const verdict = await askVerdict(client, pod, nowMs, () => whyJobPodAllowed(jobPod, runner, nowMs));
	return { pod, jobPod, runner, verdict, nowMs };
}

/** Why the guard allowed it. It has read the runner's log; where that decided, the log said idle. */
export function whyJobPodAllowed(
	jobPod: JobPod,
	runner: Pod | undefined,
	nowMs: number,
): Omit<Verdict, 'verdict'> {
	const reading = { says: 'idle', at: undefined } as const;
	const decision = decideJobPod(jobPod, runner && readPod(runner), undefined, nowMs, reading);
	// It may have changed since the guard was asked.
	const reason = decision.kind === 'allow' ? decision.reason : 'job-over';
	const terminating = reason === 'already-terminating';
	const next = terminating ? 'it disappears when its containers have stopped' : 'it is deleted at once';
	const message = messages[reason] ?? messages['job-over'] ?? '';
	return { reason, message: reason === 'break-glass' ? `${message}: ${jobPod.breakGlass}` : message, next };
}

const messages: Partial<Record<AllowReason, string>> = {
	'already-terminating': 'it is already terminating',
	'break-glass': 'somebody allowed it by break-glass',
	'job-pod-ended': 'all its containers have stopped',
	'runner-gone': 'the runner whose job it ran is gone',
	'runner-exited': 'the runner whose job it ran has ended',
	'never-started': 'its runner is not on a node yet, so it runs no job',
	'node-gone': 'the node of its runner is gone, and the job with it',
	'job-over': 'its runner runs no job, as its own log says',
};

export function jobPodData({ pod, jobPod, runner, verdict, nowMs }: ShownJobPod): object {
	const { namespace, name, uid } = pod.metadata;
	return {
		pod: { namespace, name, uid, node: pod.spec?.nodeName },
		...verdict,
		runner: {
			pod: jobPod.runner,
			state: runner && stateNow({ pod: runner, runner: readPod(runner), verdict, nowMs }).state,
		},
		job: runner && jobData(runner, readPod(runner)),
		recorded: jobPod.record,
	};
}

function stateText(runner: Pod, verdict: Verdict, nowMs: number): string {
	const { state, by } = stateNow({ pod: runner, runner: readPod(runner), verdict, nowMs });
	return by ? `${state} (${by})` : state;
}

/** @param recorded the deletion that waits, for people */
export function jobPodText({ pod, jobPod, runner, verdict, nowMs }: ShownJobPod, recorded: string): string {
	const { name, namespace, nodeName } = { ...pod.metadata, ...pod.spec };
	const waits = jobPod.record !== undefined && !jobPod.terminating;
	const denied = verdict.verdict === 'denied';
	const lines: [string, string | undefined][] = [
		['Pod', `${podKey(pod)}${nodeName ? ` on node ${nodeName}` : ''}`],
		['Deletion', `${verdict.verdict} (${verdict.reason})`],
		['Because', verdict.message],
		[jobPod.record ? 'Next' : 'If deleted', verdict.next],
		['Runner', `${jobPod.runner}, ${runner ? stateText(runner, verdict, nowMs) : 'which does not exist'}`],
		['Recorded', recorded],
		['To request', denied && !waits ? `kubectl delete pod ${name} -n ${namespace}` : undefined],
		['To cancel', waits ? `kubectl runners cancel ${name} -n ${namespace}` : undefined],
		[
			'To override',
			denied
				? `kubectl annotate pod ${name} -n ${namespace} ${breakGlass}=REASON   (then delete it: kills the job)`
				: undefined,
		],
	];
	return lines
		.filter((line): line is [string, string] => Boolean(line[1]))
		.map(([label, text]) => `${`${label}:`.padEnd(13)}${printable(text)}\n`)
		.join('');
}

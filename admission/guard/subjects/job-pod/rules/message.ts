import { printable } from '../../../../api/printable.ts';
import type { JobPod } from '../../../../runner/job-pod.ts';
import { type JobPodReason, jobPodDenial } from '../../../rules/denials.ts';
import {
	cut,
	type DenialTexts,
	type Denied,
	longestMessage,
	stateOf,
	textsOf,
} from '../../../rules/message.ts';
import type { Allow, Deny } from '../../../rules/verdict.ts';

/** What the denial of a job pod's deletion says. @param recorded see textsOf */
export function jobPodTexts(
	pod: JobPod,
	verdict: Deny<JobPodReason>,
	recorded: boolean | 'dry-run',
	nowMs: number,
): DenialTexts {
	return textsOf(denied(pod, verdict), recorded, nowMs);
}

/** One clause, which follows the pod's name: what is the case. Also the text of the DeletionPending condition. */
export function state(pod: JobPod, verdict: Deny<JobPodReason>, nowMs: number): string {
	return stateOf(denied(pod, verdict), nowMs);
}

function denied(pod: JobPod, { reason, detail: added }: Deny<JobPodReason>): Denied {
	const denial = jobPodDenial(reason);
	const isJob = denial.detail === 'job';
	const detail = isJob ? (pod.runnerPod?.busyHint?.job ?? added) : added;
	const which = `runner ${printable(pod.runnerPod?.runnerName ?? pod.runner)}, which`;
	return {
		reason,
		denial,
		subject: [`job pod of ${which}`, 'job pod of a runner, which'],
		role: `is a job pod of ${which} `,
		detail: detail === undefined ? undefined : printable(detail),
		sinceMs: isJob ? pod.runnerPod?.busyHint?.sinceMs : undefined,
		pod,
	};
}

/** What of an edit was refused. */
export function jobPodEditTexts(pod: JobPod, edits: readonly string[]): DenialTexts {
	const what = printable(edits.join('; '));
	const start = `job pod of runner ${pod.runner}: `;
	const end = ' while it runs. To delete it: kubectl delete pod';
	const room = longestMessage - start.length - end.length;
	const whole = room >= 12;
	return {
		message: whole ? `${start}${cut(what, room)}${end}` : `this job pod: ${cut(what, 120)}${end}`,
		facts: {
			reason: 'busy',
			state: `is a job pod of runner ${pod.runner}: ${what}`,
			next: 'the pod stays as it is',
			recorded: false,
		},
	};
}

/** What somebody deletes by break-glass. */
export const deletedText = ({ runner }: JobPod): string => `a job pod of runner ${runner}`;

/** What the Event on a pod says when its recorded deletion is carried out. */
export const completionMessage = ({ reason }: Allow): string =>
	`deleted as requested: ${endings[reason] ?? reason}`;

/** Why it may go now, for people. */
const endings: Partial<Record<Allow['reason'], string>> = {
	'runner-gone': 'its runner is gone',
	'runner-exited': 'its runner has stopped',
	'never-started': 'its runner is not on a node yet',
	'node-gone': 'the node of its runner is gone',
	'job-over': 'its runner is idle',
	'job-pod-ended': 'its containers have stopped',
};

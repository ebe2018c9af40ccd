import { humanSpan } from '../../../../api/duration.ts';
import { printable } from '../../../../api/printable.ts';
import { jobNow } from '../../../../jobs/rules/job-signals.ts';
import { nodeGoneAfterMs } from '../../../../runner/policy.ts';
import { askerOf } from '../../../../runner/record.ts';
import type { RunnerPod } from '../../../../runner/runner-pod.ts';
import { type RunnerReason, runnerDenial } from '../../../rules/denials.ts';
import { addressOf, type DenialTexts, type Denied, fit, stateOf, textsOf } from '../../../rules/message.ts';
import type { Allow, Deny } from '../../../rules/verdict.ts';

/** What the denial of a runner's deletion says. @param recorded see textsOf */
export function denialTexts(
	pod: RunnerPod,
	verdict: Deny<RunnerReason>,
	recorded: boolean | 'dry-run',
	nowMs: number,
): DenialTexts {
	return textsOf(denied(pod, verdict), recorded, nowMs);
}

/** One clause: what is the case. Also the text of Events and of the DeletionPending condition. */
export function state(pod: RunnerPod, verdict: Deny<RunnerReason>, nowMs: number): string {
	return stateOf(denied(pod, verdict), nowMs);
}

function denied(pod: RunnerPod, verdict: Deny<RunnerReason>): Denied {
	const denial = runnerDenial(verdict.reason);
	const detail = detailOf(pod, denial.detail, verdict.detail);
	return {
		reason: verdict.reason,
		denial,
		subject: subjectOf(pod),
		detail: detail === undefined ? undefined : printable(detail),
		sinceMs: denial.detail === 'job' ? jobNow(pod)?.sinceMs : undefined,
		pod,
	};
}

function detailOf(
	pod: RunnerPod,
	detail: Denied['denial']['detail'],
	added: string | undefined,
): string | undefined {
	if (typeof detail !== 'string') return detail.always;
	switch (detail) {
		case 'job':
			return jobNow(pod)?.name;
		case 'uncertain':
			return pod.uncertain;
		case 'added':
			return added;
	}
}

const subjectOf = ({ runnerName }: RunnerPod) => [`runner ${printable(runnerName)}`, 'this runner'] as const;

/** An edit that would end the job, or hide the runner from the guard, is refused. */
export function editRefusedTexts(pod: RunnerPod, edits: readonly string[]): DenialTexts {
	const what = edits.join('; ');
	const clause = { summary: 'runs', detail: printable(what), isJob: true };
	const rest = 'To delete it when it is safe: kubectl runners delete';
	return {
		message: fit(subjectOf(pod), clause, rest, addressOf(pod)),
		facts: { reason: 'busy', state: `runs: ${what}`, next: 'the pod stays as it is', recorded: false },
	};
}

/** What somebody deletes by break-glass. */
export function deletedText(pod: RunnerPod, nowMs: number): string {
	const ran = jobNow(pod);
	if (!ran) return `runner ${pod.runnerName}`;
	const since = ran.sinceMs === undefined ? '' : ` for ${humanSpan(Math.max(0, nowMs - ran.sinceMs))}`;
	return `runner ${pod.runnerName}, which ran ${ran.name ?? 'a job'}${since}`;
}

/** What the Event on a pod says when its recorded deletion is carried out. */
export function completionMessage(pod: RunnerPod, { reason }: Allow): string {
	const { record, runnerName, nodeName } = pod;
	const asked = record
		? `, as requested by ${askerOf({ user: record.requestedBy, options: record.options })} at ${record.requestedAt}`
		: '';
	const why =
		reason === 'node-gone'
			? `its node ${nodeName} has been gone for ${nodeGoneAfterMs / 1000} s, and its job is lost`
			: (endings[reason] ?? reason);
	return `runner ${runnerName} is deleted${asked}: ${why}`;
}

/** Why it may go now, for people. */
const endings: Partial<Record<Allow['reason'], string>> = {
	unregistered: 'GitHub has unregistered it',
	'never-registered': 'it never registered at GitHub',
	'runner-exited': 'it has exited',
	'never-started': 'it was not on a node yet',
	'cannot-start': 'it cannot start, and GitHub does not list it',
};

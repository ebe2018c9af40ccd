import { printable } from '../../api/printable.ts';
import { jobNow } from '../../jobs/rules/job-signals.ts';
import type { RunnerPod } from '../../runner/runner-pod.ts';
import { type RunnerReason, runnerDenial } from './denials.ts';
import { addressOf, type DenialTexts, type Denied, fit, stateOf, textsOf } from './message.ts';
import type { Deny } from './verdict.ts';

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

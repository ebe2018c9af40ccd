import { humanSpan } from '../../../api/duration.ts';
import { printable } from '../../../api/printable.ts';
import type { DenyReason } from '../../../api/reasons.ts';
import type { JobPod } from '../../../runner/job-pod.ts';
import type { RunnerPod } from '../../../runner/runner-pod.ts';
import type { Deny } from '../../rules/decide.ts';
import { cut, type DenialTexts, longestMessage } from '../../rules/denial-message.ts';

/** Its runner as far as it could be read. */
type Runner = Pick<RunnerPod, 'runnerName' | 'busyHint'> | undefined;

/**
 * The words of a denial: whose job's pod it is, what the runner does and since when, what happens next, and one command
 * that shows the rest.
 *
 * @param recorded false: the record could not be written, so nothing happens unless somebody asks again
 */
export function jobPodTexts(
	pod: JobPod,
	runner: Runner,
	verdict: Deny,
	recorded: boolean | 'dry-run',
	nowMs: number,
): DenialTexts {
	const { reason } = verdict;
	const next = `the pod is deleted ${afterwards(reason)}`;
	const remembered =
		recorded === 'dry-run'
			? 'Dry run: nothing is recorded.'
			: recorded
				? `Recorded: ${next}.`
				: 'Nothing is recorded: ask again.';
	const sinceMs = reason === 'busy' ? runner?.busyHint?.sinceMs : undefined;
	const does = doing(reason, sinceMs, nowMs);
	const detail = detailOf(runner, verdict);
	return {
		message: fit(pod, runner, does, reason === 'busy', detail, remembered),
		facts: {
			reason,
			state: state(pod, runner, verdict, nowMs),
			next,
			recorded,
			job: reason === 'busy' ? detail : undefined,
			since: sinceMs === undefined ? undefined : new Date(sinceMs).toISOString(),
		},
	};
}

/** One clause, which follows the pod's name: what is the case. Also the text of the DeletionPending condition. */
export function state(pod: JobPod, runner: Runner, verdict: Deny, nowMs: number): string {
	const { reason } = verdict;
	const does = doing(reason, runner?.busyHint?.sinceMs, nowMs);
	return `is a job pod of runner ${nameOf(pod, runner)}, which ${withDetail(does, reason === 'busy', detailOf(runner, verdict))}`;
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

function doing(reason: DenyReason, sinceMs: number | undefined, nowMs: number): string {
	switch (reason) {
		case 'busy':
			return `is busy${sinceMs === undefined ? '' : ` for ${humanSpan(Math.max(0, nowMs - sinceMs))}`}`;
		case 'job-unknown':
			return 'may run a job';
		case 'unknown-caller':
			return 'may run a job, and the guard does not recognise who asks';
		default:
			return 'may run a job: the guard failed';
	}
}

function afterwards(reason: DenyReason): string {
	switch (reason) {
		case 'busy':
			return 'when the job ends';
		case 'job-unknown':
			return 'when the runner is known to be idle';
		default:
			return 'at the next try';
	}
}

const nameOf = (pod: JobPod, runner: Runner): string => printable(runner?.runnerName ?? pod.runner);

function detailOf(runner: Runner, { reason, detail }: Deny): string | undefined {
	const text = reason === 'busy' ? (runner?.busyHint?.job ?? detail) : detail;
	return text === undefined ? undefined : printable(text);
}

/** A busy runner's detail is its job, which follows a colon; any other detail stands in brackets. */
function withDetail(does: string, isJob: boolean, detail: string | undefined): string {
	if (detail === undefined) return does;
	return isJob ? `${does}: ${detail}` : `${does} (${detail})`;
}

/** Within `longestMessage`: first the detail is cut, then the runner's name is left out, then the names in the command. */
function fit(
	pod: JobPod,
	runner: Runner,
	does: string,
	isJob: boolean,
	detail: string | undefined,
	remembered: string,
): string {
	const command = 'See: kubectl runners why';
	const names = ` ${pod.name} -n ${pod.namespace}`;
	const rest = (whose: string, clause: string) => `job pod of ${whose} ${clause}. ${remembered} ${command}`;
	for (const whose of [`runner ${nameOf(pod, runner)}, which`, 'a runner, which']) {
		const room = longestMessage - (rest(whose, withDetail(does, isJob, '')) + names).length;
		if (room >= 0) return rest(whose, withDetail(does, isJob, cut(detail, room))) + names;
	}
	return rest('a runner, which', does);
}

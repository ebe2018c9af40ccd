import type { Denial } from '../../api/denial.ts';
import { humanSpan } from '../../api/duration.ts';
import { printable } from '../../api/printable.ts';
import type { DenyReason } from '../../api/reasons.ts';
import { jobNow } from '../../jobs/rules/job-signals.ts';
import type { RunnerPod } from '../../runner/runner-pod.ts';
import type { Deny } from './decide.ts';

/** `kubectl drain` prints the message every 5 s for every busy pod: it has to fit on two lines of a terminal. */
export const longestMessage = 200;

/** What a denial says, to people and to programs. */
export interface DenialTexts {
	/** One line of at most `longestMessage` characters: kubectl prints it as it is. */
	message: string;
	facts: Denial;
}

/**
 * The words of a denial: which runner, what is the case and since when, what happens next, and one command that shows
 * the rest (how to follow the deletion, take it back, override it).
 *
 * @param recorded false: the record could not be written, so nothing happens unless somebody asks again
 */
export function denialTexts(
	pod: RunnerPod,
	verdict: Deny,
	recorded: boolean | 'dry-run',
	nowMs: number,
): DenialTexts {
	const { reason } = verdict;
	const next = `the pod is deleted ${afterwards[reason]}`;
	const remembered =
		recorded === 'dry-run'
			? 'Dry run: nothing is recorded. '
			: recorded
				? `Recorded: ${next}. `
				: 'It could NOT be recorded: ask again. ';
	const since = reason === 'busy' ? jobNow(pod)?.sinceMs : undefined;
	return {
		message: fit(pod, reason, summary(pod, reason, nowMs), detailOf(pod, verdict), remembered),
		facts: {
			reason,
			state: state(pod, verdict, nowMs),
			next,
			recorded,
			job: reason === 'busy' ? jobName(pod) : undefined,
			since: since === undefined ? undefined : new Date(since).toISOString(),
		},
	};
}

/** A runner that has ended has no job to wait for and needs no record: its set removes the StatefulSet, then the pod. */
export function ownerLeavingTexts(pod: RunnerPod, statefulSet: string): DenialTexts {
	const detail = `${statefulSet} would make the pod again`;
	const next = `the pod is deleted ${afterwards['owner-leaving']}`;
	const summary = summaries['owner-leaving'];
	return {
		message: fit(pod, 'owner-leaving', summary, detail, 'Nobody has to ask again. '),
		facts: { reason: 'owner-leaving', state: `${summary} (${detail})`, next, recorded: false },
	};
}

/** The review came by a path that the server has not written: from somebody else, or by a configuration that is a moment old. */
export function unknownCallerTexts(pod: RunnerPod): DenialTexts {
	const reason = 'unknown-caller';
	const state = summaries[reason];
	const rest = `${state}. Nothing is recorded: try again. See: kubectl runners doctor`;
	const message = `runner ${pod.runnerName} ${rest}`;
	return {
		message: message.length <= longestMessage ? message : `this runner ${rest}`,
		facts: { reason, state, next: `the pod is deleted ${afterwards[reason]}`, recorded: false },
	};
}

/** An edit that would end the job, or hide the runner from the guard, is refused. */
export function editRefusedTexts(pod: RunnerPod, edits: readonly string[]): DenialTexts {
	const state = `runs: ${edits.join('; ')}`;
	const next = 'To delete it when it is safe: ';
	return {
		message: fit(pod, 'busy', 'runs', printable(edits.join('; ')), next, 'kubectl runners delete'),
		facts: { reason: 'busy', state, next: 'the pod stays as it is', recorded: false },
	};
}

/** While the review was on its way, another pod of the same name has taken the place of the one that it shows. */
export function replacedTexts(name: string): DenialTexts {
	const state = 'was replaced by another pod of its name';
	const next = 'the deletion has to be asked for again';
	return {
		message: `pod ${name.slice(0, 100)} ${state}. Nothing is recorded: ask again.`,
		facts: { reason: 'internal-error', state, next, recorded: false },
	};
}

/** The pod of an eviction could not be read, so that even whether it is a runner's is unknown. */
export function unreadableTexts(name: string, why: string): DenialTexts {
	const state = 'may be a busy runner: the guard could not read the pod';
	const start = `pod ${name} ${state}`;
	const end = '. Nothing is recorded: try again.';
	const detail = cut(printable(why), longestMessage - start.length - end.length - 3);
	const message = `${detail ? `${start} (${detail})` : 'the guard could not read the pod'}${end}`;
	return {
		message,
		facts: {
			reason: 'internal-error',
			state: `${state} (${printable(why)})`,
			next: 'the eviction has to be asked for again',
			recorded: false,
		},
	};
}

/** One clause: what is the case. Also the text of Events and of the DeletionPending condition. */
export function state(pod: RunnerPod, verdict: Deny, nowMs: number): string {
	return withDetail(summary(pod, verdict.reason, nowMs), detailOf(pod, verdict), verdict.reason);
}

/** A busy runner's detail is its job, which follows a colon; any other detail stands in brackets. */
function withDetail(summary: string, detail: string | undefined, reason: DenyReason): string {
	if (detail === undefined) return summary;
	return reason === 'busy' ? `${summary}: ${detail}` : `${summary} (${detail})`;
}

function summary(pod: RunnerPod, reason: DenyReason, nowMs: number): string {
	const since = reason === 'busy' ? jobNow(pod)?.sinceMs : undefined;
	return summaries[reason] + (since === undefined ? '' : ` for ${humanSpan(Math.max(0, nowMs - since))}`);
}

function detailOf(pod: RunnerPod, { reason, detail }: Deny): string | undefined {
	switch (reason) {
		case 'busy':
			return jobName(pod);
		case 'registering':
			return 'it may get a job at any moment';
		case 'scope-unknown':
			return pod.uncertain === undefined ? undefined : printable(pod.uncertain);
		case 'name-taken':
			return 'another pod is the runner of that name';
		default:
			return detail === undefined ? undefined : printable(detail);
	}
}

const summaries: Record<DenyReason, string> = {
	busy: 'is busy',
	registering: 'is still registering at GitHub',
	unregistering: 'is being unregistered at GitHub',
	'scope-unknown': 'may be busy: its scope is unknown',
	'name-taken': 'may be busy: its name is taken',
	unconfirmed: 'may be busy: its log is unreadable',
	unlisted: 'may be busy: GitHub lists it no more',
	'credentials-missing': 'may be busy: no GitHub credentials',
	'credentials-invalid': 'may be busy: GitHub rejects the credentials',
	forbidden: 'may be busy: GitHub denies access to it',
	'rate-limited': "may be busy: GitHub's rate limit is reached",
	'budget-spent': "may be busy: this minute's GitHub calls are spent",
	'github-unavailable': 'may be busy: GitHub is unavailable',
	'github-slow': 'may be busy: GitHub has not answered yet',
	'job-unknown': 'may run a job: its log does not say',
	'internal-error': 'may be busy: the guard failed',
	'owner-leaving': 'has ended and its StatefulSet is being deleted',
	'unknown-caller': 'may be busy, and the guard does not recognise who asks',
};

const afterwards: Record<DenyReason, string> = {
	busy: 'when the job ends',
	registering: 'after it has registered',
	unregistering: 'when GitHub confirms',
	'scope-unknown': 'when its container stops',
	'name-taken': 'when its container stops',
	unconfirmed: 'after a minute of idleness',
	unlisted: 'when its container stops',
	'credentials-missing': 'once there are credentials',
	'credentials-invalid': 'once they are replaced',
	forbidden: 'once access is given',
	'rate-limited': 'when the limit resets',
	'budget-spent': 'in a moment',
	'github-unavailable': 'when GitHub is back',
	'github-slow': 'when GitHub answers',
	'job-unknown': 'when the runner is known to be idle',
	'internal-error': 'at the next try',
	'owner-leaving': 'with its StatefulSet',
	'unknown-caller': 'when the API server asks by the path in the webhook configuration',
};

/**
 * Puts the parts together within `longestMessage`. What is too long is left out in this order: the detail is cut (it is
 * whole in the causes, which `kubectl runners why` shows), then the runner's name, then the names in the command.
 */
function fit(
	pod: RunnerPod,
	reason: DenyReason,
	summary: string,
	detail: string | undefined,
	remembered: string,
	command = 'See: kubectl runners why',
): string {
	const rest = (subject: string, clause: string) => `${subject} ${clause}. ${remembered}${command}`;
	const names = ` ${pod.name} -n ${pod.namespace}`;
	for (const subject of [`runner ${printable(pod.runnerName)}`, 'this runner']) {
		const room = longestMessage - (rest(subject, withDetail(summary, '', reason)) + names).length;
		if (room >= 0) return rest(subject, withDetail(summary, cut(detail, room), reason)) + names;
	}
	return rest('this runner', summary);
}

/** At most `room` characters; undefined where so little would be left that it tells nothing. */
export function cut(text: string | undefined, room: number): string | undefined {
	if (text === undefined || text.length <= room) return text;
	return room < 12 ? undefined : `${text.slice(0, room - 3).trimEnd()}...`;
}

function jobName(pod: RunnerPod): string | undefined {
	const name = jobNow(pod)?.name;
	return name === undefined ? undefined : printable(name);
}

import type { Denial as Facts } from '../../api/denial.ts';
import { humanSpan } from '../../api/duration.ts';
import { printable } from '../../api/printable.ts';
import type { DenyReason } from '../../api/reasons.ts';
import type { Denial } from './denials.ts';

/** `kubectl drain` prints the message every 5 s for every busy pod: it has to fit on two lines of a terminal. */
export const longestMessage = 200;

/** What a denial says, to people and to programs. */
export interface DenialTexts {
	/** One line of at most `longestMessage` characters: kubectl prints it as it is. */
	message: string;
	facts: Facts;
}

/** What one kind of pod has to say when its deletion is denied. */
export interface Denied {
	reason: DenyReason;
	/** The row of the reason. */
	denial: Omit<Denial<never>, 'retry'>;
	/** How the message begins; the second is for where the first is too long. */
	subject: readonly [string, string];
	/** What the state begins with, where the subject is not the runner itself. */
	role?: string;
	/** What follows the summary: the job, or more about the reason. */
	detail: string | undefined;
	/** Since when the runner has had its job, ms since the epoch. */
	sinceMs?: number | undefined;
	pod: { name: string; namespace: string };
}

/**
 * The words of a denial: which runner, what is the case and since when, what happens next, and one command that shows
 * the rest (how to follow the deletion, take it back, override it).
 *
 * @param recorded false: the record could not be written, so nothing happens unless somebody asks again
 */
export function textsOf(denied: Denied, recorded: boolean | 'dry-run', nowMs: number): DenialTexts {
	const { reason, denial, subject, detail, sinceMs, pod } = denied;
	const next = `the pod is deleted ${denial.next}`;
	const more = denial.command ?? 'kubectl runners why';
	const address = denial.command ? '' : addressOf(pod);
	return {
		message: fit(subject, clauseOf(denied, nowMs), `${recordOf(denial, recorded)} See: ${more}`, address),
		facts: {
			reason,
			state: stateOf(denied, nowMs),
			next,
			recorded,
			job: denial.detail === 'job' ? detail : undefined,
			since: sinceMs === undefined ? undefined : new Date(sinceMs).toISOString(),
		},
	};
}

/** One clause: what is the case. Also the text of Events and of the DeletionPending condition. */
export function stateOf(denied: Denied, nowMs: number): string {
	return (denied.role ?? '') + whole(clauseOf(denied, nowMs));
}

function recordOf({ next, unrecorded }: Denied['denial'], recorded: boolean | 'dry-run'): string {
	if (recorded === 'dry-run') return 'Dry run: nothing is recorded.';
	if (recorded) return `Recorded: the pod is deleted ${next}.`;
	return unrecorded ?? 'It could NOT be recorded: ask again.';
}

/** What is the case, and more about it: a job follows a colon, anything else is in brackets. */
interface Clause {
	summary: string;
	detail: string | undefined;
	isJob: boolean;
}

function clauseOf({ denial, detail, sinceMs }: Denied, nowMs: number): Clause {
	const since = sinceMs === undefined ? '' : ` (${humanSpan(Math.max(0, nowMs - sinceMs))})`;
	return { summary: denial.summary + since, detail, isJob: denial.detail === 'job' };
}

function whole({ summary, detail, isJob }: Clause): string {
	if (detail === undefined) return summary;
	return isJob ? `${summary}: ${detail}` : `${summary} (${detail})`;
}

/** The names that follow a command. */
export const addressOf = ({ name, namespace }: Denied['pod']): string => ` ${name} -n ${namespace}`;

/**
 * Puts the parts together within `longestMessage`. What is too long is left out in this order: the detail is cut (it is
 * whole in the causes, which `kubectl runners why` shows), then the runner's name, then the names in the command.
 */
export function fit(subject: Denied['subject'], clause: Clause, rest: string, address: string): string {
	const sentences = (start: string, middle: string) => `${start} ${middle}. ${rest}`;
	for (const start of subject) {
		const least = sentences(start, whole({ ...clause, detail: '' })) + address;
		const detail = cut(clause.detail, longestMessage - least.length);
		if (least.length <= longestMessage) return sentences(start, whole({ ...clause, detail })) + address;
	}
	return sentences(subject[1], clause.summary);
}

/** At most `room` characters; undefined where so little would be left that it tells nothing. */
export function cut(text: string | undefined, room: number): string | undefined {
	if (text === undefined || text.length <= room) return text;
	return room < 12 ? undefined : `${text.slice(0, room - 3).trimEnd()}...`;
}

/** While the review was on its way, another pod of the same name has taken the place of the one that it shows. */
export function replacedTexts(name: string): DenialTexts {
	const state = 'was replaced by another pod of its name';
	const next = 'the deletion has to be requested again';
	return {
		message: `pod ${name.slice(0, 100)} ${state}. Nothing is recorded: ask again.`,
		facts: { reason: 'internal-error', state, next, recorded: false },
	};
}

/** The pod could not be read, so that even whether it is a runner's is unknown. */
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
			next: 'it has to be requested again',
			recorded: false,
		},
	};
}

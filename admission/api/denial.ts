/**
 * What a denied deletion says to programs. A webhook can answer only a metav1.Status, and the API server passes its
 * `details.causes` on as they are: each fact is one cause. The message of the Status is for people and is never parsed.
 */
import { printable } from './printable.ts';
import type { DenyReason } from './reasons.ts';

/** metav1.StatusCause. */
export interface Cause {
	reason: string;
	message: string;
	field: string;
}

export interface Denial {
	reason: DenyReason;
	/** What is the case, in a clause that follows "runner NAME": `is busy (12m): build (octo-org/app)`. */
	state: string;
	/** What will happen, a clause: `it is deleted when the job ends`. */
	next: string;
	/** Is the deletion remembered? `dry-run`: nothing was written. */
	recorded: boolean | 'dry-run';
	/** The job, where it is known: `build (octo-org/app, run 42)`. */
	job?: string | undefined;
	/** Since when the runner is known to be busy, RFC 3339. */
	since?: string | undefined;
}

/** The verdict's reason stands in the cause of field `runner`; every other fact in the cause of its own field. */
export function causesOf({ reason, state, next, recorded, job, since }: Denial): Cause[] {
	const fact = (field: keyof Denial, message: string): Cause => ({
		reason: 'Fact',
		field,
		message: printable(message),
	});
	return [
		{ reason, field: 'runner', message: printable(state) },
		fact('next', next),
		fact('recorded', String(recorded)),
		...(job === undefined ? [] : [fact('job', job)]),
		...(since === undefined ? [] : [fact('since', since)]),
	];
}

/** The denial in a Status' causes; undefined where they are not the guard's. */
export function readDenial(causes: readonly Partial<Cause>[]): Denial | undefined {
	const of = (field: string) => causes.find((cause) => cause.field === field);
	const runner = of('runner');
	if (!runner?.reason) return undefined;
	const recorded = of('recorded')?.message;
	return {
		reason: runner.reason as DenyReason,
		state: runner.message ?? '',
		next: of('next')?.message ?? '',
		recorded: recorded === 'dry-run' ? recorded : recorded === 'true',
		job: of('job')?.message,
		since: of('since')?.message,
	};
}

/** What every endpoint counts of the requests that it refuses. */
export type CommonResult = 'too-large' | 'unreadable' | 'overloaded' | 'failed';

/** What a request is answered with. */
export interface Answer<Result extends string> {
	status: number;
	text?: string;
	headers?: Readonly<Record<string, string>>;
	/** As it is counted; undefined: it is not. */
	result?: Result;
}

/** A request that comes to nothing: with which status it is answered, how it is counted, and why, for the caller and the log. */
export class Refusal<Result extends string> {
	readonly status: number;
	readonly result: Result;
	readonly why: string;
	/** Whom it concerns, for the log; undefined: the address that it came from. */
	readonly who: string | undefined;

	constructor(status: number, result: Result, why: string, who?: string) {
		this.status = status;
		this.result = result;
		this.why = why;
		this.who = who;
	}
}

/** A refusal because of what others send at the same time. */
export const overloaded = (why: string): Refusal<CommonResult> => new Refusal(503, 'overloaded', why);

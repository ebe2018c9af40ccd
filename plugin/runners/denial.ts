import { names } from '../../admission/api/keys.ts';
import type { ApiError } from '../kube/failure.ts';

/** The guard refused a deletion or an eviction. */
export interface Denial {
	/** The verdict's reason, one of admission/api/reasons.ts; `unknown` if the answer carried none. */
	reason: string;
	/** The server's words: what is the case. */
	message: string;
	/** What it says that happens next: "The deletion is recorded and will be carried out when the job ends". */
	next?: string;
}

/** A review that names the pod's verdict: in the deny message, or in a warning that comes with an allow. */
const suffix = / ?\[reason: ([a-z0-9-]+)\]\s*$/;

/** The guard's denial in an error of the API server, or undefined if the error is somebody else's. */
export function guardDenial(error: ApiError): Denial | undefined {
	const match = /^admission webhook "([^"]*)" denied the request: ([\s\S]*)$/.exec(error.message);
	if (!match || !isGuard(match[1]!)) return undefined;
	const cause = error.status.details?.causes?.find(({ field }) => field === 'runner');
	const { reason, text } = splitReason(match[2]!);
	return { reason: cause?.reason ?? reason ?? 'unknown', ...sentences(text) };
}

/**
 * The server writes for kubectl, which prints its message as it is: what to type is at its end. The plugin has its
 * own lines for that.
 */
function sentences(text: string): { message: string; next?: string } {
	const told = text.split(/: nobody has to ask again| Follow it: | Take it back: | Override, which/)[0]!;
	const [message = '', next] = told.split(/\. (?=The deletion |This is )/);
	return { message, ...(next ? { next: next.replace(/[.\s]+$/, '') } : {}) };
}

/** The guard is installed, but the API server got no answer from it: then it refuses (it fails closed). */
export function isGuardUnreachable(error: ApiError): boolean {
	const match = /failed calling webhook "([^"]*)"/.exec(error.message);
	return match !== null && isGuard(match[1]!);
}

/** `text [reason: busy]` -> its two parts. */
export function splitReason(message: string): { reason?: string; text: string } {
	const match = suffix.exec(message);
	return match ? { reason: match[1], text: message.slice(0, match.index) } : { text: message };
}

function isGuard(webhook: string): boolean {
	return webhook.includes(names.server);
}

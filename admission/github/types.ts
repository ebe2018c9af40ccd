import type { DenyReason } from '../api/reasons.ts';
import type { Scope } from '../runner/scope.ts';

export { type Scope, scopeKey } from '../runner/scope.ts';

/** GitHub was not asked, or gave no answer that proves anything: whoever asked must treat the runner as busy. */
export interface Trouble {
	kind: Extract<
		DenyReason,
		| 'credentials-invalid'
		| 'forbidden'
		| 'rate-limited'
		| 'github-unavailable'
		| 'github-slow'
		| 'budget-spent'
	>;
	/** For people: status, GitHub's words, when it may work again. Never a secret. */
	detail: string;
	/** Asking again before this time (ms since the epoch) is refused without a call. */
	retryAtMs?: number | undefined;
}

/** The Secret or its keys are not there: nothing to ask GitHub with. */
export interface CredentialsMissing {
	kind: Extract<DenyReason, 'credentials-missing'>;
	detail: string;
}

const troubleKinds: ReadonlySet<string> = new Set<Trouble['kind']>([
	'credentials-invalid',
	'forbidden',
	'rate-limited',
	'github-unavailable',
	'github-slow',
	'budget-spent',
]);

export function isTrouble(value: unknown): value is Trouble {
	return (
		typeof value === 'object' &&
		value !== null &&
		'kind' in value &&
		typeof value.kind === 'string' &&
		troubleKinds.has(value.kind)
	);
}

/** What GitHub answered to DELETE runner. Only 'removed' proves that no job can arrive any more. */
export type RemoveOutcome =
	| { kind: 'removed' }
	| { kind: 'not-found' }
	| { kind: 'busy'; message: string }
	| Trouble;

export interface RunnerInfo {
	id: number;
	name: string;
	/** A hint: a job may arrive the moment after the list was made. */
	busy: boolean;
	status: string;
	ephemeral?: boolean | undefined;
}

export interface RunnerPage {
	runners: RunnerInfo[];
	totalCount: number;
}

export type ListOutcome =
	| { kind: 'page'; page: RunnerPage; etag?: string | undefined }
	| { kind: 'not-modified' }
	| Trouble;

/** What GitHub answered to POST registration-token. Never logged. */
export type TokenOutcome = { kind: 'token'; token: string; expiresAtMs: number } | Trouble;

/** What GitHub's x-ratelimit headers say. GitHub Enterprise Server may send none (F10). */
export interface Quota {
	limit?: number | undefined;
	remaining: number;
	resetAtMs: number;
}

export interface Answer<Outcome> {
	outcome: Outcome;
	quota?: Quota | undefined;
	/** The caller gave up before GitHub answered: says nothing about GitHub. */
	abandoned?: boolean | undefined;
}

export type CallKind = 'remove' | 'list' | 'token';

/** `request`: somebody waits for it, or it is a first try. `background`: repeats, polls, tidying up (F6). */
export type Priority = 'request' | 'background';

/** One HTTP call, for metrics. */
export interface CallReport {
	account: string;
	endpoint: 'remove-runner' | 'list-runners' | 'registration-token' | 'installation-token';
	status: number | 'timeout' | 'network' | 'abandoned';
	ms: number;
}

export interface AccountState {
	healthy: boolean;
	/** What keeps the whole account from calling. */
	trouble?: Trouble | undefined;
	/** Scopes that this credential may not manage (by scopeKey); the account's other scopes go on. */
	forbidden: Record<string, Trouble>;
	/** Background calls have used their half of the primary quota. */
	backgroundSpent: boolean;
	limit?: number | undefined;
	remaining?: number | undefined;
	resetAtMs?: number | undefined;
}

export interface CallOptions {
	signal?: AbortSignal | undefined;
	priority?: Priority | undefined;
	/** How long the DELETE pace may hold the call back before it is sent. Default 0: answered with 'budget-spent'. */
	maxWaitMs?: number | undefined;
}

/** GitHub's list calls as the registry needs them: already paid for and timed out. */
export type ListPage = (
	scope: Scope,
	query: { page: number; name?: string | undefined; etag?: string | undefined },
	options: CallOptions,
) => Promise<ListOutcome>;

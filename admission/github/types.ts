import { type GitHubFailureReason, githubFailureReasons } from '../api/reasons.ts';
import type { Scope } from '../runner/scope.ts';

export { type Scope, scopeKey } from '../runner/scope.ts';

/** GitHub was not asked, or gave no answer that proves anything: the caller must treat the runner as busy (invariant 3). */
export interface GitHubFailure {
	kind: GitHubFailureReason;
	/** For people: the status, GitHub's message, when calls resume. Never a secret. */
	detail: string;
	/**
	 * What of `detail` may be said about other scopes, which share the credential and so its failures: nothing about whose call
	 * met it, and no message of GitHub about that scope. undefined: all of `detail`.
	 */
	detailElsewhere?: string | undefined;
	/** Until this time, ms since the epoch, further calls fail at once without being sent. */
	retryAtMs?: number | undefined;
}

/** There is no credential to call GitHub with: the Secret, or a key in it, is missing. */
export interface CredentialsMissing {
	kind: 'credentials-missing';
	detail: string;
}

const failureKinds: ReadonlySet<string> = new Set(githubFailureReasons);

export function isFailure(value: unknown): value is GitHubFailure {
	return (
		typeof value === 'object' &&
		value !== null &&
		'kind' in value &&
		typeof value.kind === 'string' &&
		failureKinds.has(value.kind)
	);
}

/** What GitHub answered to DELETE runner. Only 'removed' proves that no job can arrive any more. */
export type RemoveOutcome =
	| { kind: 'removed' }
	| { kind: 'not-found' }
	| { kind: 'busy'; message: string }
	/** Nothing was sent: CallOptions.before has objected. */
	| { kind: 'withheld' }
	| GitHubFailure;

export interface RunnerInfo {
	id: number;
	name: string;
	/** Only a hint: a job may be assigned right after the list was made. */
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
	| GitHubFailure;

/** What GitHub answered to POST registration-token. The token must not be logged. */
export type TokenOutcome = { kind: 'token'; token: string; expiresAtMs: number } | GitHubFailure;

/**
 * What GitHub answered to a GET of something that the credential need not be able to see. 403 and 404 say nothing of the
 * credential's rights to administer runners: whoever asks has to do without. `link`: the header, empty where there is none.
 * 'not-modified': it is as it was when it had the entity tag that was sent, which costs nothing of the primary limit.
 */
export type ReadOutcome =
	| { kind: 'read'; body: unknown; link: string; etag?: string | undefined }
	| { kind: 'not-modified' }
	| { kind: 'not-visible' }
	| GitHubFailure;

/** There is nothing to read, or nothing new. */
export type Unread = Exclude<ReadOutcome, { kind: 'read' }>;

/** What GitHub's x-ratelimit headers say. GitHub Enterprise Server may send none (F10). */
export interface Quota {
	limit?: number | undefined;
	remaining: number;
	resetAtMs: number;
}

export interface Answer<Outcome> {
	outcome: Outcome;
	quota?: Quota | undefined;
	/** The caller gave up before GitHub answered, so it says nothing about GitHub. */
	abandoned?: boolean | undefined;
}

export type CallKind = 'remove' | 'list' | 'token';

/** `request`: somebody waits for the answer, or it is a first try. `background`: retries, polls and clean-up (F6). */
export type Priority = 'request' | 'background';

/** One HTTP call, for metrics. */
export interface CallReport {
	account: string;
	endpoint:
		| 'remove-runner'
		| 'list-runners'
		| 'registration-token'
		| 'installation-token'
		| 'list-jobs'
		| 'get-job'
		| 'list-runs'
		| 'list-repositories'
		| 'list-runner-groups'
		| 'list-deliveries'
		| 'get-delivery'
		| 'get-hook';
	status: number | 'timeout' | 'network' | 'abandoned';
	ms: number;
}

export interface AccountState {
	healthy: boolean;
	/** Why the whole account can't call GitHub now. */
	failure?: GitHubFailure | undefined;
	/** Scopes, by scopeKey, that this credential may not manage. The account's other scopes are not affected. */
	forbidden: Record<string, GitHubFailure>;
	/** Background calls have used their half of the primary quota. */
	backgroundSpent: boolean;
	limit?: number | undefined;
	remaining?: number | undefined;
	resetAtMs?: number | undefined;
}

export interface CallOptions {
	signal?: AbortSignal | undefined;
	priority?: Priority | undefined;
	/** How long the rate limit may delay the call, in ms. Default 0: where it is reached, the call fails with 'budget-spent'. */
	maxWaitMs?: number | undefined;
	/** Asked when the turn of a DELETE has come, which may take long; false: it is not sent. */
	before?: (() => Promise<boolean>) | undefined;
}

/** Reads one page of a list, within the budget and with a time limit. */
export type ListPage = (
	scope: Scope,
	query: { page: number; name?: string | undefined; etag?: string | undefined },
	options: CallOptions,
) => Promise<ListOutcome>;

/** What can be asked by `Account.read`. The parameters must be checked: they become a part of the path. */
export interface ReadRequest {
	/** An Octokit route: `GET /repos/{owner}/{repo}/actions/runs/{run_id}/jobs`. */
	route: string;
	parameters: Record<string, string | number>;
	endpoint: CallReport['endpoint'];
	/** Entity tag of the answer that is known. */
	etag?: string | undefined;
	/** GitHub answers this to the App itself, not to its installation, and shows nothing to a token. */
	asApp?: boolean;
}

/** One GET in the background, within the budget. `what`, for messages: "list jobs of octo-org/app, run 42". */
export type Read = (
	what: string,
	request: ReadRequest,
	options: Pick<CallOptions, 'signal'>,
) => Promise<ReadOutcome>;

import { foldedScope } from '../runner/github-name.ts';
import type { Clock } from '../time/clock.ts';
import { eitherSignal } from '../time/either-signal.ts';
import { Gate } from '../time/gate.ts';
import { Budget, type Ticket } from './budget.ts';
import { type CallLimits, GitHubClient } from './client.ts';
import { type Credential, fingerprint } from './credentials.ts';
import type { Fetch } from './fetch.ts';
import { type JobsAnswer, type JobsQuestion, RunJobs } from './jobs.ts';
import { concurrentCalls, lineWaitMs, sharedCallTimeoutMs, turnCheckMs } from './policy.ts';
import { Registry } from './registry.ts';
import type {
	AccountState,
	Answer,
	CallKind,
	CallOptions,
	CallReport,
	GitHubFailure,
	ListPage,
	Read,
	RemoveOutcome,
	Scope,
	TokenOutcome,
} from './types.ts';
import { isFailure } from './types.ts';
import { Unregistrations } from './unregistrations.ts';

export interface ConnectionOptions {
	apiUrl: string;
	clock: Clock;
	userAgent?: string | undefined;
	/** What calls GitHub; default: over node:https. */
	fetch?: Fetch | undefined;
	/** Which part of the calls a minute this process may make, if several replicas use the credential; default 1. */
	share?: (() => number) | undefined;
	/** Called once for each change of state, never for each call. `account`: ids of all accounts with this credential. */
	onStateChange?: ((account: string, before: AccountState, after: AccountState) => void) | undefined;
	onCall?: ((call: CallReport) => void) | undefined;
}

/** In place of a scope: if GitHub shows nothing here, the credential may still have the right to administer runners. */
const hiddenKey = 'what need not be visible';

/** One credential at one API URL: its client, its budget of calls, and its lists. All accounts with this credential share it. */
export class Connection {
	readonly fingerprint: string;
	/** Ids of the accounts that use it. */
	readonly users = new Set<string>();
	readonly registry: Registry;
	readonly unregistrations: Unregistrations;
	readonly #runJobs: RunJobs;
	/** Whether GitHub has ever given a good answer to this credential. */
	answered = false;
	readonly #client: GitHubClient;
	readonly #budget: Budget;
	readonly #gate: Gate;
	readonly #closing = new AbortController();
	readonly #clock: Clock;

	constructor(credential: Credential, options: ConnectionOptions) {
		const { onStateChange, onCall, ...rest } = options;
		const account = () => [...this.users].sort().join(',');
		this.fingerprint = fingerprint(credential);
		this.#clock = options.clock;
		this.#client = new GitHubClient({
			...rest,
			credential,
			onCall: onCall && ((call) => onCall({ ...call, account: account() })),
		});
		this.#budget = new Budget({
			...rest,
			onStateChange: onStateChange && ((before, after) => onStateChange(account(), before, after)),
		});
		const { all, one, least } = concurrentCalls;
		const share = options.share ?? (() => 1);
		const size = () => Math.min(one, Math.max(least, Math.floor(all * share())));
		this.#gate = new Gate(options.clock, { size });
		this.registry = new Registry({ list: this.#list, clock: options.clock });
		this.unregistrations = new Unregistrations(options.clock);
		this.#runJobs = new RunJobs({ read: this.read, now: options.clock.now });
	}

	/** DELETE runner, within the budget. Without an AbortSignal it waits up to 30 s for the answer. */
	async remove(scope: Scope, runnerId: number, options: CallOptions = {}): Promise<RemoveOutcome> {
		const send = async (limits: CallLimits): Promise<Answer<RemoveOutcome>> =>
			((await options.before?.()) ?? true)
				? this.#client.removeRunner(scope, runnerId, limits)
				: { outcome: { kind: 'withheld' }, abandoned: true };
		const outcome = await this.#pay('remove', foldedScope(scope), { priority: 'request', ...options }, send);
		if (outcome.kind === 'removed') this.registry.forget(scope, runnerId);
		return outcome;
	}

	/** POST registration-token, within the budget. One token serves all runners of the scope for an hour. */
	registrationToken(scope: Scope, options: CallOptions = {}): Promise<TokenOutcome> {
		return this.#pay('token', foldedScope(scope), { priority: 'request', ...options }, (limits) =>
			this.#client.registrationToken(scope, limits),
		);
	}

	/** Whether the jobs that GitHub has given this runner in an attempt of a run have all completed; see RunJobs. */
	jobsOf(question: JobsQuestion, options: Pick<CallOptions, 'signal'> = {}): Promise<JobsAnswer> {
		return this.#runJobs.of(question, options);
	}

	/** Why a call for this scope would fail now, as far as is known without one; undefined: no reason is known. */
	failure(scope: Scope): GitHubFailure | undefined {
		return this.#budget.failure(foldedScope(scope));
	}

	/** Until when no DELETE can be sent, ms since the epoch; undefined: one can be sent now. */
	removalsSpentUntilMs(): number | undefined {
		return this.#budget.spent('remove')?.retryAtMs;
	}

	/** Which part of a minute's calls it has made in the last minute: 0 to 1; see Budget. */
	used(): number {
		return this.#budget.used();
	}

	/** Whether GitHub refuses this credential, or one of its scopes. */
	refused(): boolean {
		return this.#budget.refused();
	}

	state(): AccountState {
		return this.#budget.state();
	}

	/** Aborts the calls under way. Later calls answer 'budget-spent' at once. */
	close(): void {
		this.#closing.abort();
	}

	/** GET of what the credential need not be able to see, in the background. It shares the rate limit of the lists. */
	readonly read: Read = (what, request, { signal }) =>
		this.#pay('list', hiddenKey, { signal, priority: 'background' }, (limits) =>
			this.#client.read(what, request, limits),
		);

	readonly #list: ListPage = (scope, query, options) =>
		this.#pay('list', foldedScope(scope), { priority: 'background', ...options }, (limits) =>
			this.#client.listPage(scope, query, limits),
		);

	/** Sends one call when the budget permits it, and notes its outcome there. `key`: the scope's, or hiddenKey. */
	async #pay<Outcome extends { kind: string }>(
		call: CallKind,
		key: string,
		{ signal, priority = 'request', maxWaitMs = 0 }: CallOptions,
		send: (limits: CallLimits) => Promise<Answer<Outcome | GitHubFailure>>,
	): Promise<Outcome | GitHubFailure> {
		const ticket = this.#budget.take(call, priority, key, maxWaitMs);
		if (isFailure(ticket)) return ticket;
		const stop = eitherSignal(signal, this.#closing.signal);
		const leave = await this.#start(ticket, stop.signal, Math.max(maxWaitMs, lineWaitMs));
		if (typeof leave !== 'function') {
			stop.unlink();
			return leave;
		}
		try {
			const answer = await send({ signal: stop.signal, timeoutMs: sharedCallTimeoutMs });
			if (answer.abandoned) {
				this.#budget.release(ticket);
				return answer.outcome;
			}
			this.#budget.note(ticket, answer.outcome, answer.quota);
			if (!isFailure(answer.outcome)) {
				this.answered = true;
				return answer.outcome;
			}
			const retryAtMs = answer.outcome.retryAtMs ?? this.#budget.failure(key)?.retryAtMs;
			return { ...answer.outcome, retryAtMs };
		} finally {
			stop.unlink();
			leave();
		}
	}

	/** Waits for the ticket's time and a free slot. Returns a function if the call may be sent; call it afterwards. */
	async #start(
		ticket: Ticket,
		signal: AbortSignal,
		maxWaitMs: number,
	): Promise<GitHubFailure | (() => void)> {
		const untilMs = this.#clock.now() + maxWaitMs;
		const gaveUp = {
			kind: 'budget-spent',
			detail: 'GitHub was not asked: too many calls are waiting for their turn',
		} as const;
		while (!signal.aborted) {
			const waitMs = ticket.atMs - this.#clock.now();
			if (waitMs > 0) await this.#clock.sleep(Math.min(waitMs, turnCheckMs), signal);
			if (signal.aborted) break;
			if (!this.#budget.isTurn(ticket)) continue;
			if (!(await this.#gate.enter(Math.max(0, untilMs - this.#clock.now()), signal))) break;
			const started = this.#budget.start(ticket);
			if (started === 'go') return () => this.#gate.leave();
			this.#gate.leave();
			if (started !== 'later') return started;
			if (ticket.atMs > untilMs) break;
		}
		this.#budget.release(ticket);
		return { ...gaveUp, retryAtMs: this.#clock.now() + 1_000 };
	}
}

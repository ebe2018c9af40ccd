import { BoundedMap } from '../time/bounded-map.ts';
import type { Clock } from '../time/clock.ts';
import { SlidingWindow } from '../time/sliding-window.ts';
import {
	deletesPerMinute,
	knownScopes,
	leastReading,
	listsPerMinute,
	newScopesPerMinute,
	rateWindowMs,
	refusedScopesPerMinute,
	scopeForgottenMs,
	tokensPerMinute,
} from './policy.ts';
import { QuotaWindow } from './quota.ts';
import { familyOf, Recovery } from './recovery.ts';
import { freeSlot } from './rules/slots.ts';
import {
	type AccountState,
	type CallKind,
	type GitHubFailure,
	isFailure,
	type Priority,
	type Quota,
} from './types.ts';

/** Permission for one GitHub call. End it with `note` (GitHub answered) or `release` (it was not asked). */
export interface Ticket {
	kind: 'go';
	call: CallKind;
	priority: Priority;
	scope: string;
	/** When to send it, ms since the epoch; in the future only if `maxWaitMs` allowed a wait. */
	atMs: number;
	/** `start` has let it go to GitHub. */
	started: boolean;
	/** It is the one call that tests whether the account works again. */
	accountProbe: boolean;
	/** It is the one call that tests whether the scope works again. */
	scopeProbe: boolean;
}

interface BudgetOptions {
	clock: Pick<Clock, 'now' | 'random'>;
	/** Which part of the calls a minute this process may make, if several replicas use the credential; default 1. */
	share?: (() => number) | undefined;
	/** Called once for each change of state, never for each call (F1, F9). */
	onStateChange?: ((before: AccountState, after: AccountState) => void) | undefined;
}

const callNames: Record<CallKind, string> = { remove: 'DELETE', list: 'list', token: 'token' };

const perMinute: Record<CallKind, number> = {
	remove: deletesPerMinute,
	list: listsPerMinute,
	token: tokensPerMinute,
};

/** What GitHub has answered about one scope. */
interface KnownScope {
	recovery: Recovery;
	/** It has been answered well. Until then it is not known whether the credential may manage it. */
	good: boolean;
}

/**
 * Decides for one credential which call to GitHub may be sent when. A pure state machine: it sends nothing and waits
 * for nothing.
 *
 * Rate limits, outages and bad credentials stop all calls of the account. A 403 for a missing permission stops only
 * the calls for that scope: one organization without the permission must not block the others, nor may hundreds of them
 * use up the calls of the others.
 */
export class Budget {
	readonly #now: () => number;
	readonly #random: () => number;
	readonly #onStateChange: BudgetOptions['onStateChange'];
	readonly #account: Recovery;
	/** By scopeKey. Those that GitHub has never answered well are forgotten first. */
	readonly #scopes = new BoundedMap<string, KnownScope>({
		most: knownScopes,
		lastsMs: scopeForgottenMs,
		rank: ({ good }) => (good ? 1 : 0),
		onForget: (_key, { recovery }) => {
			if (recovery.failure) this.#scopeChanges++;
		},
	});
	readonly #quota = new QuotaWindow();
	readonly #windows: Record<CallKind, SlidingWindow>;
	/** First calls for a scope. */
	readonly #newScopes: SlidingWindow;
	/** Calls for scopes that have only ever been refused. */
	readonly #refusedScopes: SlidingWindow;
	readonly #share: () => number;
	/** Counts the scopes that became forbidden or were permitted again, so that a change is noticed without comparing all. */
	#scopeChanges = 0;
	#reported: { summary: string; state: AccountState };

	constructor(options: BudgetOptions) {
		this.#now = options.clock.now;
		this.#random = options.clock.random;
		this.#onStateChange = options.onStateChange;
		this.#account = new Recovery(this.#random);
		this.#share = options.share ?? (() => 1);
		const windowOf = (most: number, least = 0) =>
			new SlidingWindow(() => most * Math.max(least, this.#share()), rateWindowMs);
		const { remove, list, token } = perMinute;
		this.#windows = {
			remove: windowOf(remove),
			list: windowOf(list, leastReading),
			token: windowOf(token, leastReading),
		};
		this.#newScopes = windowOf(newScopesPerMinute, leastReading);
		this.#refusedScopes = windowOf(refusedScopesPerMinute);
		this.#reported = { summary: this.#summary(), state: this.state() };
	}

	/** Why a call for this scope would fail now, as far as is known without a call; undefined: no reason is known. */
	failure(scope: string): GitHubFailure | undefined {
		const nowMs = this.#now();
		const account = this.#account.refusal(nowMs);
		if (!account) return this.#scopes.get(scope)?.recovery.refusal(nowMs);
		const { detailElsewhere, ...failure } = account;
		return { ...failure, detail: detailElsewhere ?? failure.detail };
	}

	/** Whether this minute's calls of this kind are used up, so that the next one can't be sent within `maxWaitMs`. Reserves nothing. */
	spent(call: CallKind, maxWaitMs = 0): (GitHubFailure & { retryAtMs: number }) | undefined {
		const nowMs = this.#now();
		const atMs = this.#windows[call].nextMs(nowMs);
		if (atMs - nowMs <= maxWaitMs) return undefined;
		const detail = `this minute's ${callNames[call]} calls are used; the next one may be sent at ${time(atMs)}`;
		return { kind: 'budget-spent', detail, retryAtMs: atMs };
	}

	/** Which part of all replicas' calls a minute was made here in the last one: of the kind where it is the largest, 0 to 1. */
	used(): number {
		const nowMs = this.#now();
		const kinds = Object.keys(perMinute) as CallKind[];
		return Math.min(1, Math.max(...kinds.map((kind) => this.#windows[kind].count(nowMs) / perMinute[kind])));
	}

	/** Permission for a call, or why there is none. Where the rate limit is reached, the ticket may be for up to `maxWaitMs` later. */
	take(call: CallKind, priority: Priority, scope: string, maxWaitMs = 0): Ticket | GitHubFailure {
		const nowMs = this.#now();
		const refusal = this.#refusal(scope, priority, nowMs);
		if (refusal) return refusal;

		const spent = this.spent(call, maxWaitMs) ?? this.#newScopeSpent(scope, nowMs);
		if (spent) return spent;
		if (!this.#scopes.has(scope)) this.#newScopes.reserve(nowMs);
		this.#use(scope, nowMs);
		const atMs = this.#windows[call].nextMs(nowMs);
		this.#windows[call].reserve(atMs);
		return {
			kind: 'go',
			call,
			priority,
			scope,
			atMs,
			started: false,
			accountProbe: false,
			scopeProbe: false,
		};
	}

	/** Whether the call may be sent now: its time has come, or the share has grown since it was given that time. */
	isTurn({ call, atMs }: Ticket): boolean {
		const nowMs = this.#now();
		return atMs <= nowMs || this.#windows[call].againMs(nowMs) <= nowMs;
	}

	/**
	 * To be called right before the call is sent, because calls may have failed since `take`. Returns 'go', a failure (the
	 * ticket is released), or 'later': wait until the ticket's new time, then call `start` again.
	 */
	start(ticket: Ticket): GitHubFailure | 'later' | 'go' {
		const nowMs = this.#now();
		const refusal = this.#refusal(ticket.scope, ticket.priority, nowMs);
		if (refusal) {
			this.release(ticket);
			return refusal;
		}
		const window = this.#windows[ticket.call];
		window.cancel(ticket.atMs);
		ticket.atMs = window.againMs(nowMs);
		window.reserve(ticket.atMs);
		if (ticket.atMs > nowMs) return 'later';
		ticket.started = true;
		ticket.accountProbe = this.#account.start(nowMs);
		const scope = this.#scopes.get(ticket.scope);
		ticket.scopeProbe = scope?.recovery.start(nowMs) ?? false;
		if (ticket.scopeProbe && !scope?.good) this.#refusedScopes.reserve(nowMs);
		this.#quota.sent(ticket.priority === 'background');
		return 'go';
	}

	/** Ends a ticket whose call was not made, or whose caller gave up: that says nothing about GitHub. */
	release(ticket: Ticket): void {
		if (!ticket.started) {
			this.#windows[ticket.call].cancel(ticket.atMs);
			return;
		}
		if (ticket.accountProbe) this.#account.endProbe();
		if (ticket.scopeProbe) this.#scopes.get(ticket.scope)?.recovery.endProbe();
		this.#quota.answered(
			undefined,
			{ background: ticket.priority === 'background', free: false },
			this.#now(),
		);
	}

	/** Ends a ticket with what GitHub answered. */
	note(ticket: Ticket, outcome: { kind: string } | GitHubFailure, quota?: Quota): void {
		const nowMs = this.#now();
		const background = ticket.priority === 'background';
		this.#quota.answered(quota, { background, free: outcome.kind === 'not-modified' }, nowMs);
		this.#noteScope(ticket, outcome, nowMs);

		const call = { probe: ticket.accountProbe, startedAtMs: ticket.atMs };
		if (isFailure(outcome) && outcome.kind !== 'forbidden') this.#account.failed(outcome, call, nowMs);
		else this.#account.succeeded(call.probe, nowMs); // a 403 for a missing permission shows that GitHub works

		if (quota && quota.remaining === 0 && quota.resetAtMs > nowMs && !isFailure(outcome)) {
			const detail = `all ${quota.limit ?? ''} calls of this hour are used; calls resume at ${time(quota.resetAtMs)}`;
			this.#account.failed({ kind: 'rate-limited', detail, retryAtMs: quota.resetAtMs }, call, nowMs);
		}
		this.#report();
	}

	state(): AccountState {
		const nowMs = this.#now();
		const quota = this.#quota.current(nowMs);
		const forbidden: Record<string, GitHubFailure> = {};
		for (const [scope, { recovery }] of this.#scopes) {
			if (recovery.failure) forbidden[scope] = recovery.failure;
		}
		return {
			healthy: !this.#account.failure,
			failure: this.#account.failure,
			forbidden,
			backgroundSpent: !this.#quota.hasBackgroundRoom(nowMs),
			limit: quota?.limit,
			remaining: quota?.remaining,
			resetAtMs: quota?.resetAtMs,
		};
	}

	/** Whether GitHub refuses this credential, or may not be asked about one of its scopes. */
	refused(): boolean {
		if (this.#account.failure?.kind === 'credentials-invalid') return true;
		for (const { recovery } of this.#scopes.values()) if (recovery.failure) return true;
		return false;
	}

	#refusal(scope: string, priority: Priority, nowMs: number): GitHubFailure | undefined {
		return (
			this.failure(scope) ?? this.#quotaRefusal(priority, nowMs) ?? this.#refusedScopeSpent(scope, nowMs)
		);
	}

	/** A scope that has only ever been refused may be asked about, but this minute's calls for such scopes are used up. */
	#refusedScopeSpent(scope: string, nowMs: number): GitHubFailure | undefined {
		const known = this.#scopes.get(scope);
		if (!known?.recovery.failure || known.good) return undefined;
		const retryAtMs = this.#refusedScopes.nextMs(nowMs);
		return retryAtMs > nowMs ? { ...known.recovery.failure, retryAtMs } : undefined;
	}

	#newScopeSpent(scope: string, nowMs: number): GitHubFailure | undefined {
		const retryAtMs = this.#newScopes.nextMs(nowMs);
		if (this.#scopes.has(scope) || retryAtMs <= nowMs) return undefined;
		const detail = `${scope} has not been asked about yet, and enough such scopes have been in this minute; its turn may be at ${time(retryAtMs)}`;
		return { kind: 'budget-spent', detail, retryAtMs };
	}

	#quotaRefusal(priority: Priority, nowMs: number): GitHubFailure | undefined {
		const quota = this.#quota.current(nowMs);
		if (!quota) return undefined;
		if (!this.#quota.hasRoom(nowMs)) {
			const detail = `the last calls of this hour are used or under way; calls resume at ${time(quota.resetAtMs)}`;
			const retryAtMs = quota.remaining === 0 ? quota.resetAtMs : nowMs + 1_000;
			return { kind: 'budget-spent', detail, retryAtMs };
		}
		if (priority === 'background' && !this.#quota.hasBackgroundRoom(nowMs)) {
			const detail = `background calls have used their half of this hour's calls; they resume at ${time(quota.resetAtMs)}`;
			return { kind: 'budget-spent', detail, retryAtMs: quota.resetAtMs };
		}
		return undefined;
	}

	#noteScope(ticket: Ticket, outcome: { kind: string } | GitHubFailure, nowMs: number): void {
		const scope = this.#use(ticket.scope, nowMs);
		const { recovery } = scope;
		const wasForbidden = recovery.failure !== undefined;
		if (isFailure(outcome) && outcome.kind === 'forbidden') {
			recovery.failed(outcome, { probe: ticket.scopeProbe, startedAtMs: ticket.atMs }, nowMs);
			if (!scope.good) recovery.postpone(this.#freeSlotFor(scope));
		} else if (isFailure(outcome) || outcome.kind === 'not-found') {
			// GitHub also answers 404 to DELETE where the credential may not see the scope: that proves no recovery.
			if (ticket.scopeProbe) recovery.endProbe();
		} else {
			recovery.succeeded(ticket.scopeProbe, nowMs);
			scope.good ||= recovery.failure === undefined;
		}
		if (wasForbidden !== (recovery.failure !== undefined)) this.#scopeChanges++;
	}

	/** When a scope that is refused may be asked about again: each of them has a time of its own. */
	#freeSlotFor(scope: KnownScope): number {
		const others = [...this.#scopes.values()].filter(
			(other) => other !== scope && !other.good && other.recovery.failure,
		);
		const takenMs = others.map(({ recovery }) => recovery.notBeforeMs).sort((a, b) => a - b);
		return freeSlot(
			takenMs,
			scope.recovery.notBeforeMs,
			rateWindowMs / (refusedScopesPerMinute * this.#share()),
		);
	}

	/** The scope, which is the last to be forgotten from now on. */
	#use(key: string, nowMs: number): KnownScope {
		const scope = this.#scopes.get(key) ?? { recovery: new Recovery(this.#random), good: false };
		this.#scopes.set(key, scope, nowMs);
		return scope;
	}

	#report(): void {
		const summary = this.#summary();
		if (summary === this.#reported.summary) return;
		const before = this.#reported.state;
		this.#reported = { summary, state: this.state() };
		this.#onStateChange?.(before, this.#reported.state);
	}

	/** A text that differs exactly where the state counts as changed; words and numbers in it do not count. */
	#summary(): string {
		const { failure } = this.#account;
		const backgroundSpent = !this.#quota.hasBackgroundRoom(this.#now());
		return [failure && familyOf(failure), this.#scopeChanges, backgroundSpent].join();
	}
}

function time(ms: number): string {
	return new Date(ms).toISOString();
}

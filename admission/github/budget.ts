import { Pace } from './pace.ts';
import {
	deletesPerMinute,
	listsPerMinute,
	paceWindowMs,
	scopeForgottenMs,
	tokensPerMinute,
} from './policy.ts';
import { QuotaWindow } from './quota.ts';
import { familyOf, Recovery } from './recovery.ts';
import {
	type AccountState,
	type CallKind,
	isTrouble,
	type Priority,
	type Quota,
	type Trouble,
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

export interface BudgetOptions {
	now: () => number;
	/** Returns at least 0 and less than 1; default Math.random. */
	random?: (() => number) | undefined;
	deletesPerMinute?: number | undefined;
	listsPerMinute?: number | undefined;
	/** Called once for each change of state, never for each call (F1, F9). */
	onStateChange?: ((before: AccountState, after: AccountState) => void) | undefined;
}

const callWords: Record<CallKind, string> = { remove: 'DELETE', list: 'list', token: 'token' };

/**
 * Decides for one credential which call to GitHub may be sent when. A pure state machine: it sends nothing and waits
 * for nothing.
 *
 * Rate limits, outages and bad credentials stop all calls of the account. A 403 for a missing permission stops only
 * the calls for that scope: one organization without the permission must not block the others.
 */
export class Budget {
	readonly #now: () => number;
	readonly #random: () => number;
	readonly #onStateChange: BudgetOptions['onStateChange'];
	readonly #account: Recovery;
	readonly #scopes = new Map<string, { recovery: Recovery; seenMs: number }>();
	readonly #quota = new QuotaWindow();
	readonly #paces: Record<CallKind, Pace>;
	#reported: AccountState;

	constructor(options: BudgetOptions) {
		this.#now = options.now;
		this.#random = options.random ?? Math.random;
		this.#onStateChange = options.onStateChange;
		this.#account = new Recovery(this.#random);
		this.#paces = {
			remove: new Pace(options.deletesPerMinute ?? deletesPerMinute, paceWindowMs),
			list: new Pace(options.listsPerMinute ?? listsPerMinute, paceWindowMs),
			token: new Pace(tokensPerMinute, paceWindowMs),
		};
		this.#reported = this.state();
	}

	/** Why a call for this scope would fail now, as far as is known without a call; undefined: no reason is known. */
	trouble(scope: string): Trouble | undefined {
		const nowMs = this.#now();
		return this.#account.refusal(nowMs) ?? this.#scopes.get(scope)?.recovery.refusal(nowMs);
	}

	/** Whether this minute's calls of this kind are used up, so that the next one can't be sent within `maxWaitMs`. Reserves nothing. */
	spent(call: CallKind, maxWaitMs = 0): (Trouble & { retryAtMs: number }) | undefined {
		const nowMs = this.#now();
		const atMs = this.#paces[call].nextMs(nowMs);
		if (atMs - nowMs <= maxWaitMs) return undefined;
		const detail = `this minute's ${callWords[call]} calls are used; the next one may be sent at ${time(atMs)}`;
		return { kind: 'budget-spent', detail, retryAtMs: atMs };
	}

	/** Permission for a call, or why there is none. Where the pace is full, the ticket may be for up to `maxWaitMs` later. */
	take(call: CallKind, priority: Priority, scope: string, maxWaitMs = 0): Ticket | Trouble {
		const nowMs = this.#now();
		const refusal = this.trouble(scope) ?? this.#quotaRefusal(priority, nowMs);
		if (refusal) return refusal;

		const spent = this.spent(call, maxWaitMs);
		if (spent) return spent;
		const atMs = this.#paces[call].nextMs(nowMs);
		this.#paces[call].reserve(atMs);
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

	/**
	 * To be called right before the call is sent, because the account may have got into trouble since `take`. Answers
	 * 'go', a trouble (the ticket is released), or 'later': wait until the ticket's new time, then call `start` again.
	 */
	start(ticket: Ticket): Trouble | 'later' | 'go' {
		const nowMs = this.#now();
		const refusal = this.trouble(ticket.scope) ?? this.#quotaRefusal(ticket.priority, nowMs);
		if (refusal) {
			this.release(ticket);
			return refusal;
		}
		const pace = this.#paces[ticket.call];
		pace.cancel(ticket.atMs);
		ticket.atMs = pace.againMs(nowMs);
		pace.reserve(ticket.atMs);
		if (ticket.atMs > nowMs) return 'later';
		ticket.started = true;
		ticket.accountProbe = this.#account.start(nowMs);
		ticket.scopeProbe = this.#scopes.get(ticket.scope)?.recovery.start(nowMs) ?? false;
		this.#quota.sent(ticket.priority === 'background');
		return 'go';
	}

	/** Ends a ticket whose call was not made, or whose caller gave up: nothing was learnt about GitHub. */
	release(ticket: Ticket): void {
		if (!ticket.started) {
			this.#paces[ticket.call].cancel(ticket.atMs);
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
	note(ticket: Ticket, outcome: { kind: string } | Trouble, quota?: Quota): void {
		const nowMs = this.#now();
		const background = ticket.priority === 'background';
		this.#quota.answered(quota, { background, free: outcome.kind === 'not-modified' }, nowMs);
		this.#noteScope(ticket, outcome, nowMs);

		const call = { probe: ticket.accountProbe, startedAtMs: ticket.atMs };
		if (isTrouble(outcome) && outcome.kind !== 'forbidden') this.#account.failed(outcome, call, nowMs);
		else this.#account.succeeded(call.probe, nowMs); // a 403 for a missing permission shows that GitHub works

		if (quota && quota.remaining === 0 && quota.resetAtMs > nowMs && !isTrouble(outcome)) {
			const detail = `all ${quota.limit ?? ''} calls of this hour are used; calls resume at ${time(quota.resetAtMs)}`;
			this.#account.failed({ kind: 'rate-limited', detail, retryAtMs: quota.resetAtMs }, call, nowMs);
		}
		this.#report();
	}

	state(): AccountState {
		const nowMs = this.#now();
		const quota = this.#quota.current(nowMs);
		const forbidden: Record<string, Trouble> = {};
		for (const [scope, { recovery }] of this.#scopes) {
			if (recovery.trouble) forbidden[scope] = recovery.trouble;
		}
		return {
			healthy: !this.#account.trouble,
			trouble: this.#account.trouble,
			forbidden,
			backgroundSpent: !this.#quota.hasBackgroundRoom(nowMs),
			limit: quota?.limit,
			remaining: quota?.remaining,
			resetAtMs: quota?.resetAtMs,
		};
	}

	#quotaRefusal(priority: Priority, nowMs: number): Trouble | undefined {
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

	#noteScope(ticket: Ticket, outcome: { kind: string } | Trouble, nowMs: number): void {
		const known = this.#scopes.get(ticket.scope);
		const call = { probe: ticket.scopeProbe, startedAtMs: ticket.atMs };
		if (isTrouble(outcome) && outcome.kind === 'forbidden') {
			const recovery = known?.recovery ?? new Recovery(this.#random);
			recovery.failed(outcome, call, nowMs);
			if (recovery.trouble) this.#scopes.set(ticket.scope, { recovery, seenMs: nowMs });
		} else if (known && ticket.scopeProbe) {
			// GitHub also answers 404 to DELETE where the credential may not see the scope: that proves no recovery.
			const good = !isTrouble(outcome) && outcome.kind !== 'not-found';
			if (good) this.#scopes.delete(ticket.scope);
			else known.recovery.endProbe();
		}
		for (const [scope, { seenMs }] of this.#scopes) {
			if (nowMs - seenMs > scopeForgottenMs) this.#scopes.delete(scope);
		}
	}

	#report(): void {
		const after = this.state();
		const before = this.#reported;
		if (summary(before) === summary(after)) return;
		this.#reported = after;
		this.#onStateChange?.(before, after);
	}
}

/** A text that differs exactly where the state counts as changed; words and numbers in it do not count. */
function summary(state: AccountState): string {
	const trouble = state.trouble && `${familyOf(state.trouble)}`;
	return JSON.stringify([trouble, Object.keys(state.forbidden).sort(), state.backgroundSpent]);
}

function time(ms: number): string {
	return new Date(ms).toISOString();
}

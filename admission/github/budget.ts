import { Pace } from './pace.ts';
import { deletesPerMinute, listsPerMinute, paceWindowMs, tokensPerMinute } from './policy.ts';
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

/** Leave to make one call. Every ticket ends in `note` or `release`. */
export interface Ticket {
	kind: 'go';
	call: CallKind;
	priority: Priority;
	scope: string;
	/** When to send it; in the future only where `maxWaitMs` allowed that. */
	atMs: number;
	started: boolean;
	accountProbe: boolean;
	scopeProbe: boolean;
}

export interface BudgetOptions {
	now: () => number;
	/** 0 to 1. */
	random?: (() => number) | undefined;
	deletesPerMinute?: number | undefined;
	listsPerMinute?: number | undefined;
	/** Once per change of state, never per call (F1, F9). */
	onStateChange?: ((before: AccountState, after: AccountState) => void) | undefined;
}

const callWords: Record<CallKind, string> = { remove: 'DELETE', list: 'list', token: 'token' };

/** A scope in trouble that nobody has asked about for this long is forgotten. */
const scopeForgottenMs = 3_600_000;

/**
 * Who may call GitHub when, for one credential. A pure state machine: it sends nothing and waits for nothing.
 *
 * Rate limits, outages and bad credentials hold the whole account; a 403 for permission holds only the scope it
 * was about, since one organization without rights must not block the others.
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

	/** What is known, without asking, to make a call for this scope useless now. */
	trouble(scope: string): Trouble | undefined {
		const nowMs = this.#now();
		return this.#account.refusal(nowMs) ?? this.#scopes.get(scope)?.recovery.refusal(nowMs);
	}

	/** This minute's calls are made, and the next can not go within `maxWaitMs`. Takes no place. */
	spent(call: CallKind, maxWaitMs = 0): (Trouble & { retryAtMs: number }) | undefined {
		const nowMs = this.#now();
		const atMs = this.#paces[call].nextMs(nowMs);
		if (atMs - nowMs <= maxWaitMs) return undefined;
		const detail = `this minute's ${callWords[call]} calls are made; more at ${time(atMs)}`;
		return { kind: 'budget-spent', detail, retryAtMs: atMs };
	}

	/** Leave to make a call, or why not. Up to `maxWaitMs` the ticket may be for a later time (the pace). */
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
	 * Right before the call is sent: between `take` and now the account may have got into trouble. 'later': wait
	 * until the ticket's new time and come again.
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

	/** The call was not made, or its caller gave up: nothing was learnt. */
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

	/** What GitHub answered. */
	note(ticket: Ticket, outcome: { kind: string } | Trouble, quota?: Quota): void {
		const nowMs = this.#now();
		const background = ticket.priority === 'background';
		this.#quota.answered(quota, { background, free: outcome.kind === 'not-modified' }, nowMs);
		this.#noteScope(ticket, outcome, nowMs);

		const call = { probe: ticket.accountProbe, startedAtMs: ticket.atMs };
		if (isTrouble(outcome) && outcome.kind !== 'forbidden') this.#account.failed(outcome, call, nowMs);
		else this.#account.succeeded(call.probe, nowMs); // a 403 for permission is GitHub at work

		if (quota && quota.remaining === 0 && quota.resetAtMs > nowMs && !isTrouble(outcome)) {
			const detail = `all ${quota.limit ?? ''} calls of this hour are made; calls resume at ${time(quota.resetAtMs)}`;
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
			const detail = `the last calls of this hour are made or on their way; more at ${time(quota.resetAtMs)}`;
			const retryAtMs = quota.remaining === 0 ? quota.resetAtMs : nowMs + 1_000;
			return { kind: 'budget-spent', detail, retryAtMs };
		}
		if (priority === 'background' && !this.#quota.hasBackgroundRoom(nowMs)) {
			const detail = `repeats have used their half of this hour's calls; more at ${time(quota.resetAtMs)}`;
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
			// A 404 to DELETE is also what a scope looks like that the credential may not see.
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

/** What counts as a change of state: not the words, not the numbers. */
function summary(state: AccountState): string {
	const trouble = state.trouble && `${familyOf(state.trouble)}`;
	return JSON.stringify([trouble, Object.keys(state.forbidden).sort(), state.backgroundSpent]);
}

function time(ms: number): string {
	return new Date(ms).toISOString();
}

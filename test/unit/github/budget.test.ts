import * as assert from 'uvu/assert';
import { Budget, type Ticket } from '../../../admission/github/budget.ts';
import type {
	AccountState,
	CallKind,
	GitHubFailure,
	Priority,
	Quota,
} from '../../../admission/github/types.ts';
import { isFailure } from '../../../admission/github/types.ts';
import { suite } from '../../support/suite.ts';

const minute = 60_000;
const hour = 60 * minute;

/** A budget with a clock of its own. */
class Bench {
	nowMs = 1_800_000_000_000;
	readonly changes: [AccountState, AccountState][] = [];
	readonly budget = new Budget({
		clock: { now: () => this.nowMs, random: () => 1 },
		onStateChange: (before, after) => this.changes.push([before, after]),
	});

	/** Starts a call; the failure, if it may not go. */
	call(call: CallKind = 'remove', priority: Priority = 'request', scope = 'o/r'): Ticket | GitHubFailure {
		const ticket = this.budget.take(call, priority, scope);
		if (isFailure(ticket)) return ticket;
		const started = this.budget.start(ticket);
		return isFailure(started) ? started : ticket;
	}

	/** Makes a call that GitHub answers at once. */
	make(
		outcome: { kind: string } | GitHubFailure,
		quota?: Quota,
		...what: [CallKind?, Priority?, string?]
	): void {
		this.budget.note(go(this.call(...what)), outcome, quota);
	}

	/** Asks every `stepMs` for `forMs` and has each call that may go answered; when they went. */
	keepAsking(outcome: () => { kind: string } | GitHubFailure, forMs: number, stepMs = 250): number[] {
		const went: number[] = [];
		const startMs = this.nowMs;
		for (; this.nowMs - startMs <= forMs; this.nowMs += stepMs) {
			const ticket = this.call();
			if (isFailure(ticket)) continue;
			went.push(this.nowMs - startMs);
			this.budget.note(ticket, outcome());
		}
		return went;
	}
}

function go(ticket: Ticket | GitHubFailure): Ticket {
	if (isFailure(ticket)) throw new Error(`refused: ${ticket.kind} ${ticket.detail}`);
	return ticket;
}

function refused(ticket: Ticket | GitHubFailure): GitHubFailure {
	if (!isFailure(ticket)) throw new Error('it went');
	return ticket;
}

const removed = { kind: 'removed' };
const down: GitHubFailure = { kind: 'github-unavailable', detail: '503' };
const slow: GitHubFailure = { kind: 'github-slow', detail: 'no answer' };
const forbidden: GitHubFailure = { kind: 'forbidden', detail: 'needs a permission' };
const badCredentials: GitHubFailure = { kind: 'credentials-invalid', detail: '401' };

const test = suite('github budget');

test('at most 150 DELETEs in any 60 s, and 200 are gone in under 3 min (C6)', () => {
	const bench = new Bench();
	const went = bench.keepAsking(() => removed, 3 * minute, 100);
	for (const atMs of went) {
		const inWindow = went.filter((other) => other >= atMs && other < atMs + minute).length;
		assert.ok(inWindow <= 150, `${inWindow} in 60 s`);
	}
	assert.ok(Number(went[199]) < 3 * minute);
	assert.ok(went.length >= 450);
});

test('over the rate limit: budget-spent with the time when it goes on; lists are not held up by DELETEs', () => {
	const bench = new Bench();
	for (let i = 0; i < 150; i++) bench.make(removed);
	bench.nowMs += 20_000;
	const failure = refused(bench.call());
	assert.is(failure.kind, 'budget-spent');
	assert.is(failure.retryAtMs, bench.nowMs + 40_000);
	assert.is(bench.budget.spent('remove')?.retryAtMs, bench.nowMs + 40_000);
	assert.is(bench.budget.spent('remove', 40_000), undefined, 'one that can wait so long may ask');
	go(bench.call('list'));
});

test('what part of the calls a minute is used: of the kind where it is the largest, those of the last minute', () => {
	const bench = new Bench();
	assert.is(bench.budget.used(), 0);
	for (let i = 0; i < 30; i++) bench.make(removed);
	for (let i = 0; i < 12; i++) bench.make({ kind: 'not-modified' }, undefined, 'list');
	assert.is(bench.budget.used(), 30 / 150);
	bench.nowMs += 30_000;
	for (let i = 0; i < 9; i++) bench.make({ kind: 'token' }, undefined, 'token');
	assert.is(bench.budget.used(), 9 / 30);
	bench.nowMs += 59_999;
	assert.is(bench.budget.used(), 9 / 30);
	bench.nowMs += 1;
	assert.is(bench.budget.used(), 0);
});

test('who may wait for the rate limit gets a later place, one each', () => {
	const bench = new Bench();
	for (let i = 0; i < 149; i++) bench.make(removed);
	bench.nowMs += 59_000;
	bench.make(removed);
	const first = go(bench.budget.take('remove', 'request', 'o/r', 2_000));
	assert.is(first.atMs, bench.nowMs + 1_000);
	assert.is(bench.budget.start(first), 'later');
	for (let i = 0; i < 148; i++) go(bench.budget.take('remove', 'request', 'o/r', 2_000));
	assert.is(refused(bench.budget.take('remove', 'request', 'o/r', 2_000)).kind, 'budget-spent');
	bench.nowMs += 1_000;
	assert.is(bench.budget.start(first), 'go');
	bench.budget.release(first);
});

test('a place that is given back is free again', () => {
	const bench = new Bench();
	for (let i = 0; i < 149; i++) bench.make(removed);
	const ticket = go(bench.budget.take('remove', 'request', 'o/r'));
	refused(bench.call());
	bench.budget.release(ticket);
	go(bench.call());
});

test('during a Retry-After nobody calls, whatever for, and one log line tells it (F2)', () => {
	const bench = new Bench();
	const tickets = Array.from({ length: 20 }, () => go(bench.call()));
	for (const ticket of tickets) {
		bench.budget.note(ticket, { kind: 'rate-limited', detail: '429', retryAtMs: bench.nowMs + 90_000 });
	}
	bench.nowMs += 89_999;
	for (const call of ['remove', 'list'] as const) {
		for (const priority of ['request', 'background'] as const) {
			const failure = refused(bench.call(call, priority, 'another/scope'));
			assert.is(failure.kind, 'rate-limited');
			assert.is(failure.retryAtMs, bench.nowMs + 1);
		}
	}
	bench.nowMs += 1;
	bench.make(removed);
	go(bench.call());
	assert.equal(
		bench.changes.map(([, after]) => after.failure?.kind),
		['rate-limited', undefined],
	);
});

test('a good answer that was on its way does not end a Retry-After', () => {
	const bench = new Bench();
	const early = go(bench.call());
	bench.make({ kind: 'rate-limited', detail: '429', retryAtMs: bench.nowMs + 60_000 });
	bench.budget.note(early, removed);
	assert.is(refused(bench.call()).kind, 'rate-limited');
});

test('a longer Retry-After counts, a shorter one does not take time away', () => {
	const bench = new Bench();
	const [one, two] = [go(bench.call()), go(bench.call())];
	bench.make({ kind: 'rate-limited', detail: '', retryAtMs: bench.nowMs + 60_000 });
	bench.budget.note(one, { kind: 'rate-limited', detail: '', retryAtMs: bench.nowMs + 90_000 });
	bench.budget.note(two, { kind: 'rate-limited', detail: '', retryAtMs: bench.nowMs + 10_000 });
	assert.is(refused(bench.call()).retryAtMs, bench.nowMs + 90_000);
});

test('remaining 0 on a good answer: no call before the reset (F1)', () => {
	const bench = new Bench();
	const resetAtMs = bench.nowMs + 10 * minute;
	bench.make(removed, { limit: 5000, remaining: 0, resetAtMs });
	bench.nowMs = resetAtMs - 1;
	const failure = refused(bench.call());
	assert.is(failure.kind, 'rate-limited');
	assert.is(failure.retryAtMs, resetAtMs);
	assert.match(failure.detail, new Date(resetAtMs).toISOString());
	bench.nowMs = resetAtMs;
	go(bench.call());
});

test('calls on their way count against the last of the quota', () => {
	const bench = new Bench();
	bench.make(removed, { remaining: 3, resetAtMs: bench.nowMs + hour });
	for (let i = 0; i < 3; i++) go(bench.call());
	const failure = refused(bench.call());
	assert.is(failure.kind, 'budget-spent');
	assert.is(failure.retryAtMs, bench.nowMs + 1_000);
});

test('answers overtake each other: the lowest remaining is the newest', () => {
	const bench = new Bench();
	const resetAtMs = bench.nowMs + hour;
	bench.make(removed, { remaining: 10, resetAtMs });
	bench.make(removed, { remaining: 8, resetAtMs: resetAtMs + 1_000 });
	bench.make(removed, { remaining: 9, resetAtMs });
	assert.is(bench.budget.state().remaining, 8);
});

test('outage: one probe at a time, at most 20 s apart, 1 s at first (F5)', () => {
	const bench = new Bench();
	bench.make(down);
	const gaps = bench.keepAsking(() => down, 3 * minute).map((atMs, i, all) => atMs - (all[i - 1] ?? 0));
	assert.equal(gaps.slice(0, 7), [1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000]);

	bench.nowMs += 20_000;
	const probe = go(bench.call());
	assert.is(refused(bench.call()).kind, 'github-unavailable');
	bench.budget.note(probe, removed);
	go(bench.call());
	go(bench.call());
});

test('jitter only shortens a back-off', () => {
	const budget = new Budget({ clock: { now: () => 0, random: () => 0 } });
	const ticket = go(budget.take('remove', 'request', 'o/r'));
	budget.start(ticket);
	budget.note(ticket, down);
	assert.is(budget.failure('o/r')?.retryAtMs, 750);
});

test('a probe that times out after 30 s is followed by the next within 1 s: 45 s after an outage all is well', () => {
	const bench = new Bench();
	bench.make(slow);
	for (let i = 0; i < 8; i++) {
		bench.nowMs = Number(bench.budget.failure('o/r')?.retryAtMs);
		const probe = go(bench.call());
		bench.nowMs += 30_000;
		bench.budget.note(probe, slow);
	}
	assert.is(bench.budget.failure('o/r')?.retryAtMs, bench.nowMs + 1_000);
});

test('fifty calls that meet one outage back off as one, and log one line', () => {
	const bench = new Bench();
	const tickets = Array.from({ length: 50 }, () => go(bench.call()));
	for (const [i, ticket] of tickets.entries()) bench.budget.note(ticket, i % 2 ? down : slow);
	assert.is(bench.budget.failure('o/r')?.retryAtMs, bench.nowMs + 1_000);
	bench.keepAsking(() => (bench.nowMs % 2 ? down : slow), 30 * minute, 501);
	assert.is(bench.changes.length, 1);
	assert.is(bench.budget.state().healthy, false);
});

test('old news does not bring an outage back', () => {
	const bench = new Bench();
	const old = go(bench.call());
	bench.make(down);
	bench.nowMs += 1_000;
	bench.make(removed);
	bench.nowMs += 20_000;
	bench.budget.note(old, slow);
	go(bench.call());
});

test('a lost probe does not hold the account for ever', () => {
	const bench = new Bench();
	bench.make(down);
	bench.nowMs += 1_000;
	go(bench.call());
	bench.nowMs += minute - 1;
	refused(bench.call());
	bench.nowMs += 1;
	go(bench.call());
});

test('a probe whose caller gave up says nothing: the next call probes', () => {
	const bench = new Bench();
	bench.make(down);
	bench.nowMs += 1_000;
	bench.budget.release(go(bench.call()));
	bench.make(removed);
	assert.ok(bench.budget.state().healthy);
});

test('401: the whole account is asked about after 5 s, doubling to 60 s (F4)', () => {
	const bench = new Bench();
	bench.make(badCredentials);
	const gaps = bench
		.keepAsking(() => badCredentials, 5 * minute)
		.map((atMs, i, all) => atMs - (all[i - 1] ?? 0));
	assert.equal(gaps.slice(0, 6), [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
	assert.is(refused(bench.call('list', 'request', 'another/scope')).kind, 'credentials-invalid');
});

test('403 for permission: only that scope waits, 5 s doubling to 60 s; others go on (F3)', () => {
	const bench = new Bench();
	bench.make(forbidden, undefined, 'remove', 'request', 'no/rights');
	assert.is(refused(bench.call('remove', 'request', 'no/rights')).kind, 'forbidden');
	go(bench.call('remove', 'request', 'good/scope'));
	assert.ok(bench.budget.state().healthy);
	assert.equal(Object.keys(bench.budget.state().forbidden), ['no/rights']);
	bench.nowMs += 5_000;
	bench.make(forbidden, undefined, 'remove', 'request', 'no/rights');
	assert.is(refused(bench.call('remove', 'request', 'no/rights')).retryAtMs, bench.nowMs + 10_000);
	bench.nowMs += 10_000;
	bench.make({ kind: 'page' }, undefined, 'list', 'request', 'no/rights');
	assert.equal(bench.budget.state().forbidden, {});
	assert.is(bench.changes.length, 2);
});

test('404 to DELETE and 404 to the list, in turn, is one state and no stream of log lines (F9)', () => {
	const bench = new Bench();
	bench.make(forbidden, undefined, 'list', 'request', 'no/rights');
	for (let i = 0; i < 200; i++) {
		bench.nowMs += 1_000;
		for (const call of ['remove', 'list'] as const) {
			const ticket = bench.call(call, 'request', 'no/rights');
			if (!isFailure(ticket)) bench.budget.note(ticket, call === 'list' ? forbidden : { kind: 'not-found' });
		}
	}
	assert.is(bench.changes.length, 1);
});

/** Asks for a list of each scope whenever it may be sent, as the polls do; when each call went, by scope. */
function poll(bench: Bench, scopes: string[], forMs: number, allowed: (scope: string) => boolean) {
	const went = new Map<string, number[]>(scopes.map((scope) => [scope, []]));
	const next = new Map<string, number>();
	const untilMs = bench.nowMs + forMs;
	for (; bench.nowMs < untilMs; bench.nowMs += 500) {
		for (const scope of scopes) {
			if ((next.get(scope) ?? 0) > bench.nowMs) continue;
			const ticket = bench.call('list', 'background', scope);
			if (isFailure(ticket)) {
				next.set(scope, ticket.retryAtMs ?? 0);
				continue;
			}
			went.get(scope)?.push(bench.nowMs);
			bench.budget.note(ticket, allowed(scope) ? { kind: 'page' } : forbidden);
			next.set(scope, bench.budget.failure(scope)?.retryAtMs ?? bench.nowMs + 10_000);
		}
	}
	return went;
}

/** The most of these that lie in any 60 s. */
function mostInAMinute(timesMs: number[]): number {
	const counts = timesMs.map((fromMs) => timesMs.filter((ms) => ms >= fromMs && ms < fromMs + minute).length);
	return Math.max(0, ...counts);
}

test('300 scopes without access: 12 calls a minute for all of them; others are read every 10 s as ever (F3)', () => {
	const bench = new Bench();
	const bad = Array.from({ length: 300 }, (_, number) => `bad-${number}`);
	const good = Array.from({ length: 10 }, (_, number) => `good-${number}`);
	const isGood = (scope: string) => scope.startsWith('good');
	poll(bench, good, minute, isGood);
	const went = poll(bench, [...bad, ...good], 40 * minute, isGood);
	for (const scope of good) {
		const times = went.get(scope) ?? [];
		const gaps = times.slice(1).map((ms, i) => ms - Number(times[i]));
		assert.ok(Math.max(...gaps) <= 10_500, `${scope} was not read for ${Math.max(...gaps)} ms`);
	}
	const firsts = bad.map((scope) => Number(went.get(scope)?.[0]));
	const agains = bad.flatMap((scope) => went.get(scope)?.slice(1) ?? []);
	assert.ok(mostInAMinute(firsts) <= 40);
	assert.ok(mostInAMinute(agains) <= 12, `${mostInAMinute(agains)} in a minute`);
	assert.ok(agains.length >= 11 * 30, 'and these are used');
	assert.is(Object.keys(bench.budget.state().forbidden).length, 300);
	assert.ok(
		bad.every((scope) => (went.get(scope)?.length ?? 0) >= 2),
		'each has its turn',
	);
});

test('a new scope among 300 without access is read within a minute, and then every 10 s', () => {
	const bench = new Bench();
	const bad = Array.from({ length: 300 }, (_, number) => `bad-${number}`);
	poll(bench, bad, 10 * minute, () => false);
	const startMs = bench.nowMs;
	const times = poll(bench, [...bad, 'new'], 5 * minute, (scope) => scope === 'new').get('new') ?? [];
	assert.ok(Number(times[0]) - startMs <= 1_000);
	assert.ok(times.length >= 29);
});

test('a handful of scopes is permitted after an hour of refusals: all are asked about within 80 s (F3)', () => {
	const bench = new Bench();
	const bad = Array.from({ length: 6 }, (_, number) => `bad-${number}`);
	poll(bench, bad, hour, () => false);
	const startMs = bench.nowMs;
	const went = poll(bench, bad, 2 * minute, () => true);
	for (const scope of bad) assert.ok(Number(went.get(scope)?.[0]) - startMs <= 80_000);
	assert.equal(bench.budget.state().forbidden, {});
	assert.not.ok(bench.budget.refused());
});

test('a scope that was once permitted is asked about as often as before, whatever others are refused', () => {
	const bench = new Bench();
	bench.make({ kind: 'page' }, undefined, 'list', 'background', 'mine');
	poll(
		bench,
		Array.from({ length: 300 }, (_, number) => `bad-${number}`),
		10 * minute,
		() => false,
	);
	const went = poll(bench, ['mine'], 5 * minute, () => false).get('mine') ?? [];
	const gaps = went.slice(1).map((ms, i) => ms - Number(went[i]));
	assert.equal(gaps.slice(0, 6), [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
	assert.ok(bench.budget.refused());
});

test('50 calls at once for a scope that is new count as one', () => {
	const bench = new Bench();
	for (let number = 0; number < 39; number++) go(bench.budget.take('list', 'request', `new-${number}`));
	for (let number = 0; number < 50; number++) go(bench.budget.take('remove', 'request', 'mine'));
	const failure = refused(bench.budget.take('list', 'request', 'one-more'));
	assert.equal([failure.kind, failure.retryAtMs], ['budget-spent', bench.nowMs + minute]);
	assert.match(failure.detail, 'one-more has not been asked about yet');
	bench.nowMs += minute;
	go(bench.budget.take('list', 'request', 'one-more'));
});

test('10,000 scopes that pods name: 1,000 are remembered for an hour, permitted ones go last', () => {
	const bench = new Bench();
	bench.make({ kind: 'page' }, undefined, 'list', 'background', 'good');
	for (let number = 0; number < 10_000; number++) {
		bench.make(forbidden, undefined, 'list', 'background', `bad-${number}`);
		bench.nowMs += 1_600;
		if (number % 1_000 === 0) bench.make({ kind: 'page' }, undefined, 'list', 'background', 'good');
	}
	assert.is(Object.keys(bench.budget.state().forbidden).length, 999);
	bench.make(forbidden, undefined, 'list', 'background', 'good');
	bench.nowMs += 5_000;
	go(bench.call('list', 'background', 'good'));
	bench.nowMs += hour;
	bench.make({ kind: 'page' }, undefined, 'list', 'background', 'other');
	assert.equal(bench.budget.state().forbidden, {});
});

test('a 403 for permission shows that an outage is over', () => {
	const bench = new Bench();
	bench.make(down);
	bench.nowMs += 1_000;
	bench.make(forbidden, undefined, 'remove', 'request', 'no/rights');
	assert.ok(bench.budget.state().healthy);
});

test('500 busy static runners for 1 h: repeats use at most half of what was left, requests the rest (F6)', () => {
	const bench = new Bench();
	const startMs = bench.nowMs;
	const resetAtMs = startMs + hour;
	let remaining = 4_000;
	bench.make(removed, { limit: 5000, remaining, resetAtMs });
	let background = 0;
	for (; bench.nowMs < resetAtMs - 1_000; bench.nowMs += 250) {
		const ticket = bench.call('remove', 'background');
		if (isFailure(ticket)) continue;
		background++;
		bench.budget.note(ticket, { kind: 'busy' }, { limit: 5000, remaining: --remaining, resetAtMs });
	}
	assert.is(background, 2_000);
	const failure = refused(bench.call('remove', 'background'));
	assert.is(failure.kind, 'budget-spent');
	assert.is(failure.retryAtMs, resetAtMs);
	go(bench.call('remove', 'request'));
	assert.equal(
		bench.changes.map(([, after]) => after.backgroundSpent),
		[true],
	);
});

test('a new window gives repeats their half again; a list that did not change costs nothing', () => {
	const bench = new Bench();
	let resetAtMs = bench.nowMs + hour;
	bench.make(removed, { remaining: 4, resetAtMs });
	for (let i = 0; i < 10; i++) {
		bench.make({ kind: 'not-modified' }, { remaining: 4, resetAtMs }, 'list', 'background');
	}
	bench.make(removed, { remaining: 3, resetAtMs }, 'remove', 'background');
	bench.make(removed, { remaining: 2, resetAtMs }, 'remove', 'background');
	refused(bench.call('remove', 'background'));
	bench.nowMs = resetAtMs;
	resetAtMs += hour;
	bench.make(removed, { remaining: 5000, resetAtMs }, 'remove', 'background');
	go(bench.call('remove', 'background'));
});

test('GitHub Enterprise Server without rate headers: only the rate limit counts (F10)', () => {
	const bench = new Bench();
	for (let hours = 0; hours < 2; hours++) {
		for (let i = 0; i < 60; i++) {
			for (let j = 0; j < 150; j++) bench.make({ kind: 'busy' }, undefined, 'remove', 'background');
			bench.nowMs += minute;
		}
	}
	assert.equal(bench.changes, []);
	assert.is(bench.budget.state().remaining, undefined);
});

test('a failure between taking and sending: the call is not sent, its place is free', () => {
	const bench = new Bench();
	const ticket = go(bench.budget.take('remove', 'request', 'o/r'));
	bench.make(down);
	const started = bench.budget.start(ticket);
	assert.ok(isFailure(started) && started.kind === 'github-unavailable');
});

test('state tells limit, remaining and reset for metrics', () => {
	const bench = new Bench();
	const resetAtMs = bench.nowMs + hour;
	bench.make(removed, { limit: 5000, remaining: 4321, resetAtMs });
	const { healthy, limit, remaining } = bench.budget.state();
	assert.equal({ healthy, limit, remaining }, { healthy: true, limit: 5000, remaining: 4321 });
	assert.is(bench.budget.state().resetAtMs, resetAtMs);
});

test.run();

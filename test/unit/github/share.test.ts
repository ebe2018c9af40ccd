import * as assert from 'uvu/assert';
import { type Beat, Share } from '../../../admission/github/rules/share.ts';
import { suite } from '../../support/suite.ts';

const second = 1_000;
const leader = 2 / 3;
const joining = 0.1;
const alone = 1;
/** What one that fell silent may have used without having said so. */
const unsaid = 0.1;

/** One replica's view. Every 5 s it says that it is alive, and reads what the others say. */
class View {
	readonly share = new Share();
	leads = false;
	nowMs = 0;
	/** What stands in the record; those in `alive` change their beat each time. */
	readonly record = new Map<string, Beat>();
	readonly alive = new Set<string>();

	pass(ms: number): number {
		for (const untilMs = this.nowMs + ms; this.nowMs < untilMs; this.nowMs += 5 * second) {
			for (const name of this.alive) this.says(name, {});
			this.share.said(this.leads, new Map(this.record), this.nowMs, this.nowMs);
		}
		return this.now;
	}

	/** Another one's next beat. */
	says(name: string, what: Partial<Beat>): void {
		const before = this.record.get(name) ?? { beat: 0, leads: false, used: 0, left: false };
		this.record.set(name, { ...before, beat: before.beat + 1, ...what });
	}

	join(name: string, what: Partial<Beat> = {}): void {
		this.says(name, what);
		this.alive.add(name);
	}

	/** It reports no longer, after a last beat or without one. */
	ends(name: string, lastBeat?: Partial<Beat>): void {
		this.alive.delete(name);
		if (lastBeat) this.says(name, { left: true, leads: false, ...lastBeat });
	}

	get now(): number {
		return this.share.of(this.leads, this.nowMs);
	}
}

const test = suite('share of the calls to GitHub');

function near(actual: number, expected: number, what = ''): void {
	assert.ok(Math.abs(actual - expected) < 1e-9, `${what} ${actual} in place of ${expected}`);
}

test('before it has said that it is alive: a tenth', () => {
	assert.is(new Share().of(true, 1e9), joining);
});

test('who was alone goes on at once with what is left beside another one; who joins waits 20 s', () => {
	const first = new View();
	assert.is(first.pass(5 * second), alone);
	first.join('b');
	assert.is(first.pass(5 * second), 1 - leader);
	const later = new View();
	later.join('a');
	assert.is(later.pass(15 * second), joining);
	assert.is(later.pass(5 * second), 1 - leader);
});

test('who has waited leaves the others what they have used above their share', () => {
	const view = new View();
	view.join('a', { leads: true, used: 0.8 });
	near(view.pass(20 * second), 1 - 0.8);
	view.says('a', { used: 1 });
	assert.is(view.pass(5 * second), joining);
	view.says('a', { used: 0.4 });
	assert.is(view.pass(5 * second), 1 - leader, 'what they have not used stays theirs');
});

test('the share of the leader: only while it leads, and only after it has said so', () => {
	const view = new View();
	view.join('b');
	view.pass(100 * second);
	view.leads = true;
	assert.is(view.now, 1 - leader);
	assert.is(view.pass(5 * second), leader);
	view.leads = false;
	assert.is(view.now, 1 - leader);
});

test('a new leader waits until none of the others says that it leads, and until what that one used is a minute old', () => {
	const view = new View();
	view.join('b', { leads: true, used: leader });
	view.join('c');
	view.pass(100 * second);
	view.leads = true;
	assert.is(view.pass(100 * second), (1 - leader) / 2, 'two that lead');
	view.says('b', { leads: false });
	near(view.pass(5 * second), leader - (leader - (1 - leader) / 2));
	view.says('b', { used: 0.1 });
	assert.is(view.pass(5 * second), leader);
});

test('the last beat of the only other one: at once all that it has not used, and 80 s later everything', () => {
	for (const stays of [true, false]) {
		const view = new View();
		view.join('b', { leads: true });
		view.pass(100 * second);
		view.ends('b', { used: 0.25 });
		near(view.pass(5 * second), 0.75);
		if (!stays) view.record.delete('b');
		near(view.pass(70 * second), 0.75, String(stays));
		assert.is(view.pass(5 * second), alone);
		assert.is(view.pass(200 * second), alone);
		assert.equal(view.share.gone(view.nowMs), stays ? ['b'] : []);
	}
});

test('one that falls silent shares for 15 s, then counts for what it said and a tenth, and for nothing after 80 s', () => {
	for (const stays of [true, false]) {
		const view = new View();
		view.join('b', { used: 0.25 });
		view.pass(100 * second);
		view.ends('b');
		if (!stays) view.record.delete('b');
		assert.is(view.pass(10 * second), 1 - leader, String(stays));
		near(view.pass(5 * second), 1 - 0.25 - unsaid);
		near(view.pass(55 * second), 1 - 0.25 - unsaid);
		assert.is(view.pass(5 * second), alone);
		assert.is(view.pass(200 * second), alone);
		assert.equal(view.share.gone(view.nowMs), stays ? ['b'] : []);
	}
});

test('started after a single one that has left: at once all that it has not used', () => {
	const view = new View();
	view.says('before', { left: true, used: 0.05 });
	near(view.pass(5 * second), 0.95);
});

test('started after one that crashed: a tenth for 15 s, then all that it has not used', () => {
	const view = new View();
	view.says('before', { leads: true, used: 0.05 });
	view.leads = true;
	assert.is(view.pass(15 * second), joining);
	near(view.pass(5 * second), 1 - 0.05 - unsaid);
});

test('two started after two that crashed: after 20 s they share what those have not used', () => {
	const view = new View();
	view.says('before', { leads: true, used: 0.2 });
	view.says('before too', { used: 0.1 });
	view.join('b');
	view.leads = true;
	assert.is(view.pass(15 * second), joining);
	near(view.pass(5 * second), leader * (1 - 0.2 - 0.1 - 2 * unsaid));
	view.says('b', { used: 0.3 });
	near(view.pass(5 * second), leader * 0.5 - (0.3 - (1 - leader) * 0.5));
});

test('where those that are gone have used everything: a tenth, or its share if that is less', () => {
	const view = new View();
	view.says('before', { left: true, used: 1 });
	assert.is(view.pass(5 * second), joining);
	for (const name of ['b', 'c', 'd', 'e']) view.join(name);
	assert.is(view.pass(20 * second), (1 - leader) / 4);
});

test('after 15 s without a report of its own it is as one that joins', () => {
	const view = new View();
	view.join('b');
	view.pass(100 * second);
	view.nowMs += 10 * second;
	assert.is(view.now, 1 - leader);
	view.nowMs += 1;
	assert.is(view.now, joining);
	assert.is(view.pass(15 * second), joining);
	assert.is(view.pass(5 * second), 1 - leader);
});

test('an answer that is read late says nothing of the time after it was asked for', () => {
	const view = new View();
	view.join('b');
	view.pass(100 * second);
	view.share.said(false, new Map(view.record), 100 * second, 110 * second);
	view.nowMs = 110 * second;
	assert.is(view.now, 1 - leader, 'b has said nothing new for 5 s, as far as that answer tells');
});

test('at most 32 others stay in the record: the longest silent go first', () => {
	const view = new View();
	view.join('old');
	view.pass(5 * second);
	view.alive.clear();
	for (let number = 0; number < 32; number++) view.join(`r${number}`);
	view.pass(5 * second);
	assert.equal(view.share.gone(view.nowMs), ['old']);
});

test.run();

import * as assert from 'uvu/assert';
import { type Beat, Share } from '../../../admission/github/rules/share.ts';
import { suite } from '../../support/suite.ts';

const second = 1_000;
const leader = 2 / 3;
const joining = 0.1;
const alone = 1;

/** One replica's view. Every 5 s it says that it is alive, and reads what the others say. */
class View {
	readonly share = new Share();
	leads = false;
	nowMs = 0;
	/** What stands in the record; those in `alive` change their beat each time. */
	readonly record = new Map<string, Beat>();
	readonly alive = new Set<string>();

	constructor(leads = false) {
		this.leads = leads;
	}

	pass(ms: number): number {
		for (const untilMs = this.nowMs + ms; this.nowMs < untilMs; this.nowMs += 5 * second) {
			for (const name of this.alive) {
				const { beat, leads } = this.record.get(name) ?? { beat: 0, leads: false };
				this.record.set(name, { beat: beat + 1, leads });
			}
			this.share.said(this.leads, new Map(this.record), this.nowMs, this.nowMs);
		}
		return this.now;
	}

	join(name: string, leads = false): void {
		this.record.set(name, { beat: 0, leads });
		this.alive.add(name);
	}

	get now(): number {
		return this.share.of(this.leads, this.nowMs);
	}
}

const test = suite('share of the calls to GitHub');

test('before it has said that it is alive: a tenth', () => {
	assert.is(new Share().of(true, 1e9), joining);
});

test('who was alone goes on at once with what is left beside another one; who joins waits 80 s', () => {
	const first = new View();
	assert.is(first.pass(5 * second), alone);
	first.join('b');
	assert.is(first.pass(5 * second), 1 - leader);
	const later = new View();
	later.join('a');
	assert.is(later.pass(75 * second), joining);
	assert.is(later.pass(10 * second), 1 - leader);
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

test('a new leader waits until none of the others has led for 80 s', () => {
	const view = new View();
	view.join('b', true);
	view.join('c');
	view.pass(100 * second);
	view.leads = true;
	view.record.set('b', { beat: 1_000, leads: false });
	assert.is(view.pass(70 * second), (1 - leader) / 2);
	assert.is(view.pass(10 * second), leader);
});

test('one that says nothing new counts for 80 s, whether it still stands in the record or not', () => {
	for (const stays of [true, false]) {
		const view = new View();
		view.join('b');
		view.pass(100 * second);
		view.alive.delete('b');
		if (!stays) view.record.delete('b');
		assert.is(view.pass(70 * second), 1 - leader, String(stays));
		assert.is(view.pass(10 * second), alone);
		assert.is(view.pass(200 * second), alone);
		assert.equal(view.share.gone(view.nowMs), stays ? ['b'] : []);
	}
});

test('after 15 s without a word of its own it is as one that joins', () => {
	const view = new View();
	view.join('b');
	view.pass(100 * second);
	view.nowMs += 10 * second;
	assert.is(view.now, 1 - leader);
	view.nowMs += 1;
	assert.is(view.now, joining);
	assert.is(view.pass(75 * second), joining);
	assert.is(view.pass(10 * second), 1 - leader);
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

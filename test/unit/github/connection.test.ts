/** Calls that wait for their turn. */
import * as assert from 'uvu/assert';
import { Connection } from '../../../admission/github/connection.ts';
import { deletesPerMinute, share } from '../../../admission/github/policy.ts';
import type { Scope } from '../../../admission/github/types.ts';
import { suite } from '../../support/suite.ts';
import { SimulatedClock } from '../support/clock.ts';

const test = suite('github connection');
const scope: Scope = { kind: 'organization', name: 'octo-org' };
const joining = deletesPerMinute * share.joining;

/** A replica with this share of the calls, whose DELETEs GitHub answers with 204. */
function replica(part: () => number) {
	const clock = new SimulatedClock('2026-11-23T12:00:00Z');
	const startMs = clock.now();
	const wentMs: number[] = [];
	const connection = new Connection(
		{ kind: 'token', token: 'ghp_x' },
		{
			apiUrl: 'https://api.github.com',
			clock,
			share: part,
			fetch: async (url) => {
				wentMs.push(clock.now() - startMs);
				const empty = { text: async () => '', arrayBuffer: async () => new ArrayBuffer(0) };
				return { url, status: 204, headers: new Map(), ...empty };
			},
		},
	);
	const remove = (count: number, maxWaitMs: number) =>
		Array.from({ length: count }, (_, index) => connection.remove(scope, index + 1, { maxWaitMs }));
	return { clock, wentMs, remove };
}

test('calls that wait for their turn go as soon as the share grows, not when it seemed to be their turn', async () => {
	let part: number = share.joining;
	const { clock, wentMs, remove } = replica(() => part);
	const outcomes = remove(49, 200_000);
	await clock.pass(20_000);
	assert.is(wentMs.length, joining);
	part = 1;
	await clock.pass(1_500);
	assert.is(wentMs.length, 49);
	assert.ok((await Promise.all(outcomes)).every(({ kind }) => kind === 'removed'));
});

test('... and never more in a minute than the share allows', async () => {
	let part: number = share.joining;
	const { clock, wentMs, remove } = replica(() => part);
	void remove(100, 400_000);
	await clock.pass(20_000);
	part = 2 * share.joining;
	await clock.pass(300_000);
	for (const atMs of wentMs) {
		const inWindow = wentMs.filter((other) => other >= atMs && other < atMs + 60_000).length;
		assert.ok(inWindow <= 2 * joining, `${inWindow} in 60 s`);
	}
	assert.is(wentMs.length, 100);
	assert.ok(wentMs.at(-1)! <= 245_000, `the last one after ${wentMs.at(-1)} ms`);
});

test.run();

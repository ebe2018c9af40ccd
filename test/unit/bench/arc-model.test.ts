import * as assert from 'uvu/assert';
import {
	type ArcOwner,
	type AutoscalerInput,
	type AutoscalerState,
	afterBatch,
	followed,
	type Operation,
	type Reservation,
	scaled,
} from '../../bench/autoscale/arc-model.ts';
import { suite } from '../../support/suite.ts';

const test = suite('arc-model');
const second = 1_000;
const minute = 60 * second;
const start = Date.parse('2026-11-27T12:00:00Z');
const reservation = (fromMs: number, lengthMs: number): Reservation => ({
	effectiveMs: start + fromMs,
	expiresMs: start + fromMs + lengthMs,
});
const add = (durationMs: number): Operation => ({ add: 1, durationMs });

/** `[3..13] [6..16]`: from when to when each counts, in seconds. */
const written = (list: readonly Reservation[]) =>
	list
		.map(
			({ effectiveMs, expiresMs }) =>
				`[${[effectiveMs, expiresMs].map((ms) => (ms - start) / second).join('..')}]`,
		)
		.join(' ');

/** ARC's own vectors: max 1, one reservation of t0 and one of t1 = t0 + 3 s, each for 10 s, changed at t2 = t0 + 6 s. */
for (const [what, operations, expected] of [
	['+1 for 10 s', [add(10 * second)], '[0..10] [6..16] [6..16]'],
	['+1 for 11 s', [add(11 * second)], '[0..10] [6..16] [6..17]'],
	['-1', [{ drop: 1 }], '[6..16]'],
	['nothing', [], '[0..10] [6..16]'],
] as [string, Operation[], string][])
	test(`ARC's reservations, two at maximum 1: ${what}`, () => {
		const before = [reservation(0, 10 * second), reservation(3 * second, 10 * second)];
		assert.is(written(afterBatch(before, operations, 1, start + 6 * second)), expected);
		assert.is(written(before), '[0..10] [3..13]', 'what it was given stays');
	});

test("ARC's reservations: below the maximum nothing is extended, and expired ones go", () => {
	const list = [reservation(0, 5 * second), reservation(3 * second, 10 * second)];
	assert.is(written(afterBatch(list, [], 2, start + 6 * second)), '[3..13]');
	assert.is(written(afterBatch(list, [], undefined, start + 6 * second)), '[3..13]');
});

test("ARC's reservations: +1 and -5 in one batch end at none, the queued job's as well (#4315)", () => {
	const list = [0, 1, 2].map((index) => reservation(index * second, 10 * minute));
	assert.is(written(afterBatch(list, [add(10 * minute), { drop: 5 }], 10, start + 6 * second)), '');
	assert.is(written(afterBatch(list, [{ drop: 5 }, add(10 * minute)], 10, start + 6 * second)), '[6..606]');
});

/** `2/3`: min/max. What jobs the metric found is a number here; how it counts them is not part of the model. */
const input = (range: string, more: Partial<AutoscalerInput>): AutoscalerInput => {
	const [min = 0, max = 0] = range.split('/').map(Number);
	return { min, max, reservations: [], delayMs: 10 * minute, ...more };
};
const fresh: AutoscalerState = { desired: undefined, scaledOutMs: undefined };
const at3 = (agoMs: number): AutoscalerState => ({ desired: 3, scaledOutMs: start - agoMs });

for (const [what, range, more, status, expected] of [
	['no metric says anything', '2/3', {}, fresh, 2],
	['3 jobs', '2/3', { suggestion: 3 }, fresh, 3],
	['2 jobs, scaled out to 3 just now', '2/3', { suggestion: 2 }, at3(0), 3],
	['2 jobs, scaled out to 3 before the delay', '2/3', { suggestion: 2 }, at3(10 * minute), 2],
	['3 jobs, maximum 2', '2/2', { suggestion: 3 }, fresh, 2],
	['2 jobs', '2/3', { suggestion: 2 }, fresh, 2],
	['1 job, minimum 2', '2/3', { suggestion: 1 }, fresh, 2],
	['1 job', '1/3', { suggestion: 1 }, fresh, 1],
	['no job', '0/3', { suggestion: 0 }, fresh, 0],
	['5 jobs', '2/10', { suggestion: 5 }, fresh, 5],
	[
		'a job twice, by metric and reservation (#1962)',
		'0/10',
		{ suggestion: 1, reservations: [reservation(0, minute)] },
		fresh,
		2,
	],
	['a maximum lowered within the delay', '0/2', {}, at3(minute), 3],
	['a minimum raised within the delay', '4/9', {}, at3(minute), 4],
	['minimum above maximum', '3/2', {}, fresh, 3],
	[
		'one reservation expired, one not',
		'1/5',
		{ reservations: [reservation(-minute, minute), reservation(0, minute)] },
		fresh,
		2,
	],
] as [string, string, Partial<AutoscalerInput>, AutoscalerState, number][])
	test(`ARC's desired replicas: ${what}: ${expected}`, () => {
		assert.is(scaled(input(range, more), status, start).desired, expected);
	});

test("ARC's own integration test: 1 at the start, 2 and 3 with queued jobs, and 3 stays", () => {
	let reservations: Reservation[] = [];
	let status = fresh;
	const desired = [0, 1, 2].map((index) => {
		const nowMs = start + index * 5 * second;
		if (index > 0) reservations = afterBatch(reservations, [add(minute)], 5, nowMs);
		status = scaled(input('1/5', { reservations, delayMs: second }), status, nowMs);
		return status.desired;
	});
	assert.equal(desired, [1, 2, 3]);
	const later = start + 20 * second;
	assert.is(scaled(input('1/5', { reservations, delayMs: second }), status, later).desired, 3);
});

test("ARC's scale-out time moves when desired grows only, and effectiveTime is that of the newest reservation, expired or not", () => {
	const held = scaled(input('0/9', {}), at3(minute), start);
	assert.is(held.scaledOutMs, start - minute);
	assert.is(held.effectiveMs, undefined);
	const reservations = [reservation(-9 * minute, minute), reservation(-2 * minute, minute)];
	const grown = scaled(input('0/9', { reservations, suggestion: 4 }), at3(minute), start);
	assert.equal(grown, { desired: 4, scaledOutMs: start, effectiveMs: start - 2 * minute });
});

let ordinal = 0;
const owner = (createdMs: number, phase: ArcOwner['phase'] = 'running'): ArcOwner => ({
	ordinal: ++ordinal,
	createdMs: start + createdMs,
	phase,
});

test("ARC's sets: finished runners are not replaced for 10 minutes, unless effectiveTime has moved since", () => {
	const two = [owner(30 * second), owner(30 * second)];
	const create = (effective: number | undefined, nowMs: number) =>
		followed(two, 3, effective === undefined ? undefined : start + effective, start + nowMs).create;
	assert.is(create(0, 5 * minute), 0, 'the third one has finished');
	assert.is(create(6 * minute, 6 * minute), 1, 'a job was queued since');
	assert.is(create(0, 30 * second + 10 * minute), 1, 'the hold is over');
	assert.is(create(undefined, minute), 1, 'there is no effectiveTime');
	assert.is(create(30 * second, minute), 1, 'created within the second of effectiveTime');
	assert.is(
		followed([], 3, start, start + minute).create,
		3,
		'with no runner left nothing tells when it was scaled',
	);
});

test("ARC's sets: too many runners, and the newest running ones stay, whoever works", () => {
	const [old, young, pending] = [owner(0), owner(minute), owner(2 * minute, 'pending')];
	const gone = (replicas: number) =>
		followed([old, young, pending], replicas, undefined, start + 3 * minute).unregister;
	assert.equal(gone(1), [pending, old]);
	assert.equal(gone(2), [pending], 'all that run are wanted, and the one that starts is asked to go');
	assert.equal(gone(3), [], 'a pending one too many for those that run, but wanted');
	assert.equal(gone(0), [pending, young, old]);
});

test.run();

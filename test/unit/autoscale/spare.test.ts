import * as assert from 'uvu/assert';
import { mostArrivals } from '../../../admission/autoscale/rules/policy.ts';
import {
	type Arrivals,
	spareFor,
	startUpMsOf,
	withArrivals,
} from '../../../admission/autoscale/rules/spare.ts';
import { SetMemory } from '../../../admission/autoscale/set-memory.ts';
import { fastestMs } from '../../support/own-time.ts';
import { suite } from '../../support/suite.ts';

const test = suite('spare');
const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const now = Date.parse('2026-11-27T12:00:00Z');

/** Arrivals so many minutes ago; known for two hours. */
const ago = (...minutes: number[]): Arrivals => ({
	sinceMs: now - 2 * hour,
	atMs: minutes.map((one) => now - one * minute).sort((one, other) => one - other),
});
const every = (everyMs: number): Arrivals => ({
	sinceMs: now - 2 * hour,
	atMs: Array.from({ length: Math.floor(hour / everyMs) }, (_, index) => now - hour + index * everyMs + 1),
});

test('one job a minute, runners that start within three: three are enough at any time', () => {
	const steady = every(minute);
	assert.is(spareFor(steady, 3 * minute, 1, now), 3);
	assert.is(spareFor(steady, 3 * minute, 0.5, now), 3);
	assert.is(spareFor(steady, 3 * minute, 0.016, now), 1, 'in the first minutes there were fewer');
});

test('a burst of 10 in an hour: at most moments none is enough', () => {
	const burst = ago(...Array.from({ length: 10 }, () => 30));
	const at = (quantile: number) => spareFor(burst, 6 * minute, quantile, now);
	assert.equal([at(0.5), at(0.9), at(0.901), at(1)], [0, 0, 10, 10], 'a tenth of the hour there were 10');
});

test('none is asked for, none comes', () => {
	for (const quantile of [0, -1, Number.NaN]) assert.is(spareFor(every(minute), minute, quantile, now), 0);
	assert.is(spareFor(every(minute), 0, 0.9, now), 0);
	assert.is(spareFor(ago(), minute, 1, now), 0);
	assert.is(spareFor(every(minute), minute, 7, now), 1, 'more than all is all');
});

test('a job that arrived more than an hour ago no longer counts, but for the time it overlaps', () => {
	assert.is(spareFor(ago(62), minute, 1, now), 0);
	assert.is(spareFor(ago(70), minute, 0.01, now), 0);
	assert.is(spareFor(ago(60.5), minute, 1, now), 1);
	assert.is(spareFor({ ...ago(), atMs: [now + minute] }, minute, 1, now), 0, 'nor what is yet to come');
});

test('shortly after a start only the time since then counts, once a start-up time has passed', () => {
	const young = (ms: number): Arrivals => ({ sinceMs: now - ms, atMs: [now - ms / 2] });
	assert.is(spareFor(young(minute - 1), minute, 1, now), 0);
	assert.is(spareFor(young(minute), minute, 0.5, now), 0);
	assert.is(spareFor(young(minute), minute, 0.6, now), 1);
});

test('arrivals are kept for an hour, in order, and at most 10,000', () => {
	let arrivals: Arrivals = { sinceMs: now - 10 * minute, atMs: [] };
	arrivals = withArrivals(arrivals, [now - minute], now);
	arrivals = withArrivals(arrivals, [now - 2 * minute], now);
	assert.equal(arrivals, { sinceMs: now - 10 * minute, atMs: [now - 2 * minute, now - minute] });
	const later = withArrivals(arrivals, [now + hour], now + hour);
	assert.equal(later, { sinceMs: now, atMs: [now + hour] });
	assert.equal(withArrivals(arrivals, [now], now + 58 * minute + second).atMs, [now - minute, now]);

	const full: Arrivals = {
		sinceMs: 0,
		atMs: Array.from({ length: 10_000 }, (_, index) => now - hour + 1 + index),
	};
	const more = withArrivals(full, [now], now);
	assert.is(more.atMs.length, 10_000);
	assert.is(more.sinceMs, now - hour + 1, 'all since then are known');
	assert.is(more.atMs[0], now - hour + 2);
});

test('the start-up time is the median of the last 50', () => {
	assert.is(startUpMsOf([]), minute);
	assert.is(startUpMsOf([20 * second]), 20 * second);
	assert.is(startUpMsOf([90, 10, 20]), 20);
	assert.is(startUpMsOf([0, -5, 30]), 30);
	const moved = [...Array.from({ length: 100 }, () => 5 * minute), ...Array.from({ length: 26 }, () => 10)];
	assert.is(startUpMsOf(moved), 10);
});

test('10,000 arrivals, spread over the hour or all at once: linear, in a few ms', () => {
	const arrived = (everyMs: number, count = mostArrivals): Arrivals => ({
		sinceMs: 0,
		atMs: Array.from({ length: count }, (_, index) => now - hour + index * everyMs),
	});
	const tookMs = fastestMs(5, () => assert.is(spareFor(arrived(360), 36 * second, 0.9, now), 100));
	assert.ok(tookMs < 20, `${tookMs} ms`);
	const atOnceMs = fastestMs(5, () => assert.is(spareFor(arrived(0), 36 * second, 1, now), mostArrivals));
	assert.ok(atOnceMs < 20, `${atOnceMs} ms`);
});

test('as if each moment had been counted alone', () => {
	for (let seed = 1; seed <= 100; seed++) {
		const random = (index: number) => ((seed * 7_919 + index * 104_729) % 5_003) / 5_003;
		const minutes = Array.from({ length: seed % 17 }, (_, index) => Math.floor(random(index) * 70));
		const arrivals = ago(...minutes);
		const startUpMs = (1 + (seed % 9)) * minute;
		const quantile = random(99);
		const counts = Array.from({ length: 60 }, (_, index) => {
			const atMs = now - hour + (index + 0.5) * minute;
			return arrivals.atMs.filter((ms) => ms <= atMs && ms + startUpMs > atMs).length;
		}).sort((one, other) => one - other);
		const expected = counts[Math.ceil(quantile * 60 - 0.001) - 1] ?? 0;
		assert.is(spareFor(arrivals, startUpMs, quantile, now), expected, `seed ${seed}`);
	}
});

test('jobs that arrived in any order, many between two reconciles: as if each had been counted alone, in one pass', () => {
	const arrived = Array.from({ length: 300 }, (_, index) => now - ((index * 7_919) % 300) * 30_000);
	const start: Arrivals = { sinceMs: 0, atMs: [] };
	const oneByOne = arrived.reduce((before, ms) => withArrivals(before, [ms], now), start);
	assert.equal(withArrivals(start, arrived, now), oneByOne);
	const most = () => {
		const memory = new SetMemory(0);
		for (let index = 0; index < 2 * mostArrivals; index++) memory.jobArrived(now - index);
		assert.is(memory.arrivals(now).atMs.length, mostArrivals);
	};
	const tookMs = fastestMs(3, most);
	assert.ok(tookMs < 100, `${tookMs} ms`);
});

test.run();

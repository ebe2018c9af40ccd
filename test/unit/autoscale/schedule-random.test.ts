import * as assert from 'uvu/assert';
import { frequencies, periodsOf } from '../../../admission/autoscale/rules/recurrence.ts';
import { schedule } from '../../../admission/autoscale/rules/schedule.ts';
import { fixedOffset, zoneClock } from '../../../admission/autoscale/rules/wall-clock.ts';
import { random as randomNumbers } from '../../rig/random.ts';
import { ownMs } from '../../support/own-time.ts';
import { suite } from '../../support/suite.ts';

const test = suite('random schedules');
const at = Date.parse;
const hour = 3_600_000;
const day = 24 * hour;

/** SEED=... repeats what a failure shows. */
const numbers = randomNumbers();
const random = (below: number) => numbers.between(0, below);
const pick = <T>(...some: T[]): T => some[random(some.length)] as T;

test('200 random recurrences: the same as when all are written down one after the other', () => {
	for (let round = 0; round < 200; round++) {
		const clock = pick(fixedOffset(pick(0, 9, -5) * hour), zoneClock('Europe/Berlin'));
		assert.ok(clock);
		const startMs = at('2024-01-01T00:00:00Z') + random(366) * day + random(24) * hour;
		const frequency = pick(...frequencies);
		const endMs = startMs + (1 + random(23)) * hour;
		const untilMs = pick(Number.POSITIVE_INFINITY, startMs + random(1_000) * day);
		const nowMs = startMs + random(1_500) * day - 10 * day + random(24) * hour;
		const found = periodsOf({ startMs, endMs, frequency, untilMs, clock }, nowMs);

		const start = new Date(clock.shows(startMs));
		const all: number[] = [];
		for (let n = 0; n < 2_000; n++) {
			const date = new Date(start);
			if (frequency === 'Daily') date.setUTCDate(date.getUTCDate() + n);
			else if (frequency === 'Weekly') date.setUTCDate(date.getUTCDate() + 7 * n);
			else if (frequency === 'Monthly') date.setUTCMonth(date.getUTCMonth() + n);
			else date.setUTCFullYear(date.getUTCFullYear() + n);
			const skips = frequency === 'Monthly' || frequency === 'Yearly';
			if (skips && date.getUTCDate() !== start.getUTCDate()) continue;
			const ms = n === 0 ? startMs : clock.when(date.getTime());
			if (ms > untilMs) break;
			all.push(ms);
			if (ms > nowMs) break;
		}
		const latest = all.findLast((ms) => ms <= nowMs);
		const next = all.find((ms) => ms > nowMs);
		assert.is(found.upcoming?.startMs, next);
		if (found.active) assert.is(found.active.startMs, latest);
		else if (latest !== undefined) assert.ok(nowMs - latest >= endMs - startMs - hour);
	}
});

test('10,000 random overrides never throw, and end quickly', () => {
	const time = () =>
		pick<unknown>(
			`${pick('1970', '1999', '2024', '2026', '9999', '0000', '12')}-${pick('01', '02', '12', '13')}-${pick('01', '29', '31')}T${pick('00', '23', '24')}:00:00${pick('Z', '+09:00', '-12:00', '+99:99', '')}`,
			undefined,
			null,
			random(1e9),
			'9999-12-31T23:59:59Z',
		);
	const one = () =>
		pick<unknown>(
			{
				startTime: time(),
				endTime: time(),
				minReplicas: pick<unknown>(0, 5, -1, null, undefined, 'x', 1e99),
				recurrenceRule: pick<unknown>(
					{ frequency: pick<unknown>(...frequencies, '', 'x', 7), untilTime: time() },
					undefined,
					null,
					'x',
				),
				timeZone: pick<unknown>(undefined, 'Europe/Berlin', 'UTC', 'x', '', 7, 'Asia/Kathmandu'),
			},
			{
				startTime: `${1970 + random(200)}-0${1 + random(9)}-${10 + random(19)}T00:00:00Z`,
				endTime: `${2000 + random(8_000)}-0${1 + random(9)}-${10 + random(19)}T00:00:00Z`,
				recurrenceRule: { frequency: pick(...frequencies) },
				timeZone: pick('America/St_Johns', 'Pacific/Apia', undefined),
			},
			null,
			[],
		);
	const tookMs = ownMs(() => {
		for (let round = 0; round < 5_000; round++) {
			const nowMs = pick(
				0,
				at('2026-11-27T00:00:00Z'),
				at('2400-01-01T00:00:00Z'),
				at('9999-01-01T00:00:00Z'),
			);
			const found = schedule([one(), one()], 1, nowMs);
			assert.ok(found.nextEdgeMs === undefined || found.nextEdgeMs > nowMs);
			if (found.next) assert.match(new Date(found.next.atMs).toISOString(), /^\d{4}-/);
		}
	});
	assert.ok(tookMs < 20_000, `${tookMs} ms, SEED=${numbers.seed}`);
});

test.run();

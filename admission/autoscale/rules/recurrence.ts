import type { WallClock } from './wall-clock.ts';

export const frequencies = ['Daily', 'Weekly', 'Monthly', 'Yearly'] as const;
export type Frequency = (typeof frequencies)[number];

/** A time span that comes once, or again and again by the calendar. */
export interface Recurring {
	startMs: number;
	endMs: number;
	frequency: Frequency | undefined;
	/** No period starts after this, ms since the epoch. */
	untilMs: number;
	clock: WallClock;
}

export interface Period {
	startMs: number;
	endMs: number;
}

/** The period that has begun last and is not over, and the one that begins next. Pure, and quick whatever the dates are. */
export function periodsOf(
	span: Recurring,
	nowMs: number,
): { active: Period | undefined; upcoming: Period | undefined } {
	const { startMs, endMs, frequency, untilMs } = span;
	if (!frequency)
		return {
			active: startMs <= nowMs && nowMs < endMs ? { startMs, endMs } : undefined,
			upcoming: nowMs < startMs ? { startMs, endMs } : undefined,
		};
	const { startOf, endOf, guess } = calendarOf(span, frequency);
	const first = guess(Math.max(startMs, Math.min(nowMs, untilMs)));
	let begun: Period | undefined;
	for (let n = Math.max(0, first - around[frequency]); n <= first + around[frequency]; n++) {
		const ms = startOf(n);
		if (ms === undefined || ms > untilMs) continue;
		if (ms <= nowMs) begun = { startMs: ms, endMs: endOf(n) };
		else return { active: lasting(begun, nowMs), upcoming: { startMs: ms, endMs: endOf(n) } };
	}
	return { active: lasting(begun, nowMs), upcoming: undefined };
}

const lasting = (period: Period | undefined, nowMs: number) =>
	period && period.endMs > nowMs ? period : undefined;

/**
 * By how much a guess may be wrong: one for the hour of the day, and those that are left out. 29 February is for seven years
 * around 2100, the 31st every other month.
 */
const around: Record<Frequency, number> = { Daily: 1, Weekly: 1, Monthly: 2, Yearly: 8 };

const dayMs = 24 * 60 * 60_000;

interface Calendar {
	/** When the repetition of this number begins; undefined: its month or year does not have the day. */
	startOf(n: number): number | undefined;
	endOf(n: number): number;
	/** Which repetition has begun last at this time; see `around`. */
	guess(ms: number): number;
}

function calendarOf({ startMs, endMs, clock }: Recurring, frequency: Frequency): Calendar {
	const start = new Date(clock.shows(startMs));
	const [year, month, day] = [start.getUTCFullYear(), start.getUTCMonth(), start.getUTCDate()];
	const timeOfDayMs = start.getTime() - Date.UTC(year, month, day);
	// By the wall clock as well: from midnight to midnight it may be an hour more or less.
	const lastsMs = clock.shows(endMs) - start.getTime();
	const midnight = (n: number): number => {
		switch (frequency) {
			case 'Daily':
				return Date.UTC(year, month, day + n);
			case 'Weekly':
				return Date.UTC(year, month, day + 7 * n);
			case 'Monthly':
				return Date.UTC(year, month + n, day);
			case 'Yearly':
				return Date.UTC(year + n, month, day);
		}
	};
	const byDay = frequency === 'Daily' || frequency === 'Weekly';
	const startOf = (n: number): number | undefined => {
		if (n === 0) return startMs;
		const date = midnight(n);
		return byDay || new Date(date).getUTCDate() === day ? clock.when(date + timeOfDayMs) : undefined;
	};
	const endOf = (n: number) => (n === 0 ? endMs : clock.when(midnight(n) + timeOfDayMs + lastsMs));
	const guess = (ms: number) => {
		const then = new Date(clock.shows(ms));
		const days = Math.floor((then.getTime() - start.getTime()) / dayMs);
		const years = then.getUTCFullYear() - year;
		const months = years * 12 + then.getUTCMonth() - month;
		return { Daily: days, Weekly: Math.floor(days / 7), Monthly: months, Yearly: years }[frequency];
	};
	return { startOf, endOf, guess };
}

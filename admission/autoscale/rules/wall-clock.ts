/** Wall clocks of time zones: an IANA one by the platform's own data, or a fixed offset. */
import { BoundedMap } from '../../time/bounded-map.ts';

const dayMs = 24 * 60 * 60_000;

export interface WallClock {
	/** What a clock on the wall shows at this moment, written down as if it were UTC; ms. */
	shows(ms: number): number;
	/**
	 * When it shows this, ms since the epoch. In the hour that comes twice it is the first time; of the hour that is left out it
	 * is as much later as the clock is put forward.
	 */
	when(wallMs: number): number;
}

export const fixedOffset = (offsetMs: number): WallClock => ({
	shows: (ms) => ms + offsetMs,
	when: (wallMs) => wallMs - offsetMs,
});

/** The clock of an IANA time zone; undefined: there is no such zone. */
export function zoneClock(name: string): WallClock | undefined {
	const known = clocks.get(name);
	if (known) return known;
	const format = formatOf(name);
	if (!format) return undefined;
	const clock = clockOf(format);
	clocks.set(name, clock);
	return clock;
}

/** Making one takes a while, and there are some 600 zones; a few are in use. */
const clocks = new BoundedMap<string, WallClock>({ most: 100 });
/** The same moments are asked for again and again, until the next day. This many are remembered of each zone, some 100 kB. */
const mostShown = 2_000;

function clockOf(format: Intl.DateTimeFormat): WallClock {
	const shown = new BoundedMap<number, number>({ most: mostShown });
	const shows = (ms: number) => {
		const known = shown.get(ms);
		if (known !== undefined) return known;
		const wallMs = wallOf(format, ms);
		shown.set(ms, wallMs);
		return wallMs;
	};
	const when = (wallMs: number) => {
		// No zone changes twice within two days: the offset is the one of the day before or that of the day after.
		const offsets = [wallMs - dayMs, wallMs + dayMs].map((ms) => shows(ms) - ms);
		const moments = offsets.map((offsetMs) => wallMs - offsetMs);
		const right = moments.filter((ms) => shows(ms) === wallMs);
		return right.length > 0 ? Math.min(...right) : (moments[0] ?? wallMs);
	};
	return { shows, when };
}

function formatOf(timeZone: string): Intl.DateTimeFormat | undefined {
	// Offsets such as "+09:00" are not names of IANA's, though the platform takes them.
	if (!/^[A-Za-z]/.test(timeZone)) return undefined;
	try {
		return new Intl.DateTimeFormat('en-US', {
			timeZone,
			calendar: 'gregory',
			numberingSystem: 'latn',
			hourCycle: 'h23',
			year: 'numeric',
			month: 'numeric',
			day: 'numeric',
			hour: 'numeric',
			minute: 'numeric',
			second: 'numeric',
		});
	} catch {
		return undefined; // a RangeError: there is no such zone
	}
}

function wallOf(format: Intl.DateTimeFormat, ms: number): number {
	const seconds = Math.floor(ms / 1_000) * 1_000;
	const found: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
	for (const { type, value } of format.formatToParts(seconds)) found[type] = Number(value);
	const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = found;
	return Date.UTC(year, month - 1, day, hour, minute, second) + (ms - seconds);
}

import { mostOverrides, onlyFirst } from '../../api/limits.ts';
import { invalid, isAbsent, isCount, isObject, wholeNumber } from './fields.ts';
import { type Frequency, frequencies, type Period, periodsOf, type Recurring } from './recurrence.ts';
import { fixedOffset, zoneClock } from './wall-clock.ts';

/** What spec.scheduledOverrides asks for at a moment. */
export interface Schedule {
	/** The minimum of the override that is active; undefined: none is active, or it sets none. */
	minReplicas: number | undefined;
	/** When the minimum changes next, and to what; undefined: never, as far as can be seen. */
	next: { atMs: number; minReplicas: number } | undefined;
	/** When any override begins or ends next, ms since the epoch. */
	nextEdgeMs: number | undefined;
	/** ARC's text for status.scheduledOverridesSummary. */
	summary: string | undefined;
	/** Overrides that can't be used, each with the reason for people. */
	skipped: string[];
}

interface Override extends Recurring {
	minReplicas: number | undefined;
}
type Dated = Period & { minReplicas: number | undefined };

/** How many edges are tried to find the next change of the minimum: most overrides change it. */
const mostEdges = 16;
/** The last time that can be written down: years have four digits. */
const lastMs = Date.parse('9999-12-31T23:59:59Z');

/**
 * The schedule at a moment. Pure: the overrides may be anything, and one that can't be used does not stop the others.
 *
 * @param usual the minimum where no override is active
 */
export function schedule(overrides: unknown, usual: number, nowMs: number): Schedule {
	const skipped: string[] = [];
	const usable: Override[] = [];
	if (overrides !== undefined && overrides !== null && !Array.isArray(overrides))
		skipped.push('spec.scheduledOverrides must be a list');
	const entries: unknown[] = Array.isArray(overrides) ? overrides : [];
	if (entries.length > mostOverrides)
		skipped.push(onlyFirst('spec.scheduledOverrides', entries.length, mostOverrides));
	for (const [index, entry] of entries.slice(0, mostOverrides).entries()) {
		const found = overrideOf(entry);
		if (typeof found === 'string') skipped.push(`spec.scheduledOverrides[${index}]: ${found}`);
		else usable.push(found);
	}
	const dated = usable.map((override) => datedOf(override, nowMs));
	const active = activeOf(dated);
	// Of several the earliest.
	const coming = dated.flatMap(({ upcoming }) => upcoming ?? []);
	const [upcoming] = coming.sort((one, other) => one.startMs - other.startMs);
	const edgeMs = nextEdgeOf(dated);
	return {
		minReplicas: active?.minReplicas,
		next: nextChange(usable, dated, usual),
		nextEdgeMs: Number.isFinite(edgeMs) ? edgeMs : undefined,
		summary: summaryOf(active, upcoming, usual),
		skipped,
	};
}

interface Dates {
	active: Dated | undefined;
	upcoming: Dated | undefined;
	/** When either changes, ms since the epoch; Infinity: never. */
	edgeMs: number;
}

function datedOf(override: Override, nowMs: number): Dates {
	const { minReplicas } = override;
	const { active, upcoming } = periodsOf(override, nowMs);
	return {
		active: active && { ...active, minReplicas },
		upcoming: upcoming && { ...upcoming, minReplicas },
		edgeMs: Math.min(
			active?.endMs ?? Number.POSITIVE_INFINITY,
			upcoming?.startMs ?? Number.POSITIVE_INFINITY,
		),
	};
}

/** Of several the first in the list. */
const activeOf = (dated: readonly Dates[]): Dated | undefined => dated.find(({ active }) => active)?.active;

const nextEdgeOf = (dated: readonly Dates[]): number => Math.min(...dated.map(({ edgeMs }) => edgeMs));

function nextChange(
	overrides: readonly Override[],
	dated: readonly Dates[],
	usual: number,
): Schedule['next'] {
	let current = dated;
	const before = activeOf(current)?.minReplicas ?? usual;
	for (let edge = 0; edge < mostEdges; edge++) {
		const atMs = nextEdgeOf(current);
		if (atMs > lastMs) return undefined;
		// Only where something begins or ends: calendars take a while.
		const at = (override: Override, known?: Dates) =>
			known && known.edgeMs > atMs ? known : datedOf(override, atMs);
		current = overrides.map((override, index) => at(override, current[index]));
		const minReplicas = activeOf(current)?.minReplicas ?? usual;
		if (minReplicas !== before) return { atMs, minReplicas };
	}
	return undefined;
}

/** As ARC writes it: what the minimum becomes, and when. */
function summaryOf(
	active: Dated | undefined,
	upcoming: Dated | undefined,
	usual: number,
): string | undefined {
	const endsFirst = active && (!upcoming || active.endMs < upcoming.startMs);
	if (endsFirst) return `min=${usual} time=${goTime(active.endMs)}`;
	const beginsFirst = upcoming && (!active || active.endMs > upcoming.startMs);
	if (!beginsFirst || upcoming.minReplicas === undefined) return undefined;
	return `min=${upcoming.minReplicas} time=${goTime(upcoming.startMs)}`;
}

/** As Go prints times; ARC's container has UTC. */
function goTime(ms: number): string {
	const [, date, time, fraction = ''] =
		/^(\S+)T(\d\d:\d\d:\d\d)\.(\d+)Z$/.exec(new Date(ms).toISOString()) ?? [];
	const rest = fraction.replace(/0+$/, '');
	return `${date} ${time}${rest && `.${rest}`} +0000 UTC`;
}

/** An override from the spec; a text: why it can't be used. */
function overrideOf(entry: unknown): Override | string {
	if (!isObject(entry)) return 'must be an object';
	const start = timeOf(entry.startTime);
	const end = timeOf(entry.endTime);
	if (!start) return badTime('startTime', entry.startTime);
	if (!end) return badTime('endTime', entry.endTime);
	if (end.ms <= start.ms) return 'endTime must be after startTime';
	const minReplicas = entry.minReplicas ?? undefined;
	if (minReplicas !== undefined && !isCount(minReplicas))
		return invalid('minReplicas', minReplicas, wholeNumber);
	const rule = entry.recurrenceRule ?? {};
	if (!isObject(rule)) return 'recurrenceRule must be an object';
	const frequency = rule.frequency ?? '';
	if (frequency !== '' && !isFrequency(frequency))
		return invalid('recurrenceRule.frequency', frequency, `one of ${frequencies.join(', ')}`);
	const untilText = rule.untilTime ?? '';
	const until = timeOf(untilText);
	if (untilText !== '' && untilText !== zeroTime && !until)
		return badTime('recurrenceRule.untilTime', untilText);
	const timeZone = entry.timeZone ?? '';
	const zone = typeof timeZone === 'string' ? zoneClock(timeZone) : undefined;
	if (timeZone !== '' && !zone) return invalid('timeZone', timeZone, 'the name of an IANA time zone');
	return {
		startMs: start.ms,
		endMs: end.ms,
		frequency: frequency === '' ? undefined : frequency,
		untilMs: until?.ms ?? Number.POSITIVE_INFINITY,
		minReplicas,
		clock: zone ?? fixedOffset(start.offsetMs),
	};
}

/** Go writes a time that was left out as the first one there is. */
const zeroTime = '0001-01-01T00:00:00Z';

/** A time as in RFC 3339 since 1970, and the offset it is written with; undefined: it is something else. */
function timeOf(value: unknown): { ms: number; offsetMs: number } | undefined {
	const [text, zone = '', sign, hours, minutes] =
		/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(Z|([+-])(\d\d):(\d\d))$/i.exec(
			typeof value === 'string' ? value : '',
		) ?? [];
	const ms = Date.parse(text?.toUpperCase() ?? '');
	if (Number.isNaN(ms) || ms < 0 || ms > lastMs) return undefined;
	if (zone.toUpperCase() === 'Z') return { ms, offsetMs: 0 };
	const offsetMs = (Number(hours) * 60 + Number(minutes)) * 60_000;
	return { ms, offsetMs: sign === '-' ? -offsetMs : offsetMs };
}

const isFrequency = (value: unknown): value is Frequency =>
	frequencies.some((frequency) => frequency === value);

const badTime = (field: string, value: unknown): string =>
	isAbsent(value) ? `${field} is missing` : invalid(field, value, 'a time as in RFC 3339, since 1970');

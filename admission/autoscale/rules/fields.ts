/**
 * Reads fields of specs by their type. The CRDs have schemas, but objects may be older than these, or come from a cluster
 * whose CRDs are ARC's.
 */

export const isObject = (value: unknown): value is Record<string, unknown> =>
	typeof value === 'object' && value !== null && !Array.isArray(value);

/** Its fields; empty where it is not an object. */
export const fieldsOf = (value: unknown): Record<string, unknown> => (isObject(value) ? value : {});

/** A whole number from 0 on. */
export const isCount = (value: unknown): value is number =>
	Number.isSafeInteger(value) && (value as number) >= 0;

export const isAbsent = (value: unknown): value is null | undefined => value === undefined || value === null;

/** What somebody wrote, for a message. */
const shown = (value: unknown): string => (JSON.stringify(value) ?? typeof value).slice(0, 60);

/** The message about a field that cannot be used, as Kubernetes words it. */
export const invalid = (field: string, value: unknown, expected: string): string =>
	`${field}: invalid value ${shown(value)}: must be ${expected}`;

export const wholeNumber = 'a whole number, 0 or more';

/** A number as Go's ParseFloat reads it from the texts that people write; undefined: it is something else, or not finite. */
export function decimalOf(value: unknown): number | undefined {
	if (typeof value !== 'string' || !/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(value)) return undefined;
	const number = Number(value);
	return Number.isFinite(number) ? number : undefined;
}

const unitMs: Readonly<Record<string, number>> = {
	ns: 1e-6,
	us: 1e-3,
	// The micro sign and the Greek letter, as Go takes them: the bundle has to stay ASCII.
	'\u00b5s': 1e-3,
	'\u03bcs': 1e-3,
	ms: 1,
	s: 1_000,
	m: 60_000,
	h: 3_600_000,
};

/** A duration as Go writes and reads it, such as "30m" and "1h30m0s", in ms; undefined: it is something else. */
export function goDurationMs(value: unknown): number | undefined {
	const [text, sign, parts = ''] =
		/^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+|0)$/.exec(
			typeof value === 'string' ? value.slice(0, 100) : '',
		) ?? [];
	if (text === undefined) return undefined;
	let ms = 0;
	for (const [, number, unit = ''] of parts.matchAll(/(\d+\.?\d*|\.\d+)([^\d.]+)/g))
		ms += Number(number) * (unitMs[unit] ?? 0);
	return sign === '-' ? -ms : ms;
}

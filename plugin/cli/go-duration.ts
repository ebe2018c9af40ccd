const unitMs: Record<string, number> = {
	ns: 1e-6,
	us: 1e-3,
	µs: 1e-3,
	μs: 1e-3,
	ms: 1,
	s: 1000,
	m: 60_000,
	h: 3_600_000,
};

/** Go counts ns in 64 bits: 292 years. */
const mostMs = 2 ** 63 / 1e6;

/**
 * A Go duration ("90s", "1h30m", "1.5h", "0") in ms. Throws with the words of Go's time.ParseDuration, which
 * kubectl's users know.
 */
export function parseDurationMs(text: string): number {
	const quoted = JSON.stringify(text);
	const [, sign = '', rest = ''] = /^([+-]?)(.*)$/s.exec(text) ?? [];
	if (rest === '0') return 0;
	if (rest === '') throw new Error(`time: invalid duration ${quoted}`);

	let totalMs = 0;
	const part = /(\d+\.?\d*|\.\d+)([^\d.]*)/y;
	while (part.lastIndex < rest.length) {
		const match = part.exec(rest);
		if (!match) throw new Error(`time: invalid duration ${quoted}`);
		const unit = match[2] ?? '';
		if (unit === '') throw new Error(`time: missing unit in duration ${quoted}`);
		const ms = unitMs[unit];
		if (ms === undefined) throw new Error(`time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}`);
		totalMs += Number(match[1]) * ms;
	}
	if (totalMs > mostMs) throw new Error(`time: invalid duration ${quoted}`);
	return sign === '-' ? -totalMs : totalMs;
}

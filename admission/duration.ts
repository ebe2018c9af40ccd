const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The duration in ms of a text such as `90s`, `10m`, `1h` or `90d`; undefined if it is none. */
export function durationMs(text: string | undefined): number | undefined {
	const found = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text ?? '');
	return found ? Number(found[1]) * unitMs[found[2] as keyof typeof unitMs] : undefined;
}

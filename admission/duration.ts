const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `90s`, `10m`, `1h`, `90d`; undefined: none, or not a duration. */
export function durationMs(text: string | undefined): number | undefined {
	const found = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text ?? '');
	return found ? Number(found[1]) * unitMs[found[2] as keyof typeof unitMs] : undefined;
}

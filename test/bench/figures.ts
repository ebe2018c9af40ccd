/** p in [0, 1] of unsorted values; NaN of none. */
export function quantile(values: readonly number[], p: number): number {
	const sorted = [...values].sort((a, b) => a - b);
	return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** Rows as aligned columns; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
	const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
	return rows
		.map((row) =>
			row
				.map((cell, column) => cell.padEnd(widths[column] ?? 0))
				.join('   ')
				.trimEnd(),
		)
		.join('\n');
}

/** In place, with a seed, so that a run can be repeated. */
export function shuffle<T>(values: T[], seed: number): T[] {
	let state = seed;
	for (let index = values.length - 1; index > 0; index--) {
		state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff;
		const other = state % (index + 1);
		[values[index], values[other]] = [values[other] as T, values[index] as T];
	}
	return values;
}

import { median, quantile } from '../figures.ts';

/** Columns of `row`. */
export const head = ['', 'n', 'p50 ms', 'p95 ms', 'most ms', 'goal'];

export function row(what: string, valuesMs: readonly number[], goal = ''): string[] {
	const figures = [median(valuesMs), quantile(valuesMs, 0.95), Math.max(...valuesMs)];
	return [what, `${valuesMs.length}`, ...figures.map((ms) => ms.toFixed(ms < 10 ? 1 : 0)), goal];
}

/** How much larger one column of figures is than another: by their medians, and by their 95th percentiles. */
export function added(
	what: string,
	with_: readonly number[],
	without: readonly number[],
	goal = '',
): string[] {
	const [p50, p95] = [0.5, 0.95].map((p) => quantile(with_, p) - quantile(without, p));
	return [what, '', (p50 ?? 0).toFixed(1), (p95 ?? 0).toFixed(1), '', goal];
}

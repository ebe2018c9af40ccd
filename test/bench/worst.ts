/**
 * The longest time for which the worst that others can send or write keeps the event loop from everything else: of each
 * thing that is done with it the worst shape, in CPU time. Needs neither cluster nor network.
 *
 * `ALL=1 make bench BENCH=worst` prints every shape, `ONLY=TEXT` those whose line has this in it. `node test/bench/worst.ts`
 * runs it without a build.
 */
import { table } from './figures.ts';
import { worstCases } from './worst/cases.ts';
import { goalMs, type WorstCase, worstTurnOf } from './worst/worst-case.ts';

const { ALL: all, ONLY: only = '' } = process.env;

const measured: { one: WorstCase; ms: number }[] = [];
for (const one of worstCases.filter(({ does, shape }) => `${does} ${shape}`.includes(only)))
	measured.push({ one, ms: await worstTurnOf(one) });

const shown = all
	? measured
	: [...Map.groupBy(measured, ({ one }) => one.does).values()].flatMap(
			(same) => same.toSorted((a, b) => b.ms - a.ms)[0] ?? [],
		);
console.log(
	table([
		['what is done', 'worst shape', 'KiB', 'longest ms', ''],
		...shown.map(({ one, ms }) => [
			one.does,
			one.shape,
			(one.bytes / 1024).toFixed(0),
			ms.toFixed(1),
			ms > goalMs ? `over ${goalMs}` : '',
		]),
	]),
);
console.log(`\n${measured.length} cases`);

/**
 * A simulated day of jobs, with the server's own rules, beside ARC's autoscaler and what no autoscaler can beat. Nothing
 * waits: a day takes seconds. `SEEDS=10 SCENARIOS=20 make bench BENCH=autoscale` runs ten days of each scenario whose name
 * contains `20`; WRITE=1 writes their sections of docs/autoscale-simulation.md, and its chart where all were run.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { chartOf } from './autoscale/chart.ts';
import { goalsOf } from './autoscale/goals.ts';
import { pageOf } from './autoscale/page.ts';
import { goalLine, tableRows } from './autoscale/report.ts';
import { type Row, type Summary, summarized } from './autoscale/rows.ts';
import { ourDefault, type Scenario, scenarios } from './autoscale/settings.ts';
import { table } from './figures.ts';

const seeds = Array.from({ length: Number(process.env.SEEDS ?? 10) }, (_, index) => index + 1);
const wanted = scenarios.filter(({ name }) => name.includes(process.env.SCENARIOS ?? ''));
const atOnce = Number(process.env.WORKERS ?? availableParallelism());

const results = await runAll(wanted);
for (const { scenario, summaries } of results) {
	console.log(`\n${scenario.name}: ${seeds.length} days, mean (least to most)\n`);
	console.log(table(tableRows(summaries)));
	console.log(`\n${goalsOf(summaries, ourDefault.name).map(goalLine).join('\n')}`);
}
if (process.env.WRITE) {
	const docs = join(import.meta.dirname, '../../docs');
	const page = join(docs, 'autoscale-simulation.md');
	writeFileSync(page, pageOf(results, seeds.length, readFileSync(page, 'utf8')));
	if (wanted.length === scenarios.length)
		writeFileSync(join(docs, 'autoscale-simulation.svg'), chartOf(results));
}

async function runAll(some: readonly Scenario[]): Promise<{ scenario: Scenario; summaries: Summary[] }[]> {
	const tasks = some.flatMap(({ name }) => seeds.map((seed) => ({ scenario: name, seed })));
	const rows = new Map<string, Row[]>(some.map(({ name }) => [name, []]));
	const work = async () => {
		for (let task = tasks.shift(); task; task = tasks.shift())
			rows.get(task.scenario)?.push(...(await inThread(task)));
	};
	await Promise.all(Array.from({ length: atOnce }, work));
	return some.map((scenario) => ({ scenario, summaries: summarized(rows.get(scenario.name) ?? []) }));
}

function inThread(task: { scenario: string; seed: number }): Promise<Row[]> {
	const { promise, resolve, reject } = Promise.withResolvers<Row[]>();
	const worker = new Worker(new URL('autoscale/day-worker.ts', import.meta.url), { workerData: task });
	worker.once('message', resolve);
	worker.once('error', reject);
	worker.once('exit', (code) => reject(new Error(`the thread of ${task.scenario} ended with ${code}`)));
	return promise;
}

/**
 * Breaks each rule that decides something (see targets.ts) in turn, and fails unless a unit test fails for each: `make
 * mutants`, or `node test/mutants/run.ts [FILE...]` for some of the files in targets.ts. Nothing is written to the work
 * tree.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { equivalent } from './equivalent.ts';
import { type Mutation, mutationsOf } from './mutations.ts';
import { targets } from './targets.ts';
import type { Result } from './worker.ts';

/**
 * A mutant without a result by then is in an endless loop, which counts like a failed test. On a busy machine it may
 * only be slow, so these are counted separately.
 */
const hangsAfterMs = 60_000;
/** The unchanged file needs a result, however busy the machine is. */
const asItIsWithinMs = 300_000;
/** The modules of each mutant stay in memory, so a worker runs only this number of mutants. */
const perWorker = 25;

const project = join(import.meta.dirname, '../..');
const wanted = process.argv.slice(2);
const chosen = targets.filter(({ file }) => wanted.length === 0 || wanted.some((one) => file.endsWith(one)));
const startedMs = Date.now();
const problems: string[] = [];
const chunks: { file: string; indexes: number[] }[] = [];
const all = new Map<string, Mutation[]>();
let survivors = 0;
let caught = 0;
let hung = 0;
const passedOver = new Map<string, number>();

for (const { file } of chosen) {
	const mutations = mutationsOf(readFileSync(join(project, file), 'utf8'));
	all.set(file, mutations);
	const skipped = new Set<number>();
	for (const entry of equivalent.filter((one) => one.file === file)) {
		const fits = mutations.flatMap(({ text, what }, index) =>
			text === entry.text && what === entry.what ? [index] : [],
		);
		if (fits.length !== 1)
			problems.push(`equivalent.ts: ${fits.length} mutations of ${file} fit ${entry.text} (${entry.what})`);
		for (const index of fits) skipped.add(index);
	}
	passedOver.set(file, skipped.size);
	// -1 is the unchanged file: its tests have to pass, or the results mean nothing.
	const indexes = [-1, ...mutations.keys()].filter((index) => !skipped.has(index));
	for (let from = 0; from < indexes.length; from += perWorker)
		chunks.push({ file, indexes: indexes.slice(from, from + perWorker) });
}

await Promise.all(Array.from({ length: availableParallelism() }, work));

const seconds = Math.round((Date.now() - startedMs) / 1_000);
for (const problem of problems) console.error(problem);
const equivalents = [...passedOver.values()].reduce((sum, count) => sum + count, 0);
console.log(
	`${caught + survivors} mutants of ${chosen.length} files: ${caught} caught (${hung} by tests that do not end), ${survivors} not, ${equivalents} left out as equivalent, in ${seconds} s`,
);
process.exitCode = survivors + problems.length > 0 || caught === 0 ? 1 : 0;

async function work(): Promise<void> {
	for (let chunk = chunks.shift(); chunk; chunk = chunks.shift()) {
		let left = chunk.indexes;
		while (left.length > 0) {
			const judged = await run(chunk.file, left);
			const at = left[judged];
			// The worker ended, or was in an endless loop, at this one.
			if (at !== undefined) {
				hung += 1;
				take(chunk.file, { index: at, caughtBy: 'a test that does not come to an end' });
			}
			left = left.slice(judged + 1);
		}
	}
}

/** Returns how many had a result before the worker ended. */
function run(file: string, indexes: number[]): Promise<number> {
	return new Promise((resolve) => {
		const worker = spawn(
			process.execPath,
			[join(import.meta.dirname, 'worker.ts'), file, ...indexes.map(String)],
			{
				stdio: ['ignore', 'pipe', 'inherit'],
				env: { ...process.env, NODE_NO_WARNINGS: '1' },
			},
		);
		let judged = 0;
		const kill = () => worker.kill('SIGKILL');
		let watchdog = setTimeout(kill, indexes[0] === -1 ? asItIsWithinMs : hangsAfterMs);
		createInterface({ input: worker.stdout }).on('line', (line) => {
			if (!line.startsWith('{"index":')) return;
			clearTimeout(watchdog);
			watchdog = setTimeout(kill, hangsAfterMs);
			judged += 1;
			take(file, JSON.parse(line) as Result);
		});
		worker.once('close', () => {
			clearTimeout(watchdog);
			resolve(judged);
		});
	});
}

function take(file: string, { index, caughtBy, error }: Result): void {
	if (index === -1) {
		if (caughtBy !== undefined) problems.push(`${file}: its tests fail as it is: ${caughtBy}: ${error}`);
		return;
	}
	if (caughtBy !== undefined) {
		caught += 1;
		return;
	}
	survivors += 1;
	const { line, text, what } = all.get(file)?.[index] ?? { line: 0, text: '', what: '' };
	console.log(`${file}:${line} no test notices: ${what}\n\t${text}`);
}

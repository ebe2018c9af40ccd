/**
 * Runs test files and sums their counts: `node test/run.ts [--jobs N] [FILE|FOLDER...]`. Each file runs in a process of
 * its own, except those that share a stage (rig/stage.ts): these run in one process per stage, several at a time.
 * Ends with `N passed, N failed`, and non-zero when anything failed, a file broke, or nothing was run.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { globSync, readFileSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { StageMessage } from './stage.ts';

/** No file may take longer: a hang is a failure, not a wait for CI's own limit. */
const fileWithinMs = 8 * 60_000;
/** Files at a time, where none is on a stage. Beside stages it is one, and one more for each line of them that has ended. */
const defaultJobs = 2;
/**
 * The stages, in lines of which each runs one stage after the other, with how many files at a time. More than these, and the
 * server reads GitHub's lists too rarely, and the API server gives up on webhooks on two cores. More at a time do not end
 * sooner either: the cores are busy all the time.
 */
const stageLines: Record<string, number>[] = [{ guard: 2, sets: 2, bare: 1 }, { replicas: 1 }];
/**
 * Files that keep two cores busy by themselves, first and one after the other: beside others their API server is too slow to
 * judge what they show.
 */
const first = ['e2e/guard/creation-race.test.ts', 'e2e/hostile/large-objects.test.ts'];
/** Node keeps compiled modules here between processes: a test file then starts with half the CPU. */
const compileCache = join(import.meta.dirname, '../node_modules/.cache/node-compile');
/** This number of the slowest files is listed at the end. */
const slowestShown = 10;

interface Result {
	file: string;
	passed: number;
	failed: number;
	seconds: number;
	output: string;
}

const { values, positionals } = parseArgs({
	allowPositionals: true,
	options: { jobs: { type: 'string', short: 'j' } },
});
const folder = import.meta.dirname;
const defaults = ['unit', 'e2e'].map((name) => join(folder, name));
const files = (positionals.length > 0 ? positionals : defaults).flatMap(testFiles).sort(byExpectedTime);
const results: Result[] = [];
const running = new Map<string, number>();
const children = new Set<ChildProcess>();
const startedMs = Date.now();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => endBySignal(signal));

const byStage = Map.groupBy(files, stageOf);
const alone = byStage.get(undefined) ?? [];
byStage.delete(undefined);
const busiest = first.map((file) => join(folder, file));
for (const file of busiest) statSync(file); // throws where it has another name by now
const ticker = setInterval(() => {
	const names = [...running].map(([file, sinceMs]) => `${name(file)} ${seconds(sinceMs)}s`);
	console.log(
		`... ${results.length}/${files.length} files, ${seconds(startedMs)}s; running: ${names.join(', ')}`,
	);
}, 15_000);
const lines = stageLines
	.map((line) => Object.entries(line).filter(([stage]) => byStage.has(stage)))
	.filter((line) => line.length > 0);
const jobs = Number(values.jobs ?? (lines.length > 0 ? 1 : defaultJobs));
for (const file of busiest) if (take(file)) await runFile(file);
await Promise.all([...Array.from({ length: jobs }, worker), ...lines.map(runLine)]);
clearInterval(ticker);

const passed = results.reduce((sum, result) => sum + result.passed, 0);
const failed = results.reduce((sum, result) => sum + result.failed, 0) + (files.length === 0 ? 1 : 0);
const slowest = results.toSorted((a, b) => b.seconds - a.seconds).slice(0, slowestShown);
console.log('\nslowest files:');
for (const { file, seconds } of slowest) console.log(`  ${String(seconds).padStart(4)}s ${name(file)}`);
const broken = results.filter(({ failed }) => failed > 0).map(({ file }) => `  ${name(file)}`);
if (broken.length > 0) console.log(['\nfiles with failures:', ...broken].join('\n'));
console.log(`\n${files.length} files in ${seconds(startedMs)}s`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

/** The stages of one line, and then what is left of the files that need none. */
async function runLine(line: [stage: string, jobs: number][]): Promise<void> {
	for (const [stage, jobs] of line) await runOnStage(stage, jobs, byStage.get(stage) ?? []);
	await worker();
}

async function worker(): Promise<void> {
	for (let file = alone.shift(); file; file = alone.shift()) await runFile(file);
}

/** Takes the file out of those that run alone; false: it is not among them. */
function take(file: string): boolean {
	const at = alone.indexOf(file);
	if (at >= 0) alone.splice(at, 1);
	return at >= 0;
}

async function runFile(file: string): Promise<void> {
	const sinceMs = begin(file);
	const { output, broken } = await inProcess([file], { withinMs: fileWithinMs });
	const count = (what: string) =>
		[...output.matchAll(new RegExp(`^\\s*${what}:\\s+(\\d+)`, 'gm'))].reduce(
			(sum, match) => sum + Number(match[1]),
			0,
		);
	const passed = count('Passed');
	const failed = count('Total') - passed - count('Skipped');
	// A file that crashes, or runs no test, counts as one failure more than it has reported.
	const failures = broken || count('Total') === 0 ? Math.max(1, failed) : failed;
	end({ file, passed, failed: failures, seconds: seconds(sinceMs), output });
}

/** Files of one stage in one process; a file whose end it has not reported has failed. */
async function runOnStage(stage: string, jobs: number, files: string[]): Promise<void> {
	const open = new Map<string, number>(files.map((file) => [file, Date.now()]));
	const onMessage = (message: StageMessage) => {
		const { file } = message;
		if (message.state === 'started') {
			open.set(file, begin(file));
			return;
		}
		const { passed, failed, output } = message;
		end({ file, passed, failed, output, seconds: seconds(open.get(file) ?? startedMs) });
		open.delete(file);
	};
	const args = [join(folder, 'stage.ts'), stage, String(jobs), ...files];
	const { output, broken } = await inProcess(args, { onMessage });
	for (const [file, sinceMs] of open) end({ file, passed: 0, failed: 1, seconds: seconds(sinceMs), output });
	if (broken && open.size === 0)
		end({ file: join(folder, 'stage.ts'), passed: 0, failed: 1, seconds: 0, output });
}

function inProcess(
	args: string[],
	options: { withinMs?: number; onMessage?: (message: StageMessage) => void },
): Promise<{ output: string; broken: boolean }> {
	return new Promise((resolve) => {
		const child = spawn(process.execPath, args, {
			stdio: ['ignore', 'pipe', 'pipe', options.onMessage ? 'ipc' : 'ignore'],
			env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0', NODE_COMPILE_CACHE: compileCache },
		});
		children.add(child);
		let output = '';
		const take = (chunk: Buffer) => (output += chunk);
		child.stdout?.on('data', take);
		child.stderr?.on('data', take);
		if (options.onMessage) child.on('message', options.onMessage);
		const { withinMs } = options;
		const timer = withinMs
			? setTimeout(() => {
					output += `\nkilled: not done within ${withinMs / 1000} s\n`;
					child.kill('SIGTERM'); // its own exit handlers end what it started
					setTimeout(() => child.kill('SIGKILL'), 10_000).unref();
				}, withinMs)
			: undefined;
		child.once('close', (code) => {
			clearTimeout(timer);
			children.delete(child);
			resolve({ output, broken: code !== 0 });
		});
	});
}

function begin(file: string): number {
	const sinceMs = Date.now();
	running.set(file, sinceMs);
	return sinceMs;
}

function end(result: Result): void {
	running.delete(result.file);
	results.push(result);
	const { file, passed, failed, seconds, output } = result;
	console.log(
		`${failed > 0 ? 'FAIL' : 'ok  '} ${name(file)}  ${passed} passed, ${failed} failed, ${seconds}s`,
	);
	if (failed > 0) console.log(`\n${output.trimEnd()}\n--- end of ${name(file)}\n`);
}

/** Ctrl-C in a terminal reaches the children too; a signal to this process alone is passed on. */
function endBySignal(signal: NodeJS.Signals): void {
	for (const child of children) child.kill(signal);
	process.kill(process.pid, signal);
}

function testFiles(path: string): string[] {
	if (statSync(path).isFile()) return [resolve(path)];
	return globSync('**/*.test.ts', { cwd: path }).map((file) => resolve(path, file));
}

/** Which stage a file shares, by the call in it. Throws where no line has that stage: the file would be left out. */
function stageOf(file: string): string | undefined {
	const stage = /\bstage\('(\w+)'\)/.exec(readFileSync(file, 'utf8'))?.[1];
	if (stage !== undefined && !stageLines.some((line) => stage in line))
		throw new Error(`${name(file)}: stage ${stage} is in no line of stageLines`);
	return stage;
}

/** End-to-end tests first, and long files before short ones: the last one to start should not be the longest. */
function byExpectedTime(a: string, b: string): number {
	const expected = (file: string) => (file.includes('/e2e/') ? 1_000_000 : 0) + statSync(file).size;
	return expected(b) - expected(a);
}

function name(file: string): string {
	return relative(join(folder, '..'), file);
}

function seconds(sinceMs: number): number {
	return Math.round((Date.now() - sinceMs) / 1000);
}

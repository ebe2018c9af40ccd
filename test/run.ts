/**
 * Runs test files, each in a process of its own, and sums their counts: `node test/run.ts [--jobs N] [FILE|FOLDER...]`.
 * Ends with `N passed, N failed`, and non-zero when anything failed, a file broke, or nothing was run.
 *
 * Most files time real processes, two files at once on two cores. One that fails is run again, alone, when all others are
 * done, and that run counts; what the first one said is shown all the same. A violated invariant is never tried again:
 * a job that is killed now and then is killed.
 */
import { spawn } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';

/** No file may take longer: a hang is a failure, not a wait for CI's own limit. */
const fileWithinMs = 8 * 60_000;
/** More failures than this are no coincidence. */
const mostAgain = 8;

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
const files = (await Promise.all((positionals.length > 0 ? positionals : [folder]).map(testFiles)))
	.flat()
	.sort();
const results: Result[] = [];
const running = new Map<string, number>();
const startedMs = Date.now();
const waiting = [...files];

const ticker = setInterval(() => {
	const names = [...running].map(([file, sinceMs]) => `${name(file)} ${seconds(sinceMs)}s`);
	console.log(
		`... ${results.length}/${files.length} files, ${seconds(startedMs)}s; running: ${names.join(', ')}`,
	);
}, 15_000);
await Promise.all(Array.from({ length: Number(values.jobs ?? availableParallelism()) }, worker));
const unsure = results.filter(({ failed, output }) => failed > 0 && !output.includes('invariant violated'));
const late = unsure.length <= mostAgain ? unsure : [];
for (const { file, output } of late) {
	console.log(`\n--- ${name(file)} failed, and is run again alone. It said:\n${output.trimEnd()}\n`);
	results.splice(
		results.findIndex((result) => result.file === file),
		1,
	);
	waiting.push(file);
	await worker();
}
clearInterval(ticker);

const failures = results.filter((result) => result.failed > 0);
for (const { file, output } of failures) console.log(`\n--- ${name(file)}\n${output.trimEnd()}`);
const passed = results.reduce((sum, result) => sum + result.passed, 0);
const failed = results.reduce((sum, result) => sum + result.failed, 0) + (files.length === 0 ? 1 : 0);
if (late.length > 0) console.log(`\nrun twice: ${late.map(({ file }) => name(file)).join(', ')}`);
console.log(`\n${files.length} files in ${seconds(startedMs)}s`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

async function worker(): Promise<void> {
	for (let file = waiting.shift(); file; file = waiting.shift()) {
		running.set(file, Date.now());
		const result = await run(file);
		running.delete(file);
		results.push(result);
		const mark = result.failed > 0 ? 'FAIL' : 'ok  ';
		console.log(
			`${mark} ${name(file)}  ${result.passed} passed, ${result.failed} failed, ${result.seconds}s`,
		);
	}
}

function run(file: string): Promise<Result> {
	const sinceMs = Date.now();
	return new Promise((resolve) => {
		const child = spawn(process.execPath, [file], {
			stdio: ['ignore', 'pipe', 'pipe'],
			env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' },
		});
		let output = '';
		const take = (chunk: Buffer) => (output += chunk);
		child.stdout.on('data', take);
		child.stderr.on('data', take);
		const timer = setTimeout(() => {
			output += `\nkilled: not done within ${fileWithinMs / 1000} s\n`;
			child.kill('SIGTERM'); // its own exit handlers end what it started
			setTimeout(() => child.kill('SIGKILL'), 10_000).unref();
		}, fileWithinMs);
		child.once('close', (code) => {
			clearTimeout(timer);
			const count = (what: string) =>
				[...output.matchAll(new RegExp(`^\\s*${what}:\\s+(\\d+)`, 'gm'))].reduce(
					(sum, match) => sum + Number(match[1]),
					0,
				);
			const passed = count('Passed');
			// A file that ends badly, or runs no test, is one failure more than those it told of.
			const broken = code !== 0 || count('Total') === 0;
			const failed = count('Total') - passed - count('Skipped');
			resolve({
				file,
				passed,
				failed: broken ? Math.max(1, failed) : failed,
				seconds: seconds(sinceMs),
				output,
			});
		});
	});
}

async function testFiles(path: string): Promise<string[]> {
	if ((await stat(path)).isFile()) return [path];
	const entries = await readdir(path, { recursive: true, withFileTypes: true });
	return entries
		.filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
		.map((entry) => join(entry.parentPath, entry.name));
}

function name(file: string): string {
	return relative(join(folder, '..'), file);
}

function seconds(sinceMs: number): number {
	return Math.round((Date.now() - sinceMs) / 1000);
}

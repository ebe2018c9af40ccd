/**
 * Runs test files that share a stage (rig/stage.ts) in this one process, several at a time: `node test/stage.ts STAGE
 * JOBS FILE...`. Started by run.ts, to which it reports the result of each file by IPC.
 */
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';
import { endStages, keepStages, prepareStage, type StageName } from './rig/stage.ts';
import { currentFile, type RunningFile } from './support/current-file.ts';

/** What is sent to run.ts. */
export type StageMessage =
	| { file: string; state: 'started' }
	| { file: string; state: 'done'; passed: number; failed: number; output: string };

/** What uvu keeps per suite: resolves with its errors and how many tests passed, were left out, and are there. */
type Suite = () => Promise<[errors: string | true, passed: number, skipped: number, total: number]>;

/** No file may take longer: the others go on, and this one has failed. */
const fileWithinMs = 8 * 60_000;

// uvu then only collects the suites of each file, in the entry of UVU_QUEUE that UVU_INDEX names.
const uvu = globalThis as unknown as {
	UVU_DEFER: boolean;
	UVU_INDEX: number;
	UVU_QUEUE: (string | Suite)[][];
};
Object.assign(uvu, { UVU_DEFER: true, UVU_QUEUE: [], UVU_INDEX: 0 });

let importing: Promise<unknown> = Promise.resolve();
const [stage, jobs, ...files] = process.argv.slice(2);
for (const stream of [process.stdout, process.stderr]) keepOutputByFile(stream);
process.on('unhandledRejection', (error) => {
	console.error('a promise that no test waits for was rejected:', error);
	process.exitCode = 1;
});

keepStages();
await prepareStage(stage as StageName);
const waiting = [...files];
await Promise.all(Array.from({ length: Number(jobs) }, worker));
await endStages();
// What a failed file has left open (a watch, a socket) must not keep this process running.
process.once('disconnect', () => process.exit());
process.disconnect?.();

async function worker(): Promise<void> {
	for (let file = waiting.shift(); file; file = waiting.shift()) {
		tell({ file, state: 'started' });
		const running: RunningFile = { output: '', cleanUpFailed: false };
		const counts = await currentFile.run(running, () => run(file, running));
		tell({ file, state: 'done', ...counts, output: running.output });
	}
}

async function run(file: string, running: RunningFile): Promise<{ passed: number; failed: number }> {
	const counts = { passed: 0, failed: 0 };
	let timer: NodeJS.Timeout | undefined;
	const tooLong = new Promise<never>((_, reject) => {
		timer = setTimeout(
			() => reject(new Error(`${basename(file)} is not done within ${fileWithinMs / 1000} s`)),
			fileWithinMs,
		);
	});
	try {
		await Promise.race([tooLong, runSuites(await suitesOf(file), counts)]);
	} catch (error) {
		console.error(error);
		counts.failed++;
	}
	clearTimeout(timer);
	if (running.cleanUpFailed || counts.passed + counts.failed === 0) counts.failed++;
	return counts;
}

async function runSuites(suites: Suite[], counts: { passed: number; failed: number }): Promise<void> {
	for (const suite of suites) {
		const [errors, passed, , total] = await suite();
		if (errors !== true) console.error(`\n${errors}`);
		counts.passed += passed;
		counts.failed += total - passed;
	}
}

/** The suites that a file declares. One import at a time: uvu has one place for the file at hand. */
function suitesOf(file: string): Promise<Suite[]> {
	const next = importing.then(async () => {
		const index = uvu.UVU_QUEUE.push([]) - 1;
		uvu.UVU_INDEX = index;
		await import(pathToFileURL(file).href);
		return uvu.UVU_QUEUE[index] as Suite[];
	});
	importing = next.catch(() => {});
	return next;
}

function tell(message: StageMessage): void {
	process.send?.(message);
}

/** What a file prints goes to that file's output, not between the lines of another. */
function keepOutputByFile(stream: NodeJS.WriteStream): void {
	const write = stream.write.bind(stream);
	stream.write = ((chunk: string | Uint8Array, ...more: unknown[]) => {
		const file = currentFile.getStore();
		if (!file) return (write as (...all: unknown[]) => boolean)(chunk, ...more);
		file.output += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
		return true;
	}) as typeof stream.write;
}

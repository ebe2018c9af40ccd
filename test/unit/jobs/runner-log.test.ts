import * as assert from 'uvu/assert';
import { loggedMs, readInPieces, readRunnerLog } from '../../../admission/jobs/rules/runner-log.ts';
import { suite } from '../../support/suite.ts';

const test = suite('runner-log');

const start = `
√ Connected to GitHub

Current runner version: '2.330.0'
2026-11-26 15:22:23Z: Listening for Jobs
`;
const works = `${start}2026-11-26 15:23:00Z: Running job: build (amd64, 1)\n`;
const says = (text: string) => readRunnerLog(text, true);

test('a runner that listens is idle, one that has been given a job works', () => {
	assert.equal(says(start), { says: 'idle', at: '2026-11-26 15:22:23Z' });
	assert.equal(says(works), { says: 'works', at: '2026-11-26 15:23:00Z', job: 'build (amd64, 1)' });
});

test('after its job it is idle, whatever the result was', () => {
	for (const result of ['Succeeded', 'Failed', 'Canceled'])
		assert.is(
			says(`${works}2026-11-26 15:24:00Z: Job build (amd64, 1) completed with result: ${result}\n`).says,
			'idle',
		);
});

test('a line of the worker means that it works, and the job before it is named', () => {
	const noisy = `${works}[RUNNER 2026-11-26 15:23:01Z INFO JobDispatcher] x\n[WORKER 2026-11-26 15:23:02Z INFO Worker] y\n`;
	assert.equal(says(noisy), { says: 'works', at: '2026-11-26 15:23:00Z', job: 'build (amd64, 1)' });
	const last = '[WORKER 2026-11-26 15:23:02Z INFO Worker] only this is left\n';
	assert.equal(says(last), { says: 'works', at: undefined, job: undefined });
	assert.is(says(`${start}${last}`).says, 'works');
	const long = `${works}${'[WORKER 2026-11-26 15:23:02Z INFO Worker] y\n'.repeat(5_000)}`;
	assert.equal(says(long), { says: 'works', at: '2026-11-26 15:23:00Z', job: 'build (amd64, 1)' });
});

test('a job without a name is a job all the same', () => {
	const nameless = `${start}2026-11-26 15:23:00Z: Running job:  \n`;
	assert.equal(says(nameless), { says: 'works', at: '2026-11-26 15:23:00Z', job: undefined });
	const worker = `${nameless}[WORKER 2026-11-26 15:23:02Z INFO Worker] y\n`;
	assert.equal(says(worker), { says: 'works', at: '2026-11-26 15:23:00Z', job: undefined });
});

const job = '2026-11-26 15:23:00Z: Running job: build';
const end = '2026-11-26 15:24:00Z: Job build completed with result: Succeeded';
const clean = { says: 'works', at: '2026-11-26 15:23:00Z', job: 'build' };

test('whatever stands in a job’s name, its start is a start and its end an end', () => {
	const separators = ['\u2028', '\u2029', '\r', '\u0085', '\v', '\f', '\u001b[31m'];
	for (const separator of separators) {
		const name = `a${separator}b`;
		const started = `${start}2026-11-26 15:23:00Z: Running job: ${name}\n`;
		const reading = says(started);
		assert.is(reading.says, 'works', JSON.stringify(name));
		assert.ok(!('unclear' in reading));
		assert.is(
			says(`${started}2026-11-26 15:24:00Z: Job ${name} completed with result: Failed\n`).says,
			'idle',
		);
		// What a terminal shows as a line of its own is none.
		const forged = `${start}2026-11-26 15:23:00Z: Running job: a${separator}2026-11-26 15:23:01Z: Listening for Jobs\n`;
		assert.is(says(forged).says, 'works', JSON.stringify(forged));
	}
	assert.equal(says(`${start}2026-11-26 15:23:00Z: Running job: a\u2028\u001b]0;b\n`), {
		...clean,
		job: 'a ?]0;b',
	});
	const long = says(`${start}2026-11-26 15:23:00Z: Running job: ${'x'.repeat(100_000)}\n`);
	assert.is(long.says === 'works' && long.job?.length, 200);
});

test('a terminal (tty: true): its line ends, colours and modes are no part of a line', () => {
	const tty = (text: string) => `\u001b[?1h\u001b=${text.replaceAll('\n', '\r\n')}`;
	assert.is(says(tty(start)).says, 'idle');
	assert.equal(says(tty(`${start}${job}\n`)), clean);
	assert.equal(says(`${start}\u001b[?1h\u001b=${job}\r\r\n`), clean);
	assert.equal(says(`${start}\u001b(B\u001b[1;32m${job}\u001b[0m\r\n`), clean);
	assert.is(says(`${start}${job}\r\n\u001b[32m${end}\u001b[m\r\n`).says, 'idle');
	const worker = `${start}${job}\r\n[WORKER 2026-11-26 15:23:02Z INFO Worker] y\r\n`;
	assert.equal(says(worker), clean);
});

test('a start that is not a whole line is a start, and says that it is unclear', () => {
	const unclear = { ...clean, unclear: true };
	const prefixes = [
		'downloading 98 %',
		'50 %\r',
		'[entrypoint] ',
		'2026-11-26T15:23:00.1Z stdout F ',
		'\u001b[',
		'\u001b(',
	];
	for (const prefix of prefixes) {
		assert.equal(says(`${start}${prefix}${job}\n`), unclear, JSON.stringify(prefix));
		assert.equal(says(`${start}${prefix}${job}`), unclear);
	}
	const worker = `${start}[entrypoint] [WORKER 2026-11-26 15:23:02Z INFO Worker] y\n`;
	assert.equal(says(worker), { says: 'works', at: '2026-11-26 15:22:23Z', job: undefined, unclear: true });
	// The runner's trace repeats a line before it prints it.
	const trace = `[RUNNER 2026-11-26 15:23:00Z INFO Terminal] WRITE LINE: ${job}\n`;
	assert.equal([says(`${start}${trace}`), says(`${start}${trace}${job}\n`)], [unclear, clean]);
});

test('an end that is not a whole line ends nothing, and hides what was before it', () => {
	const why = 'the last line of the runner in its log is not whole';
	for (const last of [end, '2026-11-26 15:24:00Z: Listening for Jobs']) {
		for (const before of [start, `${start}x${job}\n`, ''])
			assert.equal(says(`${before}[entrypoint] ${last}\n`), { says: 'unknown', why, further: true });
		assert.equal(says(`${start}${job}\n[entrypoint] ${last}\n`), { ...clean, unclear: true });
	}
	assert.is(says(`${start}${job}\nx${end}\n${end}\n`).says, 'idle');
	const trailing = `${start}${job}\n${end}\n[WORKER 2026-11-26 15:24:02Z INFO Worker] y\n`;
	assert.equal(says(trailing), { says: 'works', at: '2026-11-26 15:24:00Z', job: undefined, unclear: true });
	assert.is(says(`${trailing}${end}\n`).says, 'idle');
});

test('what a kubelet writes in place of a log, or after a part of it, is no log', () => {
	for (const message of [
		'unable to retrieve container logs for containerd://0a1b',
		'failed to try resolving symlinks in path "/var/log/pods/x/0.log": lstat: no such file or directory',
		'failed to read log file "/var/log/pods/x/0.log": input/output error',
		'rpc error: code = Unavailable desc = connection error',
	])
		for (const text of [message, `${message}\n`, `${start}${message}`]) {
			const reading = says(text);
			assert.equal(reading, { says: 'unknown', why: `its log cannot be read: ${message}`, unreadable: true });
		}
	// A runner that works is not idle because its log breaks off.
	assert.equal(says(`${start}${job}\nunable to retrieve container logs for containerd://0a1b`), clean);
	assert.is(
		says('unable to retrieve container logs for x\n2026-11-26 15:24:00Z: Listening for Jobs\n').says,
		'idle',
	);
	// In the middle of a log it is a line of somebody's.
	assert.equal(says('a line\nrpc error: code = x\n').says, 'unknown');
	assert.not('unreadable' in says('a line\nrpc error: code = x\n'));
});

test('a log of 4 MiB is read in milliseconds, whatever stands in it', () => {
	const mostBytes = 4 * 1024 * 1024 - 1;
	const fill = (part: string) => part.repeat(Math.ceil(mostBytes / part.length)).slice(0, mostBytes);
	const parts = [
		'x',
		'\n',
		'\r',
		'\r\n',
		' ',
		'\u001b[',
		'\u001b[0',
		`\u001b[${'0'.repeat(1_000)}`,
		'Running job:\n',
		'Running job:',
		'2026-11-26 15:23:00Z: Job ',
		' completed with result: ',
		' completed with result: x\n',
		`2026-11-26 15:23:00Z: Job x completed with result: `,
		'2026-11-26 15:23:00Z: Job x completed with result: a b\n',
		'[WORKER \n',
		'[WORKER ',
		'Listening for Jobs',
		'2026-11-26 15:23:0',
	];
	const took = parts.map((part) => {
		const reading = readInPieces(fill(part), true);
		const slices: number[] = [];
		for (let isDone: boolean | undefined = false; !isDone; ) {
			// CPU time: a busy machine lets this process wait.
			const before = process.cpuUsage();
			isDone = reading.next().done;
			slices.push(process.cpuUsage(before).user / 1_000);
		}
		const whole = slices.reduce((sum, ms) => sum + ms, 0);
		return { part: part.slice(0, 60), slowest: Math.max(...slices), whole, times: slices.length };
	});
	if (process.env.FIGURES) console.table(took);
	// Goals: 10 ms at a time and 150 ms in all; a machine may be ten times as slow, and a quadratic reading takes minutes.
	assert.equal(
		took.filter(({ slowest, whole }) => slowest > 100 || whole > 1_500),
		[],
	);
});

test('a piece ends somewhere: what a line says does not depend on where', () => {
	const line = (length: number, rest: string) => `${'x'.repeat(length - rest.length)}${rest}`;
	for (const rest of [job, `${job}\u2028`])
		for (let length = 32 * 1024 - 60; length < 32 * 1024 + 60; length += 3) {
			for (const after of ['', 'y'.repeat(20), 'y'.repeat(32 * 1024 - 10)])
				assert.is(says(`${start}${line(length, rest)}${after}\n`).says, 'works', `${length} ${after.length}`);
			assert.is(says(`${start}${'z'.repeat(length - 1)}\n`).says, 'idle');
			assert.is(says(`${'z'.repeat(length - 1)}\n${start}${'z'.repeat(length - 100)}\n`).says, 'idle');
		}
	for (let more = -3; more <= 3; more++) {
		const reading = says(`${start}x${job}${'.'.repeat(32 * 1024 - job.length - 1 + more)}\n`);
		assert.ok(reading.says === 'works' && reading.unclear, `${more}`);
	}
	for (let dots = 32_500; dots < 32_630; dots += 7)
		assert.is(says(`${works}${end}${'y'.repeat(200)}${'.'.repeat(dots)}\n`).says, 'works', `${dots}`);
	// The end of a long line is no line, and neither is its beginning.
	for (let length = 40; length < 140; length++) {
		assert.is(says(`${works}${'x'.repeat(32 * 1024)}${end.padEnd(length)}`.trimEnd()).says, 'works');
		assert.is(says(`${works}${'x'.repeat(32 * 1024 - length)}${end}\n`).says, 'works');
		assert.is(says(`${works}${'x'.repeat(7)}${end}${'.'.repeat(32 * 1024 - length)}\n`).says, 'works');
		assert.is(says(`${works}${end}${'.'.repeat(32 * 1024 - length)}\n`).says, 'works');
	}
});

test('what is no line of the runner tells nothing', () => {
	for (const text of ['', 'hello\n', ' 2026-11-26 15:22:23Z: Listening for Jobs\n', 'Listening for Jobs\n'])
		assert.is(says(text).says, 'unknown', JSON.stringify(text));
	assert.is(says(`${works}echo 2026-11-26 15:24:00Z: Listening for Jobs\n`).says, 'works');
	assert.is(says(works.replaceAll('\n', '\r\n')).says, 'works');
});

test('the time of a line, by the runner’s clock', () => {
	const at = (text: string | undefined) => loggedMs({ says: 'works', at: text, job: undefined });
	assert.is(at('2026-11-26 15:23:00Z'), Date.parse('2026-11-26T15:23:00Z'));
	assert.equal([at('2026-13-45 15:23:00Z'), at(undefined)], [undefined, undefined]);
	assert.is(loggedMs({ says: 'unknown', why: '' }), undefined);
});

test('a log that was not read to its end tells nothing', () => {
	assert.is(readRunnerLog(start, false).says, 'unknown');
});

test.run();

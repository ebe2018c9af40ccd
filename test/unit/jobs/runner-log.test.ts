import * as assert from 'uvu/assert';
import { loggedMs, readRunnerLog } from '../../../admission/jobs/rules/runner-log.ts';
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
	assert.equal(says(noisy), { says: 'works', at: undefined, job: 'build (amd64, 1)' });
	const last = '[WORKER 2026-11-26 15:23:02Z INFO Worker] only this is left\n';
	assert.equal(says(last), { says: 'works', at: undefined, job: undefined });
	assert.is(says(`${start}${last}`).says, 'works');
});

test('a job without a name is a job all the same', () => {
	const nameless = `${start}2026-11-26 15:23:00Z: Running job:  \n`;
	assert.equal(says(nameless), { says: 'works', at: '2026-11-26 15:23:00Z', job: undefined });
	const worker = `${nameless}[WORKER 2026-11-26 15:23:02Z INFO Worker] y\n`;
	assert.equal(says(worker), { says: 'works', at: undefined, job: undefined });
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

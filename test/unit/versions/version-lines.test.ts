/** Lines as actions/runner prints them, of the issues in its repository. */
import * as assert from 'uvu/assert';
import { isOlder, readVersionLines } from '../../../admission/versions/rules/version-lines.ts';
import { suite } from '../../support/suite.ts';

const test = suite('version-lines');

const listening = `
√ Connected to GitHub

Current runner version: '2.320.0'
2026-11-26 15:22:23Z: Listening for Jobs
`;
const end = `Runner listener exit with terminated error, stop the service, no retry needed.
Exiting runner...
`;

test('a runner that listens says its version, and is not refused', () => {
	assert.equal(readVersionLines(listening), { version: '2.320.0', refused: false });
	assert.equal(readVersionLines(''), { version: undefined, refused: false });
});

test('each form in which runners have said that GitHub refuses them', () => {
	for (const line of [
		'An error occurred: Runner version v2.320.0 is deprecated and cannot receive messages.',
		'An error occured: Runner version v2.320.0 is deprecated and cannot receive messages.',
		'An error occurred: Error: Forbidden Runner version v2.320.0 is deprecated and cannot receive messages.',
		'An error occured: Error: Forbidden Runner version v2.320.0 is deprecated and cannot receive messages.',
	])
		for (const text of [`${line}\n`, `${listening}${line}\n${end}`, `${listening}${line}\r\n`])
			assert.equal(readVersionLines(text), { version: '2.320.0', refused: true }, text);
});

test('it counts only as a whole line', () => {
	for (const line of [
		'echo An error occurred: Runner version v2.320.0 is deprecated and cannot receive messages.',
		'An error occurred: Runner version v2.320.0 is deprecated and cannot receive messages. Not.',
		'2026-11-26 15:23:00Z: Running job: An error occurred: Runner version v2.320.0 is deprecated and cannot receive messages.',
		`An error occurred: Runner version v${'9'.repeat(50)}.0.0 is deprecated and cannot receive messages.`,
	])
		assert.is(readVersionLines(`${listening}${line}\n`).refused, false, line);
});

test('a runner that was refused and has updated itself is not refused; one that tries again and again is', () => {
	const refused = `${listening}An error occurred: Runner version v2.320.0 is deprecated and cannot receive messages.\n`;
	assert.equal(readVersionLines(refused + listening.replace('2.320.0', '2.336.0')), {
		version: '2.336.0',
		refused: false,
	});
	assert.equal(readVersionLines(refused + listening), { version: '2.320.0', refused: true });
});

test('versions are compared number by number', () => {
	assert.equal(
		[
			isOlder('2.9.0', '2.10.0'),
			isOlder('2.10.0', '2.9.0'),
			isOlder('2.9.0', '2.9.0'),
			isOlder('2.9.9', '3.0.0'),
		],
		[true, false, false, true],
	);
});

test('a megabyte of such lines is read within a second', () => {
	const began = performance.now();
	readVersionLines("Current runner version: '2.320.0'\n".repeat(4_000));
	readVersionLines(`An error occurred: ${'Runner version v'.repeat(8_000)}`);
	assert.ok(performance.now() - began < 1_000);
});

test.run();

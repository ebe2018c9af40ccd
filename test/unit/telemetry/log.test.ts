/** The text format of the log is for people, and everything in it may come from an unauthenticated caller. */

import * as assert from 'uvu/assert';
import { createLog } from '../../../admission/telemetry/log.ts';
import { suite } from '../../support/suite.ts';

const test = suite('log');

function written(format: 'json' | 'text', facts: object, message: string): string {
	const write = process.stderr.write;
	let text = '';
	process.stderr.write = ((chunk: string) => {
		text += chunk;
		return true;
	}) as typeof process.stderr.write;
	try {
		createLog('info', format).warn(facts, message);
	} finally {
		process.stderr.write = write;
	}
	return text;
}

test('text: key=value, on one line whatever an annotation says', () => {
	const line = written(
		'text',
		{ pod: 'ci/a', why: 'x\n12:00:00.000 INFO all is well\u001b[2J' },
		'break-glass',
	);
	assert.match(
		line,
		/^\d\d:\d\d:\d\d\.\d{3} WARN break-glass pod=ci\/a why="x\\n12:00:00\.000 INFO all is well\\u001b\[2J"\n$/,
	);
});

test('text: nothing that steers a terminal, quoted or not', () => {
	const line = written('text', { runner: 'a\u009b31m', users: ['\u009b2J\u202e'] }, 'denied');
	assert.match(line, / denied runner="a\?31m" users=\["\?2J\?"\]\n$/);
});

test('json: one object a line', () => {
	const line = written('json', { why: 'x\n{"level":"error"}' }, 'break-glass');
	assert.is(line.split('\n').length, 2);
	assert.is(JSON.parse(line).why, 'x\n{"level":"error"}');
});

test.run();

import { load } from 'js-yaml';
import * as assert from 'uvu/assert';
import { printable } from '../../../../admission/api/printable.ts';
import { atMostThreeLines } from '../../../../plugin/errors.ts';
import { ageSince } from '../../../../plugin/print/age.ts';
import { toYaml } from '../../../../plugin/print/data.ts';
import { Progress, type Screen } from '../../../../plugin/print/progress.ts';
import { columnWidths, table } from '../../../../plugin/print/table.ts';
import { suite } from '../../../support/suite.ts';

const test = suite('plugin: print');

test('an age without a timestamp is unknown', () => {
	assert.is(ageSince(undefined, 0), '<unknown>');
	assert.is(ageSince('1970-01-01T00:00:00Z', 90_000), '90s');
});

test('a table is padded with three spaces, without any after the last column', () => {
	const rows = [
		['NAME', 'STATE', 'AGE'],
		['a', 'idle', '5m'],
		['longer-name', 'busy', '10s'],
	];
	assert.is(table(rows), 'NAME          STATE   AGE\na             idle    5m\nlonger-name   busy    10s\n');
	assert.is(table([['a', 'b', 'c']], columnWidths(rows)), 'a             b       c\n');
	assert.is(table([]), '');
});

test('YAML reads back as what was written', () => {
	const value = {
		text: 'plain',
		colon: 'a: b',
		url: 'https://example.com:8443/x',
		image: 'summerwind/actions-runner:latest',
		strings: [
			'yes',
			'no',
			'null',
			'~',
			'1',
			'1.5',
			'0x10',
			'2026-11-23',
			'',
			' lead',
			'trail ',
			'- dash',
			'#c',
			'=',
			'<<',
		],
		multi: 'one\ntwo\n',
		unicode: 'ü €',
		number: 1.5,
		big: 9_007_199_254_740_991,
		flag: false,
		nothing: null,
		empty: { object: {}, list: [] },
		list: [{ name: 'a', env: [{ name: 'X', value: '1' }] }, ['nested', ['deeper']], []],
		'key with: colon': 1,
		left: undefined,
	};
	const { left: _, ...kept } = value;
	assert.equal(load(toYaml(value)), kept);
	assert.equal(load(toYaml([])), []);
	assert.equal(load(toYaml('x')), 'x');
});

test('control characters from the cluster do not reach the terminal', () => {
	assert.is(printable('build\u001b[2J\n\u009b'), 'build?[2J ?');
	assert.is(printable('ünïcode stays'), 'ünïcode stays');
});

test('an error is at most three lines', () => {
	assert.is(atMostThreeLines('a\n\nb\nc\n'), 'a\nb\nc');
	assert.is(atMostThreeLines('a\nb\nc\nd'), 'a\nb\nc ...');
});

function screen(redraws: boolean): { screen: Screen; written: string[] } {
	const written: string[] = [];
	return {
		written,
		screen: { redraws, columns: () => 40, rows: () => 5, write: (text) => written.push(text) },
	};
}

test('progress in a pipe: a line when its text or detail changes, not when time passes; no control sequences', () => {
	const { screen: pipe, written } = screen(false);
	const progress = new Progress(pipe);
	const since = (seconds: number) => Date.now() - seconds * 1000 - 500;
	progress.waiting('a', { text: 'waiting for a: busy', sinceMs: since(90) });
	progress.waiting('a', { text: 'waiting for a: busy', sinceMs: since(95) });
	progress.waiting('b', { text: 'quiet', redrawnOnly: true });
	progress.waiting('a', { text: 'waiting for a: busy', sinceMs: since(720), detail: 'build\u001b[2J' });
	progress.waiting('a', { text: 'waiting for a', detail: 'GitHub does not answer' });
	progress.say('done');
	progress.settled('a');
	progress.close();
	assert.equal(written, [
		'waiting for a: busy for 90s\n',
		'waiting for a: busy for 12m: build?[2J\n',
		'waiting for a: GitHub does not answer\n',
		'done\n',
	]);
});

/** Up one line, to its start, and everything below wiped. */
const erase = '\u001b[1A\r\u001b[J';

test('progress on a terminal: redrawn in place, at most five times a second, cut to the width', async () => {
	const { screen: terminal, written } = screen(true);
	const progress = new Progress(terminal);
	const startedAtMs = performance.now();
	for (let change = 0; change < 100; change++) {
		progress.waiting('a', { text: `change ${change} ${'x'.repeat(60)}` });
		await new Promise((resolve) => setTimeout(resolve, 5));
	}
	const draws = written.length;
	const tookMs = performance.now() - startedAtMs;
	const most = Math.ceil(tookMs / 200) + Math.floor(tookMs / 1000); // changes, and ages that move by themselves
	assert.ok(draws >= 2 && draws <= most, `${draws} draws in ${tookMs} ms`);
	const lines = written.flatMap((text) => text.replace(erase, '').split('\n'));
	assert.ok(lines.every((line) => line.length < 40));
	progress.say('a line that stays');
	assert.is(written.at(-2), `${erase}a line that stays\n`);
	progress.close();
	assert.is(written.at(-1), erase);
});

test('progress on a terminal: never more lines than the screen has', () => {
	const { screen: terminal, written } = screen(true);
	const progress = new Progress(terminal);
	for (const key of ['a', 'b', 'c', 'd', 'e']) progress.waiting(key, { text: key });
	progress.say('x');
	assert.is(written.at(-1), 'a\nb\n... and 3 more\n');
	progress.close();
});

test.run();

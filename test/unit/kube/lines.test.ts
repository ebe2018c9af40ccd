import * as assert from 'uvu/assert';
import { LineReader } from '../../../admission/kube/lines.ts';
import type { Skimmed } from '../../../admission/kube/skim.ts';
import { fastestMs } from '../../support/own-time.ts';
import { suite } from '../../support/suite.ts';

const test = suite('lines of an answer');

const chunkBytes = 16 * 1024;
const chunks = (text: string, size = chunkBytes) => {
	const bytes = Buffer.from(text);
	return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
		bytes.subarray(index * size, (index + 1) * size),
	);
};

function read(text: string, options: { size?: number; longestLine?: number } = {}): string[] {
	const lines: string[] = [];
	const { size, ...rest } = options;
	const reader = new LineReader({ onLine: (line) => lines.push(line), ...rest });
	for (const chunk of chunks(text, size)) reader.push(chunk);
	return lines;
}

test('lines are the same however the text is cut; what has no end is no line', () => {
	const text = 'one\n\nzwölf\r\n€\nrest';
	for (let size = 1; size <= text.length + 4; size++)
		assert.equal(read(text, { size }), ['one', 'zwölf\r', '€'], `parts of ${size} bytes`);
});
test('of a longer line only the start is kept, in one part or in many', () => {
	for (const size of [1, 3, 100])
		assert.equal(read('1234567890\nab\n', { size, longestLine: 4 }), ['1234', 'ab']);
});
test('a longer line of JSON is named, whatever it holds, and the next line is read', () => {
	const event = { type: 'MODIFIED', object: { metadata: { name: 'a' }, spec: '\\"}<'.repeat(100) } };
	const text = `${JSON.stringify(event)}\n{"type":"BOOKMARK"}\n`;
	for (const size of [1, 7, 10_000]) {
		const [lines, skimmed]: [string[], Skimmed<unknown>[]] = [[], []];
		const reader = new LineReader({
			onLine: (line) => lines.push(line),
			longestLine: 50,
			long: {
				kept: { type: true, object: { metadata: { name: true } } },
				onSkimmed: (document) => skimmed.push(document),
			},
		});
		for (const chunk of chunks(text, size)) reader.push(chunk);
		assert.equal(lines, ['{"type":"BOOKMARK"}']);
		const value = { type: 'MODIFIED', object: { metadata: { name: 'a' } } };
		assert.equal(skimmed, [{ value, whole: true }]);
	}
});
test('a line is joined once: one of 16 MiB takes no longer for each byte than one of 2 MiB', () => {
	const perMib = (mib: number) => {
		const parts = chunks(`${'x'.repeat(mib * 1024 * 1024)}\n`);
		return (
			fastestMs(5, () => {
				const reader = new LineReader({ onLine: () => {} });
				for (const part of parts) reader.push(part);
			}) / mib
		);
	};
	const [short, long] = [perMib(2), perMib(16)];
	assert.ok(
		long < 4 * short + 0.5,
		`${long.toFixed(2)} ms for a MiB, and ${short.toFixed(2)} of a short line`,
	);
});

test.run();

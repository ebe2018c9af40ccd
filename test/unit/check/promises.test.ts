/** What counts as a citation of docs/scenarios.md and docs/invariants.md, and as the name of a test. */
import * as assert from 'uvu/assert';
import { idsOf, printRow, rowOf, shownCell, testNames } from '../../../scripts/check/promises.ts';
import { suite } from '../../support/suite.ts';

const test = suite('promises');

test('ids are cited in brackets, alone or in a list; invariants by that word', () => {
	assert.equal(idsOf('is refused (A1), and goes later (A3, invariant 5).'), ['A1', 'A3', 'invariant 5']);
	assert.equal(idsOf('many deletions (A14 to A16)'), ['A14', 'A16']);
	assert.equal(idsOf('invariants 1 to 5 and 8'), ['invariant 1', 'invariant 5', 'invariant 8']);
});

test('what only looks like an id is none', () => {
	for (const text of [
		'HTTP/2 (H2C)',
		'X.509',
		'H2 without brackets',
		'(S1-S4)',
		'(the A1 of a road)',
		'(B, L)',
	])
		assert.equal(idsOf(text), [], text);
});

test('the name of a test is the first argument of a call or the first cell of a row, not a message', () => {
	const source = [
		"test('one (A1)', () => {});",
		'test(`two (A2)`, () => {});',
		"\t['three (A3)', 'allow'],",
		"assert.is(a, b, 'a message (A4)');",
	].join('\n');
	assert.equal(testNames(source).flatMap(idsOf), ['A1', 'A2', 'A3']);
});

test('a row names one end-to-end test and one unit test, without their ids', () => {
	const row = rowOf('| A1 | A promise. | |');
	assert.equal(row, { id: 'A1', promise: 'A promise.', shownBy: '' });
	const shownBy = shownCell([
		{ file: 'test/e2e/x.test.ts', name: `\${kind} at \${set.size} | more (A1)` },
		{ file: 'test/e2e/y.test.ts', name: 'another (A1)' },
		{ file: 'test/unit/z.test.ts', name: 'unit (A1)' },
	]);
	assert.is(
		printRow({ ...row!, shownBy }),
		'| A1 | A promise. | [e2e/x](../test/e2e/x.test.ts): KIND at … \\| more<br>[unit/z](../test/unit/z.test.ts): unit |',
	);
	assert.is(rowOf('| reason | what it means |'), undefined);
	assert.is(rowOf('| 5 | Holds. | x |')?.id, 'invariant 5');
});

test.run();

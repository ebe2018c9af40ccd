/** Which exports `make check` finds to be used by their own file alone. */
import * as assert from 'uvu/assert';
import { allExports } from '../../../scripts/check/unused-exports.ts';
import { suite } from '../../support/suite.ts';

const test = suite('exports');

/** The unused ones, as `file:line name`. */
function unused(texts: Record<string, string>): string[] {
	return allExports(new Map(Object.entries(texts))).unused.map(
		({ file, line, name }) => `${file}:${line} ${name}`,
	);
}

test('an export that no other file imports is found, whatever it is', () => {
	const text = [
		'export const a = 1;',
		'export async function b() {}',
		'export abstract class C {}',
		'export interface D {}',
		'export type E = D;',
		"export { f, g as h } from './other.ts';",
	].join('\n');
	assert.equal(unused({ 'x/a.ts': text, 'x/other.ts': 'export const f = 1, g = 2;' }), [
		'x/a.ts:1 a',
		'x/a.ts:2 b',
		'x/a.ts:3 C',
		'x/a.ts:4 D',
		'x/a.ts:5 E',
		'x/a.ts:6 f',
		'x/a.ts:6 h',
	]);
});

test('an import uses it: by its name, under another one, as a type, from another folder, over several lines', () => {
	const text = 'export const a = 1;\nexport const b = 2;\nexport interface C {}\nexport type D = C;\n';
	const user =
		"import { a, b as other } from '../x/a.ts';\nimport type {\n\tC,\n\ttype D,\n} from '../x/a.ts';\n";
	assert.equal(unused({ 'x/a.ts': text, 'y/user.ts': user }), []);
});

test('an import of the whole file uses all of it, one of a file of the same name does not', () => {
	const text = 'export const a = 1;\n';
	for (const user of [
		"import * as all from './a.ts';",
		"import type * as all from './a.ts';",
		"const { a } = await import('./a.ts');",
		"export * from './a.ts';",
	])
		assert.equal(unused({ 'x/a.ts': text, 'x/user.ts': user }), [], user);
	assert.equal(unused({ 'x/a.ts': text, 'y/user.ts': "import { a } from './a.ts';" }), ['x/a.ts:1 a']);
});

test.run();

/** TypeScript as tokens: what is a comment, what a string, and where each begins. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { comments, hashComments } from '../../../scripts/prose/comments.ts';
import { textOf, tokenize } from '../../../scripts/prose/tokens.ts';
import { suite } from '../../support/suite.ts';

const project = join(import.meta.dirname, '../../..');
const test = suite('tokens');
const kinds = (source: string) => tokenize(source).map(({ kind, text }) => `${kind} ${text}`);

test('names, strings, numbers and punctuation, each with its line', () => {
	assert.equal(kinds("a.#b = 'it\\'s';"), [
		'name a',
		'punctuation .',
		'name #b',
		'punctuation =',
		"string 'it\\'s'",
		'punctuation ;',
	]);
	assert.equal(
		tokenize('a\n/* b\n */ c').map(({ line }) => line),
		[1, 2, 3],
	);
});

test('a template is the pieces between its expressions, and what is in these is read as well', () => {
	assert.equal(kinds(`\`a\${b + \`c\${{ d }}\`}e\``), [
		'template `a${',
		'name b',
		'punctuation +',
		'template `c${',
		'punctuation {',
		'name d',
		'punctuation }',
		'template }`',
		'template }e`',
	]);
	assert.is(tokenize(`\`\\\${no expression}, $5\``).length, 1);
	assert.throws(() => tokenize('`without an end'), /line 1/);
});

test('a regular expression is none of its own quotes and slashes; a division is no regular expression', () => {
	assert.equal(kinds("x.replace(/['/]\\/\"/g, '')").slice(4, 5), ['regex /[\'/]\\/"/g']);
	assert.equal(kinds('return /a/'), ['name return', 'regex /a/']);
	assert.equal(
		kinds('(a + b) / c / d').filter((token) => token.startsWith('regex')),
		[],
	);
});

test('what a string says has no quotes and no escapes', () => {
	const texts = tokenize(`'it\\'s' "a\\nb" '\\u{1F600}\\x41'`).map(textOf);
	assert.equal(texts, ["it's", 'a\nb', '😀A']);
	const pieces = tokenize(`\`a\${b}c\``).filter(({ kind }) => kind === 'template');
	assert.equal(pieces.map(textOf), ['a', 'c']);
});

test('comments on successive lines are one text; a docstring loses its stars', () => {
	const source = '// one\n// two\n\n// three\na(); // four\n/**\n * five\n *\n * - six\n */\n';
	assert.equal(
		comments(tokenize(source)).map(({ line, text }) => [line, text.trim()]),
		[
			[1, 'one\ntwo'],
			[4, 'three'],
			[5, 'four'],
			[6, 'five\n\n- six'],
		],
	);
	assert.equal(hashComments('#!/bin/sh\n# one\n# two\na: "#3" # three\nb#4\n'), [
		{ line: 2, text: 'one\ntwo' },
		{ line: 4, text: 'three' },
	]);
});

test('every file of this repository: nothing is left out, and what opens is closed', () => {
	for (const file of globSync('{admission,plugin,scripts,test}/**/*.ts', { cwd: project })) {
		const source = readFileSync(join(project, file), 'utf8');
		const open: string[] = [];
		let end = 0;
		for (const { kind, text, start, line } of tokenize(source)) {
			assert.is(source.slice(end, start).trim(), '', `${file}:${line}`);
			end = start + text.length;
			const closes =
				kind === 'template' ? text.startsWith('}') : kind === 'punctuation' && /[)\]}]/.test(text);
			if (closes) assert.is(open.pop(), kind === 'template' ? '${' : text, `${file}:${line}: ${text}`);
			if (kind === 'template' && text.endsWith('${')) open.push('${');
			if (kind === 'punctuation' && /[([{]/.test(text)) open.push({ '(': ')', '[': ']' }[text] ?? '}');
		}
		assert.equal(open, [], file);
	}
});

test.run();

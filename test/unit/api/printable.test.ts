import * as assert from 'uvu/assert';
import { printable } from '../../../admission/api/printable.ts';
import { suite } from '../../support/suite.ts';

const test = suite('printable');

for (const [what, text, shown] of [
	['plain text stays', 'ünïcode – stays, 日本 and 👍 too', 'ünïcode – stays, 日本 and 👍 too'],
	['spaces of its own stay', '  a  b ', '  a  b '],
	['escape codes', 'build\u001b[2J\u009b31m', 'build?[2J?31m'],
	['line breaks of every kind are one space', 'a\r\n\t\u0085\u2028\u2029b\n', 'a b'],
	['a bell, a backspace, a delete', 'a\u0007\u0008\u007fb', 'a???b'],
	['an end of text', 'a\u0000', 'a?'],
	['marks that turn the direction round', 'a\u202eb\u2066c\u200ed\u061ce\u2069', 'a?b?c?d?e?'],
] as const)
	test(what, () => {
		assert.is(printable(text), shown);
		assert.is(printable(shown), shown);
	});

test.run();

import * as assert from 'uvu/assert';
import { type FlagShape, normaliseArgv } from '../../../admission/cli/argv.ts';
import { nearest } from '../../../admission/cli/nearest.ts';
import { suite } from '../../support/suite.ts';

const test = suite('arguments, read as kubectl reads them');

const flags: FlagShape[] = [
	{ name: 'namespace', short: 'n', boolean: false },
	{ name: 'output', short: 'o', boolean: false },
	{ name: 'all-namespaces', short: 'A', boolean: true },
	{ name: 'watch', short: 'w', boolean: true },
	{ name: 'grace-period', boolean: false },
	{ name: 'dry-run', boolean: false, bareValue: 'client' },
];
const read = (...argv: string[]) => normaliseArgv(argv, flags, '; see --help');

for (const [argv, flagArgs, positionals] of [
	[['-n', 'x', 'pod'], ['--namespace=x'], ['pod']],
	[['-nx'], ['--namespace=x'], []],
	[['-n=x'], ['--namespace=x'], []],
	[['--namespace', '--odd'], ['--namespace=--odd'], []],
	[['--namespace='], ['--namespace='], []],
	[['-owide'], ['--output=wide'], []],
	[['-Aw'], ['--all-namespaces=true', '--watch=true'], []],
	[['-Aowide'], ['--all-namespaces=true', '--output=wide'], []],
	[['-wA=false'], ['--watch=true', '--all-namespaces=false'], []],
	[['--watch=F'], ['--watch=false'], []],
	[['--watch', 'pod'], ['--watch=true'], ['pod']],
	[['--grace-period', '-1'], ['--grace-period=-1'], []],
	[['--dry-run', 'server'], ['--dry-run=client'], ['server']],
	[['--dry-run=server'], ['--dry-run=server'], []],
	[['a', '--', '-n', 'b'], [], ['a', '-n', 'b']],
	[['-', '-o', 'a=b:c'], ['--output=a=b:c'], ['-']],
] as const) {
	test(argv.join(' '), () => assert.equal(read(...argv), { flagArgs, positionals }));
}

for (const [argv, message] of [
	[['--foo'], 'unknown flag: --foo; see --help'],
	[['--ouptut=x'], 'unknown flag: --ouptut (did you mean --output?); see --help'],
	[['-x'], "unknown shorthand flag: 'x' in -x; see --help"],
	[['-wx'], "unknown shorthand flag: 'x' in -wx; see --help"],
	[['-n'], "flag needs an argument: 'n' in -n"],
	[['--namespace'], 'flag needs an argument: --namespace'],
	[
		['--watch=maybe'],
		'invalid argument "maybe" for "--watch" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
	],
] as const) {
	test(`${argv.join(' ')} is refused`, () => {
		assert.throws(
			() => read(...argv),
			(error: Error) => error.message === message,
		);
	});
}

test('a suggestion differs in at most two letters; otherwise there is none', () => {
	const verbs = ['list', 'why', 'delete', 'wait', 'cancel', 'drain'];
	assert.is(nearest('lst', verbs), 'list');
	assert.is(nearest('delte', verbs), 'delete');
	assert.is(nearest('frobnicate', verbs), undefined);
	assert.is(nearest('x', verbs), undefined);
});

test.run();

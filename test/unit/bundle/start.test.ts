/** The built server, started in every way in which people start it: its help, its version, and what it says to mistakes. */
import { spawn } from 'node:child_process';
import {
	chmodSync,
	copyFileSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { renderHelp } from '../../../admission/command-line.ts';
import manifest from '../../../package.json' with { type: 'json' };
import { type Finished, Running } from '../../e2e/support/plugin-process.ts';
import { suite } from '../../support/suite.ts';

const test = suite<{ folder: string }>('the built server: how it is started');

const dist = join(import.meta.dirname, '../../../dist');
const [launcher, bundle] = ['runners-admission', 'runners-admission.mjs'].map((name) => join(dist, name)) as [
	string,
	string,
];
const hint = 'runners-admission --help lists the flags\n';
const tooOld = '20.19.0';

test.before((context) => {
	context.folder = mkdtempSync(join(tmpdir(), 'runners-admission-start-'));
	const at = (...names: string[]) => join(context.folder, ...names);
	symlinkSync(launcher, at('link'));
	symlinkSync(bundle, at('link.mjs'));
	mkdirSync(at('copy'));
	for (const file of [launcher, bundle]) copyFileSync(file, file.replace(dist, at('copy')));
	// A Node of which only the version is old.
	mkdirSync(at('old'));
	writeFileSync(
		at('old', 'version.cjs'),
		`Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${tooOld}' } });\n`,
	);
	writeFileSync(
		at('old', 'node'),
		`#!/bin/sh\nexec '${process.execPath}' --require '${at('old', 'version.cjs')}' "$@"\n`,
	);
	chmodSync(at('old', 'node'), 0o755);
});
test.after(({ folder }) => rmSync(folder, { recursive: true, force: true }));

/** Without a kubeconfig of the developer's. */
function run(folder: string, [command = '', ...args]: readonly string[], env = {}): Promise<Finished> {
	const path = [dirname(process.execPath), process.env.PATH].join(delimiter);
	const { NODE_COMPILE_CACHE } = process.env;
	const child = spawn(command, args, {
		cwd: folder,
		env: { PATH: path, HOME: folder, ...(NODE_COMPILE_CACHE ? { NODE_COMPILE_CACHE } : {}), ...env },
	});
	return new Running(child).end();
}

function prints(
	finished: Finished | undefined,
	expected: [code: number, stdout: string, stderr: string],
): void {
	assert.equal([finished?.code, finished?.stdout, finished?.stderr], expected);
}

/** One line of its log, and exit code 1. */
function cannotRun(finished: Finished | undefined, why: RegExp): void {
	const lines = finished?.stderr.trim().split('\n') ?? [];
	assert.equal([finished?.code, finished?.stdout, lines.length], [1, '', 1], finished?.stderr);
	const { level, error } = JSON.parse(lines[0] ?? '') as { level: string; error: string };
	assert.is(level, 'fatal');
	assert.match(error, why);
}

const ways: Record<string, readonly string[]> = {
	'dist/runners-admission': [launcher],
	'a link to it, as npm makes': ['./link'],
	'a copy beside nothing but the bundle': ['copy/runners-admission'],
	'node dist/runners-admission': [process.execPath, launcher],
	'node dist/runners-admission.mjs, as in the image': [process.execPath, bundle],
	'node and a link to the bundle': [process.execPath, 'link.mjs'],
};

for (const [way, start] of Object.entries(ways))
	test(`${way}: help, version, and what it says to a mistake`, async ({ folder }) => {
		const [help, version, mistake, elsewhere] = await Promise.all(
			[['--help'], ['--version'], ['--prot', '1'], ['--kubeconfig', '/none']].map((args) =>
				run(folder, [...start, ...args]),
			),
		);
		prints(help, [0, renderHelp(), '']);
		prints(version, [0, `${manifest.version}\n`, '']);
		prints(mistake, [2, '', `error: unknown flag: --prot (did you mean --port?)\n${hint}`]);
		cannotRun(elsewhere, /no such file or directory, open '\/none'/);
	});

for (const [args, error] of [
	[['--port=high'], '--port: high is not a whole number from 0 to 65535'],
	[['--port'], 'flag needs an argument: --port'],
	[['start'], 'unexpected argument "start"'],
	[['-p', '1'], "unknown shorthand flag: 'p' in -p"],
	[['--port', '\u001b[31m\n\n\n'], '--port: ?[31m  is not a whole number from 0 to 65535'],
] as const)
	test(`${JSON.stringify(args)}: two lines on stderr and exit code 2`, async ({ folder }) => {
		prints(await run(folder, [launcher, ...args]), [2, '', `error: ${error}\n${hint}`]);
	});

test('-h is --help', async ({ folder }) => {
	prints(await run(folder, [launcher, '-h']), [0, renderHelp(), '']);
});

test('no kubeconfig at all: it says so, in its log', async ({ folder }) => {
	cannotRun(await run(folder, [launcher]), /^there is no kubeconfig: pass --kubeconfig FILE$/);
});

test('a bad variable is named as such', async ({ folder }) => {
	const error = `error: JOBS_PORT: high is not a whole number from 0 to 65535\n${hint}`;
	prints(await run(folder, [launcher], { JOBS_PORT: 'high' }), [2, '', error]);
});

test('the reader of the help may leave early', async ({ folder }) => {
	const { code, stdout, stderr } = await run(folder, ['sh', '-c', `'${launcher}' --help | head -1`]);
	assert.equal([code, stdout.split('\n').length, stderr], [0, 2, '']);
});

test(`a Node that is too old is named in one line, and not taken where there is a newer one beside`, async ({
	folder,
}) => {
	const env = { PATH: [join(folder, 'old'), process.env.PATH].join(delimiter) };
	const refusal = `error: runners-admission needs Node >= 22.19, this is ${tooOld}\n`;
	for (const start of [['copy/runners-admission'], ['node', launcher]])
		prints(await run(folder, [...start, '--help'], env), [1, '', refusal]);
	const hasItsOwn = existsSync(join(dist, '../node_modules/node/bin/node'));
	const version = await run(folder, [launcher, '--version'], env);
	prints(version, hasItsOwn ? [0, `${manifest.version}\n`, ''] : [1, '', refusal]);
});

test.run();

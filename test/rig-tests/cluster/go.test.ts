import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { demandedGoVersion, isAtLeast, parseGoVersion, requireGo } from '../../cluster/go.ts';
import { suite } from '../../support/suite.ts';

const test = suite<{ folder: string }>('go version');

test.before.each(async (context) => {
	context.folder = await mkdtemp(join(tmpdir(), 'go-test-'));
});
test.after.each(({ folder }) => rm(folder, { recursive: true }));

/** A `go` command that does what the shell script says, alone on PATH. */
async function withGo(folder: string, script: string): Promise<NodeJS.ProcessEnv> {
	await writeFile(join(folder, 'go'), `#!/bin/sh\n${script}\n`);
	await chmod(join(folder, 'go'), 0o755);
	return { PATH: folder };
}

async function messageOf(promise: Promise<unknown>): Promise<string> {
	try {
		await promise;
	} catch (error) {
		return (error as Error).message;
	}
	throw new Error('expected it to fail');
}

test('versions are read as Go prints them', () => {
	assert.equal(parseGoVersion('go1.26.8'), [1, 26, 8]);
	assert.equal(parseGoVersion('go1.27rc1'), [1, 27, 0]);
	assert.equal(parseGoVersion('devel go1.27-d9a3e5b'), [1, 27, 0]);
	assert.is(parseGoVersion('no version'), undefined);
});

test('the demanded version is the go line of go.mod', () => {
	assert.equal(demandedGoVersion('module m\n\ngo 1.26.0\n\ntoolchain go1.99.0\n'), [1, 26, 0]);
	assert.throws(() => demandedGoVersion('module m\n'), /no go line/);
});

test('1.9 is older than 1.26, and 2.0 newer', () => {
	assert.is(isAtLeast([1, 26, 0], [1, 26, 0]), true);
	assert.is(isAtLeast([1, 26, 8], [1, 26, 0]), true);
	assert.is(isAtLeast([2, 0, 0], [1, 26, 3]), true);
	assert.is(isAtLeast([1, 9, 9], [1, 26, 0]), false);
	assert.is(isAtLeast([1, 26, 0], [1, 26, 1]), false);
});

test('a Go that is new enough is accepted and named', async ({ folder }) => {
	assert.is(await requireGo(folder, [1, 26, 0], await withGo(folder, 'echo go1.26.8')), 'go1.26.8');
});

test('no Go: the message says what is needed, for what, and the way without it', async ({ folder }) => {
	const message = await messageOf(requireGo(folder, [1, 26, 0], { PATH: folder }));
	assert.match(
		message,
		/^Go >= 1\.26 is needed to build the embedded control plane once; found no go command/,
	);
	assert.match(message, /KUBECONFIG/);
});

test('Go too old: the message names the version found', async ({ folder }) => {
	const message = await messageOf(requireGo(folder, [1, 26, 0], await withGo(folder, 'echo go1.19.4')));
	assert.match(message, /found go1\.19\.4\./);
});

test('Go too old to read go.mod: the message names the version it reports about itself', async ({
	folder,
}) => {
	const env = await withGo(
		folder,
		'echo "go: go.mod requires go >= 1.26.0 (running go 1.22.2; GOTOOLCHAIN=local)" >&2; exit 1',
	);
	assert.match(await messageOf(requireGo(folder, [1, 26, 0], env)), /found go1\.22\.2\./);
});

test.run();

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { withFileLock } from '../../cluster/file-lock.ts';
import { eventually } from '../../rig/eventually.ts';
import { suite } from '../../support/suite.ts';

const test = suite<{ folder: string; lock: string }>('file lock');

test.before.each(async (context) => {
	context.folder = await mkdtemp(join(tmpdir(), 'lock-test-'));
	context.lock = join(context.folder, 'build.lock');
});
test.after.each(({ folder }) => rm(folder, { recursive: true }));

test('only one works at a time, and nothing is left afterwards', async ({ folder, lock }) => {
	let working = 0;
	let most = 0;
	const work = async () => {
		most = Math.max(most, ++working);
		await sleep(30);
		working--;
	};
	await Promise.all([1, 2, 3].map(() => withFileLock(lock, work)));
	assert.is(most, 1);
	assert.equal(await readdir(folder), []);
});

test('the result is passed on; a failure too, and it frees the lock', async ({ lock }) => {
	assert.is(await withFileLock(lock, async () => 42), 42);
	const failing = withFileLock(lock, async () => {
		throw new Error('build failed');
	});
	assert.is(await failing.catch((error: Error) => error.message), 'build failed');
	assert.is(existsSync(lock), false);
});

test('a waiter learns once who holds the lock', async ({ lock }) => {
	const holders: (number | undefined)[] = [];
	const first = withFileLock(lock, () => sleep(600));
	await eventually('the first has it', () => existsSync(lock));
	await withFileLock(lock, async () => {}, { onWait: (pid) => holders.push(pid) });
	await first;
	assert.equal(holders, [process.pid]);
});

test('a holder that was killed does not block the next', async ({ lock }) => {
	const module = JSON.stringify(join(import.meta.dirname, '..', '..', 'cluster', 'file-lock.ts'));
	const script = `import(${module}).then((m) => m.withFileLock(${JSON.stringify(lock)}, () => new Promise(() => setInterval(() => {}, 1000))))`;
	const holder = spawn(process.execPath, ['-e', script], { stdio: 'inherit' });
	await eventually('the other process has it', () => existsSync(lock));
	let got = false;
	const waiting = withFileLock(lock, async () => {
		got = true;
	});
	await sleep(400);
	assert.is(got, false, 'not while the holder lives');
	holder.kill('SIGKILL');
	await waiting;
	assert.is(got, true);
});

test('a holder on another machine counts as dead when its heartbeats have ceased', async ({ lock }) => {
	await writeFile(lock, JSON.stringify({ pid: 1, host: 'another-machine', token: 'x' }));
	let got = false;
	const waiting = withFileLock(
		lock,
		async () => {
			got = true;
		},
		{ staleAfterMs: 5_000 },
	);
	await sleep(400);
	assert.is(got, false, 'fresh heartbeat');
	const longAgo = new Date(Date.now() - 10_000);
	await utimes(lock, longAgo, longAgo);
	await waiting;
	assert.is(got, true);
});

test('a lock file that was never written to its end does not block for ever', async ({ lock }) => {
	await writeFile(lock, '');
	const longAgo = new Date(Date.now() - 10_000);
	await utimes(lock, longAgo, longAgo);
	assert.is(await withFileLock(lock, async () => 'done', { staleAfterMs: 5_000 }), 'done');
});

test.run();

import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The holder touches its lock file this often ... */
const heartbeatMs = 2_000;
/** ... and is taken for dead when it has not for this long: it was frozen, or it ran on another machine. */
const staleAfterMs = 60_000;
const pollMs = 250;

interface Holder {
	pid: number;
	host: string;
	token: string;
}

interface LockOptions {
	/** Called once, if somebody else holds the lock. */
	onWait?: (holderPid: number | undefined) => void;
	staleAfterMs?: number;
}

/**
 * Runs `work` while no other process (that uses this function on the same path) does. A holder that crashed is
 * noticed: at once on the same machine, after `staleAfterMs` otherwise. In the worst race two may work at once, so
 * `work` has to be harmless when done twice; the lock only saves the time.
 */
export async function withFileLock<T>(
	path: string,
	work: () => Promise<T>,
	options: LockOptions = {},
): Promise<T> {
	await mkdir(dirname(path), { recursive: true });
	const mine: Holder = { pid: process.pid, host: hostname(), token: randomUUID() };
	let waited = false;
	while (!(await create(path, mine))) {
		const holder = await read(path);
		if (await isStale(path, holder, options.staleAfterMs ?? staleAfterMs)) {
			await removeIfStill(path, holder);
			continue;
		}
		if (!waited) options.onWait?.(holder?.pid);
		waited = true;
		await sleep(pollMs);
	}

	const heartbeat = setInterval(() => {
		const now = new Date();
		utimes(path, now, now).catch(() => clearInterval(heartbeat)); // taken away: nothing left to keep fresh
	}, heartbeatMs);
	heartbeat.unref();
	try {
		return await work();
	} finally {
		clearInterval(heartbeat);
		if ((await read(path))?.token === mine.token) await rm(path, { force: true });
	}
}

async function create(path: string, holder: Holder): Promise<boolean> {
	try {
		const file = await open(path, 'wx');
		await file.writeFile(JSON.stringify(holder));
		await file.close();
		return true;
	} catch (error) {
		if (codeOf(error) === 'EEXIST') return false;
		throw error;
	}
}

/** Nothing when the file is gone, or its holder has not come to write it yet. */
async function read(path: string): Promise<Holder | undefined> {
	try {
		return JSON.parse(await readFile(path, 'utf8')) as Holder;
	} catch (error) {
		if (codeOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
		throw error;
	}
}

async function isStale(path: string, holder: Holder | undefined, afterMs: number): Promise<boolean> {
	if (holder && holder.host === hostname() && !isAlive(holder.pid)) return true;
	try {
		return Date.now() - (await stat(path)).mtimeMs > afterMs;
	} catch (error) {
		if (codeOf(error) === 'ENOENT') return false;
		throw error;
	}
}

/** Renaming first makes one of several waiters the one who removes. */
async function removeIfStill(path: string, stale: Holder | undefined): Promise<void> {
	const aside = `${path}.${randomUUID()}`;
	try {
		await rename(path, aside);
	} catch (error) {
		if (codeOf(error) === 'ENOENT') return;
		throw error;
	}
	const taken = await read(aside);
	if (taken && taken.token !== stale?.token)
		await rename(aside, path); // a new holder came in between: give it back
	else await rm(aside, { force: true });
}

function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return codeOf(error) === 'EPERM';
	}
}

function codeOf(error: unknown): string | undefined {
	return (error as NodeJS.ErrnoException).code;
}

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Processes, removeCluster } from './processes.ts';

const prefix = 'kubectl-runners-';

/** A new folder for a cluster that lives as long as this process. */
export function createOwnedFolder(): string {
	const folder = mkdtempSync(join(tmpdir(), prefix));
	writeFileSync(join(folder, 'owner'), JSON.stringify({ pid: process.pid, host: hostname() }));
	return folder;
}

/** Ends and removes clusters whose owner was killed before it could: kwok does not end with its parent. */
export async function removeOrphans(): Promise<void> {
	for (const name of readdirSync(tmpdir())) {
		if (!name.startsWith(prefix)) continue;
		const folder = join(tmpdir(), name);
		const owner = ownerOf(folder);
		if (owner && owner.host === hostname() && !isAlive(owner.pid)) await removeCluster(folder);
	}
}

function ownerOf(folder: string): { pid: number; host: string } | undefined {
	try {
		return JSON.parse(readFileSync(join(folder, 'owner'), 'utf8'));
	} catch {
		return undefined; // just being made or removed, or not one of ours: not to be touched
	}
}

function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === 'EPERM';
	}
}

const owned = new Map<string, Processes>();
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** From now on the cluster in `folder` ends with this process, also on Ctrl-C. */
export function endWithUs(folder: string, processes: Processes): void {
	if (owned.size === 0) {
		process.on('exit', endAllNow);
		for (const signal of signals) process.on(signal, endBySignal);
	}
	owned.set(folder, processes);
}

export function ended(folder: string): void {
	if (!owned.delete(folder) || owned.size > 0) return;
	process.off('exit', endAllNow);
	for (const signal of signals) process.off(signal, endBySignal);
}

function endAllNow(): void {
	for (const [folder, processes] of owned) {
		processes.killAllNow();
		rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
	}
	owned.clear();
}

function endBySignal(signal: NodeJS.Signals): void {
	endAllNow();
	for (const each of signals) process.off(each, endBySignal);
	process.off('exit', endAllNow);
	if (process.listenerCount(signal) === 0) process.kill(process.pid, signal); // what would have happened without us
}

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Go's garbage collector takes a fifth of the CPU of a control plane that starts often and lives for a minute. It may use
 * more memory instead, up to a limit that also a machine with 8 GiB bears.
 */
const garbageCollection = { GOGC: '400', GOMEMLIMIT: '600MiB' };

/** A child of a cluster. Its output goes to logs/NAME.log in the cluster's folder. */
interface Running {
	name: string;
	pid: number;
	child: ChildProcess;
	ended: Promise<string>;
}

/**
 * The processes of one cluster. Their ids are also in the file `pids` of its folder ("PID NAME" a line), so that
 * another process can end them.
 */
export class Processes {
	readonly #folder: string;
	readonly #detached: boolean;
	readonly #running = new Map<string, Running>();

	constructor(folder: string, detached: boolean) {
		this.#folder = folder;
		this.#detached = detached;
	}

	start(name: string, binary: string, args: string[]): void {
		const log = openSync(join(this.#folder, 'logs', `${name}.log`), 'a');
		const child = spawn(binary, args, {
			cwd: this.#folder,
			detached: this.#detached, // its own process group: a Ctrl-C in the terminal does not reach it
			stdio: ['ignore', log, log],
			env: {
				...process.env,
				...garbageCollection,
				...(this.#detached ? {} : { CONTROLPLANE_EXIT_WITH_PARENT: '1' }),
			},
		});
		closeSync(log);
		const ended = new Promise<string>((resolve) => {
			child.once('error', (error) => resolve(error.message));
			child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
		});
		if (child.pid === undefined) {
			child.once('error', () => {});
			throw new Error(`cannot start ${binary}`);
		}
		const running = { name, pid: child.pid, child, ended };
		this.#running.set(name, running);
		this.#record();
		ended.then(() => {
			if (this.#running.get(name) !== running) return;
			this.#running.delete(name);
		});
	}

	isRunning(name: string): boolean {
		return this.#running.has(name);
	}

	pids(): Record<string, number> {
		return Object.fromEntries([...this.#running.values()].map(({ name, pid }) => [name, pid]));
	}

	/** Ends one, waits until it is gone. Nothing happens if it does not run. */
	async kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
		const running = this.#running.get(name);
		if (!running) return;
		running.child.kill(signal);
		await running.ended;
		this.#running.delete(name);
		this.#record();
	}

	async killAll(): Promise<void> {
		await Promise.all([...this.#running.keys()].map((name) => this.kill(name)));
	}

	/** For the last moment of this process, where nothing can be awaited. */
	killAllNow(): void {
		for (const { child } of this.#running.values()) child.kill('SIGKILL');
	}

	/** Lets this process end while the children live on. */
	release(): void {
		for (const { child } of this.#running.values()) child.unref();
	}

	/** The last lines that a component wrote, for error messages. */
	async logTail(name: string, lines = 15): Promise<string> {
		const text = await readFile(join(this.#folder, 'logs', `${name}.log`), 'utf8');
		return text.trimEnd().split('\n').slice(-lines).join('\n');
	}

	#record(): void {
		const lines = [...this.#running.values()].map(({ pid, name }) => `${pid} ${name}\n`);
		writeFileSync(join(this.#folder, 'pids'), lines.join(''));
	}
}

/** Processes of the cluster in `folder` that still live, whoever started them. */
export function recordedProcesses(folder: string): { pid: number; name: string }[] {
	let text: string;
	try {
		text = readFileSync(join(folder, 'pids'), 'utf8');
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
		throw error;
	}
	return text
		.split('\n')
		.filter(Boolean)
		.map((line) => ({ pid: Number(line.split(' ')[0]), name: line.split(' ')[1] ?? '' }))
		.filter(({ pid }) => commandOf(pid).includes(folder)); // the id may belong to another program by now
}

/** Ends the processes of the cluster in `folder`, waits until they are gone and removes the folder. */
export async function removeCluster(folder: string): Promise<void> {
	for (const { pid } of recordedProcesses(folder)) killIfAlive(pid);
	for (let i = 0; recordedProcesses(folder).length > 0; i++) {
		if (i > 100) throw new Error(`processes of ${folder} do not end: see ${join(folder, 'pids')}`);
		await sleep(50);
	}
	rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

function killIfAlive(pid: number): void {
	try {
		process.kill(pid, 'SIGKILL');
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
	}
}

/** The command line of a living process; empty if there is none. */
function commandOf(pid: number): string {
	try {
		if (process.platform === 'linux')
			return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
		return execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
	} catch {
		return ''; // gone
	}
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { eventually } from '../../rig/eventually.ts';

export interface Finished {
	code: number | null;
	stdout: string;
	stderr: string;
	elapsedMs: number;
}

/** The plugin as it is shipped (`make build`), copied away from the project, as if somebody had copied it into ~/bin. */
export async function installPlugin(): Promise<Installed> {
	const folder = await mkdtemp(join(tmpdir(), 'kubectl-runners-plugin-'));
	const files = (await readdir(dist)).filter((name) => name.startsWith('kubectl'));
	if (!files.includes('kubectl-runners')) throw new Error(`no plugin in ${dist}: run make build first`);
	for (const file of files) await copyFile(join(dist, file), join(folder, file));
	return new Installed(folder);
}

const dist = join(import.meta.dirname, '../../../dist');

export class Installed {
	readonly folder: string;

	constructor(folder: string) {
		this.folder = folder;
	}

	readonly #started: Running[] = [];

	/** Ends what still runs (after a failed test), and removes the files. */
	remove(): Promise<void> {
		for (const running of this.#started) running.kill();
		return rm(this.folder, { recursive: true, force: true });
	}

	/** PATH with the plugin and that kubectl in front. */
	path(kubectlFolder: string): string {
		return [this.folder, kubectlFolder, process.env.PATH].join(delimiter);
	}

	/** Starts it by its first line (`env node`), so on whatever Node is in PATH. */
	start(args: string[], env: NodeJS.ProcessEnv = {}): Running {
		const options = { env: { ...process.env, ...env } };
		const running = new Running(spawn(join(this.folder, 'kubectl-runners'), args, options));
		this.#started.push(running);
		return running;
	}

	run(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Finished> {
		return this.start(args, env).end();
	}
}

/** A started plugin (or kubectl). */
export class Running {
	readonly #child: ChildProcess;
	readonly #startedMs = performance.now();
	readonly #closed: Promise<unknown>;
	stdout = '';
	stderr = '';

	constructor(child: ChildProcess) {
		this.#child = child;
		this.#closed = once(child, 'close');
		child.stdout?.on('data', (chunk: Buffer) => {
			this.stdout += chunk;
		});
		child.stderr?.on('data', (chunk: Buffer) => {
			this.stderr += chunk;
		});
		child.stdin?.end();
	}

	/** Resolves when what it has printed matches. */
	async prints(pattern: RegExp, withinMs = 60_000): Promise<void> {
		const ended = () => this.#child.exitCode !== null;
		await eventually(
			`${pattern} in the output`,
			() => {
				if (pattern.test(this.stdout) || pattern.test(this.stderr)) return true;
				if (ended()) throw new Error(`ended without ${pattern}:\n${this.stdout}\n${this.stderr}`);
				return false;
			},
			{ withinMs },
		);
	}

	kill(): void {
		this.#child.kill('SIGKILL');
	}

	interrupt(): void {
		this.#child.kill('SIGINT');
	}

	async end(withinMs = 60_000): Promise<Finished> {
		const timer = setTimeout(() => this.#child.kill('SIGKILL'), withinMs);
		await this.#closed;
		clearTimeout(timer);
		return {
			code: this.#child.exitCode,
			stdout: this.stdout,
			stderr: this.stderr,
			elapsedMs: Math.round(performance.now() - this.#startedMs),
		};
	}
}

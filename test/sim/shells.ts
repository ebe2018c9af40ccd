/** Runs real programs for the simulated runners, a few at a time: hundreds of jobs may start in one moment. */
import { spawn } from 'node:child_process';

export interface ShellRun {
	/** undefined: killed, or never started. */
	exitCode: number | undefined;
	/** From the program's start to its end; waiting for its turn is not in it. */
	tookMs: number;
	/** Both streams, cut. */
	output: string;
}

const atATime = 8;
const withinMs = 60_000;
const outputBytes = 8 * 1024;

export class Shells {
	#running = 0;
	readonly #waiting: (() => void)[] = [];

	async run(
		command: readonly string[],
		options: { env: Record<string, string>; cwd: string; signal: AbortSignal },
	): Promise<ShellRun> {
		if (this.#running >= atATime) await new Promise<void>((turn) => this.#waiting.push(turn));
		else this.#running++;
		try {
			return await run(command, options);
		} finally {
			const next = this.#waiting.shift();
			if (next) next();
			else this.#running--;
		}
	}
}

function run(
	[program = '', ...args]: readonly string[],
	{ env, cwd, signal }: { env: Record<string, string>; cwd: string; signal: AbortSignal },
): Promise<ShellRun> {
	const startedMs = performance.now();
	let output = '';
	return new Promise((resolve) => {
		const done = (exitCode: number | undefined) => {
			clearTimeout(timer);
			signal.removeEventListener('abort', kill);
			resolve({ exitCode, output, tookMs: Math.round(performance.now() - startedMs) });
		};
		if (signal.aborted) return resolve({ exitCode: undefined, output, tookMs: 0 });
		// A process group of its own: what the script has started ends with it.
		const child = spawn(program, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
		const kill = () => {
			try {
				if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
			} catch {
				// it has ended already
			}
		};
		const timer = setTimeout(kill, withinMs);
		signal.addEventListener('abort', kill);
		const take = (piece: Buffer) => (output = (output + piece).slice(0, outputBytes));
		child.stdout.on('data', take);
		child.stderr.on('data', take);
		child.once('error', (error) => {
			output += error.message;
			done(127);
		});
		child.once('close', (code) => done(code ?? undefined));
	});
}

import { spawn } from 'node:child_process';

export interface KubectlOptions {
	/** Standard input. */
	input?: string;
	/** Killed after this time, with code 124; default 120 s. */
	timeoutMs?: number;
	/** Added to the environment; may also give another KUBECONFIG. */
	env?: Record<string, string>;
	/** Killed when aborted, with code 130. */
	signal?: AbortSignal;
}

export interface KubectlResult {
	code: number;
	stdout: string;
	stderr: string;
	elapsedMs: number;
}

/** Runs kubectl to its end. Resolves whatever its exit code is. */
export function runKubectl(
	binary: string,
	args: string[],
	env: NodeJS.ProcessEnv,
	options: KubectlOptions,
): Promise<KubectlResult> {
	return new Promise((resolve, reject) => {
		const startedMs = performance.now();
		const child = spawn(binary, args, { env: { ...env, ...options.env } });
		const stdout: Buffer[] = [];
		const stderr: Buffer[] = [];
		child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
		child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
		child.stdin.on('error', () => {}); // kubectl may end without reading all of it: its exit code tells
		child.stdin.end(options.input ?? '');

		let killedAs: number | undefined;
		const kill = (code: number) => {
			killedAs ??= code;
			child.kill('SIGKILL');
		};
		const timer = setTimeout(() => kill(124), options.timeoutMs ?? 120_000);
		const abort = () => kill(130);
		if (options.signal?.aborted) abort();
		options.signal?.addEventListener('abort', abort);

		const finish = () => {
			clearTimeout(timer);
			options.signal?.removeEventListener('abort', abort);
		};
		child.on('error', (error) => {
			finish();
			reject(error);
		});
		child.on('close', (code) => {
			finish();
			resolve({
				code: killedAs ?? code ?? 1,
				stdout: Buffer.concat(stdout).toString(),
				stderr: Buffer.concat(stderr).toString(),
				elapsedMs: Math.round(performance.now() - startedMs),
			});
		});
	});
}

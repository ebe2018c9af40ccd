import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { createAuthority, issueServer } from '../../cluster/certificates.ts';

const run = promisify(execFile);

/** The Service by which the API server reaches the plain webhooks, as it reaches the server: HTTP/1.1, by localhost. */
export const plainService = { namespace: 'unguarded', name: 'plain' };

export interface PlainWebhooks {
	/** Ports by name; Go's only where there is a go command. */
	ports: { node: number; go?: number };
	/** Why there is no webhook in Go. */
	withoutGo: string | undefined;
	/** Of their certificates, PEM. */
	authority: string;
	stop(): void;
}

/** Starts the plain webhooks, each in a process of its own. The one in Go is built first, into `folder`. */
export async function startPlainWebhooks(folder: string): Promise<PlainWebhooks> {
	const authority = await createAuthority();
	const { cert, key } = await issueServer(authority, [`${plainService.name}.${plainService.namespace}.svc`]);
	const env = { PATH: process.env.PATH ?? '', TLS_CERT: cert, TLS_KEY: key };
	const children: ChildProcess[] = [];
	const stop = () => {
		for (const child of children) child.kill('SIGKILL');
		process.off('exit', stop);
	};
	process.once('exit', stop);

	async function start(command: string, args: string[]): Promise<number> {
		const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
		children.push(child);
		const [line] = await Promise.race([
			once(createInterface({ input: child.stdout }), 'line'),
			once(child, 'exit').then(([code]) => Promise.reject(new Error(`${command} ended with ${code}`))),
		]);
		return Number(line);
	}

	try {
		const node = await start(process.execPath, [join(import.meta.dirname, 'plain-webhook.ts')]);
		const built = await buildGo(folder);
		return 'problem' in built
			? { ports: { node }, withoutGo: built.problem, authority: authority.cert, stop }
			: {
					ports: { node, go: await start(built.file, []) },
					withoutGo: undefined,
					authority: authority.cert,
					stop,
				};
	} catch (error) {
		stop();
		throw error;
	}
}

async function buildGo(folder: string): Promise<{ file: string } | { problem: string }> {
	const file = join(folder, 'plain-webhook');
	try {
		await run('go', ['build', '-o', file, join(import.meta.dirname, 'plain-webhook.go')]);
		return { file };
	} catch (error) {
		const { code, stderr } = error as { code?: string | number; stderr?: string };
		return {
			problem: code === 'ENOENT' ? 'there is no go command' : `go build failed: ${stderr || String(error)}`,
		};
	}
}

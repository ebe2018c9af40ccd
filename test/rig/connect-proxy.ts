import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { ProxiedRequest, ProxySettings } from './connect-proxy-process.ts';

export interface ConnectProxy {
	port: number;
	/** Every request so far. */
	requests: ProxiedRequest[];
	stop(): Promise<void>;
}

/** Starts a proxy as a process of its own, on the local host. */
export async function startProxy(settings: ProxySettings): Promise<ConnectProxy> {
	const file = new URL('connect-proxy-process.ts', import.meta.url).pathname;
	const child: ChildProcess = spawn(process.execPath, [file, JSON.stringify(settings)], {
		stdio: ['ignore', 'pipe', 'inherit'],
		env: {},
	});
	const requests: ProxiedRequest[] = [];
	if (!child.stdout) throw new Error('the proxy has no output');
	const lines = createInterface(child.stdout);
	const [first] = (await Promise.race([
		once(lines, 'line'),
		once(child, 'exit').then(() => {
			throw new Error('the proxy has ended');
		}),
	])) as [string];
	lines.on('line', (line) => requests.push(JSON.parse(line) as ProxiedRequest));
	return {
		port: Number(first),
		requests,
		async stop() {
			const exited = once(child, 'exit');
			child.kill();
			await exited;
		},
	};
}

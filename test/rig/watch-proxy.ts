import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { issueAuthority, issueServing } from '../../admission/certificates/issue.ts';
import { writeKubeconfig } from '../cluster/kubeconfig.ts';
import { readKubeconfig } from '../sim/cluster-access.ts';

/** A watch that was opened through the proxy. Times are Unix ms. */
interface ProxiedWatch {
	/** `/api/v1/pods` */
	path: string;
	/** When bytes of it were last passed on. */
	lastMs: number;
	/** Its connection is open, and brings nothing any longer. */
	silent: boolean;
	/** When its client ended it; undefined: it is open. */
	endedMs?: number;
}

export interface WatchProxy {
	/** As the one that was given, but by way of the proxy. */
	kubeconfig: string;
	/** The watches of this path that are open now. */
	open(path: string): ProxiedWatch[];
	/**
	 * The watches of this path that are open now stay open and bring nothing any longer, no bookmark either, as when the API
	 * server behind a load balancer has died. Those that are opened later work, and so do all other calls.
	 */
	silence(path: string): ProxiedWatch[];
	stop(): void;
}

const lifetimeMs = 3_600_000;

/** Stands between a server and the API server of a kubeconfig with a token. */
export async function startWatchProxy(kubeconfig: string): Promise<WatchProxy> {
	const { server: target, ca, token = '' } = readKubeconfig(kubeconfig);
	const agent = new Agent({ keepAlive: true, ...(ca && { ca }) });
	const authority = await issueAuthority(lifetimeMs, Date.now());
	const { cert, key } = await issueServing(authority, ['localhost'], lifetimeMs, Date.now());
	const watches: ProxiedWatch[] = [];
	const server = createServer({ cert, key }, (asked, answer) => {
		const url = new URL(asked.url ?? '/', target);
		const watch: ProxiedWatch = { path: url.pathname, lastMs: Date.now(), silent: false };
		if (url.searchParams.get('watch') === 'true') watches.push(watch);
		const passOn = (from: IncomingMessage) => {
			answer.writeHead(from.statusCode ?? 502, from.headers);
			answer.flushHeaders();
			from.on('data', (bytes: Buffer) => {
				if (watch.silent) return;
				watch.lastMs = Date.now();
				answer.write(bytes);
			});
			from.on('close', () => {
				if (!watch.silent) answer.end();
			});
		};
		const call = request(url, { agent, method: asked.method ?? 'GET', headers: asked.headers }, passOn);
		call.on('error', () => {
			if (!watch.silent) answer.destroy();
		});
		answer.on('close', () => {
			watch.endedMs = Date.now();
			call.destroy();
		});
		asked.pipe(call);
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	const { port } = server.address() as AddressInfo;
	const own = join(dirname(kubeconfig), 'by-watch-proxy.kubeconfig');
	await writeKubeconfig(own, `https://localhost:${port}`, authority.cert, 'server', { token });
	const open = (path: string) => watches.filter((one) => one.path === path && one.endedMs === undefined);
	return {
		kubeconfig: own,
		open,
		silence(path) {
			const silent = open(path);
			for (const watch of silent) watch.silent = true;
			return silent;
		},
		stop() {
			server.close();
			server.closeAllConnections();
			agent.destroy();
		},
	};
}

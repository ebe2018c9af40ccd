/**
 * The nodes' side of the simulated kubelets. The one endpoint that the simulated runners need is the logs of their
 * containers, which the API server requests when somebody reads `pods/log`: it serves all simulated nodes, whose status
 * contains its port. It also keeps those nodes Ready that kwok leaves alone (kubeletSyncs).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createAuthority, issueServer } from '../cluster/certificates.ts';
import { kubeletLabel, kubeletSyncs, kubeletWorks } from '../cluster/components.ts';
import type { LogQuery } from './container-log.ts';
import { type Kube, KubeError, type KubeItem } from './kube.ts';
import type { RunnerLog } from './runner-log.ts';
import { runnerContainer } from './runner-pod.ts';

/**
 * 'off': the kubelet does not answer, ever; 'silent': it answers 500; 'lost': its container runtime is away, and it
 * answers 200 with a text that says so, as a real one does.
 */
export type LogState = 'on' | 'off' | 'silent' | 'lost';

/** A pod as its kubelet knows it. */
export interface KubeletPod {
	node: string | undefined;
	containers: readonly string[];
	/** Why this container has no log, as the status that the kubelet last wrote has it; undefined: it has one. */
	waiting(container: string): string | undefined;
	log: RunnerLog;
	logState: LogState;
}

export interface Kubelet {
	readonly port: number;
	/** The number of log requests, answered or not. */
	readonly requests: number;
	/** Whether the kubelet of this node syncs pods as a real one does; kwok starts those of the others. */
	syncs(node: string | undefined): boolean;
	stop(): void;
}

interface NodeItem extends KubeItem {
	status?: { daemonEndpoints?: { kubeletEndpoint?: { Port?: number } } };
}

/** Longer than Go's client keeps an idle connection (90 s): a server that closes first makes requests fail. */
const keepAliveMs = 120_000;
/** A kubelet writes its node's status, or renews its lease, so often. */
const heartbeatMs = 10_000;
/** What `unable to retrieve` names. */
const lostContainer = 'containerd://5f2ca1f6a1c3e1b0c7f0d6a2a4f5b1de0f7c9a3b8d2e4f60718293a4b5c6d7e8';

/** Resolves when the existing simulated nodes point to it; later nodes will as they are added. */
export async function startKubelet(
	kube: Kube,
	find: (namespace: string, pod: string) => KubeletPod | undefined,
): Promise<Kubelet> {
	// The API server does not verify a kubelet's certificate unless it has a CA for that.
	const certificate = await issueServer(await createAuthority());
	const stoppedNodes = new Set<string>();
	let requests = 0;
	const server = createServer(certificate, (request, response) => {
		requests++;
		answer(request, response).catch((error: NodeJS.ErrnoException) => {
			// The reader has closed the connection, or the container of a followed log has stopped.
			if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') console.error('simulated kubelet:', error);
			response.destroy();
		});
	});
	server.keepAliveTimeout = keepAliveMs;

	async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const url = new URL(request.url ?? '/', 'https://kubelet');
		const [page, namespace = '', name = '', container = ''] = url.pathname.split('/').slice(1);
		if (request.method !== 'GET' || page !== 'containerLogs')
			return refuse(response, 404, '404 page not found');
		const pod = find(namespace, name);
		if (pod === undefined) return refuse(response, 404, `pod "${name}" does not exist`);
		if (pod.logState === 'off' || stoppedNodes.has(pod.node ?? '')) return; // until the caller gives up
		if (pod.logState === 'silent') return refuse(response, 500, 'unable to read the log');
		if (!pod.containers.includes(container))
			return refuse(response, 404, `container "${container}" not found in pod "${name}"`);
		const waiting = pod.waiting(container);
		if (waiting !== undefined)
			return refuse(
				response,
				400,
				`container "${container}" in pod "${name}" is waiting to start: ${waiting}`,
			);
		if (pod.logState === 'lost')
			return refuse(response, 200, `unable to retrieve container logs for ${lostContainer}`);
		const previous = url.searchParams.get('previous') === 'true';
		const log = previous ? pod.log.previous : pod.log.current;
		if (log === undefined)
			return refuse(response, 400, `previous terminated container "${container}" in pod "${name}" not found`);
		response.writeHead(200, { 'content-type': 'text/plain' });
		if (container !== runnerContainer) {
			response.end(); // a sidecar that prints nothing
			return;
		}
		response.flushHeaders();
		const query = queryOf(url.searchParams);
		const follow = url.searchParams.get('follow') === 'true';
		const closed = new Promise<void>((resolve) => response.once('close', resolve));
		await pipeline(Readable.from(follow ? log.follow(query, closed) : log.read(query)), response);
	}

	await new Promise<void>((listening, failed) => {
		server.once('error', failed);
		server.listen(0, '127.0.0.1', listening);
	});
	const { port } = server.address() as AddressInfo;

	const led = new Set<string>();
	const syncing = new Set<string>();
	const heartbeats = setInterval(() => {
		for (const node of syncing) void writeStatus(kube, node, { conditions: ready(Date.now()) });
	}, heartbeatMs).unref();
	let first: Promise<void>[] | undefined = [];
	await kube.watch<NodeItem>('/api/v1/nodes', {
		seen(node) {
			const { name, uid, labels } = node.metadata;
			const simulated = labels?.[kubeletLabel];
			if (simulated === undefined) return; // a node of a real cluster has a kubelet
			if (simulated === kubeletSyncs) syncing.add(name);
			else syncing.delete(name);
			if (simulated === kubeletWorks || simulated === kubeletSyncs) stoppedNodes.delete(name);
			else stoppedNodes.add(name);
			// Each node once: the kubelet that starts last serves it from then on.
			const known = node.status?.daemonEndpoints?.kubeletEndpoint?.Port;
			if (known === port || (known && led.has(uid))) return;
			led.add(uid);
			const daemonEndpoints = { kubeletEndpoint: { Port: port } };
			const starts = simulated === kubeletSyncs ? { addresses, conditions: ready(Date.now()) } : {};
			const writing = writeStatus(kube, name, { daemonEndpoints, ...starts });
			first?.push(writing);
		},
		gone(node) {
			led.delete(node.metadata.uid);
			syncing.delete(node.metadata.name);
			stoppedNodes.delete(node.metadata.name);
		},
	});
	await Promise.all(first);
	first = undefined;

	return {
		port,
		get requests() {
			return requests;
		},
		syncs: (node) => node !== undefined && syncing.has(node),
		stop() {
			clearInterval(heartbeats);
			server.close();
			server.closeAllConnections();
		},
	};
}

const addresses = [{ type: 'InternalIP', address: '127.0.0.1' }];

function ready(nowMs: number): object[] {
	const lastHeartbeatTime = new Date(nowMs).toISOString();
	return [{ type: 'Ready', status: 'True', reason: 'KubeletReady', lastHeartbeatTime }];
}

async function writeStatus(kube: Kube, node: string, status: object): Promise<void> {
	try {
		await kube.patch(`/api/v1/nodes/${node}/status`, { status }, 'strategic-merge');
	} catch (error) {
		if (error instanceof KubeError && error.status === 404) return; // gone again
		if (error instanceof Error && error.name === 'AbortError') return; // stopped
		console.error(`simulated kubelet: the status of node ${node} cannot be written:`, error);
	}
}

function queryOf(params: URLSearchParams): LogQuery {
	const number = (name: string) => (params.has(name) ? Number(params.get(name)) : undefined);
	const tailLines = number('tailLines');
	const limitBytes = number('limitBytes');
	const sinceSeconds = number('sinceSeconds');
	const sinceTime = params.get('sinceTime');
	const sinceMs =
		sinceTime === null
			? sinceSeconds === undefined
				? undefined
				: Date.now() - sinceSeconds * 1000
			: Date.parse(sinceTime);
	return {
		timestamps: params.get('timestamps') === 'true',
		...(tailLines === undefined ? {} : { tailLines }),
		...(limitBytes === undefined ? {} : { limitBytes }),
		...(sinceMs === undefined ? {} : { sinceMs }),
	};
}

function refuse(response: ServerResponse, status: number, message: string): void {
	response.writeHead(status, { 'content-type': 'text/plain' }).end(message);
}

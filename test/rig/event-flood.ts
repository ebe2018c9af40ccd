/**
 * A flood of events without a signature, in a thread of its own, so that whoever measures meanwhile is not kept waiting by it.
 * This file is the thread as well.
 */
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

interface Flood {
	port: number;
	count: number;
	perSecond: number;
	body: string;
}

/** Sends them; resolves with how many were answered with which status, 0 where the connection broke. */
export function floodEvents(flood: Flood): Promise<Map<number, number>> {
	return new Promise((resolve, reject) => {
		const worker = new Worker(new URL(import.meta.url), { workerData: flood });
		worker.once('message', resolve);
		worker.once('error', reject);
	});
}

async function send({ port, count, perSecond, body }: Flood): Promise<Map<number, number>> {
	const agent = new Agent({ keepAlive: true, maxSockets: 64 });
	const answers = new Map<number, number>();
	const one = async () => {
		const status = await post(agent, port, body);
		answers.set(status, (answers.get(status) ?? 0) + 1);
	};
	const startedMs = performance.now();
	const sending: Promise<void>[] = [];
	for (let sent = 0; sent < count; sent++) {
		const aheadMs = (sent / perSecond) * 1_000 - (performance.now() - startedMs);
		if (aheadMs > 10) await sleep(aheadMs);
		sending.push(one());
	}
	await Promise.all(sending);
	agent.destroy();
	return answers;
}

function post(agent: Agent, port: number, body: string): Promise<number> {
	return new Promise((resolve) => {
		const headers = {
			'content-type': 'application/json',
			'content-length': Buffer.byteLength(body),
			'x-github-event': 'workflow_job',
			'x-github-delivery': randomUUID(),
			'x-hub-signature-256': `sha256=${'0'.repeat(64)}`,
		};
		const sent = request({ port, host: '127.0.0.1', method: 'POST', agent, headers });
		sent.once('error', () => resolve(0));
		sent.once('response', (response) => {
			response.resume();
			response.once('close', () => resolve(response.statusCode ?? 0));
		});
		sent.end(body);
	});
}

if (!isMainThread) parentPort?.postMessage(await send(workerData as Flood));

import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { judgeSecret } from '../../../admission/certificates/secret.ts';
import type { WebhookConfiguration } from '../../../admission/certificates/webhook-configurations.ts';
import { type ApiCall, remove } from '../../rig/api-call.ts';
import type { Rig } from '../../rig/rig.ts';
import { KubeError } from '../../sim/kube.ts';

export const host = 'runners-admission.runners-system.svc';
const secretPath = '/api/v1/namespaces/runners-system/secrets/runners-admission-tls';
const kinds = ['validating', 'mutating'];

/** caBundle of every webhook, PEM. */
export async function bundles(rig: Rig): Promise<string[]> {
	const found = await Promise.all(
		kinds.map((kind) =>
			rig.kube.get<WebhookConfiguration>(
				`/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations/runners-admission`,
			),
		),
	);
	return found
		.flatMap(({ webhooks }) => webhooks ?? [])
		.map(({ clientConfig }) => Buffer.from(clientConfig?.caBundle ?? '', 'base64').toString());
}

/** A new connection, as an API server makes one; resolves to the certificate's SHA-256, rejects when it is not trusted. */
export function handshake(port: number, ca: string): Promise<string> {
	return new Promise((resolve, reject) => {
		const socket = connect({ host: '127.0.0.1', port, servername: host, ca, timeout: 5_000 });
		socket.once('error', reject);
		socket.once('timeout', () => socket.destroy(new Error('no handshake within 5 s')));
		socket.once('secureConnect', () => {
			resolve(socket.getPeerCertificate().fingerprint256);
			socket.destroy();
		});
	});
}

/** The server's own certificates; undefined: there are none. */
export async function secretOf(rig: Rig): Promise<{ data: Record<string, string> } | undefined> {
	try {
		return await rig.kube.get<{ data: Record<string, string> }>(secretPath);
	} catch (error) {
		if (error instanceof KubeError && error.status === 404) return undefined;
		throw error;
	}
}

/** Every replica serves the Secret's certificate, and every webhook trusts its CA. */
export async function agreed(rig: Rig): Promise<boolean> {
	const all = await bundles(rig);
	const served = await Promise.all(
		rig.servers.flatMap(({ port }) => all.map((ca) => handshake(port, ca).catch(() => 'not trusted'))),
	);
	const found = judgeSecret((await secretOf(rig))?.data, [host], Date.now());
	return new Set(served).size === 1 && !served.includes('not trusted') && found.serving !== undefined;
}

export interface Probes {
	/** Answers of DELETE by status and, unless the guard itself refused, message. */
	answers: Map<string, number>;
	handshakes: { good: number; bad: string[] };
	/** Calls that the guard did not answer. */
	failures(): string[];
	stop(): Promise<void>;
}

/** How far behind the webhook configurations the slowest API server of these tests is. */
const lagMs = 1_500;

/**
 * Two kinds of callers until `stop`. Some 10 deletions a second of busy runners through the API server, each of which the guard must
 * refuse. And new connections to each replica every 500 ms, by a caller that trusts what the configurations held
 * `lagMs` ago: an API server with a slow watch, which also never keeps a connection.
 */
export function startProbes(rig: Rig, call: ApiCall, namespace: string, busy: string[]): Probes {
	let running = true;
	const answers = new Map<string, number>();
	const handshakes: Probes['handshakes'] = { good: 0, bad: [] };
	const refused = '409 refused by the guard';

	const deleting = busy.map(async (name) => {
		while (running) {
			const { status, message } = await remove(call, namespace, name);
			const what = status === 409 && message.includes('is busy') ? refused : `${status} ${message}`;
			answers.set(what, (answers.get(what) ?? 0) + 1);
			await sleep(400);
		}
	});
	const connecting = (async () => {
		const seen: { atMs: number; all: string[] }[] = [];
		while (running) {
			seen.push({ atMs: Date.now(), all: await bundles(rig) });
			while (seen.length > 1 && (seen[1]?.atMs ?? 0) <= Date.now() - lagMs) seen.shift();
			const distinct = new Set(seen[0]?.all);
			await Promise.all(
				rig.servers.flatMap(({ port, exited }) =>
					[...distinct].map(async (ca) => {
						const gone = exited.then(() => 'exited' as const);
						try {
							await handshake(port, ca);
							handshakes.good += 1;
						} catch (error) {
							const ended = (await Promise.race([gone, sleep(1_000)])) === 'exited';
							if (!ended) handshakes.bad.push(`${new Date().toISOString()} ${port}: ${error}`);
						}
					}),
				),
			);
			await sleep(500);
		}
	})();
	return {
		answers,
		handshakes,
		failures: () => [...[...answers.keys()].filter((what) => what !== refused), ...handshakes.bad],
		async stop() {
			running = false;
			await Promise.all([...deleting, connecting]);
		},
	};
}

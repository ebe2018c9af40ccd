import { setTimeout as sleep } from 'node:timers/promises';
import { guardWebhook } from '../../../../admission/api/keys.ts';
import { apiCalls } from '../../../rig/api-call.ts';
import { eventually } from '../../../rig/eventually.ts';
import type { Rig } from '../../../rig/rig.ts';
import { readKubeconfig } from '../../../sim/cluster-access.ts';

const configurations = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';

interface Configuration {
	webhooks: { name: string; clientConfig: { service: { port: number } }; namespaceSelector: object }[];
}

/**
 * Somebody deletes a busy runner, again and again, while a replica is attacked that no webhook leads to but one for this
 * namespace alone: how long the API server takes to refuse that tells how well the replica still serves it.
 */
export async function deletesBeside(
	rig: Rig,
	{ namespace, pod, port }: { namespace: string; pod: string; port: number },
): Promise<{ stop(): Promise<number[]> }> {
	const { webhooks } = await rig.kube.get<Configuration>(`${configurations}/runners-admission`);
	const guard = webhooks.find(({ name }) => name === guardWebhook);
	if (!guard) throw new Error(`there is no webhook ${guardWebhook}`);
	guard.name = `${namespace}.example.com`;
	guard.clientConfig.service.port = port;
	guard.namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': namespace } };
	const metadata = { name: `attacked-${namespace}` };
	const kind = { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingWebhookConfiguration' };
	await rig.kube.create(configurations, { ...kind, metadata, webhooks: [guard] });

	const { call, stop } = apiCalls(readKubeconfig(rig.cluster.kubeconfig));
	const path = `/api/v1/namespaces/${namespace}/pods/${pod}?dryRun=All`;
	const isRefused = async () => (await call('DELETE', path)).status === 409;
	await eventually('a DELETE is refused', isRefused);
	const tookMs: number[] = [];
	let stopped = false;
	const asking = (async () => {
		while (!stopped) {
			const answer = await call('DELETE', path);
			if (answer.status !== 409) throw new Error(`not refused: ${answer.status} ${answer.message}`);
			tookMs.push(answer.tookMs);
			await sleep(20);
		}
	})();
	asking.catch(() => {}); // stop() reports it
	return {
		async stop() {
			stopped = true;
			try {
				await asking;
			} finally {
				stop();
				await rig.kube.delete(`${configurations}/${metadata.name}`);
			}
			return tookMs;
		},
	};
}

import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../../../plugin/kube/connect.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { Kube, type KubeItem } from '../../sim/kube.ts';

const writersAtOnce = 16;
/** The StatefulSet controller may make 100 calls at once and 20 a second: until it has all of them again, with slack. */
export const controllerRestsMs = 12_000;
let made = 0;

/**
 * The StatefulSet controller's own pace: so many bare StatefulSets of one replica, all created at once; seconds until
 * their pods exist. Nobody who makes a StatefulSet for each runner is quicker.
 */
export async function floorSeconds(rig: Rig, count: number): Promise<number> {
	const namespace = `floor-${++made}`;
	await rig.cluster.createNamespace(namespace);
	const client = await connect({ kubeconfig: rig.cluster.kubeconfig });
	const kube = new Kube(readKubeconfig(rig.cluster.kubeconfig));
	const pods = new Set<string>();
	await kube.watch<KubeItem>(`/api/v1/namespaces/${namespace}/pods`, {
		seen: ({ metadata }) => void pods.add(metadata.name),
		gone: ({ metadata }) => void pods.delete(metadata.name),
	});
	try {
		await sleep(controllerRestsMs);
		const fromMs = Date.now();
		const names = Array.from({ length: count }, (_, index) => `bare-${index}`);
		await Promise.all(
			Array.from({ length: writersAtOnce }, async () => {
				for (let name = names.shift(); name; name = names.shift())
					await client.call('POST', `/apis/apps/v1/namespaces/${namespace}/statefulsets`, {
						body: bare(name),
					});
			}),
		);
		await eventually(`${count} bare pods exist`, () => pods.size === count, {
			withinMs: 60_000 + count * 500,
			everyMs: 20,
		});
		const seconds = (Date.now() - fromMs) / 1000;
		// Its writes of what is ready come after its pods: the next run must find it idle.
		await sleep((count / 20) * 1_000);
		return seconds;
	} finally {
		await rig.ok(['delete', 'namespace', namespace, '--wait=false']);
		await eventually('the bare pods are gone', () => pods.size === 0, { withinMs: 400_000 });
		kube.stop();
	}
}

function bare(name: string): object {
	const labels = { app: name };
	return {
		apiVersion: 'apps/v1',
		kind: 'StatefulSet',
		metadata: { name },
		spec: {
			replicas: 1,
			serviceName: 'bare',
			selector: { matchLabels: labels },
			template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'bare' }] } },
		},
	};
}

import { mkdir, symlink } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startCluster } from '../cluster/cluster.ts';
import { givenCluster } from '../rig/given-cluster.ts';
import { type Rig, type RigCluster, startRigOn } from '../rig/rig.ts';

interface Stage {
	rig: Rig<RigCluster>;
	/** Environment in which `kubectl` and `kubectl runners` reach the cluster. */
	env: NodeJS.ProcessEnv;
	/** What to put in front of PATH for that. */
	path: string;
}

const dist = fileURLToPath(new URL('../../dist', import.meta.url));

export const runners = ['linux-1', 'linux-2', 'linux-3'] as const;

/** Cluster, GitHub simulator, guard from manifests/, three runners on one node. */
export async function setStage(
	kubeconfig: string | undefined,
	admin: boolean,
	log: (line: string) => void,
): Promise<Stage> {
	const cluster: Promise<RigCluster> = kubeconfig ? givenCluster(kubeconfig, log) : startCluster({ log });
	const rig = await startRigOn(cluster, { github: { admin }, nodes: ['node-1'], log });
	try {
		const bin = join(rig.cluster.folder, 'demo-bin');
		await mkdir(bin);
		await symlink(rig.cluster.kubectlPath, join(bin, 'kubectl'));
		await rig.ok(['create', 'namespace', 'demo']);
		await rig.runners(runners.map((name) => ({ name, namespace: 'demo', repository: 'octo-org/app' })));
		const path = [bin, dist].join(delimiter);
		const env = {
			...process.env,
			KUBECONFIG: rig.cluster.kubeconfig,
			PATH: [path, dirname(process.execPath), process.env.PATH].join(delimiter),
		};
		return { rig, env, path };
	} catch (error) {
		await rig.stop();
		throw error;
	}
}

import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBuilt } from '../cluster/build.ts';
import { runKubectl } from '../cluster/kubectl.ts';
import { readKubeconfig } from '../sim/cluster-access.ts';
import type { RigCluster } from './rig.ts';

/** A cluster that somebody else runs, by its kubeconfig: used, and cleaned up after, but never stopped. */
export async function givenCluster(kubeconfig: string, log: (line: string) => void): Promise<RigCluster> {
	const { controlplane } = await ensureBuilt(log);
	const folder = await mkdtemp(join(tmpdir(), 'runners-demo-'));
	const kubectlPath = join(folder, 'kubectl');
	await symlink(controlplane, kubectlPath);
	const kubectl: RigCluster['kubectl'] = (args, options = {}) =>
		runKubectl(kubectlPath, args, { ...process.env, KUBECONFIG: kubeconfig }, options);

	const reached = await kubectl(['get', 'nodes', '-o', 'name', '--request-timeout=10s']);
	if (reached.code !== 0) throw new Error(`${kubeconfig}: ${reached.stderr.trim()}`);

	return {
		folder,
		kubeconfig,
		kubectlPath,
		kubectl,
		// Its nodes are its own; a node of ours would have no kubelet there.
		async addNode() {},
		async serviceAccountKubeconfig(namespace, name) {
			const token = await kubectl(['create', 'token', name, '-n', namespace, '--duration=24h']);
			if (token.code !== 0) throw new Error(token.stderr.trim());
			const { server, ca } = readKubeconfig(kubeconfig);
			const path = join(folder, `${namespace}.${name}.json`);
			const cluster = {
				server,
				...(ca ? { 'certificate-authority-data': Buffer.from(ca).toString('base64') } : {}),
			};
			const config = {
				'current-context': 'given',
				clusters: [{ name: 'given', cluster }],
				users: [{ name, user: { token: token.stdout.trim() } }],
				contexts: [{ name: 'given', context: { cluster: 'given', user: name } }],
			};
			await writeFile(path, JSON.stringify(config), { mode: 0o600 });
			return path;
		},
		async stop() {
			// Webhooks first: nothing may wait for a server that is gone.
			await kubectl(['delete', 'validatingwebhookconfiguration', 'runners-admission', '--ignore-not-found']);
			await kubectl(['delete', 'namespace', 'runners-system', 'demo', '--ignore-not-found']);
			const ours = ['-l', 'app.kubernetes.io/part-of=kubectl-runners'];
			await kubectl(['delete', 'clusterrole,clusterrolebinding', ...ours, '--ignore-not-found']);
			await rm(folder, { recursive: true, force: true });
		},
	};
}

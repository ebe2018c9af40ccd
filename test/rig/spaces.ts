import type { Rig } from './rig.ts';

/** A namespace with the Secret that its scale sets name, as a user of ARC has it. */
export async function runnerNamespace(rig: Rig, name: string): Promise<void> {
	await rig.cluster.createNamespace(name);
	await rig.apply({
		apiVersion: 'v1',
		kind: 'Secret',
		metadata: { name: 'example-github-secret', namespace: name },
		stringData: { github_token: 'test-token' },
	});
}

/** A pod that is no runner. */
export function plainPod(name: string, namespace: string, spec: object = {}): object {
	return {
		apiVersion: 'v1',
		kind: 'Pod',
		metadata: { name, namespace, labels: { app: name } },
		spec: { ...spec, containers: [{ name: 'web', image: 'nginx' }] },
	};
}

/** PriorityClass of pods that preempt others. */
export const urgentPriority = {
	apiVersion: 'scheduling.k8s.io/v1',
	kind: 'PriorityClass',
	metadata: { name: 'urgent' },
	value: 1_000_000,
};

/** Pods of runners' jobs (containerMode kubernetes), as actions/runner-container-hooks 0.8 makes and deletes them. */
import { randomUUID } from 'node:crypto';

interface JobPodOptions {
	/** Name of the runner's pod. */
	runner: string;
	namespace: string;
	/** The pod of a step that is a container action. Default false: the pod of the job. */
	step?: boolean;
	nodeName?: string;
}

const longestName = 63;

/** Its name: the runner's, cut so that the suffix fits. */
function jobPodName({ runner, step = false }: Pick<JobPodOptions, 'runner' | 'step'>): string {
	const end = step ? `-step-${randomUUID().slice(0, 8)}` : '-workflow';
	return `${runner.slice(0, longestName - end.length)}${end}`;
}

/**
 * The Job of a container action, as actions/runner-container-hooks up to 0.7 makes it: its pod carries no label of the hooks,
 * but the Job controller's.
 */
export function stepJob({ runner, namespace, nodeName }: Omit<JobPodOptions, 'step'>): {
	metadata: { name: string; namespace: string };
} {
	return {
		...{ apiVersion: 'batch/v1', kind: 'Job' },
		metadata: { name: jobPodName({ runner, step: true }), namespace },
		...{
			spec: {
				backoffLimit: 0,
				ttlSecondsAfterFinished: 300,
				template: {
					spec: {
						...(nodeName === undefined ? {} : { nodeName }),
						restartPolicy: 'Never',
						containers: [{ name: 'job', image: 'docker://alpine:3.20' }],
					},
				},
			},
		},
	};
}

export function jobPod(options: JobPodOptions): object {
	const { runner, namespace, nodeName } = options;
	const volumes = ['externals', 'github', 'work'].map((name) => ({ name, emptyDir: {} }));
	return {
		apiVersion: 'v1',
		kind: 'Pod',
		metadata: { name: jobPodName(options), namespace, labels: { 'runner-pod': runner } },
		spec: {
			...(nodeName === undefined ? {} : { nodeName }),
			restartPolicy: 'Never',
			volumes,
			initContainers: [{ name: 'fs-init', image: 'ghcr.io/actions/actions-runner:latest' }],
			containers: [
				{ name: 'job', image: 'node:20', command: ['tail'], args: ['-f', '/dev/null'] },
				{ name: 'postgres', image: 'postgres:17' },
			],
		},
	};
}

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

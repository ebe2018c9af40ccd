import { jobPods } from '../../../../../admission/api/keys.ts';
import type { Pod } from '../../../../../admission/api/kinds.ts';
import { type JobPod, readJobPod } from '../../../../../admission/runner/job-pod.ts';

/** The pod of r1's job, as actions/runner-container-hooks makes it; created at 12:01. */
export function jobPodObject(
	change: { metadata?: Partial<Pod['metadata']>; status?: Pod['status'] } = {},
): Pod {
	return {
		metadata: {
			name: 'r1-workflow',
			namespace: 'ci',
			uid: 'uid-job',
			resourceVersion: '9',
			creationTimestamp: '2026-11-23T12:01:00Z',
			annotations: {},
			...change.metadata,
			labels: { [jobPods.label]: 'r1', ...change.metadata?.labels },
		},
		spec: {
			nodeName: 'node-1',
			containers: [
				{ name: 'job', image: 'node:20' },
				{ name: 'postgres', image: 'postgres:17' },
			],
			initContainers: [{ name: 'fs-init', image: 'runner:1' }],
		},
		status: change.status ?? {
			phase: 'Running',
			containerStatuses: ['job', 'postgres'].map((name) => ({
				name,
				state: { running: { startedAt: '2026-11-23T12:01:02Z' } },
			})),
		},
	};
}

/** The pod of a container action, as runner-container-hooks up to 0.7 has it made: a Job's, without a label of the hooks. */
export function stepPodObject(job: string, metadata: Partial<Pod['metadata']> = {}): Pod {
	const made = jobPodObject({ metadata: { name: job, uid: 'uid-step', ...metadata } });
	made.metadata.labels = { [jobPods.job]: job, 'job-name': job, ...metadata.labels };
	return made;
}

/** As one whose containers have ended. */
export const endedJobPod = (...names: string[]): Pod['status'] => ({
	phase: 'Failed',
	containerStatuses: ['job', 'postgres'].map((name) => ({
		name,
		state: names.includes(name) ? { terminated: { exitCode: 1 } } : { running: {} },
	})),
});

export function jobPod(change: Parameters<typeof jobPodObject>[0] = {}): JobPod {
	const read = readJobPod(jobPodObject(change), () => true);
	if (!read) throw new Error('the fixture is no job pod');
	return read;
}

import type { Pod } from '../../../api/kinds.ts';
import { objectKey, splitKey } from '../../../api/object-key.ts';
import type { Cache } from '../../../cluster/cache.ts';
import type { RunnerPods } from '../../../cluster/runner-pods.ts';
import { Controller, type ControllerDependencies } from '../../../kube/controller.ts';
import { readJobPod } from '../../../runner/job-pod.ts';
import type { RunnerPod } from '../../../runner/runner-pod.ts';
import type { JobPods } from './job-pods.ts';
import { planJobPodMarks } from './rules/marks.ts';

/** A new leader may know job pods before it knows runners; then their marks are checked again after this. */
const runnersListedMs = 500;

interface Dependencies extends ControllerDependencies {
	jobPods: JobPods;
	cache: Pick<Cache, 'pods'>;
	pods: Pick<RunnerPods, 'read' | 'patch'>;
}

/** Keeps the marks of job pods in step with those of their runner's pod. */
export function markJobPods(dependencies: Dependencies): Controller {
	const { jobPods, cache, pods, clock } = dependencies;
	const runnerOf = (namespace: string, name: string): { object: Pod; pod: RunnerPod } | undefined => {
		const object = cache.pods.get(namespace, name);
		const pod = object && pods.read(object);
		return pod && { object, pod };
	};
	return new Controller(
		{
			name: 'job-pods',
			field: 'pod',
			concurrency: 8,
			failure: 'marks of a job pod not written',
			async reconcile(key) {
				const { namespace, name } = splitKey(key);
				const object = jobPods.watched.informer.get(namespace, name);
				const jobPod = object && readJobPod(object);
				if (!jobPod) return undefined;
				if (!cache.pods.synced) return { afterMs: runnersListedMs };
				const marks = planJobPodMarks(object, jobPod, runnerOf(namespace, jobPod.runner), clock.now());
				if (marks) await pods.patch(jobPod, marks);
				return undefined;
			},
		},
		dependencies,
	)
		.watch(jobPods.watched.on, ({ metadata }) => objectKey(metadata))
		.watch(jobPods.onRunner, (runner) => jobPods.of(runner));
}

import type { Pod } from '../../../api/kinds.ts';
import { objectKey, splitKey } from '../../../api/object-key.ts';
import type { Cache } from '../../../cluster/cache.ts';
import type { RunnerPods } from '../../../cluster/runner-pods.ts';
import { worksBy } from '../../../jobs/rules/job-signals.ts';
import { Controller, type ControllerDependencies } from '../../../kube/controller.ts';
import { type JobPod, readJobPod } from '../../../runner/job-pod.ts';
import type { RunnerPod } from '../../../runner/runner-pod.ts';
import type { JobPods } from './job-pods.ts';
import { planJobPodMarks } from './rules/marks.ts';

/** A new leader may know job pods before it knows runners; then their marks are checked again after this. */
const runnersListedMs = 500;

interface Shown {
	object: Pod;
	pod: RunnerPod;
}

interface Dependencies extends ControllerDependencies {
	jobPods: JobPods;
	cache: Pick<Cache, 'pods'>;
	pods: Pick<RunnerPods, 'read' | 'patch'>;
}

/**
 * Keeps the marks of job pods in step with those of their runner's pod.
 *
 * @param name of the controller
 */
export function markJobPods(name: string, dependencies: Dependencies): Controller {
	const { jobPods, cache, pods, clock } = dependencies;
	const read = (object: Pod | undefined): Shown | undefined => {
		const pod = object && pods.read(object);
		return pod && { object, pod };
	};
	/** Of several that can be meant, one that is marked or works, if there is one. */
	const runnerOf = (namespace: string, { runner, cut }: JobPod): Shown | undefined => {
		if (!cut) return read(cache.pods.get(namespace, runner));
		const found = [...cache.pods.values()]
			.filter(({ metadata }) => metadata.namespace === namespace && metadata.name.startsWith(runner))
			.map(read)
			.filter((one) => one !== undefined);
		return found.find(({ pod }) => pod.backstopped || worksBy(pod.signals)) ?? found[0];
	};
	return new Controller(
		{
			name,
			field: 'pod',
			concurrency: 8,
			failure: 'marks of a job pod not written',
			async reconcile(key) {
				const { namespace, name } = splitKey(key);
				const object = jobPods.watched.informer.get(namespace, name);
				const jobPod = object && readJobPod(object);
				if (!jobPod) return undefined;
				if (!cache.pods.synced) return { afterMs: runnersListedMs };
				const marks = planJobPodMarks(object, jobPod, runnerOf(namespace, jobPod), clock.now());
				if (marks) await pods.patch(jobPod, marks);
				return undefined;
			},
		},
		dependencies,
	)
		.watch(jobPods.watched.on, ({ metadata }) => objectKey(metadata))
		.watch(jobPods.onRunner, (runner) => jobPods.of(runner));
}

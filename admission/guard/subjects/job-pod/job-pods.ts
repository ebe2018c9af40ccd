import { deletionPendingCondition, jobPods } from '../../../api/keys.ts';
import type { Pod } from '../../../api/kinds.ts';
import { type ObjectKey, objectKey } from '../../../api/object-key.ts';
import { resources } from '../../../api/paths.ts';
import type { Cache } from '../../../cluster/cache.ts';
import { keptAnnotations } from '../../../cluster/kept-annotations.ts';
import { type WatchDependencies, type Watched, watched } from '../../../cluster/watched.ts';
import type { Source } from '../../../kube/controller.ts';
import type { LargeSelection } from '../../../kube/large-objects.ts';
import { isJobPod, longestPrefix, runnerOf } from '../../../runner/job-pod.ts';

/** The pods of runners' jobs, as the leader watches them. */
export class JobPods {
	readonly watched: Watched<Pod>;
	/** Keys of the job pods of each runner's pod, by its key; gone with the last of them. */
	readonly #ofRunner = new Map<ObjectKey, Set<ObjectKey>>();
	readonly #cache: Pick<Cache, 'onPod'>;

	/** @param label by which they are found */
	constructor(
		dependencies: WatchDependencies & { cache: Pick<Cache, 'onPod'> },
		label: typeof jobPods.label | typeof jobPods.job,
	) {
		this.#cache = dependencies.cache;
		const labelSelector = label === jobPods.label ? label : `${label},!${jobPods.label}`;
		this.watched = watched(dependencies, resources.pods, trimJobPod, {
			query: { labelSelector },
			large: mayBeJobPods,
		});
		this.watched.on((change, object, before) => {
			if (before) this.#forget(before);
			if (change === 'deleted') return;
			const runner = runnerKey(object);
			const key = objectKey(object.metadata);
			this.#ofRunner.set(runner, (this.#ofRunner.get(runner) ?? new Set()).add(key));
		});
	}

	/** Changes of the pods of runners. */
	readonly onRunner: Source<Pod> = (listener) => this.#cache.onPod(listener);

	/** Keys of the job pods of this runner's pod. */
	of({ metadata: { namespace, name } }: Pod): Iterable<ObjectKey> {
		const names = new Set([name, name.slice(0, longestPrefix)]);
		return [...names].flatMap((one) => [...(this.#ofRunner.get(objectKey({ namespace, name: one })) ?? [])]);
	}

	#forget(object: Pod): void {
		const runner = runnerKey(object);
		const keys = this.#ofRunner.get(runner);
		keys?.delete(objectKey(object.metadata));
		if (keys?.size === 0) this.#ofRunner.delete(runner);
	}
}

const runnerKey = (pod: Pod): ObjectKey =>
	objectKey({ namespace: pod.metadata.namespace, name: runnerOf(pod)?.runner ?? '' });

/** Of the large pods that Jobs have made, those that may be of a container action. */
const mayBeJobPods: LargeSelection<Pod> = {
	kept: { spec: { containers: { '*': { name: true } } } },
	isRead: ({ spec }) => spec?.containers?.some(({ name }) => name === 'job') ?? false,
};

/** What is kept of a pod; undefined: nothing, it is no job pod. */
export function trimJobPod(pod: Pod): Pod | undefined {
	if (!isJobPod(pod)) return undefined;
	const { metadata, spec, status } = pod;
	const { name, namespace, uid, resourceVersion, creationTimestamp, deletionTimestamp, labels } = metadata;
	return {
		metadata: {
			name,
			namespace,
			uid,
			resourceVersion,
			creationTimestamp,
			deletionTimestamp,
			labels,
			annotations: keptAnnotations(pod),
		},
		spec: { containers: spec?.containers?.map((container) => ({ name: container.name })) },
		status: {
			phase: status?.phase,
			conditions: status?.conditions?.filter(({ type }) => type === deletionPendingCondition),
			containerStatuses: status?.containerStatuses?.map((one) => ({ name: one.name, state: one.state })),
		},
	};
}

import { autoscaleKinds, type HorizontalRunnerAutoscaler, type WorkflowJob } from '../api/autoscale.ts';
import type { KubeObject } from '../api/kinds.ts';
import { groupPath } from '../api/paths.ts';
import { apiVersion } from '../api/sets.ts';
import { type WatchDependencies, type Watched, watched } from '../cluster/watched.ts';
import { knownToServe } from '../kube/objects.ts';

/** How often it is checked whether the CRDs are installed, which may be after the server has started. */
const servedCheckMs = 3_000;

/** The autoscalers of the cluster, and the jobs that are recorded, which the leader watches. */
export class AutoscaleCache {
	readonly autoscalers: Watched<HorizontalRunnerAutoscaler>;
	readonly jobs: Watched<WorkflowJob>;
	readonly #dependencies: WatchDependencies;
	/** Whether the API server serves both kinds; undefined: it has not said so yet. */
	#served: boolean | undefined;

	/** @param namespace the server's own, in which the jobs are */
	constructor(dependencies: WatchDependencies, namespace: string) {
		this.#dependencies = dependencies;
		this.autoscalers = watched<HorizontalRunnerAutoscaler>(
			dependencies,
			autoscaleKinds.autoscaler,
			trim(autoscaleKinds.autoscaler.kind),
		);
		this.jobs = watched<WorkflowJob>(
			dependencies,
			autoscaleKinds.workflowJob,
			trim(autoscaleKinds.workflowJob.kind),
			{ namespace },
		);
	}

	/** Whether all autoscalers are known. Where their kind is not installed, there are none. */
	get synced(): boolean {
		return this.absent || this.autoscalers.informer.synced;
	}

	/** Whether the API server has said that it does not serve these kinds: there are no autoscalers. */
	get absent(): boolean {
		return this.#served === false;
	}

	/** Whether all recorded jobs are known. */
	get jobsSynced(): boolean {
		return this.jobs.informer.synced;
	}

	/** Watches both kinds, once they are served, until `signal`. */
	async run(signal: AbortSignal): Promise<void> {
		const { client, clock, log } = this.#dependencies;
		const { autoscaler, workflowJob } = autoscaleKinds;
		while (!signal.aborted) {
			const kinds = [autoscaler.resource, workflowJob.resource];
			const served = await Promise.all(
				kinds.map((resource) => knownToServe(client, groupPath(apiVersion), resource)),
			);
			if (served.every((one) => one === true)) {
				this.#served = true;
				await Promise.all([this.autoscalers.informer.run(signal), this.jobs.informer.run(signal)]);
				return;
			}
			const absent = served.includes(false);
			if (absent && !this.absent)
				log.info(
					{ kinds, served },
					'autoscalers are not installed: sets have as many runners as their replicas say',
				);
			this.#served = absent ? false : undefined;
			await clock.sleep(servedCheckMs, signal);
		}
	}
}

/** Removes managedFields and adds the kind, which items of a list lack. */
const trim =
	(kind: string) =>
	<T extends KubeObject>(object: T): T => {
		const { managedFields: _none, ...metadata } = object.metadata as T['metadata'] & {
			managedFields?: unknown;
		};
		return { ...object, apiVersion, kind, metadata };
	};

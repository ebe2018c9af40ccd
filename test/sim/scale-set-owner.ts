/** The EphemeralRunner behind a scale set's pod, as ARC's controller and its listener keep it. */
import type { Job } from './job.ts';
import type { Kube } from './kube.ts';
import { type EphemeralRunnerItem, scopeOfOwner } from './runner-pod.ts';
import type { Scope } from './scope.ts';

export class ScaleSetOwner {
	readonly #kube: Kube;
	readonly #name: string;
	readonly #path: string;

	constructor(kube: Kube, namespace: string, name: string) {
		this.#kube = kube;
		this.#name = name;
		this.#path = `/apis/actions.github.com/v1alpha1/namespaces/${namespace}/ephemeralrunners/${name}`;
	}

	/** `runnerId`: GitHub's id of the runner, if its controller has registered it. */
	async read(): Promise<{ scope: Scope; runnerId: number | undefined }> {
		const owner = await this.#kube.get<EphemeralRunnerItem>(this.#path);
		const scope = scopeOfOwner(owner);
		if (scope === undefined) throw new Error(`${this.#name} has no githubConfigUrl`);
		return { scope, runnerId: owner.status?.runnerId };
	}

	/** Written by the controller, which registers the runner before its pod exists. */
	async registered(runnerId: number, runnerName: string): Promise<void> {
		await this.#patch({ runnerId, runnerName, phase: 'Running', ready: true });
	}

	/** Written by the listener when a job starts, never when it ends. */
	async job(job: Job): Promise<void> {
		await this.#patch({
			jobId: job.id,
			jobDisplayName: job.displayName,
			jobRepositoryName: job.repository,
			workflowRunId: job.workflowRunId,
		});
	}

	#patch(status: object): Promise<unknown> {
		return this.#kube.patch(`${this.#path}/status`, { status });
	}
}

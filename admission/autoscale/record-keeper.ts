import { autoscaleKinds, type WorkflowJob, type WorkflowJobStatus } from '../api/autoscale.ts';
import { objectPath } from '../api/paths.ts';
import type { Watched } from '../cluster/watched.ts';
import type { KubeClient } from '../kube/client.ts';
import { Controller } from '../kube/controller.ts';
import { deleteUnlessChanged } from '../kube/objects.ts';
import type { ReconcileObserver, Requeue } from '../kube/queue.ts';
import { StatusWriter } from '../kube/status-writer.ts';
import type { Log } from '../telemetry/log.ts';
import type { Clock } from '../time/clock.ts';
import type { Entry, JobBook } from './job-book.ts';
import { keptMs } from './rules/records.ts';
import { splitSetKey } from './rules/set-key.ts';

interface RecordKeeperDependencies {
	client: KubeClient;
	/** The server's own, in which the records are. */
	namespace: string;
	/** The records. */
	jobs: Watched<WorkflowJob>;
	book: JobBook;
	metrics: ReconcileObserver;
	clock: Clock;
	log: Log;
}

/** The status of a job that a runner takes at once is written once. Whoever watches jobs hardly notices the delay. */
const gatherMs = 500;

/** A merge patch removes only fields that it names. */
const empty: Record<keyof WorkflowJobStatus, null> = {
	set: null,
	reason: null,
	message: null,
	confirmedAt: null,
	checkedAt: null,
	checked: null,
	runner: null,
	endedAt: null,
};

/** Writes into the records of jobs what the leader makes of them, and removes those that are no longer needed. */
export class RecordKeeper {
	readonly #dependencies: RecordKeeperDependencies;
	readonly #controller: Controller<string>;
	readonly #status: StatusWriter<WorkflowJobStatus>;

	constructor(dependencies: RecordKeeperDependencies) {
		this.#dependencies = dependencies;
		const { client, jobs, book, clock } = dependencies;
		this.#status = new StatusWriter<WorkflowJobStatus>({
			client,
			clock,
			resource: autoscaleKinds.workflowJob,
			everyMs: 0, // gatherMs is enough
			toPatch: (status) => ({ ...empty, ...status }),
		});
		this.#controller = new Controller<string>(
			{
				name: 'workflowjob',
				concurrency: 4,
				reconcile: (name) => this.#reconcile(name),
				failure: 'record of a job not written',
			},
			dependencies,
		);
		jobs.on((change, { metadata }) => {
			if (change !== 'deleted') this.#controller.enqueueAfter(metadata.name, gatherMs);
		});
		book.changes.subscribe((change) => {
			if (change.kind === 'status-changed') this.#controller.enqueueAfter(change.job, gatherMs);
		});
	}

	stop(): Promise<void> {
		return this.#controller.stop();
	}

	async #reconcile(name: string): Promise<Requeue> {
		const { client, namespace, jobs, book, clock } = this.#dependencies;
		const record = jobs.informer.get(namespace, name);
		if (!record) return undefined;
		const { uid, resourceVersion } = record.metadata;
		const leftMs = keptMs(record, clock.now());
		if (leftMs === 0) {
			// In the version that was read: an event that comes at this moment is not lost with it.
			const path = objectPath(autoscaleKinds.workflowJob, { namespace, name });
			await deleteUnlessChanged(client, path, { preconditions: { uid, resourceVersion } });
			return undefined;
		}
		const entry = book.get(name);
		if (entry) {
			await this.#status.write(record, statusOf(entry));
		}
		return { afterMs: leftMs };
	}
}

function statusOf({ job, set, why, checked }: Entry): WorkflowJobStatus {
	const at = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms).toISOString());
	const status: WorkflowJobStatus = {
		set: set && splitSetKey(set),
		reason: why?.reason,
		message: why?.message,
		confirmedAt: at(job.confirmedMs),
		checkedAt: at(job.checkedMs),
		checked,
		runner: job.boundTo,
		endedAt: at(job.endedMs),
	};
	return Object.fromEntries(Object.entries(status).filter(([, value]) => value !== undefined));
}

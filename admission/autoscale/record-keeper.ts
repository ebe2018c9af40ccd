import { isDeepStrictEqual } from 'node:util';
import { autoscaleKinds, type WorkflowJob, type WorkflowJobStatus } from '../api/autoscale.ts';
import { objectPath } from '../api/paths.ts';
import type { Watched } from '../cluster/watched.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { deleteUnlessChanged, mergePatch, unlessChanged } from '../kube/objects.ts';
import { type ReconcileObserver, type Requeue, WorkQueue } from '../kube/queue.ts';
import type { Log } from '../telemetry/log.ts';
import type { Entry } from './job-book.ts';
import { keptMs } from './rules/records.ts';

export interface RecordKeeperDependencies {
	client: KubeClient;
	/** The server's own, in which the records stand. */
	namespace: string;
	jobs: Watched<WorkflowJob>;
	/** What is known of an open job; undefined: it is not open. */
	entry: (name: string) => Entry | undefined;
	metrics: ReconcileObserver;
	clock: Clock;
	log: Log;
}

/** A job that a runner takes at once has its status written once. Whoever watches jobs hardly notices. */
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

/** Writes into the records of jobs what the leader makes of them, and removes those that nobody needs any more. */
export class RecordKeeper {
	readonly #dependencies: RecordKeeperDependencies;
	readonly #queue: WorkQueue;

	constructor(dependencies: RecordKeeperDependencies) {
		this.#dependencies = dependencies;
		const { jobs, metrics, clock, log } = dependencies;
		this.#queue = new WorkQueue({
			controller: 'workflowjob',
			metrics,
			clock,
			concurrency: 4,
			reconcile: (name) => this.#keep(name),
			onError: (name, error, retryMs) =>
				log.warn(
					{ workflowjob: name, error: String(error), retryMs },
					'record of a job not written, retrying',
				),
		});
		jobs.on((change, { metadata }) => {
			if (change !== 'deleted') this.changed(metadata.name);
		});
	}

	/** Something that its status shows may have changed. */
	changed(name: string): void {
		this.#queue.addAfter(name, gatherMs);
	}

	stop(): Promise<void> {
		return this.#queue.stop();
	}

	async #keep(name: string): Promise<Requeue> {
		const { client, namespace, jobs, entry, clock } = this.#dependencies;
		const record = jobs.informer.get(namespace, name);
		if (!record) return undefined;
		const { uid, resourceVersion } = record.metadata;
		const path = (subresource?: string) =>
			objectPath(autoscaleKinds.workflowJob, { namespace, name }, subresource);
		const leftMs = keptMs(record, clock.now());
		if (leftMs === 0) {
			// In the version that was read: an event that comes at this moment is not lost with it.
			await deleteUnlessChanged(client, path(), { preconditions: { uid, resourceVersion } });
			return undefined;
		}
		const open = entry(name);
		if (open) {
			const status = statusOf(open);
			const before = Object.fromEntries(
				Object.entries(record.status ?? {}).filter(([, value]) => value !== null),
			);
			if (!isDeepStrictEqual(status, before))
				await unlessChanged(mergePatch(client, path('status'), { status: { ...empty, ...status } }, { uid }));
		}
		return { afterMs: leftMs };
	}
}

function statusOf({ job, set, why, checked }: Entry): WorkflowJobStatus {
	const [, kind, namespace, name] = /^(\S+) ([^/]+)\/(.+)$/.exec(set ?? '') ?? [];
	const at = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms).toISOString());
	const status: WorkflowJobStatus = {
		set: kind && namespace && name ? { kind, namespace, name } : undefined,
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

import type { WorkflowJob, WorkflowJobStatus } from '../api/autoscale.ts';
import type { Job } from './rules/types.ts';

/** What the leader knows of a job beside GitHub's facts. It is kept in the record's status. */
type Known = Pick<Job, 'confirmedMs' | 'checkedMs' | 'boundTo' | 'endedMs' | 'unassignedMs'> & {
	checked: string | undefined;
};

/** A job with its record, and where it counts. */
export interface Entry {
	record: WorkflowJob;
	job: Job;
	checked: string | undefined;
	/** Key of the set that it counts for. */
	set: string | undefined;
	/** Why it waits. */
	why: { reason: string; message: string } | undefined;
}

/**
 * The jobs that the leader knows, each with the set that it counts for; completed ones as long as there is a record of them,
 * so that it is known what their runners have done. Facts come from the records, and what the leader
 * has found out itself (who runs it by our own witnesses, whether that runner has ended, what GitHub answered) is taken from
 * a record's status once, when it is first seen, and is newer here from then on.
 */
export class JobBook {
	readonly #entries = new Map<string, Entry>();
	/** By the set's key: keys of its jobs. */
	readonly #ofSet = new Map<string, Set<string>>();

	get size(): number {
		return this.#entries.size;
	}

	get(key: string): Entry | undefined {
		return this.#entries.get(key);
	}

	values(): IterableIterator<Entry> {
		return this.#entries.values();
	}

	countOf(set: string): number {
		return this.#ofSet.get(set)?.size ?? 0;
	}

	of(set: string | undefined): Entry[] {
		return [...(this.#ofSet.get(set ?? '') ?? [])].flatMap((key) => this.#entries.get(key) ?? []);
	}

	/** A record is new or has changed. @returns its entry, and whether a fact of it is new */
	note(record: WorkflowJob): { entry: Entry; fresh: boolean } {
		const { name } = record.metadata;
		const before = this.#entries.get(name);
		const known: Known = before ? { ...before.job, checked: before.checked } : knownOf(record.status);
		const job = readJob(record, known);
		const entry: Entry = {
			record,
			job,
			checked: known.checked,
			set: before ? before.set : setOf(record.status),
			why: before?.why,
		};
		const moved = before && (before.job.state !== job.state || before.job.runnerName !== job.runnerName);
		// What is newly said by GitHub counts more than what our own witnesses told before.
		if (moved) Object.assign(job, { endedMs: undefined, boundTo: undefined, unassignedMs: undefined });
		this.#entries.set(name, entry);
		this.#index(name, entry.set);
		return { entry, fresh: !before || moved === true };
	}

	remove(key: string): void {
		const entry = this.#entries.get(key);
		if (!entry) return;
		this.#unindex(key, entry.set);
		this.#entries.delete(key);
	}

	/** From now on the job counts for this set; undefined: for none. */
	assign(key: string, set: string | undefined): void {
		const entry = this.#entries.get(key);
		if (!entry || entry.set === set) return;
		this.#unindex(key, entry.set);
		entry.set = set;
		this.#index(key, set);
	}

	/** What the leader has found out about a job. @returns whether it is new */
	learn(key: string, learnt: Partial<Known>): boolean {
		const entry = this.#entries.get(key);
		if (!entry) return false;
		const { checked, ...ofJob } = learnt;
		if ('checked' in learnt) entry.checked = checked;
		const changed = Object.entries(ofJob).some(
			([field, value]) => entry.job[field as keyof typeof ofJob] !== value,
		);
		Object.assign(entry.job, ofJob);
		return changed;
	}

	#unindex(key: string, set: string | undefined): void {
		const known = this.#ofSet.get(set ?? '');
		known?.delete(key);
		if (known?.size === 0) this.#ofSet.delete(set ?? '');
	}

	#index(key: string, set: string | undefined): void {
		const known = this.#ofSet.get(set ?? '') ?? new Set<string>();
		this.#ofSet.set(set ?? '', known.add(key));
	}
}

const ms = (text: string | undefined): number | undefined => {
	const read = typeof text === 'string' ? Date.parse(text) : Number.NaN;
	return Number.isNaN(read) ? undefined : read;
};

/** `RunnerSet ci/linux`. */
export const setKey = (kind: string, namespace: string, name: string): string =>
	`${kind} ${namespace}/${name}`;

function setOf(status: WorkflowJobStatus | undefined): string | undefined {
	const { kind, namespace, name } = status?.set ?? {};
	return kind && namespace && name ? setKey(kind, namespace, name) : undefined;
}

const knownOf = (status: WorkflowJobStatus | undefined): Known => ({
	confirmedMs: ms(status?.confirmedAt),
	checkedMs: ms(status?.checkedAt),
	checked: status?.checked,
	boundTo: status?.runner,
	endedMs: ms(status?.endedAt),
	unassignedMs: undefined,
});

function readJob({ metadata, spec }: WorkflowJob, known: Known): Job {
	const createdMs = ms(metadata.creationTimestamp) ?? 0;
	const stateMs = ms(spec.stateSince) ?? createdMs;
	return {
		key: metadata.name,
		host: spec.host,
		id: spec.id,
		repository: spec.repository,
		enterprise: spec.enterprise,
		runId: spec.runId,
		runAttempt: spec.runAttempt,
		name: spec.name ?? `job ${spec.id}`,
		labels: spec.labels,
		state: spec.state,
		runnerName: spec.runnerName,
		createdMs: ms(spec.createdAt),
		openedMs: ms(spec.openedAt) ?? stateMs,
		stateMs,
		confirmedMs: known.confirmedMs,
		checkedMs: known.checkedMs,
		boundTo: known.boundTo,
		endedMs: known.endedMs,
		unassignedMs: known.unassignedMs,
	};
}

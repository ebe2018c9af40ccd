import type { WorkflowJob, WorkflowJobStatus } from '../api/autoscale.ts';
import { labelsOfJob } from '../api/job-labels.ts';
import { pastMs } from '../api/written-time.ts';
import { earlierName, type JobIdentity, recordName } from '../jobs/records/rules/name.ts';
import { sameName } from '../runner/github-name.ts';
import { Publisher } from './publisher.ts';
import { unlessFuture } from './rules/job-status.ts';
import { type SetKey, setKey } from './rules/set-key.ts';
import type { Demand, Desired, Job, Runner } from './rules/types.ts';
import type { Why } from './rules/waits.ts';

/** What GitHub has answered about a job. */
export type Checked = 'queued' | 'in_progress' | 'completed' | 'unknown';

/** What the leader knows of a job beside GitHub's facts. All but the last is kept in the record's status. */
type Known = Pick<Job, 'confirmedMs' | 'checkedMs' | 'boundTo' | 'endedMs' | 'unassignedMs'> & {
	checked: string | undefined;
};

/** A job with its record, and where it counts. */
export interface Entry {
	record: WorkflowJob;
	job: Job;
	checked: string | undefined;
	/** The set that it counts for. */
	set: SetKey | undefined;
	/** Why it waits. */
	why: Why | undefined;
}

/** What a reconcile of a set has found: its runners, and what its autoscaler makes of them and of its jobs. */
export interface SetFindings {
	runners: readonly Runner[];
	/** undefined: the set has no autoscaler. */
	scaled: { desired: Desired; demand: Demand } | undefined;
}

/** What the book publishes. */
export type BookChange =
	/** GitHub has said something new of a job: it is new, or has another state or runner. `before`: the job until then. */
	| { kind: 'job-recorded'; entry: Entry; before: Job | undefined }
	/** What the status of a job's record shows is different now. */
	| { kind: 'status-changed'; job: string }
	/** The set is to be reconciled: its jobs, or what is known of them, have changed. */
	| { kind: 'requeue'; set: SetKey }
	| { kind: 'set-reconciled'; set: SetKey; findings: SetFindings }
	| { kind: 'set-deleted'; set: SetKey }
	/** A repository may use other runner groups than before. */
	| { kind: 'visibility-learned'; repository: string };

/**
 * The jobs that the leader knows, each with the set that it counts for; completed ones as long as there is a record of them,
 * so that it is known what their runners have done. Facts come from the records. What the leader has found out itself (which
 * runner has it by our own job signals, whether that runner has ended, what GitHub answered) is taken from a record's status
 * once, when it is first seen, and is newer here from then on.
 *
 * Everything in autoscale/ shares the book, and subscribes to its changes.
 */
export class JobBook {
	readonly changes = new Publisher<BookChange>();
	readonly #now: () => number;
	readonly #entries = new Map<string, Entry>();
	/** Keys of the jobs of each set; undefined: of those that count for none. */
	readonly #ofSet = new Map<SetKey | undefined, Set<string>>();

	/** @param now ms since the epoch: no time of a record is later than when it was read */
	constructor(now: () => number) {
		this.#now = now;
	}

	get size(): number {
		return this.#entries.size;
	}

	get(job: string): Entry | undefined {
		return this.#entries.get(job);
	}

	/** By what tells it from all other jobs, also where an earlier version has recorded it. */
	find(identity: JobIdentity): Entry | undefined {
		const found = this.get(recordName(identity));
		if (found) return found;
		const earlier = this.get(earlierName(identity));
		return earlier && sameName(earlier.job.repository, identity.repository) ? earlier : undefined;
	}

	values(): IterableIterator<Entry> {
		return this.#entries.values();
	}

	countOf(set: SetKey): number {
		return this.#ofSet.get(set)?.size ?? 0;
	}

	of(set: SetKey | undefined): Entry[] {
		return [...(this.#ofSet.get(set) ?? [])].flatMap((key) => this.#entries.get(key) ?? []);
	}

	/** A record is new or has changed. */
	recordChanged(record: WorkflowJob): Entry {
		const { name } = record.metadata;
		const before = this.#entries.get(name);
		const nowMs = this.#now();
		const known: Known = before ? { ...before.job, checked: before.checked } : knownOf(record.status, nowMs);
		const job = readJob(record, known, nowMs);
		const entry: Entry = {
			record,
			job,
			checked: known.checked,
			set: before ? before.set : setOf(record.status),
			why: before?.why,
		};
		const moved = before && (before.job.state !== job.state || before.job.runnerName !== job.runnerName);
		// What GitHub says later counts more than what our own job signals said before.
		if (moved) Object.assign(job, { endedMs: undefined, boundTo: undefined, unassignedMs: undefined });
		this.#entries.set(name, entry);
		this.#index(name, entry.set);
		if (!before || moved) this.#publishRecorded(entry, before);
		return entry;
	}

	recordDeleted(job: string): void {
		const entry = this.#entries.get(job);
		if (!entry) return;
		this.#unindex(job, entry.set);
		this.#entries.delete(job);
	}

	/** From now on the job counts for this set; undefined: for none. */
	assign(job: string, set: SetKey | undefined): void {
		const entry = this.#entries.get(job);
		const before = entry?.set;
		if (!entry || before === set) return;
		this.#unindex(job, before);
		entry.set = set;
		entry.why = undefined;
		this.#index(job, set);
		this.changes.publish({ kind: 'status-changed', job });
		this.#requeueAll(before, set);
	}

	/** The leader has found something out about a job. */
	learn(job: string, learned: Partial<Known>): void {
		const entry = this.#entries.get(job);
		if (!entry) return;
		const { checked = entry.checked, unassignedMs: _notShown, ...shown } = learned;
		const isShown = checked !== entry.checked || differs(entry.job, shown);
		const { checked: _notOfJob, ...ofJob } = learned;
		Object.assign(entry.job, ofJob);
		entry.checked = checked;
		if (isShown) this.changes.publish({ kind: 'status-changed', job });
	}

	/**
	 * GitHub has answered about a job. If it called it queued, the job waits, unless we have learned more since the question:
	 * an answer may take long to arrive.
	 *
	 * @param askedMs when it was asked, ms since the epoch
	 */
	answered(job: string, checked: Checked, askedMs: number, nowMs: number): void {
		const entry = this.#entries.get(job);
		if (!entry) return;
		const { endedMs, stateMs } = entry.job;
		const isNews =
			checked === 'queued' &&
			unlessFuture(endedMs, nowMs) < askedMs &&
			unlessFuture(stateMs, nowMs) <= askedMs;
		const queued = isNews ? { confirmedMs: askedMs, boundTo: undefined, endedMs: undefined } : {};
		this.learn(job, { checked, checkedMs: nowMs, ...queued });
		this.#requeueAll(entry.set);
	}

	/** Why a job waits; undefined: it does not. */
	explain(job: string, why: Why | undefined): void {
		const entry = this.#entries.get(job);
		if (!entry) return;
		entry.why = why;
		this.changes.publish({ kind: 'status-changed', job });
	}

	/** The set is to be reconciled, though its jobs are the same. */
	requeue(set: SetKey): void {
		this.changes.publish({ kind: 'requeue', set });
	}

	setReconciled(set: SetKey, findings: SetFindings): void {
		this.changes.publish({ kind: 'set-reconciled', set, findings });
	}

	setDeleted(set: SetKey): void {
		this.changes.publish({ kind: 'set-deleted', set });
	}

	visibilityLearned(repository: string): void {
		this.changes.publish({ kind: 'visibility-learned', repository });
	}

	/** The router finds its set meanwhile. */
	#publishRecorded(entry: Entry, before: Entry | undefined): void {
		const setBefore = before?.set;
		this.changes.publish({ kind: 'job-recorded', entry, before: before?.job });
		this.#requeueAll(setBefore, entry.set);
	}

	#requeueAll(...sets: (SetKey | undefined)[]): void {
		for (const set of new Set(sets)) if (set !== undefined) this.requeue(set);
	}

	#unindex(job: string, set: SetKey | undefined): void {
		const known = this.#ofSet.get(set);
		known?.delete(job);
		if (known?.size === 0) this.#ofSet.delete(set);
	}

	#index(job: string, set: SetKey | undefined): void {
		const known = this.#ofSet.get(set) ?? new Set<string>();
		this.#ofSet.set(set, known.add(job));
	}
}

const differs = (job: Job, fields: Partial<Job>): boolean =>
	Object.entries(fields).some(([field, value]) => job[field as keyof Job] !== value);

function setOf(status: WorkflowJobStatus | undefined): SetKey | undefined {
	const { kind, namespace, name } = status?.set ?? {};
	return kind && namespace && name ? setKey({ kind, namespace, name }) : undefined;
}

const knownOf = (status: WorkflowJobStatus | undefined, nowMs: number): Known => ({
	confirmedMs: pastMs(status?.confirmedAt, nowMs),
	checkedMs: pastMs(status?.checkedAt, nowMs),
	checked: status?.checked,
	boundTo: status?.runner,
	endedMs: pastMs(status?.endedAt, nowMs),
	unassignedMs: undefined,
});

function readJob({ metadata, spec }: WorkflowJob, known: Known, nowMs: number): Job {
	const createdMs = pastMs(metadata.creationTimestamp, nowMs) ?? 0;
	const stateMs = pastMs(spec.stateSince, nowMs) ?? createdMs;
	const { labels, truncated } = labelsOfJob(spec.labels);
	return {
		key: metadata.name,
		host: spec.host,
		id: spec.id,
		repository: spec.repository,
		enterprise: spec.enterprise,
		runId: spec.runId,
		runAttempt: spec.runAttempt,
		name: spec.name ?? `job ${spec.id}`,
		labels,
		labelsTruncated: spec.labelsTruncated === true || truncated,
		state: spec.state,
		runnerName: spec.runnerName,
		createdMs: pastMs(spec.createdAt, nowMs),
		openedMs: pastMs(spec.openedAt, nowMs) ?? stateMs,
		stateMs,
		confirmedMs: known.confirmedMs,
		checkedMs: known.checkedMs,
		boundTo: known.boundTo,
		endedMs: known.endedMs,
		unassignedMs: known.unassignedMs,
	};
}

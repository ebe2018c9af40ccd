import type { WorkflowJobSpec } from '../../../../admission/api/autoscale.ts';
import type { Demand, Job as KnownJob } from '../../../../admission/autoscale/rules/types.ts';
import type { JobFacts } from '../../../../admission/jobs/records/rules/facts.ts';
import { changeOf, opened, type Source } from '../../../../admission/jobs/records/rules/merge.ts';
import type { Job, JobEvent, World } from '../world.ts';

/** The simulated day begins then. */
const epochMs = Date.UTC(2026, 0, 5);
/** How long records of completed jobs stay, and those of jobs of which nothing else was heard. */
const completedStaysMs = 5 * 60_000;
const tombstoneStaysMs = 30 * 60_000;

interface JobRecord {
	spec: WorkflowJobSpec;
	known: KnownJob;
}

/** The records of jobs, written by the rules of the server, and what its leader remembers of each job. */
export class Records {
	readonly #world: World;
	readonly #records = new Map<string, JobRecord>();
	/** When jobs were opened that nobody has asked for yet. */
	#openedMs: number[] = [];

	constructor(world: World) {
		this.#world = world;
	}

	get jobs(): KnownJob[] {
		return [...this.#records.values()].map(({ known }) => known);
	}

	/** When jobs were opened since this was last asked. */
	newlyOpened(): number[] {
		const opened = this.#openedMs;
		this.#openedMs = [];
		return opened;
	}

	hear({ action, job, runner, conclusion, sentMs }: JobEvent): void {
		this.#merge(job, { ...factsOf(job, action, sentMs), ...told(runner, conclusion) }, 'event');
	}

	/** What GitHub says of a job, asked at `askedMs`, if it is not known. */
	tell(job: Job, askedMs: number): void {
		if (this.#records.get(String(job.id))?.spec.state === job.state) return;
		this.#merge(job, { ...factsOf(job, job.state, askedMs), ...told(job.pod?.name, undefined) }, 'answer');
	}

	/** GitHub has answered the question about this job, asked at `askedMs`. */
	checked(job: Job, askedMs: number): void {
		const atMs = epochMs + askedMs;
		this.#update(String(job.id), {
			checkedMs: atMs,
			...(job.state === 'queued' ? { confirmedMs: atMs } : {}),
		});
	}

	/** GitHub, asked at `askedMs`, does not say: that proves nothing. */
	refused({ id }: Job, askedMs: number): void {
		this.#update(String(id), { checkedMs: epochMs + askedMs });
	}

	has({ id }: Job): boolean {
		return this.#records.has(String(id));
	}

	remember({ bound, ended, untaken }: Demand, nowMs: number): void {
		for (const { known } of this.#records.values()) {
			known.boundTo = undefined;
			known.untakenMs = undefined;
		}
		const sinceMs = new Map(ended.map(({ job }) => [job, this.#records.get(job)?.known.endedMs ?? nowMs]));
		for (const { known } of this.#records.values()) known.endedMs = sinceMs.get(known.key);
		for (const { job, runner } of [...bound, ...ended]) this.#update(job, { boundTo: runner });
		for (const { job, sinceMs } of untaken) this.#update(job, { untakenMs: sinceMs });
	}

	#update(key: string, change: Partial<KnownJob>): void {
		const record = this.#records.get(key);
		if (record) Object.assign(record.known, change);
	}

	#merge(job: Job, facts: JobFacts, source: Source): void {
		const key = String(job.id);
		const nowMs = epochMs + this.#world.time.nowMs;
		const record = this.#records.get(key);
		const change = record ? changeOf(record.spec, facts, source, nowMs) : opened(facts, nowMs);
		if (!change) return;
		const spec = { ...record?.spec, ...change } as WorkflowJobSpec;
		this.#records.set(key, { spec, known: { ...record?.known, ...knownOf(key, spec) } as KnownJob });
		if (!record && spec.openedAt) this.#openedMs.push(nowMs);
		if (spec.state === 'completed' && record?.spec.state !== 'completed')
			this.#world.time.in(spec.openedAt ? completedStaysMs : tombstoneStaysMs, () =>
				this.#records.delete(key),
			);
	}
}

export const clockOf = (world: World): number => epochMs + world.time.nowMs;

const factsOf = (job: Job, state: JobFacts['state'], saidMs: number): JobFacts => ({
	host: 'github.com',
	id: job.id,
	repository: job.repository,
	runId: job.runId,
	runAttempt: 1,
	name: job.name,
	labels: ['self-hosted'],
	state,
	createdAt: iso(job.createdMs),
	deliveredAt: iso(saidMs),
});

const told = (runnerName: string | undefined, conclusion: string | undefined) => ({
	...(runnerName === undefined ? {} : { runnerName }),
	...(conclusion === undefined ? {} : { conclusion }),
});

const iso = (ms: number): string => new Date(epochMs + ms).toISOString();

/** As the leader reads a record. */
function knownOf(key: string, spec: WorkflowJobSpec): Partial<KnownJob> {
	return {
		key,
		host: spec.host,
		id: spec.id,
		repository: spec.repository,
		enterprise: undefined,
		runId: spec.runId,
		runAttempt: spec.runAttempt,
		name: spec.name ?? '',
		labels: spec.labels ?? [],
		state: spec.state,
		runnerName: spec.runnerName,
		createdMs: Date.parse(spec.createdAt ?? ''),
		openedMs: Date.parse(spec.openedAt ?? spec.stateSince ?? ''),
		stateMs: Date.parse(spec.stateSince ?? ''),
	};
}

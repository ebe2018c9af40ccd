import { autoscaleKinds, type WorkflowJobSpec } from '../../../../admission/api/autoscale.ts';
import { JobBook } from '../../../../admission/autoscale/job-book.ts';
import type { Demand, Job as KnownJob } from '../../../../admission/autoscale/rules/types.ts';
import type { JobFacts } from '../../../../admission/jobs/records/rules/facts.ts';
import { changeOf, opened, type Source } from '../../../../admission/jobs/records/rules/merge.ts';
import type { Job, JobEvent, World } from '../world.ts';

/** The simulated day begins then. */
const epochMs = Date.UTC(2026, 0, 5);
/** How long records of completed jobs stay, and those of jobs of which nothing else was known. */
const completedStaysMs = 5 * 60_000;
const tombstoneStaysMs = 30 * 60_000;

/** The set of the simulation. */
const set = 'RunnerSet ci/simulated';

/** The records of jobs, written by the server's rules, and its leader's book of them. */
export class Records {
	readonly #world: World;
	readonly #specs = new Map<string, WorkflowJobSpec>();
	readonly #book = new JobBook(() => clockOf(this.#world));
	/** When jobs were opened that nobody has asked for yet. */
	#openedMs: number[] = [];

	constructor(world: World) {
		this.#world = world;
	}

	get jobs(): KnownJob[] {
		return this.#book.of(set).map(({ job }) => job);
	}

	/** When jobs were opened since this was last asked. */
	newlyOpened(): number[] {
		const opened = this.#openedMs;
		this.#openedMs = [];
		return opened;
	}

	receive({ action, job, runner, conclusion, sentMs }: JobEvent): void {
		this.#merge(job, { ...factsOf(job, action, sentMs), ...endOf(runner, conclusion) }, 'event');
	}

	/** What GitHub says of a job, asked at `askedMs`, if it is not known. */
	tell(job: Job, askedMs: number): void {
		if (this.#specs.get(String(job.id))?.state === job.state) return;
		this.#merge(job, { ...factsOf(job, job.state, askedMs), ...endOf(job.pod?.name, undefined) }, 'answer');
	}

	/** GitHub has answered the query about this job. `unknown` proves nothing. */
	checked({ id }: Job, answer: Job['state'] | 'unknown'): void {
		const nowMs = clockOf(this.#world);
		const queued = answer === 'queued' ? { confirmedMs: nowMs, boundTo: undefined, endedMs: undefined } : {};
		this.#book.learn(String(id), { checked: answer, checkedMs: nowMs, ...queued });
	}

	has({ id }: Job): boolean {
		return this.#specs.has(String(id));
	}

	/** What a reconcile of the set has found out about its jobs. */
	remember({ bound, ended, unassigned }: Demand, nowMs: number): void {
		const runs = new Map(bound.map(({ job, runner }) => [job, runner]));
		const over = new Map(ended.map(({ job, runner }) => [job, runner]));
		const left = new Map(unassigned.map(({ job, sinceMs }) => [job, sinceMs]));
		for (const { job } of this.#book.of(set)) {
			const { key, state } = job;
			if (state === 'completed') continue;
			this.#book.learn(key, {
				boundTo: runs.get(key) ?? over.get(key),
				endedMs: over.has(key) ? (job.endedMs ?? nowMs) : undefined,
				unassignedMs: left.get(key),
			});
		}
	}

	#merge(job: Job, facts: JobFacts, source: Source): void {
		const key = String(job.id);
		const nowMs = clockOf(this.#world);
		const before = this.#specs.get(key);
		const change = before ? changeOf(before, facts, source, nowMs) : opened(facts, nowMs);
		if (!change) return;
		const spec = { ...before, ...change } as WorkflowJobSpec;
		this.#specs.set(key, spec);
		this.#book.recordChanged({ ...record, metadata: { name: key }, spec });
		this.#book.assign(key, set);
		if (!before && spec.openedAt) this.#openedMs.push(nowMs);
		if (spec.state === 'completed' && before?.state !== 'completed')
			this.#world.time.in(spec.openedAt ? completedStaysMs : tombstoneStaysMs, () => {
				this.#specs.delete(key);
				this.#book.recordDeleted(key);
			});
	}
}

const { apiVersion, kind } = autoscaleKinds.workflowJob;
const record = { apiVersion, kind };

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

const endOf = (runnerName: string | undefined, conclusion: string | undefined) => ({
	...(runnerName === undefined ? {} : { runnerName }),
	...(conclusion === undefined ? {} : { conclusion }),
});

const iso = (ms: number): string => new Date(epochMs + ms).toISOString();

import type { AskerDependencies, Memory, PollJob } from './asker.ts';
import type { Lane } from './lane.ts';
import type { Lanes } from './lanes.ts';
import { Recent } from './recent.ts';
import { nextOf } from './rules/due.ts';
import { askedAgainMs, mostAsked } from './rules/policy.ts';
import { type Due, moreUrgent, type Question, urgency } from './rules/types.ts';

/** Finds what is asked next with each credential. */
export class Questions {
	readonly #dependencies: AskerDependencies;
	readonly #memory: Memory;
	readonly #lanes: Lanes;
	readonly #starting: () => ReadonlySet<string>;
	/** Jobs that GitHub was asked about just now. */
	readonly #asked = new Recent<string>(askedAgainMs, mostAsked);

	/** @param starting organizations whose repositories a first look waits for, in lower case */
	constructor(
		dependencies: AskerDependencies,
		memory: Memory,
		lanes: Lanes,
		starting: () => ReadonlySet<string>,
	) {
		this.#dependencies = dependencies;
		this.#memory = memory;
		this.#lanes = lanes;
		this.#starting = starting;
	}

	/** The most urgent question for each credential. */
	next(nowMs: number): Map<Lane, Due> {
		const { repositories, organizations, visibility } = this.#memory;
		const next = new Map<Lane, Due>();
		const offer = (lane: Lane | undefined, due: Due | undefined) => {
			const first = lane && moreUrgent(next.get(lane), due, nowMs);
			if (first) next.set(lane, first);
		};
		this.#offerJobs(offer, nowMs);
		const starting = this.#starting();
		for (const { name, lane } of this.#lanes.organizations()) {
			const dueMs = organizations.dueMs(name, nowMs);
			if (dueMs === undefined) continue;
			const why = starting.has(name.toLowerCase()) ? urgency.start : urgency.round;
			offer(lane, { question: { kind: 'repositories', organization: name }, urgency: why, dueMs });
		}
		for (const lane of this.#lanes.values()) {
			const isIts = (repository: string) => this.#lanes.for(repository) === lane;
			offer(lane, visibility.next(isIts, nowMs));
		}
		for (const repository of repositories.values()) {
			const lane = this.#lanes.for(repository.key);
			if (lane?.ready) offer(lane, nextOf(repository, repositories.isHeard(repository, nowMs), nowMs));
		}
		return next;
	}

	/** It is asked now. */
	asked({ question, urgency: why }: Due): void {
		const { asks, clock } = this.#dependencies;
		if (why !== urgency.ask) return;
		for (const job of asks()) if (isAbout(question, job)) this.#asked.add(job.key, clock.monotonic());
	}

	/** Several jobs of one run are asked about together. Where no webhook delivers, the run may have new ones as well. */
	#offerJobs(offer: (lane: Lane | undefined, due: Due) => void, nowMs: number): void {
		const { asks, answered, clock, host } = this.#dependencies;
		const { repositories } = this.#memory;
		const fresh = [...asks()].filter((job) => job.host === host && !this.#asked.has(job.key, nowMs));
		const ofRun = Map.groupBy(fresh, runOf);
		for (const [index, job] of fresh.entries()) {
			const { key, id, runId } = job;
			const repository = repositories.get(job.repository) ?? repositories.hear(job.repository, nowMs);
			const lane = this.#lanes.for(repository.key);
			if (!lane || nowMs < (repository.hidden?.untilMs ?? Number.NEGATIVE_INFINITY)) {
				this.#asked.add(key, nowMs);
				answered(key, 'unknown', clock.now());
				continue;
			}
			const several = (ofRun.get(runOf(job))?.length ?? 0) > 1 || !repositories.isHeard(repository, nowMs);
			const of = { repository: repository.key };
			const question: Question =
				several && runId !== undefined ? { kind: 'run', runId, ...of } : { kind: 'job', job: key, id, ...of };
			offer(lane, { question, urgency: urgency.ask, dueMs: nowMs - fresh.length + index });
		}
	}
}

const runOf = ({ repository, runId }: PollJob): string => `${repository} ${runId}`.toLowerCase();

const isAbout = (question: Question, { key, runId, repository }: PollJob): boolean =>
	question.kind === 'run'
		? runId === question.runId && repository.toLowerCase() === question.repository
		: question.kind === 'job' && key === question.job;

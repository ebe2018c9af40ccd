/**
 * Jobs that wait at GitHub for a runner. GitHub gives one to any idle, online runner of the scope that has the job's
 * labels, the moment there is one: a static runner under a full queue is idle only for an instant.
 */
import type { Agent } from './agent.ts';
import { type Scope, scopeKey } from './scope.ts';

export interface QueuedJobs {
	/** Default any. */
	scope?: Scope;
	/** Custom labels that the runner must have; default none. */
	labels?: readonly string[];
	count: number;
	/** How long each runs; undefined: until ended. */
	durationMs?: number;
}

export class JobQueue {
	#waiting: Omit<QueuedJobs, 'count'>[] = [];

	add({ count, ...job }: QueuedJobs): void {
		for (let i = 0; i < count; i++) this.#waiting.push(job);
	}

	get length(): number {
		return this.#waiting.length;
	}

	clear(): void {
		this.#waiting = [];
	}

	/** Hands out what it can, oldest job first. */
	dispatch(agents: Iterable<Agent>): void {
		if (this.#waiting.length === 0) return;
		for (const agent of agents) {
			if (!agent.online || agent.job !== undefined) continue;
			const index = this.#waiting.findIndex((job) => fits(job, agent));
			if (index < 0) continue;
			const [job] = this.#waiting.splice(index, 1);
			agent.startJob(job!);
		}
	}
}

function fits(job: Omit<QueuedJobs, 'count'>, agent: Agent): boolean {
	const { scope, labels } = agent.registration;
	if (scope === undefined || (job.scope !== undefined && scopeKey(job.scope) !== scopeKey(scope)))
		return false;
	return (job.labels ?? []).every((label) => labels.includes(label));
}

import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { BoundedMap } from '../time/bounded-map.ts';

/** Which of a job's events had not been received when an answer of GitHub's showed the change. */
type Drift = 'queued' | 'in_progress' | 'completed';

/** A set, as the labels of a metric name it. */
interface SetLabels {
	namespace: string;
	/** `RunnerSet linux` would be two words; the name alone, as the autoscaler's. */
	set: string;
}

/** Sets with a histogram of their own; those that come later share one. A set has some 15 series. */
export const mostSets = 500;
const others: SetLabels = { namespace: '', set: '' };

/** The metrics about jobs and what is made of them. Except for the wait and the drift they are the leader's view of now. */
export class AutoscaleMetrics {
	readonly #waits: Histogram<'namespace' | 'set'>;
	readonly #jobs: Gauge<'state'>;
	readonly #unmatched: Gauge;
	readonly #drift: Counter<'kind'>;
	readonly #desired: Gauge<'namespace' | 'set'>;
	readonly #sets = new BoundedMap<string, SetLabels>({ most: mostSets });
	#oldestMs: number | undefined;

	constructor(registry: Registry, now: () => number) {
		const registers = [registry];
		this.#waits = new Histogram({
			name: 'runners_job_wait_seconds',
			help: 'Time from when a job was known to be queued until a runner of the set had it.',
			labelNames: ['namespace', 'set'],
			buckets: [1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 4 * 3600],
			registers,
		});
		this.#jobs = new Gauge({
			name: 'runners_jobs',
			help: 'Open jobs that sets of the cluster could run, by status, as the leader sees them.',
			labelNames: ['state'],
			registers,
		});
		this.#unmatched = new Gauge({
			name: 'runners_jobs_unmatched',
			help: 'Queued jobs for self-hosted runners that no set can run, as the leader sees them.',
			registers,
		});
		this.#drift = new Counter({
			name: 'runners_autoscale_drift_total',
			help: 'Changes of jobs that no event had reported, found by asking GitHub.',
			labelNames: ['kind'],
			registers,
		});
		this.#desired = new Gauge({
			name: 'runners_autoscaler_desired_replicas',
			help: 'Runners that a HorizontalRunnerAutoscaler wants for its set, as the leader sees it.',
			labelNames: ['namespace', 'set'],
			registers,
		});
		const oldestMs = () => this.#oldestMs;
		new Gauge({
			name: 'runners_job_oldest_wait_seconds',
			help: 'For how long the oldest queued job that a set could run has waited, as the leader sees it; 0 if none does.',
			registers,
			collect() {
				const sinceMs = oldestMs();
				this.set(sinceMs === undefined ? 0 : Math.max(0, (now() - sinceMs) / 1000));
			},
		});
	}

	/** A runner of the set has got a job that waited for so long. */
	jobStarted(set: SetLabels, waitedMs: number): void {
		this.#waits.observe(this.#labelsOf(set), Math.max(0, waitedMs) / 1000);
	}

	/** Sets the numbers of open jobs by state, and since when the oldest that counts has waited (ms since the epoch). */
	jobs(byState: ReadonlyMap<string, number>, unmatched: number, oldestMs: number | undefined): void {
		this.#jobs.reset();
		for (const [state, count] of byState) this.#jobs.set({ state }, count);
		this.#unmatched.set(unmatched);
		this.#oldestMs = oldestMs;
	}

	drift(kind: Drift): void {
		this.#drift.inc({ kind });
	}

	desired(set: SetLabels, replicas: number): void {
		this.#desired.set(this.#labelsOf(set), replicas);
	}

	/** Nothing scales the set any more. */
	notScaled({ namespace, set }: SetLabels): void {
		this.#desired.remove(namespace, set);
	}

	/** The set is gone. */
	forget(set: SetLabels): void {
		if (!this.#sets.delete(keyOf(set))) return;
		this.#waits.remove(set.namespace, set.set);
		this.#desired.remove(set.namespace, set.set);
	}

	/** This process no longer leads: what it saw may have changed. */
	stopped(): void {
		this.jobs(new Map(), 0, undefined);
		this.#desired.reset();
	}

	#labelsOf({ namespace, set }: SetLabels): SetLabels {
		const key = keyOf({ namespace, set });
		const known = this.#sets.get(key);
		if (known) return known;
		const labels = { namespace, set };
		return this.#sets.add(key, labels) ? labels : others;
	}
}

const keyOf = ({ namespace, set }: SetLabels) => `${namespace}/${set}`;

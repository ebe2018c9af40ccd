import type { WorkflowJobSpec } from '../../../admission/api/autoscale.ts';
import type { RunnersSet } from '../../../admission/api/sets.ts';
import { JobBook } from '../../../admission/autoscale/job-book.ts';
import { JobRouter } from '../../../admission/autoscale/job-router.ts';
import { KnownSets } from '../../../admission/autoscale/known-sets.ts';
import { Visibility } from '../../../admission/autoscale/poll/visibility.ts';
import { demand } from '../../../admission/autoscale/rules/demand.ts';
import type { SetKey } from '../../../admission/autoscale/rules/set-key.ts';
import type { Desired, Runner } from '../../../admission/autoscale/rules/types.ts';
import type { WaitReasons } from '../../../admission/autoscale/wait-reasons.ts';
import type { Change } from '../../../admission/kube/informer.ts';
import { SimulatedClock } from '../support/clock.ts';
import { desired, second } from './given.ts';

interface SimulatedSet {
	name: string;
	/** Its spec without labels and organization, e.g. the template. */
	template?: object;
	labels?: string[];
	/** How long its pods take to start; undefined: they never do. */
	startUpMs: number | undefined;
	/** The nodes on which its pods run, and the architecture label that GitHub gives their runners. */
	node: 'amd64' | 'arm64';
	desired?: Partial<Desired>;
}

interface SimulatedJob {
	id: number;
	labels: readonly string[];
	runsMs: number;
	queuedMs: number;
	startedMs: number | undefined;
}

interface SimulatedRunner {
	set: SetKey;
	view: Runner;
	startsMs: number;
	job: SimulatedJob | undefined;
	endsMs: number;
}

type SetListener = (change: Change, set: RunnersSet) => void;

const github = { amd64: 'x64', arm64: 'arm64' };
/** How often a set is reconciled. */
const stepMs = 5 * second;

/**
 * Sets with autoscalers of one organization, whose jobs GitHub gives to any idle runner that has their labels, the oldest job
 * first: the router, the book and the rules as they are, in simulated time.
 */
export class RoutedWorld {
	readonly clock = new SimulatedClock();
	readonly jobs: SimulatedJob[] = [];
	/** How many runners each set has made. */
	readonly made = new Map<string, number>();
	readonly book = new JobBook(this.clock.now);
	readonly #sets: readonly (SimulatedSet & { key: SetKey })[];
	readonly #router: JobRouter;
	#runners: SimulatedRunner[] = [];

	constructor(sets: readonly SimulatedSet[]) {
		this.#sets = sets.map((set) => ({ ...set, key: `RunnerSet ci/${set.name}` as const }));
		const nodes = ['amd64', 'arm64'].map((name) => ({
			metadata: { name, labels: { 'kubernetes.io/arch': name } },
		}));
		const objects = new Map(
			this.#sets.map(({ name, labels = [], template = {} }) => {
				const spec = { organization: 'octo', labels, template };
				return [name, { kind: 'RunnerSet', metadata: { name, namespace: 'ci' }, spec }] as const;
			}),
		);
		const informer = {
			get: (_namespace: string, name: string) => objects.get(name),
			values: () => objects.values(),
		};
		const listeners: SetListener[] = [];
		this.#router = new JobRouter({
			book: this.book,
			sets: new KnownSets(),
			clock: this.clock,
			host: 'github.com',
			visibility: new Visibility(),
			reasons: { noSetFits: () => {} } as unknown as WaitReasons,
			syncState: { complete: true } as never,
			cache: {
				onNode: (listener: (change: Change, node: object) => void) => {
					for (const node of nodes) listener('added', node);
				},
				nodes: {
					get: (_none: undefined, name: string) => nodes.find(({ metadata }) => metadata.name === name),
				},
			} as never,
			setsCache: {
				runnerSets: { informer, on: (listener: SetListener) => void listeners.push(listener) },
				runnerDeployments: { informer: new Map(), on: () => {} },
			} as never,
			metrics: { autoscale: { forget: () => {} } } as never,
		});
		for (const object of objects.values())
			for (const listener of listeners) listener('added', object as unknown as RunnersSet);
	}

	queue(labels: readonly string[], runsMs: number): void {
		const id = this.jobs.length + 1;
		const job = { id, labels, runsMs, queuedMs: this.clock.now(), startedMs: undefined };
		this.jobs.push(job);
		this.#record(job, { state: 'queued' });
	}

	/** Lets a set's pods start after so long from now on, also those that wait. */
	mend(name: string, startUpMs: number): void {
		for (const set of this.#sets) if (set.name === name) set.startUpMs = startUpMs;
		for (const runner of this.#runners)
			if (runner.set.endsWith(`/${name}`) && runner.view.phase === 'starting')
				runner.startsMs = this.clock.now() + startUpMs;
	}

	/** The set that each waiting job counts for, by the job's id. */
	get waiting(): Map<number, string | undefined> {
		const open = [...this.book.values()].filter(({ job }) => job.state === 'queued');
		return new Map(open.map(({ job, set }) => [job.id, set?.split('/')[1]]));
	}

	/** Lets so much time pass; `each` is called before each step. */
	async pass(ms: number, each: () => void = () => {}): Promise<void> {
		for (const endMs = this.clock.now() + ms; this.clock.now() < endMs; ) {
			each();
			this.#advance();
			for (const set of this.#sets) this.#reconcile(set);
			await this.clock.pass(stepMs);
		}
	}

	stop(): void {
		this.#router.stop();
	}

	/** Runners start, are given jobs and end with them. */
	#advance(): void {
		const nowMs = this.clock.now();
		for (const runner of this.#runners) {
			const { view, job } = runner;
			if (view.phase === 'starting' && runner.startsMs <= nowMs)
				Object.assign(view, { phase: 'idle', idleSinceMs: nowMs });
			if (!job || runner.endsMs > nowMs) continue;
			this.#record(job, { state: 'completed', runnerName: view.name });
			view.phase = 'completed';
		}
		this.#runners = this.#runners.filter(({ view }) => view.phase !== 'completed');
		for (const job of this.jobs) {
			if (job.startedMs !== undefined) continue;
			const runner = this.#runners.find(
				({ view, set }) => view.phase === 'idle' && this.#has(set, job.labels),
			);
			if (!runner) continue;
			Object.assign(runner, { job, endsMs: nowMs + job.runsMs });
			Object.assign(runner.view, { phase: 'busy', idleSinceMs: undefined, busySinceMs: nowMs, worked: true });
			job.startedMs = nowMs;
			this.#record(job, { state: 'in_progress', runnerName: runner.view.name });
		}
	}

	/** Whether a set's runners have these labels at GitHub. */
	#has(key: SetKey, wanted: readonly string[]): boolean {
		const set = this.#sets.find((one) => one.key === key);
		const has = new Set(['self-hosted', 'linux', set && github[set.node], ...(set?.labels ?? [])]);
		return wanted.every((label) => has.has(label));
	}

	#reconcile({ key, name, startUpMs, node, desired: more }: SimulatedSet & { key: SetKey }): void {
		const nowMs = this.clock.now();
		const runners = this.#runners.filter(({ set }) => set === key).map(({ view }) => view);
		const jobs = this.book.of(key).map(({ job }) => job);
		const wanted = desired(more);
		const found = demand(jobs, runners, wanted, nowMs);
		this.#router.setBlocked(key, undefined);
		this.book.setReconciled(key, {
			runners: structuredClone(runners),
			scaled: { desired: wanted, demand: found },
		});
		for (const job of found.ask)
			if (this.book.get(job)?.job.state === 'queued') this.book.answered(job, 'queued', nowMs, nowMs);
		this.#runners = this.#runners.filter(({ view }) => !found.mayGo.includes(view.uid));
		for (let living = found.living; living < found.desired; living++) {
			const nth = (this.made.get(name) ?? 0) + 1;
			this.made.set(name, nth);
			const runnerName = `${name}-${nth}`;
			this.#runners.push({
				set: key,
				view: {
					uid: runnerName,
					name: runnerName,
					phase: 'starting',
					departing: false,
					createdMs: nowMs,
					idleSinceMs: nowMs,
					busySinceMs: undefined,
					worked: false,
					job: undefined,
					node: startUpMs === undefined ? undefined : node,
				},
				startsMs: nowMs + (startUpMs ?? Number.POSITIVE_INFINITY),
				job: undefined,
				endsMs: Number.POSITIVE_INFINITY,
			});
		}
	}

	#record({ id, labels, queuedMs }: SimulatedJob, more: Pick<WorkflowJobSpec, 'state' | 'runnerName'>): void {
		this.book.recordChanged({
			metadata: { name: `j${id}`, namespace: 'runners-system' },
			spec: {
				host: 'github.com',
				id,
				repository: 'octo/app',
				labels: [...labels],
				openedAt: new Date(queuedMs).toISOString(),
				stateSince: this.clock.iso(),
				...more,
			},
		});
	}
}

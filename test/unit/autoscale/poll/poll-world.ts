/**
 * A Poll in simulated time before the simulated GitHub's own jobs and answers, without HTTP: what it asks, what that costs,
 * and what it writes into records.
 */
import { type Checked, type Entry, JobBook } from '../../../../admission/autoscale/job-book.ts';
import { Poll, type PollAccount, type PollTarget } from '../../../../admission/autoscale/poll/poll.ts';
import { Visibility } from '../../../../admission/autoscale/poll/visibility.ts';
import type { CredentialsMissing, ReadOutcome } from '../../../../admission/github/types.ts';
import { factsOfEvent, type JobFacts } from '../../../../admission/jobs/records/rules/facts.ts';
import { concernsUs, type KnownLabels } from '../../../../admission/jobs/records/rules/labels.ts';
import {
	changeOf,
	leavesTrace,
	opened,
	type Source,
} from '../../../../admission/jobs/records/rules/merge.ts';
import { recordName } from '../../../../admission/jobs/records/rules/name.ts';
import type { Scope } from '../../../../admission/runner/scope.ts';
import { eventBody } from '../../../sim/job-bodies.ts';
import { type JobAction, Jobs, type NewWorkflowJob, type WorkflowJob } from '../../../sim/jobs.ts';
import { Registry } from '../../../sim/registry.ts';
import { SimulatedClock } from '../../support/clock.ts';
import { recordingLog } from '../../support/log.ts';
import { type ReadCall, servedRead } from './served-read.ts';

type Record_ = ReturnType<typeof opened> & { key: string };

const baseUrl = () => 'https://api.github.com';
const knownLabels: KnownLabels = {
	labels: new Set(['gpu']),
	any: true,
	scopes: new Set(),
	fits: () => true,
};
let nextRun = 1;

export class PollWorld {
	readonly clock = new SimulatedClock();
	readonly jobs = new Jobs();
	readonly registry = new Registry(0);
	readonly calls: ReadCall[] = [];
	readonly records = new Map<number, Record_>();
	/** `KEY what GitHub said`. */
	readonly answered: string[] = [];
	readonly drift: string[] = [];
	readonly known: string[] = [];
	/** Repositories that may use other runner groups than before. */
	readonly visible: string[] = [];
	readonly lines: string[];
	/** Repositories and organizations that the credential is not shown, in lower case. */
	readonly hidden = new Set<string>();
	/** Whether an event is delivered; by default all are. */
	delivers: (job: WorkflowJob, action: JobAction) => boolean = () => true;
	/** In place of GitHub's answer. */
	answer: () => ReadOutcome | undefined = () => undefined;
	targets: PollTarget[] = [];
	/** By the set's key, in place of `account`. */
	readonly accounts = new Map<string, () => Promise<PollAccount | CredentialsMissing>>();
	asks: string[] = [];
	/** Which part of the calls the guard uses. */
	used = 0;
	write: () => Promise<void> = async () => {};
	readonly visibility = new Visibility();
	readonly book = new RecordedBook(this);
	readonly poll: Poll;
	readonly #stop = new AbortController();
	#running: Promise<void> | undefined;

	constructor() {
		const { log, lines } = recordingLog();
		this.lines = lines;
		this.jobs.onChange((job, action) => this.#event(job, action));
		this.book.changes.subscribe((change) => {
			if (change.kind === 'requeue') this.known.push(change.set);
			if (change.kind === 'visibility-learned') this.visible.push(change.repository);
		});
		this.poll = new Poll({
			host: 'github.com',
			book: this.book,
			sets: { labels: () => knownLabels },
			results: { jobsToAsk: () => this.#jobsToAsk() },
			visibility: this.visibility,
			targets: {
				list: () => this.targets,
				count: () => this.targets.length,
				accountOf: async (key) => this.accounts.get(key)?.() ?? this.account,
			},
			records: {
				write: async (facts) => {
					await this.write();
					return this.#note(facts, 'answer');
				},
			},
			metrics: { autoscale: { drift: (kind) => this.drift.push(kind) } },
			clock: this.clock,
			log,
		});
	}

	/** In the order of the records. */
	#jobsToAsk(): string[] {
		return [...this.records.values()].map(({ key }) => key).filter((key) => this.asks.includes(key));
	}

	start(...scopes: Scope[]): void {
		this.targets = scopes.map((scope) => this.target(scope));
		this.#running = this.poll.run(this.#stop.signal);
	}

	async stop(): Promise<void> {
		this.#stop.abort();
		await this.#running;
	}

	target(scope: Scope, more: Partial<PollTarget> = {}): PollTarget {
		return {
			key: `RunnerSet ci/${scope.name}`,
			scope,
			countsRunsOf: [],
			working: undefined,
			...more,
		};
	}

	readonly account = {
		read: servedRead(this, {
			isHidden: (scope) => this.hidden.has(scope),
			own: () => this.answer(),
			note: (call) => void this.calls.push(call),
		}),
		connection: { used: () => this.used },
	};

	/** A job that GitHub has from now on. */
	queue(repository: string, more: Partial<NewWorkflowJob> = {}): WorkflowJob {
		this.registry.addScope(`repos/${repository as `${string}/${string}`}`);
		const defaults = { runId: nextRun++, runAttempt: 1, workflow: 'CI', name: 'build' };
		const labels = ['self-hosted', 'gpu'];
		return this.jobs.add({ ...defaults, labels, repository, ...more }, this.clock.now());
	}

	begin({ id }: WorkflowJob): void {
		this.jobs.start(id, { id: 7, name: `r-${id}` }, this.clock.now());
	}

	complete({ id }: WorkflowJob): void {
		this.jobs.complete(id, 'success', this.clock.now());
	}

	/** What our record of it says. */
	stateOf({ id }: WorkflowJob): string | undefined {
		return this.records.get(id)?.state;
	}

	keyOf = ({ id, repository }: WorkflowJob): string => recordName({ host: 'github.com', repository, id });

	/** Calls that cost something, of the dearest minute, wherever it begins. */
	mostChargedInAMinute(fromMs = 0): number {
		const times = this.calls.filter(({ charged, atMs }) => charged && atMs >= fromMs).map(({ atMs }) => atMs);
		let most = 0;
		for (let last = 0, first = 0; last < times.length; last++) {
			while (times[last]! - times[first]! >= 60_000) first++;
			most = Math.max(most, last - first + 1);
		}
		return most;
	}

	/** An event of long ago is delivered now. */
	late(job: WorkflowJob, action: JobAction): void {
		this.delivers = () => true;
		const then = { ...job, status: action, conclusion: null, completedAtMs: null, runnerName: null };
		this.#event(then as WorkflowJob, action);
	}

	#event(job: WorkflowJob, action: JobAction): void {
		if (!this.delivers(job, action)) return;
		const facts = factsOfEvent(eventBody(job, action, baseUrl()), this.clock.now());
		if (!facts || !concernsUs(facts.labels, knownLabels, facts)) return;
		this.#note(facts, 'event');
	}

	#note(facts: JobFacts, source: Source): 'recorded' | 'unchanged' {
		const before = this.records.get(facts.id);
		const nowMs = this.clock.now();
		if (!before) {
			if (!leavesTrace(facts)) return 'unchanged';
			this.records.set(facts.id, { ...opened(facts, nowMs), key: recordName(facts) });
			this.book.recorded(facts.id);
			return 'recorded';
		}
		const change = changeOf(before, facts, source, nowMs);
		if (!change) return 'unchanged';
		Object.assign(before, change);
		this.book.recorded(facts.id);
		return 'recorded';
	}
}

/** The book of jobs with what the world's records say now. */
class RecordedBook extends JobBook {
	readonly #world: PollWorld;

	constructor(world: PollWorld) {
		super(world.clock.now);
		this.#world = world;
	}

	/** As after any change of a record, whoever wrote it. */
	recorded(id: number): void {
		const record = this.#world.records.get(id);
		if (record) this.changes.publish({ kind: 'job-recorded', entry: entryOf(record), before: undefined });
	}

	override *values(): IterableIterator<Entry> {
		for (const record of this.#world.records.values()) yield entryOf(record);
	}

	override get(key: string): Entry | undefined {
		return [...this.values()].find(({ job }) => job.key === key);
	}

	override answered(job: string, checked: Checked): void {
		this.#world.answered.push(`${job} ${checked}`);
		this.#world.asks = this.#world.asks.filter((asked) => asked !== job);
	}
}

const entryOf = (record: Record_): Entry => ({
	record: { metadata: { name: record.key }, spec: record },
	job: {
		key: record.key,
		host: record.host,
		id: record.id,
		repository: record.repository,
		enterprise: record.enterprise,
		runId: record.runId,
		runAttempt: record.runAttempt,
		name: record.name ?? '',
		labels: record.labels,
		labelsTruncated: false,
		state: record.state,
		runnerName: record.runnerName,
		createdMs: undefined,
		openedMs: 0,
		stateMs: 0,
		confirmedMs: undefined,
		checkedMs: undefined,
		boundTo: undefined,
		endedMs: undefined,
		unassignedMs: undefined,
	},
	checked: undefined,
	set: undefined,
	why: undefined,
});

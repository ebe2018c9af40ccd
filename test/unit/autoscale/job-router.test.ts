import * as assert from 'uvu/assert';
import type { WorkflowJobSpec } from '../../../admission/api/autoscale.ts';
import type { RunnersSet } from '../../../admission/api/sets.ts';
import { JobBook } from '../../../admission/autoscale/job-book.ts';
import { JobRouter } from '../../../admission/autoscale/job-router.ts';
import { KnownSets } from '../../../admission/autoscale/known-sets.ts';
import { Visibility } from '../../../admission/autoscale/poll/visibility.ts';
import { classOf } from '../../../admission/autoscale/rules/job-class.ts';
import { type SetKey, setKeyOf } from '../../../admission/autoscale/rules/set-key.ts';
import type { PassingMemory } from '../../../admission/autoscale/rules/types.ts';
import type { WaitReasons } from '../../../admission/autoscale/wait-reasons.ts';
import type { Change } from '../../../admission/kube/informer.ts';
import { suite } from '../../support/suite.ts';
import { SimulatedClock } from '../support/clock.ts';
import { asked, desired } from './given.ts';

const test = suite('job router');

/** A clock on which time passes while work is done: every look at it takes a millisecond. */
class WorkingClock extends SimulatedClock {
	override monotonic = (): number => {
		this.pause(1);
		return this.now();
	};
}

type Listener = (change: Change, set: RunnersSet) => void;

function started() {
	const clock = new WorkingClock();
	const [book, sets] = [new JobBook(clock.now), new KnownSets()];
	const listeners: Listener[] = [];
	const known = { on: (listener: Listener) => void listeners.push(listener), informer: new Map() };
	const router = new JobRouter({
		book,
		sets,
		clock,
		host: 'github.com',
		visibility: new Visibility(),
		reasons: { noSetFits: () => {} } as unknown as WaitReasons,
		syncState: { complete: true } as never,
		cache: { onNode: () => {} } as never,
		setsCache: { runnerSets: known, runnerDeployments: { ...known, on: () => {} } } as never,
		metrics: { autoscale: { forget: () => {} } } as never,
	});
	const change = (change: Change, name: string, labels: string[] = ['y']) => {
		const spec = { organization: 'octo', labels, template: {} };
		const set = { kind: 'RunnerSet', metadata: { name, namespace: 'ci' }, spec } as unknown as RunnersSet;
		for (const listener of listeners) listener(change, set);
		router.setBlocked(setKeyOf(set), undefined);
	};
	const record = (id: number, more: Partial<WorkflowJobSpec> = {}) =>
		book.recordChanged({
			metadata: { name: `j${id}`, namespace: 'runners-system' },
			spec: { host: 'github.com', id, repository: 'octo/app', labels: ['y'], state: 'queued', ...more },
		});
	return { clock, book, router, change, record };
}

const moved = (book: JobBook): number =>
	[...book.values()].filter(({ set }) => set === 'RunnerSet ci/b').length;

test('jobs that GitHub does not give to a set go to the next one that fits, but for the one that tries again', async () => {
	const { clock, book, router, change, record } = started();
	const demanded = asked([], []);
	// `a` comes first: it has no label that the jobs do not ask for.
	for (const [name, labels] of [
		['a', ['y']],
		['b', ['y', 'z']],
	] as const) {
		change('added', name, [...labels]);
		const scaled = { desired: desired(), demand: demanded };
		book.setReconciled(`RunnerSet ci/${name}` as SetKey, { runners: [], scaled });
	}
	for (let id = 1; id <= 3; id++) record(id);
	record(4, { repository: 'octo/other' });
	await clock.pass(1_000);
	const [first] = book.values();
	assert.ok(first);
	const { job } = first;
	const [a, b] = ['RunnerSet ci/a', 'RunnerSet ci/b'];
	const setsOf = () => [...book.values()].map(({ set }) => set);
	assert.equal(setsOf(), [a, a, a, a]);
	const of = classOf(job);
	const nowMs = clock.now();
	const one = { againMs: nowMs + 600_000, tries: 0, sinceMs: nowMs, repository: 'octo/app', labels: ['y'] };
	const reconciled = (experiment: PassingMemory['experiment']) => {
		const { memory } = demanded.passing;
		const heads = new Map([[of, { job: job.key, sinceMs: nowMs }]]);
		const withheld = new Map([[of, one]]);
		const passing = { ...demanded.passing, memory: { ...memory, heads, withheld, experiment } };
		const scaled = { desired: desired(), demand: { ...demanded, passing } };
		book.setReconciled(a as SetKey, { runners: [], scaled });
	};
	reconciled({ of, startedMs: nowMs });
	await clock.pass(2_000);
	assert.equal(setsOf(), [a, b, b, a]);
	reconciled(undefined);
	await clock.pass(2_000);
	assert.equal(setsOf(), [b, b, b, a]);
	router.stop();
});

test('while all jobs are routed others have their turn, and all of them are routed in the end', async () => {
	const { clock, book, router, change, record } = started();
	change('added', 'a', ['x']);
	for (let id = 1; id <= 100; id++) record(id);
	await clock.pass(1_000);
	assert.is(moved(book), 0);
	/** How many jobs were routed at each turn of the others. */
	const turns = [0];
	const { sleep } = clock;
	clock.sleep = (ms, signal) => {
		turns.push(moved(book));
		return sleep(ms, signal);
	};
	change('added', 'b');
	await clock.pass(2_000);
	turns.push(moved(book));
	assert.is(turns.at(-1), 100);
	const longest = Math.max(...turns.map((count, index) => count - (turns[index - 1] ?? 0)));
	assert.ok(longest <= 6, `${longest} jobs without a turn for others, each 1 ms`);
	router.stop();
});

test('what has changed between two slices counts: a set that is gone gets no job', async () => {
	const { clock, book, router, change, record } = started();
	for (let id = 1; id <= 30; id++) record(id);
	change('added', 'b');
	await clock.until('some are routed', () => moved(book) > 0);
	assert.ok(moved(book) < 30, `${moved(book)}`);
	record(30, { state: 'completed' });
	change('deleted', 'b');
	change('added', 'c');
	await clock.pass(2_000);
	const queued = [...book.values()].filter(({ job }) => job.state === 'queued');
	assert.equal([queued.length, ...new Set(queued.map(({ set }) => set))], [29, 'RunnerSet ci/c']);
	router.stop();
});

test('however long it takes, it takes no more than a fifth of the time', async () => {
	const { clock, router, change, record } = started();
	for (let id = 1; id <= 400; id++) record(id);
	let [routing, asked] = [0, 0];
	const { sleep } = clock;
	clock.sleep = (ms, signal) => {
		routing += 1; // a slice of some 5 ms has ended
		return sleep(ms, signal);
	};
	const until = clock.now() + 20_000;
	const disturb = () => {
		change(asked++ % 2 === 0 ? 'added' : 'deleted', 'b');
		if (clock.now() < until) clock.after(20, disturb);
	};
	disturb();
	await clock.pass(20_000);
	assert.ok(routing > 100, `${routing} slices`);
	assert.ok(routing * 6 < 20_000 / 4, `${routing} slices of 6 ms in 20 s`);
	router.stop();
});

test('after stop nothing is routed any more, also in the middle', async () => {
	const { clock, book, router, change, record } = started();
	for (let id = 1; id <= 30; id++) record(id);
	change('added', 'b');
	await clock.until('some are routed', () => moved(book) > 0);
	router.stop();
	const then = moved(book);
	await clock.pass(5_000);
	assert.is(moved(book), then);
	assert.is(clock.waiting, 0);
});

test('a foreign job that names a runner does not count for its set, whoever else has runners of that name', async () => {
	const { clock, book, router, change, record } = started();
	change('added', 'b');
	const runners = [{ uid: 'u', name: 'linux-0', phase: 'idle' }] as never;
	book.setReconciled('RunnerSet ci/b', { runners, scaled: undefined });
	const foreign = { state: 'in_progress', runnerName: 'Linux-0' } as const;
	record(1, { ...foreign, repository: 'evil/app' });
	record(2, { ...foreign, enterprise: '?' });
	await clock.pass(1_000);
	assert.equal([book.get('j1')?.set, book.get('j2')?.set], [undefined, 'RunnerSet ci/b']);
	book.setReconciled('RunnerSet ci/b', { runners: [], scaled: undefined });
	book.setReconciled('RunnerSet ci/b', { runners, scaled: undefined });
	await clock.pass(1_000);
	assert.is(book.get('j1')?.set, undefined, 'nor when the runner appears');
	router.stop();
});

test.run();

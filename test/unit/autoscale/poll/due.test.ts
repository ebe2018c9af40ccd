/** What is asked about a repository next, and when. */
import * as assert from 'uvu/assert';
import { Repositories } from '../../../../admission/autoscale/poll/repositories.ts';
import { hasOurs, isReadSince, nextOf, roundAt } from '../../../../admission/autoscale/poll/rules/due.ts';
import { type KnownRun, type Repository, urgency } from '../../../../admission/autoscale/poll/rules/types.ts';
import { suite } from '../../../support/suite.ts';

const test = suite('what is asked about a repository next');

const second = 1_000;
const minute = 60 * second;
const never = Number.NEGATIVE_INFINITY;

const listRead = (readMs: number, ...ids: number[]) => ({
	readMs,
	etag: undefined,
	runs: ids.map((id) => ({ id, attempt: 1, updatedAt: 'then' })),
});
type Lists = Partial<Repository['lists']>;
/** Nothing is due there by itself at 0, unless it is given: its lists have just been read. */
const repository = ({ lists, ...more }: Partial<Omit<Repository, 'lists'>> & { lists?: Lists } = {}) => {
	const fresh = { queued: listRead(0), in_progress: listRead(0), waiting: listRead(0), pending: listRead(0) };
	return Object.assign(new Repositories().remember('octo-org/app', 0), {
		lists: { ...fresh, ...lists },
		...more,
	});
};
const known = (readMs: number, more: Partial<KnownRun> = {}): KnownRun => ({
	seenMs: readMs,
	readMs,
	attempt: 1,
	updatedAt: 'then',
	etag: undefined,
	jobs: [{ id: 1, status: 'queued', labels: [], ours: true }],
	...more,
});
const hosted = { jobs: [{ id: 1, status: 'queued', labels: [], ours: false }] };

/** When the run 7 is asked about, in s; undefined: not before a round of its lists. */
function asked(one: Repository, hasWebhook: boolean): number | undefined {
	for (let atMs = 0; atMs < 60 * minute; atMs += second) {
		const due = nextOf(one, hasWebhook, atMs);
		if (due?.query.kind === 'run') return due.dueMs / second;
		if (due) return undefined;
	}
	return undefined;
}
/** Its list was read just now, and will not be for long. */
const inList = (run: KnownRun, more: Partial<Repository> = {}) => {
	const late = 120 * minute;
	const lists = {
		queued: listRead(late, 7),
		in_progress: listRead(late),
		waiting: listRead(late),
		pending: listRead(late),
	};
	return repository({ lists, runs: new Map([[7, run]]), ...more });
};

test('a run that is new: at once without a webhook or where a metric counts it, else when its events have come', () => {
	assert.is(asked(inList(known(never, { seenMs: 0 })), false), 0);
	assert.is(asked(inList(known(never, { seenMs: 0 })), true), 60);
	assert.is(asked(inList(known(never, { seenMs: 0 }), { metric: true }), true), 0);
	assert.is(nextOf(inList(known(never, { seenMs: 0 })), false, 0)?.urgency, urgency.run);
});

test('a run that is known: again after minutes, sooner where its list says that it has changed', () => {
	const changed = [{ attempt: 0 }, { updatedAt: 'before' }];
	assert.equal([asked(inList(known(0)), true), asked(inList(known(0)), false)], [600, 180]);
	assert.equal([asked(inList(known(0, hosted)), true), asked(inList(known(0, hosted)), false)], [1_800, 600]);
	for (const more of changed)
		assert.equal([asked(inList(known(0, more)), true), asked(inList(known(0, more)), false)], [120, 20]);
	assert.is(asked(inList(known(0), { metric: true }), true), 180);
	assert.is(nextOf(inList(known(0)), true, 20 * minute)?.urgency, urgency.round);
});

test('a run that is wanted is read once more; so are the lists of what waits for runners or runs', () => {
	const wanted = { atMs: 10, urgency: urgency.drift };
	const due = nextOf(inList(known(0), { wanted }), true, 10);
	assert.equal(due, {
		query: { kind: 'run', repository: 'octo-org/app', runId: 7 },
		urgency: 2,
		dueMs: 10,
	});
	const lists = { in_progress: listRead(20), queued: listRead(20) };
	assert.is(nextOf(repository({ wanted, lists }), true, 30), undefined);
	const status = (lists: Lists) => {
		const query = nextOf(repository({ wanted, lists }), true, 30)?.query;
		return query?.kind === 'list' && query.status;
	};
	assert.equal(
		[status({ in_progress: listRead(20) }), status({ queued: listRead(20) })],
		['queued', 'in_progress'],
	);
});

test('a list with more runs than are remembered does no harm', () => {
	const lists = { queued: listRead(0, 7) };
	assert.is(nextOf(repository({ lists }), false, 0), undefined);
	assert.ok(isReadSince(repository({ lists }), 0, 0));
});

test('a run of ours is read once after two minutes, and when it is listed nowhere', () => {
	const own = (readMs: number, sinceMs: number, lists: Lists = {}) => {
		const runs = new Map(readMs === never ? [] : [[7, known(readMs)]]);
		const one = repository({ ours: new Map([[7, sinceMs]]), runs, lists });
		const due = nextOf(one, true, 0);
		return due?.query.kind === 'run' ? due.dueMs / second : undefined;
	};
	assert.equal([own(never, -119 * second), own(never, -120 * second)], [undefined, 0]);
	assert.is(own(-5 * minute, -5 * minute), 0, 'listed after that: it is gone');
	assert.is(own(-5 * minute, -30 * second), undefined, 'it may be new');
	assert.is(own(0, -5 * minute), undefined, 'it was read after the lists');
	assert.is(own(-4 * minute, -5 * minute, { in_progress: listRead(-5 * minute) }), undefined);
	assert.is(own(-minute, -5 * minute, { queued: listRead(0, 7) }), undefined, 'it is listed');
});

test('what GitHub does not show is not asked about before its time, and counts as read until then', () => {
	const lists = { queued: listRead(never), in_progress: listRead(never) };
	const hidden = (untilMs: number) => repository({ lists, hidden: { untilMs, times: 1 } });
	assert.equal([nextOf(hidden(1), false, 0), isReadSince(hidden(1), 0, 0)], [undefined, true]);
	assert.equal([nextOf(hidden(0), false, 0)?.query.kind, isReadSince(hidden(0), 0, 0)], ['list', false]);
});

test('it is read when both lists are, and the jobs of all their runs', () => {
	assert.ok(isReadSince(repository(), 0, 0));
	assert.not.ok(isReadSince(repository({ lists: { queued: listRead(-1) } }), 0, 0));
	assert.not.ok(isReadSince(repository({ lists: { in_progress: listRead(-1) } }), 0, 0));
	assert.ok(isReadSince(repository({ lists: { waiting: listRead(-1) } }), 0, 0));
	const withRun = (readMs: number) =>
		repository({ lists: { queued: listRead(0, 7) }, runs: new Map([[7, known(readMs)]]) });
	assert.equal([isReadSince(withRun(-1), 0, 0), isReadSince(withRun(0), 0, 0)], [false, true]);
});

test('a metric has the lists of open runs read each minute, and at once', () => {
	const unread = { queued: listRead(never), waiting: listRead(never) };
	assert.is(roundAt(repository({ lists: unread, metric: true }), 'queued', true, 0), 0);
	assert.is(roundAt(repository({ lists: unread, metric: true }), 'waiting', true, 0), 120 * minute);
	assert.is(roundAt(repository({ metric: true }), 'in_progress', true, 0), minute);
	assert.is(roundAt(repository({ metric: true }), 'pending', true, 0), 120 * minute);
});

test('without a webhook an event puts nothing off', () => {
	assert.is(roundAt(repository({ eventMs: 59 * second }), 'queued', false, 0), minute);
});

test('a run has jobs of ours while one of them is open', () => {
	const job = (status: string, ours: boolean) => ({ id: 1, status, labels: [], ours });
	const has = (...jobs: KnownRun['jobs'][number][]) => hasOurs(known(0, { jobs }));
	assert.ok(has(job('queued', false), job('in_progress', true)));
	assert.not.ok(has(job('completed', true), job('queued', false)));
	assert.not.ok(has());
});

test.run();

import * as assert from 'uvu/assert';
import { Account } from '../../../admission/github/accounts.ts';
import { Connection } from '../../../admission/github/connection.ts';
import type { AccountState, CallReport, Scope } from '../../../admission/github/types.ts';
import { isFailure } from '../../../admission/github/types.ts';
import { unregister } from '../../../admission/github/unregister.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { suite } from '../../support/suite.ts';
import { eventually, FakeGitHub } from './fake-github.ts';

const scope: Scope = { kind: 'repository', owner: 'octo-org', name: 'app' };

interface Context {
	github: FakeGitHub;
	account: Account;
	/** Added to the real time. */
	clock: { aheadMs: number };
	changes: [string, AccountState][];
	reports: CallReport[];
}

const test = suite<Context>('unregister');
test.before.each(async (context) => {
	context.github = await FakeGitHub.start();
	context.clock = { aheadMs: 0 };
	context.changes = [];
	context.reports = [];
	const { clock, changes, reports } = context;
	const now = () => Date.now() + clock.aheadMs;
	const connection = new Connection(
		{ kind: 'token', token: 'ghp_x' },
		{
			apiUrl: context.github.url,
			clock: { ...systemClock, now, random: () => 1 },
			onStateChange: (account, _before, after) => changes.push([account, after]),
			onCall: (call) => reports.push(call),
		},
	);
	connection.users.add('environment');
	context.account = new Account('environment', connection, now);
});
test.after.each(({ github }) => github.stop());

const runner = (id: number) => ({ scope, name: `runner-${id}`, run: 'pod-a/0', id });
const unnamed = (name: string) => ({ scope, name, run: 'pod-a/0' });

test('idle: one DELETE, 204, and that is the proof', async ({ github, account, reports }) => {
	github.add(1);
	const outcome = await unregister(account, runner(1));
	assert.equal(outcome, { kind: 'unregistered', runnerId: 1 });
	assert.is(github.calls.length, 1);
	const { account: id, endpoint, status } = reports[0]!;
	assert.equal({ id, endpoint, status }, { id: 'environment', endpoint: 'remove-runner', status: 204 });
});

test('whoever has got a job while its turn was waited for is not asked about, and costs none of the budget', async ({
	github,
	account,
}) => {
	github.add(1);
	const asked: string[] = [];
	for (const idle of [false, true]) {
		const stillIdle = async () => {
			asked.push(`after ${github.calls.length} calls`);
			return idle;
		};
		const { kind } = await unregister(account, { ...runner(1), stillIdle });
		assert.is(kind, idle ? 'unregistered' : 'withheld');
	}
	assert.equal(asked, ['after 0 calls', 'after 0 calls']);
	assert.is(github.calls.length, 1);
	assert.is(account.state().healthy, true);
});

test('a removed runner is at once gone from the list at hand', async ({ github, account }) => {
	github.add(2);
	await account.registry.refresh(scope, { maxAgeMs: 0 });
	await unregister(account, runner(1));
	assert.equal([...account.registry.latest(scope)!.byId.keys()], [2]);
});

test('50 idle deletions without ids: 50 DELETEs and at most 2 lists', async ({ github, account }) => {
	github.add(50);
	const outcomes = await Promise.all(
		Array.from({ length: 50 }, (_, i) => unregister(account, unnamed(`runner-${i + 1}`))),
	);
	assert.ok(outcomes.every(({ kind }) => kind === 'unregistered'));
	assert.is(github.count('DELETE'), 50);
	assert.ok(github.count('GET') <= 2);
});

test('one delete of an idle runner beside 3,000 offline ones costs at most 3 calls', async ({
	github,
	account,
}) => {
	github.add(3_001);
	assert.is((await unregister(account, unnamed('runner-3001'))).kind, 'unregistered');
	assert.ok(github.calls.length <= 3, `${github.calls.length} calls`);
	github.calls.length = 0;
	assert.is((await unregister(account, unnamed('runner-3000'))).kind, 'unregistered');
	assert.is(github.calls.length, 2);
	github.calls.length = 0;
	assert.is((await unregister(account, { ...unnamed('gone'), id: 9_999 })).kind, 'absent');
	assert.is(github.calls.length, 2);
});

test("busy: GitHub's 422 with its message", async ({ github, account }) => {
	github.add(1, 1, true);
	const message = 'Bad request - Runner "runner-1" is still running a job';
	assert.equal(await unregister(account, runner(1)), { kind: 'busy', message, runnerId: 1 });
});

test('404 and no runner of that name is an absence, by a list begun after the question; 404 alone is not', async ({
	github,
	account,
}) => {
	github.add(2);
	const askedMs = account.now();
	const outcome = await unregister(account, { scope, name: 'gone', run: 'pod-a/0', id: 99 });
	assert.ok(outcome.kind === 'absent' && outcome.begunMs >= askedMs);

	github.script = ({ method }) => (method === 'GET' ? { status: 404 } : undefined);
	const unproven = await unregister(account, { scope, name: 'gone-too', run: 'pod-a/0', id: 98 });
	assert.ok(isFailure(unproven) && unproven.kind === 'forbidden');
});

test('404, but the name is there under another id: that one is asked, once', async ({ github, account }) => {
	github.add(1, 5, true);
	const outcome = await unregister(account, { scope, name: 'runner-5', run: 'pod-a/0', id: 4 });
	assert.is(outcome.kind, 'busy');
	assert.is('runnerId' in outcome && outcome.runnerId, 5);
	github.runners.get(5)!.busy = false;
	const second = await unregister(account, { scope, name: 'runner-5', run: 'pod-a/0', id: 3 });
	assert.equal(second, { kind: 'unregistered', runnerId: 5 });
});

test('an id that is not its own is not asked about: the runner is looked up by name; joiners do not ask again', async ({
	github,
	account,
}) => {
	github.add(5);
	const asked: number[] = [];
	const trusts = async (runnerId: number) => {
		asked.push(runnerId);
		return false;
	};
	const known = { scope, name: 'runner-5', run: 'pod-a/0', id: 1, trusts };
	const outcomes = await Promise.all([unregister(account, known), unregister(account, known)]);
	for (const outcome of outcomes) assert.is('runnerId' in outcome && outcome.runnerId, 5);
	assert.equal(asked, [1]);
	assert.ok(github.runners.has(1), 'the other one is untouched');
});

test('an id that cannot be verified now: why, and nothing is removed', async ({ github, account }) => {
	github.add(1);
	const failure = { kind: 'github-unavailable', detail: 'down' } as const;
	assert.equal(await unregister(account, { ...runner(1), trusts: async () => failure }), failure);
	assert.ok(github.runners.has(1));
});

test('404 to DELETE of a runner that the list still has proves nothing', async ({ github, account }) => {
	github.add(1);
	github.script = ({ method }) => (method === 'DELETE' ? { status: 404 } : undefined);
	const outcome = await unregister(account, runner(1));
	assert.ok(isFailure(outcome) && outcome.kind === 'github-unavailable');
	assert.is(github.count('DELETE'), 1);
});

test('an id that changes from call to call proves nothing, after two DELETEs', async ({
	github,
	account,
}) => {
	let id = 10;
	github.script = ({ method }) =>
		method === 'DELETE'
			? { status: 404 }
			: {
					body: { total_count: 1, runners: [{ id: id++, name: 'runner-1', busy: false, status: 'online' }] },
				};
	const outcome = await unregister(account, runner(1));
	assert.ok(isFailure(outcome));
	assert.is(github.count('DELETE'), 2);
});

test('no id and no such runner: absent, by a list newer than the question', async ({
	github,
	account,
	clock,
}) => {
	await account.registry.refresh(scope, { maxAgeMs: 0 });
	clock.aheadMs += 1_000;
	const askedMs = account.now();
	const outcome = await unregister(account, unnamed('starting'));
	assert.ok(outcome.kind === 'absent' && outcome.begunMs >= askedMs);
	assert.is(github.count('GET'), 2);
	// it registers, and the next question finds it: absence is not remembered
	github.add(1);
	clock.aheadMs += 2_001;
	assert.is((await unregister(account, unnamed('runner-1'))).kind, 'unregistered');
});

test('whatever GitHub answers besides: denied, and never "unregistered"', async ({
	github,
	account,
	clock,
}) => {
	const expected = {
		'credentials-invalid': [{ status: 401 }],
		forbidden: [{ status: 403 }],
		'rate-limited': [{ status: 429 }, { status: 403, headers: { 'retry-after': '9' } }],
		'github-unavailable': [{ status: 500 }, { status: 200, body: {} }, { status: 202 }, { reset: true }],
	};
	github.add(1);
	for (const [kind, replies] of Object.entries(expected)) {
		for (const reply of replies) {
			github.script = () => reply;
			assert.is((await unregister(account, runner(1))).kind, kind, JSON.stringify(reply));
			clock.aheadMs += 120_000;
			github.script = () => undefined;
			await account.registry.refresh(scope, { maxAgeMs: 0 }); // ends the back-off
			clock.aheadMs += 120_000;
		}
	}
	assert.is(github.runners.size, 1);
});

test('callers at the same time share one DELETE; one that gives up does not end it', async ({
	github,
	account,
}) => {
	github.add(1);
	github.script = ({ method }) => {
		if (method !== 'DELETE') return undefined;
		github.runners.delete(1);
		return { status: 204, delayMs: 100 };
	};
	const [first, second, third] = await Promise.all([
		unregister(account, runner(1), { signal: AbortSignal.timeout(20) }),
		unregister(account, runner(1), { timeoutMs: 30 }),
		unregister(account, runner(1)),
	]);
	assert.is(first.kind, 'github-slow');
	assert.is(second.kind, 'github-slow');
	assert.is(third.kind, 'unregistered');
	assert.is(github.count('DELETE'), 1);
});

test('slow GitHub: the caller is answered in its time, and the outcome waits for the next one (F8)', async ({
	github,
	account,
}) => {
	github.add(1, 1, true);
	github.script = () => ({ status: 422, body: { message: 'busy' }, delayMs: 150 });
	const startedMs = Date.now();
	const slow = await unregister(account, runner(1), { timeoutMs: 30 });
	assert.ok(Date.now() - startedMs < 120);
	assert.is(slow.kind, 'github-slow');
	await new Promise((resolve) => setTimeout(resolve, 200));
	// the deletion loop receives it too, since nobody has: no second 422 (invariant 5)
	assert.is((await unregister(account, runner(1), { priority: 'background' })).kind, 'busy');
	assert.is(github.count('DELETE'), 1);
});

test('the reviews of one delete share an outcome; after 10 s it is asked anew', async ({
	github,
	account,
	clock,
}) => {
	github.add(1);
	for (let review = 0; review < 3; review++) {
		assert.is((await unregister(account, runner(1))).kind, 'unregistered');
	}
	assert.is(github.calls.length, 1);
	clock.aheadMs += 10_001;
	await unregister(account, runner(1));
	assert.is(github.count('DELETE'), 2);
});

test('a busy answer that was received does not hold up who asks again because the job has ended', async ({
	github,
	account,
}) => {
	github.add(1, 1, true);
	assert.is((await unregister(account, runner(1))).kind, 'busy');
	assert.is((await unregister(account, runner(1))).kind, 'busy');
	assert.is(github.count('DELETE'), 1);
	github.runners.get(1)!.busy = false;
	assert.is((await unregister(account, runner(1), { priority: 'background' })).kind, 'unregistered');
});

test('the same name with a new id is another registration: nothing is remembered of the old', async ({
	github,
	account,
}) => {
	github.add(1);
	assert.is((await unregister(account, runner(1))).kind, 'unregistered');
	github.runners.set(2, { id: 2, name: 'runner-1', busy: true, status: 'online' });
	assert.is((await unregister(account, { scope, name: 'runner-1', run: 'pod-a/0', id: 2 })).kind, 'busy');
});

test("the next pod of the same name is asked about anew, though its runner's id is not known yet", async ({
	github,
	account,
}) => {
	github.add(1);
	assert.is((await unregister(account, runner(1))).kind, 'unregistered');
	const successor = { ...unnamed('runner-1'), run: 'pod-b/0' };
	assert.is((await unregister(account, successor)).kind, 'absent');
	github.runners.set(2, { id: 2, name: 'runner-1', busy: true, status: 'online' });
	assert.is((await unregister(account, successor)).kind, 'busy');
});

test('a list that still shows a removed runner does not bring it back', async ({ github, account }) => {
	github.add(1);
	assert.is((await unregister(account, runner(1))).kind, 'unregistered');
	github.add(1);
	const late = await account.registry.refresh(scope, { maxAgeMs: 0 });
	assert.ok(!isFailure(late) && late.runners.size === 0 && late.byId.size === 0);
});

test('during a Retry-After nothing is sent for any runner, and one line is logged (F1, F2)', async ({
	github,
	account,
	changes,
}) => {
	github.add(30);
	github.script = () => ({ status: 429, headers: { 'retry-after': '60' } });
	await unregister(account, runner(1));
	github.script = () => undefined;
	for (let id = 2; id <= 30; id++) {
		const outcome = await unregister(account, id % 2 ? runner(id) : unnamed(`runner-${id}`));
		assert.is(outcome.kind, 'rate-limited');
		assert.ok(isFailure(outcome) && Number(outcome.retryAtMs) > Date.now() + 50_000);
	}
	assert.is(github.calls.length, 1);
	assert.equal(
		changes.map(([id]) => id),
		['environment'],
	);
	assert.is(account.failure(scope)?.kind, 'rate-limited');
});

test('an outage ends: the probe, then everybody, within the rate limit (F5)', async ({
	github,
	account,
	clock,
}) => {
	github.add(200);
	github.script = () => ({ status: 503 });
	await Promise.all([1, 2, 3].map((id) => unregister(account, runner(id))));
	github.script = () => undefined;
	clock.aheadMs += 20_000;
	const all = Array.from({ length: 200 }, (_, i) => i + 1);
	let outcomes = await Promise.all(all.map((id) => unregister(account, runner(id), { timeoutMs: 0 })));
	await eventually(() => github.count('DELETE') === 4);
	await eventually(() => account.state().healthy);
	outcomes = await Promise.all(
		all.map((id) => unregister(account, runner(id), { priority: 'background', timeoutMs: 4_000 })),
	);
	const done = outcomes.filter(({ kind }) => kind === 'unregistered').length;
	assert.ok(github.count('DELETE') <= 150);
	assert.ok(done >= 140, `${done} done`);
	assert.ok(outcomes.every(({ kind }) => kind === 'unregistered' || kind === 'budget-spent'));
	clock.aheadMs += 61_000;
	const left = [...github.runners.keys()];
	outcomes = await Promise.all(left.map((id) => unregister(account, runner(id), { priority: 'background' })));
	assert.ok(outcomes.every(({ kind }) => kind === 'unregistered'));
	assert.is(github.runners.size, 0);
});

test('over the rate limit: a caller that does not wait for it learns so at once (C6)', async ({
	github,
	account,
}) => {
	github.add(160);
	const all = Array.from({ length: 160 }, (_, i) =>
		unregister(account, runner(i + 1), { timeoutMs: 30_000, rateLimitWaitMs: 500 }),
	);
	const kinds = (await Promise.all(all)).map(({ kind }) => kind);
	assert.is(kinds.filter((kind) => kind === 'unregistered').length, 150);
	assert.is(kinds.filter((kind) => kind === 'budget-spent').length, 10);
	assert.is(github.count('DELETE'), 150);
});

test('never more than 60 calls at once', async ({ github, account }) => {
	github.add(120);
	let now = 0;
	let most = 0;
	github.script = ({ method }) => {
		if (method !== 'DELETE') return undefined;
		most = Math.max(most, ++now);
		setTimeout(() => now--, 25);
		return { status: 204, delayMs: 30 };
	};
	const all = Array.from({ length: 120 }, (_, i) => unregister(account, runner(i + 1)));
	assert.ok((await Promise.all(all)).every(({ kind }) => kind === 'unregistered'));
	assert.ok(most <= 60 && most > 30, `${most} at once`);
});

test('a replica with a third of the calls: never more than 30 at once, and 50 DELETEs a minute', async ({
	github,
}) => {
	github.add(120);
	const connection = new Connection(
		{ kind: 'token', token: 'ghp_x' },
		{ apiUrl: github.url, clock: systemClock, share: () => 1 / 3 },
	);
	let [now, most] = [0, 0];
	github.script = () => {
		most = Math.max(most, ++now);
		setTimeout(() => now--, 25);
		return { status: 204, delayMs: 30 };
	};
	const all = Array.from({ length: 120 }, (_, i) => connection.remove(scope, i + 1));
	const kinds = (await Promise.all(all)).map(({ kind }) => kind);
	assert.ok(most <= 30 && most > 15, `${most} at once`);
	assert.is(kinds.filter((kind) => kind === 'removed').length, 50);
	assert.is(kinds.filter((kind) => kind === 'budget-spent').length, 70);
});

test('shutdown ends what is under way', async ({ github, account }) => {
	github.add(1);
	github.script = () => ({ status: 204, delayMs: 5_000 });
	const work = unregister(account, runner(1));
	await eventually(() => github.calls.length === 1);
	account.connection.close();
	assert.is((await work).kind, 'github-slow');
	assert.ok(isFailure(await unregister(account, runner(1))));
	assert.is(github.calls.length, 1);
});

test.run();

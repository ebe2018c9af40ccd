import * as assert from 'uvu/assert';
import { Connection } from '../../../admission/github/connection.ts';
import { nextPollMs, Registry, type Snapshot } from '../../../admission/github/registry.ts';
import type { Scope } from '../../../admission/github/types.ts';
import { isFailure } from '../../../admission/github/types.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { suite } from '../../support/suite.ts';
import { FakeGitHub } from './fake-github.ts';

const scope: Scope = { kind: 'organization', name: 'octo-org' };

const test = suite<{ github: FakeGitHub; registry: Registry; clock: { nowMs: number } }>('github registry');
test.before.each(async (context) => {
	context.github = await FakeGitHub.start();
	const clock = { nowMs: Date.now() };
	context.clock = clock;
	context.registry = new Connection(
		{ kind: 'token', token: 'ghp_x' },
		{ apiUrl: context.github.url, clock: { ...systemClock, now: () => clock.nowMs } },
	).registry;
});
test.after.each(({ github }) => github.stop());

async function snapshot(registry: Registry, maxAgeMs = 0): Promise<Snapshot> {
	const result = await registry.refresh(scope, { maxAgeMs, priority: 'request' });
	if (isFailure(result)) throw new Error(result.detail);
	return result;
}

test('one page is a complete list', async ({ github, registry, clock }) => {
	github.add(3);
	const list = await snapshot(registry);
	assert.ok(list.complete);
	assert.is(list.startedAtMs, clock.nowMs);
	assert.is(list.runners.get('runner-2')?.id, 2);
	assert.is(list.byId.get(3)?.name, 'runner-3');
	assert.is(github.calls.length, 1);
});

test('a scope or a name in another case is the same one', async ({ github, registry }) => {
	github.add(3);
	await snapshot(registry);
	const other: Scope = { kind: 'organization', name: 'Octo-Org' };
	assert.is(registry.latest(other)?.runners.size, 3);
	assert.is(
		await registry.find(other, 'RUNNER-2', { maxAgeMs: 1_000 }).then((found) => 'present' in Object(found)),
		true,
	);
	assert.is(github.calls.length, 1);
	registry.forget(other, 2);
	assert.is(registry.latest(scope)?.runners.size, 2);
});

test('several pages are read to the end, and are not taken for complete', async ({ github, registry }) => {
	github.add(250);
	const list = await snapshot(registry);
	assert.is(list.byId.size, 250);
	assert.is(list.pages, 3);
	assert.not.ok(list.complete);
	assert.is(github.calls.length, 3);
});

test('a wrong Link header changes nothing', async ({ github, registry }) => {
	github.add(150);
	const real = github.url;
	github.script = (call) => {
		if (call.query.get('page') !== '1') return undefined;
		const runners = [...github.runners.values()].slice(0, 100);
		const headers = { link: `<${real}/evil?page=77>; rel="next", <${real}/evil?page=1>; rel="last"` };
		return { body: { total_count: 150, runners }, headers };
	};
	assert.is((await snapshot(registry)).byId.size, 150);
	assert.equal(
		github.calls.map(({ query }) => query.get('page')),
		['1', '2'],
	);
});

test('a server with smaller pages than asked for: several pages are never complete', async ({
	github,
	registry,
}) => {
	github.add(50);
	github.script = ({ query }) => {
		const from = (Number(query.get('page')) - 1) * 30;
		return { body: { total_count: 50, runners: [...github.runners.values()].slice(from, from + 30) } };
	};
	const list = await snapshot(registry);
	assert.is(list.byId.size, 50);
	assert.not.ok(list.complete);
});

test('a wrong total_count: read until an empty page, never complete', async ({ github, registry }) => {
	github.add(3);
	for (const wrong of [0, 2, 99]) {
		github.totalCount = () => wrong;
		const list = await snapshot(registry, -1);
		assert.is(list.byId.size, 3);
		assert.not.ok(list.complete, String(wrong));
	}
	github.runners.clear();
	github.add(100);
	github.totalCount = () => 100;
	assert.not.ok((await snapshot(registry, -1)).complete);
});

test('a server that gives page 1 for every page is noticed', async ({ github, registry }) => {
	const runners = [{ id: 1, name: 'a', busy: false, status: 'online' }];
	github.script = () => ({ body: { total_count: 5, runners } });
	const result = await registry.refresh(scope, { maxAgeMs: 0 });
	assert.ok(isFailure(result) && result.kind === 'github-unavailable');
	assert.is(github.calls.length, 2);
});

test('an unchanged page is a 304 and keeps its runners', async ({ github, registry, clock }) => {
	github.add(150);
	await snapshot(registry);
	clock.nowMs += 10_000;
	github.runners.get(120)!.busy = true;
	const list = await snapshot(registry);
	assert.is(list.byId.size, 150);
	assert.is(list.byId.get(120)?.busy, true);
	assert.is(list.startedAtMs, clock.nowMs);
	const conditional = github.calls.slice(2).map(({ headers }) => headers['if-none-match'] !== undefined);
	assert.equal(conditional, [true, true]);
});

test('fifty callers share one reading', async ({ github, registry }) => {
	github.add(10);
	const lists = await Promise.all(Array.from({ length: 50 }, () => snapshot(registry, 2_000)));
	assert.is(github.calls.length, 1);
	assert.is(new Set(lists).size, 1);
});

test('a list is used again until it is too old', async ({ github, registry, clock }) => {
	await snapshot(registry);
	clock.nowMs += 2_000;
	await snapshot(registry, 2_000);
	assert.is(github.calls.length, 1);
	clock.nowMs += 1;
	await snapshot(registry, 2_000);
	assert.is(github.calls.length, 2);
});

test('a reading that began too early is waited for, and another one made', async ({
	github,
	registry,
	clock,
}) => {
	github.script = () => ({ body: { total_count: 0, runners: [] }, delayMs: 50 });
	const early = snapshot(registry);
	clock.nowMs += 1;
	github.add(1);
	const later = [snapshot(registry), snapshot(registry)];
	await early;
	github.script = () => undefined;
	for (const list of await Promise.all(later)) assert.is(list.startedAtMs, clock.nowMs);
	assert.is(github.calls.length, 2);
});

test('one caller gives up, the others get the list', async ({ github, registry }) => {
	github.add(1);
	github.script = () => {
		github.script = () => undefined;
		return { body: { total_count: 1, runners: [...github.runners.values()] }, delayMs: 100 };
	};
	const [gaveUp, list] = await Promise.all([
		registry.refresh(scope, { maxAgeMs: 2_000, signal: AbortSignal.timeout(20) }),
		snapshot(registry, 2_000),
	]);
	assert.ok(isFailure(gaveUp) && gaveUp.kind === 'github-slow');
	assert.is(list.byId.size, 1);
	assert.is(github.calls.length, 1);
});

test('a failure is returned and the last list stays', async ({ github, registry, clock }) => {
	github.add(2);
	await snapshot(registry);
	clock.nowMs += 10_000;
	github.script = () => ({ status: 503 });
	assert.ok(isFailure(await registry.refresh(scope, { maxAgeMs: 0 })));
	assert.is(registry.latest(scope)?.byId.size, 2);
});

test('a removed runner is not in the list any more', async ({ github, registry }) => {
	github.add(2);
	await snapshot(registry);
	registry.forget(scope, 1);
	assert.equal([...registry.latest(scope)!.runners.keys()], ['runner-2']);
});

test('absent: only by a complete list that is new enough', async ({ github, registry, clock }) => {
	github.add(2);
	await snapshot(registry);
	clock.nowMs += 100;
	const notBeforeMs = clock.nowMs;
	assert.is(await registry.confirmAbsent(scope, 'gone', { notBeforeMs }), 'absent');
	assert.is(github.calls.length, 2);
	assert.is(await registry.confirmAbsent(scope, 'gone-too', { notBeforeMs }), 'absent');
	assert.is(github.calls.length, 2);
});

test('names differ in case only: that is the same runner', async ({ github, registry, clock }) => {
	github.add(2);
	const found = await registry.confirmAbsent(scope, 'RUNNER-2', { notBeforeMs: clock.nowMs });
	assert.is(typeof found === 'object' && 'present' in found && found.present.id, 2);
});

test('fifty absences cost one list', async ({ github, registry, clock }) => {
	const notBeforeMs = clock.nowMs;
	await Promise.all(
		Array.from({ length: 50 }, (_, i) => registry.confirmAbsent(scope, `gone-${i}`, { notBeforeMs })),
	);
	assert.is(github.calls.length, 1);
});

test('absent in a scope of several pages: one call with the name', async ({ github, registry, clock }) => {
	github.add(150);
	await snapshot(registry);
	github.calls.length = 0;
	assert.is(await registry.confirmAbsent(scope, 'gone', { notBeforeMs: clock.nowMs }), 'absent');
	assert.equal(
		github.calls.map(({ query }) => query.get('name')),
		['gone'],
	);
	const found = await registry.confirmAbsent(scope, 'runner-120', { notBeforeMs: clock.nowMs + 1 });
	assert.is(typeof found === 'object' && 'present' in found && found.present.id, 120);
});

test('the filter is ignored: two readings that agree are needed', async ({ github, registry, clock }) => {
	github.add(150);
	github.ignoreNameFilter = true;
	clock.nowMs += 1;
	const list = github.count('GET');
	const work = registry.confirmAbsent(scope, 'gone', { notBeforeMs: clock.nowMs, priority: 'request' });
	assert.is(await work, 'absent');
	assert.ok(github.count('GET') - list >= 5, 'two readings of two pages and the try with the name');
});

test('the filter is ignored and the list keeps changing: nothing is proven', async ({
	github,
	registry,
	clock,
}) => {
	github.ignoreNameFilter = true;
	github.add(150);
	let next = 1_000;
	github.script = () => {
		github.runners.delete(github.runners.keys().next().value as number);
		github.add(1, next++);
		return undefined;
	};
	const result = await registry.confirmAbsent(scope, 'gone', { notBeforeMs: clock.nowMs });
	assert.ok(isFailure(result), JSON.stringify(result));
});

test('a list that fails never shows absence', async ({ github, registry, clock }) => {
	const replies = [401, 403, 404, 429, 500].map((status) => ({ status }));
	for (const reply of [...replies, { body: '{' }, { reset: true }]) {
		github.script = () => reply;
		const result = await registry.confirmAbsent(scope, 'gone', { notBeforeMs: clock.nowMs });
		assert.ok(isFailure(result), JSON.stringify(reply));
		clock.nowMs += 3_600_000;
	}
});

test('3,000 offline runners: a runner is found or proven absent by name, in two calls, whether they were listed or not', async ({
	github,
	registry,
	clock,
}) => {
	github.add(3_000);
	const found = await registry.find(scope, 'runner-2999', { maxAgeMs: 2_000 });
	assert.is(typeof found === 'object' && 'present' in found && found.present.id, 2999);
	assert.is(github.calls.length, 2, 'the first page, which shows how many there are, and the name');
	assert.is(await registry.find(scope, 'gone', { maxAgeMs: 2_000 }), 'absent');
	assert.is(github.calls.length, 3);
	clock.nowMs += 70_000;
	assert.is(await registry.find(scope, 'gone', { maxAgeMs: 2_000 }), 'absent');
	assert.is(github.calls.length, 5);
	await snapshot(registry);
	github.calls.length = 0;
	clock.nowMs += 10_000;
	await registry.find(scope, 'RUNNER-2998', { maxAgeMs: 2_000 });
	assert.is(github.calls.length, 1);
	assert.is(github.count('GET', 'name'), 1);
});

test('many names at a time in a scope of several pages: reading the pages costs less', async ({
	github,
	registry,
}) => {
	github.add(250);
	for (let id = 1; id <= 50; id++) {
		const found = await registry.find(scope, `runner-${id}`, { maxAgeMs: 2_000 });
		assert.is(typeof found === 'object' && 'present' in found && found.present.id, id);
	}
	assert.ok(github.calls.length <= 7, `${github.calls.length} calls`);
});

test('who may still call is not held up by the look of somebody who may not', async ({ clock }) => {
	const asked: unknown[] = [];
	const registry = new Registry({
		clock: { ...systemClock, now: () => clock.nowMs },
		list: async (_scope, _query, { priority }) => {
			asked.push(priority);
			await new Promise((resolve) => setTimeout(resolve, 5));
			if (priority === 'background') return { kind: 'budget-spent', detail: 'half of the hour' };
			return { kind: 'page', page: { runners: [], totalCount: 0 } };
		},
	});
	const [background, request] = await Promise.all([
		registry.find(scope, 'gone', { maxAgeMs: 0, priority: 'background' }),
		registry.find(scope, 'gone', { maxAgeMs: 0, priority: 'request' }),
	]);
	assert.ok(isFailure(background) && background.kind === 'budget-spent');
	assert.is(request, 'absent');
	assert.equal(asked, ['background', 'request']);
});

test('an old server ignores the name: the runner is found in the list, an absence needs two readings', async ({
	github,
	registry,
	clock,
}) => {
	github.add(250);
	github.ignoreNameFilter = true;
	const found = await registry.find(scope, 'runner-240', { maxAgeMs: 2_000 });
	assert.is(typeof found === 'object' && 'present' in found && found.present.id, 240);
	const before = github.calls.length;
	clock.nowMs += 1;
	assert.is(await registry.find(scope, 'gone', { maxAgeMs: 2_000 }), 'absent');
	assert.is(github.calls.length - before, 7);
});

test('an answer to a name that still shows a removed runner does not bring it back', async ({
	github,
	registry,
}) => {
	github.add(150);
	registry.forget(scope, 140);
	assert.is(typeof (await registry.find(scope, 'runner-139', { maxAgeMs: 0 })), 'object');
	assert.is(await registry.find(scope, 'runner-140', { maxAgeMs: 0 }), 'absent');
});

test('10,000 scopes that pods name: 1,000 are remembered, and those with a list go last', async ({
	clock,
}) => {
	let calls = 0;
	const registry = new Registry({
		clock: { ...systemClock, now: () => clock.nowMs },
		list: async (asked) => {
			calls++;
			if (asked.name !== 'good') return { kind: 'forbidden', detail: 'no' };
			return { kind: 'page', page: { runners: [], totalCount: 0 } };
		},
	});
	const organization = (name: string) => ({ kind: 'organization', name }) as const;
	await registry.refresh(organization('good'), { maxAgeMs: 0 });
	for (let number = 0; number < 10_000; number++)
		await registry.refresh(organization(`org-${number}`), { maxAgeMs: 0 });
	assert.ok(registry.latest(organization('good')));
	assert.is(registry.remembered, 1_000);
	assert.is(calls, 10_001);
	clock.nowMs += 3_600_001;
	await registry.refresh(organization('other'), { maxAgeMs: 0 });
	assert.is(registry.remembered, 1);
});

test('polls: every 10 s, slower with more pages, faster when somebody waits, never over 60 s', () => {
	assert.equal(
		[0, 1, 3, 10, 50].map((pages) => nextPollMs(pages)),
		[10_000, 10_000, 12_000, 40_000, 60_000],
	);
	assert.equal(
		[0, 1, 3, 10, 50].map((pages) => nextPollMs(pages, true)),
		[3_000, 3_000, 9_000, 30_000, 60_000],
	);
});

test.run();

/** What a job's events say of it, and what is known when they have come in any order. */
import * as assert from 'uvu/assert';
import type { WorkflowJobSpec } from '../../../../admission/api/autoscale.ts';
import { deliveredMs } from '../../../../admission/jobs/records/rules/delivered.ts';
import {
	factsOfAnswer,
	factsOfEvent,
	type JobFacts,
} from '../../../../admission/jobs/records/rules/facts.ts';
import {
	concernsUs,
	type KnownLabels,
	labelsIn,
	scopeIn,
} from '../../../../admission/jobs/records/rules/labels.ts';
import { changeOf, leavesTrace, opened } from '../../../../admission/jobs/records/rules/merge.ts';
import { recordName } from '../../../../admission/jobs/records/rules/name.ts';
import { suite } from '../../../support/suite.ts';
import { payload } from '../events/payload.ts';

const test = suite('records of jobs: rules');

const sentMs = Date.parse('2026-11-23T12:01:00.123Z');
type Change = Parameters<typeof payload>[0];

const event = (change?: Change, atMs = sentMs) => {
	const facts = factsOfEvent(payload(change), atMs);
	assert.ok(facts, JSON.stringify(change));
	return facts as JobFacts;
};

/** A job's events as GitHub sends them: before it has a runner its start is its creation. */
const waits = { runner_id: null, runner_name: null, runner_group_id: null, runner_group_name: null };
const waiting = (atMs = sentMs) =>
	event({ action: 'waiting', job: { ...waits, started_at: '2026-11-23T12:00:40Z' } }, atMs);
const queued = (atMs = sentMs) =>
	event({ action: 'queued', job: { ...waits, started_at: '2026-11-23T12:00:40Z' } }, atMs);
const inProgress = (atMs = sentMs + 10_000) => event({}, atMs);
const end = { completed_at: '2026-11-23T12:05:00Z', conclusion: 'success' };
const completed = (atMs = sentMs + 60_000) => event({ action: 'completed', job: end }, atMs);

/** What is known after all of them, one a second. */
function after(all: readonly JobFacts[], fromMs = sentMs): { spec: WorkflowJobSpec; writes: number } {
	const [first, ...rest] = all as [JobFacts, ...JobFacts[]];
	let spec = opened(first, fromMs);
	let writes = 1;
	for (const [index, facts] of rest.entries()) {
		const change = changeOf(spec, facts, 'event', fromMs + 1_000 * (index + 1));
		if (!change) continue;
		spec = { ...spec, ...change };
		writes += 1;
	}
	return { spec, writes };
}

function permutations<T>(items: readonly T[]): T[][] {
	if (items.length < 2) return [[...items]];
	return items.flatMap((item, index) =>
		permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]),
	);
}

test('an event says all of this, and a job that waits has no runner and no start', () => {
	const common = {
		host: 'github.com',
		id: 7,
		repository: 'octo-org/app',
		runId: 42,
		runAttempt: 2,
		workflow: 'CI',
		name: 'build (20)',
		url: 'https://github.com/octo-org/app/actions/runs/42/job/7',
		labels: ['self-hosted', 'linux'],
		createdAt: '2026-11-23T12:00:40.000Z',
	};
	const runner = { startedAt: '2026-11-23T12:00:50.000Z', runnerName: 'r1', runnerGroup: 'Default' };
	assert.equal(queued(), { ...common, state: 'queued', deliveredAt: '2026-11-23T12:01:00.123Z' });
	assert.equal(waiting(), { ...common, state: 'waiting', deliveredAt: '2026-11-23T12:01:00.123Z' });
	assert.equal(inProgress(), {
		...common,
		...runner,
		state: 'in_progress',
		deliveredAt: '2026-11-23T12:01:10.123Z',
	});
	assert.equal(completed(), {
		...common,
		...runner,
		state: 'completed',
		completedAt: '2026-11-23T12:05:00.000Z',
		conclusion: 'success',
		deliveredAt: '2026-11-23T12:02:00.123Z',
	});
	assert.is(event({ rest: { enterprise: { slug: 'octo-corp' } } }).enterprise, 'octo-corp');
});

test('what is null or missing is left out', () => {
	for (const value of [null, undefined, '', {}, -1, 1.5]) {
		const job = Object.fromEntries(
			['run_id', 'run_attempt', 'workflow_name', 'name', 'html_url', 'labels', 'created_at', 'started_at']
				.concat(['completed_at', 'conclusion', 'runner_id', 'runner_name', 'runner_group_name'])
				.map((field) => [field, value]),
		);
		const facts = event({ action: 'completed', job, rest: { enterprise: value } });
		assert.equal(facts, {
			host: 'github.com',
			id: 7,
			repository: 'octo-org/app',
			labels: [],
			state: 'completed',
			deliveredAt: '2026-11-23T12:01:00.123Z',
		});
	}
});

test('texts are bounded and on one line, times are such that the API server takes, addresses are of the web', () => {
	const long = `a\u001b[2J\n${'b'.repeat(100_000)}`;
	const labels = [...Array.from({ length: 200 }, (_, index) => `l${index}`), 7];
	const job = {
		name: long,
		workflow_name: '\ud83d',
		runner_name: long,
		runner_group_name: long,
		html_url: 'javascript:alert(1)',
		created_at: '+012026-11-23T12:00:40Z',
		labels: ['x\u0000y', null, long, ...labels],
	};
	const facts = event({ job });
	assert.is(facts.name, `a?[2J ${'b'.repeat(114)}`);
	assert.is(facts.workflow, '\ufffd');
	assert.is(facts.runnerName?.length, 256);
	assert.is(facts.runnerGroup?.length, 256);
	assert.is(facts.url, undefined);
	assert.is(facts.createdAt, undefined);
	assert.is(facts.labels.length, 49);
	assert.equal(facts.labels.slice(0, 2), ['x?y', `a?[2J ${'b'.repeat(250)}`]);
	assert.is(facts.labelsTruncated, true);
	assert.is(event({ job: { html_url: `https://github.com/${'a'.repeat(2_000)}` } }).url, undefined);
});

test('what is no job, or says no state, cannot be read', () => {
	const broken: Change[] = ['created', '', 7, 'toString', '__proto__'].map((action) => ({ action }));
	for (const id of [null, 0, '7', Number.MAX_SAFE_INTEGER + 1]) broken.push({ job: { id } });
	for (const full_name of [null, '', 'app', 'a/b/c', 'a b/c', '../..', 'enterprises/x', 'a'.repeat(300)])
		broken.push({ repository: { full_name, html_url: 'https://github.com/octo-org/app' } });
	const html_url = `https://${'a'.repeat(300)}.example/octo-org/app`;
	broken.push({ repository: { full_name: 'octo-org/app', html_url } });
	broken.push({ job: { html_url: null }, repository: { full_name: 'octo-org/app' } });
	for (const change of broken)
		assert.is(factsOfEvent(payload(change), sentMs), undefined, JSON.stringify(change));
	for (const body of [null, 'text', [], 7]) assert.is(factsOfEvent(body, sentMs), undefined);
});

test('an answer says the same as an event; what is pending or requested can be run by nobody', () => {
	const origin = { host: 'github.com', repository: 'octo-org/app' };
	const { workflow_job } = payload({ job: { status: 'in_progress' } }) as { workflow_job: object };
	assert.equal(factsOfAnswer(workflow_job, origin, sentMs + 10_000), inProgress());
	for (const [status, state] of [
		['queued', 'queued'],
		['waiting', 'waiting'],
		['pending', 'waiting'],
		['requested', 'waiting'],
		['completed', 'completed'],
	])
		assert.is(factsOfAnswer({ ...workflow_job, status }, origin, sentMs)?.state, state);
	for (const status of [undefined, null, 'lost', 'constructor'])
		assert.is(factsOfAnswer({ ...workflow_job, status }, origin, sentMs), undefined);
	assert.is(factsOfAnswer(null, origin, sentMs), undefined);
});

test('queued, in_progress, completed in any order: the same is known', () => {
	const facts = [queued(), inProgress(), completed()];
	const { stateSince: _1, openedAt: _2, ...known } = after(facts).spec;
	for (const order of permutations(facts)) {
		const { stateSince: _3, openedAt, ...spec } = after(order).spec;
		assert.equal(spec, known, order.map(({ state }) => state).join(', '));
		// What completed first opened nothing.
		assert.is(openedAt !== undefined, order[0]?.state !== 'completed');
	}
	assert.is(known.state, 'completed');
});

test('the same with each of them twice, and one write for each change of rank', () => {
	const twice = [queued(), inProgress(), completed(), queued(), inProgress(), completed()];
	for (const order of permutations(twice)) {
		const { spec, writes } = after(order);
		assert.is(spec.state, 'completed');
		assert.is(spec.runnerName, 'r1');
		assert.ok(writes <= 3);
	}
	assert.is(after([queued(), queued(), inProgress(), inProgress(), completed(), completed()]).writes, 3);
	assert.is(after([completed(), inProgress(), queued()]).writes, 1);
});

test('since when it is in its state, and known, is taken from our clock', () => {
	const { spec } = after([queued(), queued(), inProgress()], Date.parse('2026-11-23T13:00:00Z'));
	assert.is(spec.openedAt, '2026-11-23T13:00:00.000Z');
	assert.is(spec.stateSince, '2026-11-23T13:00:02.000Z');
});

test('waiting and queued: the one that was sent later counts, in whatever order they come', () => {
	const approved = [queued(sentMs), waiting(sentMs + 1_000), queued(sentMs + 2_000)];
	const gated = [queued(sentMs), waiting(sentMs + 1_000)];
	for (const order of permutations(approved)) {
		assert.is(after(order).spec.state, 'queued');
		assert.is(after(order).spec.deliveredAt, approved[2]?.deliveredAt);
	}
	for (const order of permutations(gated)) assert.is(after(order).spec.state, 'waiting');
	// The one in between comes last.
	assert.is(after([approved[0]!, approved[2]!, approved[1]!]).spec.state, 'queued');
});

test('what one event left out another fills in, of a lower rank too, and nothing is taken away', () => {
	const bare = event(
		{ job: { name: null, labels: null, runner_name: null, workflow_name: null, run_id: null } },
		sentMs + 10_000,
	);
	for (const order of permutations([queued(), bare])) {
		const { spec } = after(order);
		assert.is(spec.state, 'in_progress');
		assert.is(spec.name, 'build (20)');
		assert.is(spec.runId, 42);
		assert.equal(spec.labels, ['self-hosted', 'linux']);
		assert.is(spec.runnerName, undefined);
	}
	assert.is(after([inProgress(), bare]).writes, 1);
});

test('in_progress a second time, with another runner: the later one counts', () => {
	const first = inProgress(sentMs);
	const second = event({ job: { runner_name: 'r2' } }, sentMs + 1_000);
	for (const order of permutations([first, second])) assert.is(after(order).spec.runnerName, 'r2');
	assert.is(after([first, second]).spec.stateSince, '2026-11-23T12:01:00.123Z', 'it runs all the time');
});

test('an answer that says what is known writes nothing, however often it comes; one that knows better counts', () => {
	const spec = opened(queued(), sentMs);
	const again = { ...queued(), deliveredAt: '2026-11-23T12:30:00.000Z' };
	assert.is(changeOf(spec, again, 'answer', sentMs + 1), undefined);
	assert.equal(changeOf(spec, again, 'event', sentMs + 1), { deliveredAt: '2026-11-23T12:30:00.000Z' });
	assert.equal(changeOf(spec, { ...again, state: 'waiting' }, 'answer', sentMs + 1), {
		state: 'waiting',
		stateSince: '2026-11-23T12:01:00.124Z',
		deliveredAt: '2026-11-23T12:30:00.000Z',
	});
	assert.is(
		changeOf(opened(inProgress(), sentMs), again, 'answer', sentMs + 1),
		undefined,
		'never taken back',
	);
});

test('a job that is skipped has this one event, and leaves no record by itself', () => {
	const skipped = event({ action: 'completed', job: { conclusion: 'skipped' } });
	assert.not.ok(leavesTrace(skipped));
	assert.is(changeOf(opened(waiting(), sentMs), skipped, 'event', sentMs)?.state, 'completed');
	for (const facts of [queued(), waiting(), inProgress(), completed()]) assert.ok(leavesTrace(facts));
});

test('names: of the host, the repository and the id, such as Kubernetes takes', () => {
	const names = [
		recordName({ host: 'github.com', repository: 'octo-org/app', id: 7 }),
		recordName({ host: 'github.com', repository: 'octo-org/app', id: 8 }),
		recordName({ host: 'ghes.example:8443', repository: 'octo-org/app', id: 7 }),
		recordName({ host: 'github.com', repository: 'evil-org/app', id: 7 }),
	];
	assert.is(new Set(names).size, 4);
	for (const name of names) assert.match(name, /^[0-9a-f]{32}$/);
	assert.is(recordName({ host: 'github.com', repository: 'Octo-Org/App', id: 7 }), names[0]);
});

test('the time in the id of a delivery; where there is none it is that of the arrival', () => {
	const arrived = Date.parse('2026-09-03T04:17:00Z');
	for (const [guid, time] of [
		['4d8ed510-a74e-11f1-8000-0123456789ab', '2026-09-03T04:16:57.569Z'],
		['4EAD6470-A74E-11F1-8000-0123456789AB', '2026-09-03T04:16:59.447Z'],
	] as const)
		assert.is(new Date(deliveredMs(guid, arrived)).toISOString(), time);
	for (const guid of [
		undefined,
		'',
		'delivery',
		'4d8ed510-a74e-41f1-8000-0123456789ab', // version 4: random
		'4d8ed510-a74e-11f1-8000-0123456789ab0',
		'ffffffff-ffff-1fff-8000-0123456789ab', // the year 5236
		'00000000-0000-1000-8000-0123456789ab', // 1582
	])
		assert.is(deliveredMs(guid, arrived), arrived, guid);
});

test('labels: one of our sets could run it, or people should see that none can', () => {
	const known = (labels: string[], { any = true } = {}): KnownLabels => ({
		labels: new Set(labels),
		any,
		scopes: new Set(),
		fits: () => true,
	});
	const none = known([], { any: false });
	for (const [labels, sets, expected] of [
		[['self-hosted'], none, true],
		[['Self-Hosted', 'windows'], known(['gpu']), true],
		[['GPU'], known(['gpu']), true],
		[[' gpu ', 'x'], known(['gpu']), true],
		[['ubuntu-latest'], known(['gpu']), false],
		[['ubuntu-22.04'], known(['ubuntu-22.04']), true], // as some call their own
		[['linux', 'ARM64'], known(['gpu']), true],
		[['linux', 'x64'], none, false],
		[['big-runner'], known(['gpu']), false],
		// Before the sets are known.
		[['ubuntu-latest'], undefined, false],
		[['Windows-2025', 'macos-15'], undefined, false],
		[['gpu'], undefined, true],
		[['ubuntu-latest', 'gpu'], undefined, true],
		[['self-hosted'], undefined, true],
		[[], undefined, true],
	] as const)
		assert.is(
			concernsUs(labels, sets, { repository: 'octo/app' }),
			expected,
			`${labels.join()} ${JSON.stringify(sets)}`,
		);
});

test('a job whose labels are not certain is recorded, so that people see that no set can have it', () => {
	const none: KnownLabels = { labels: new Set(), any: false, scopes: new Set(), fits: () => false };
	for (const known of [undefined, none]) assert.ok(concernsUs(undefined, known, { repository: 'octo/app' }));
});

test('a job that asks for a group and no labels is recorded where a set has runners for its repository, whatever its labels', () => {
	const place = { repository: 'Octo/App', enterprise: 'Corp' };
	for (const [config, job, expected] of [
		[{ organization: 'OCTO' }, place, true],
		[{ repository: 'octo/app' }, place, true],
		[{ enterprise: 'corp' }, place, true],
		[{ enterprise: 'other' }, place, false],
		[{ enterprise: 'other' }, { repository: 'octo/app' }, true], // which one it is in is not known
		[{ organization: 'other' }, place, false],
		[{ repository: 'octo/other' }, place, false],
		[{ organization: 'corp' }, place, false],
		[{ organization: '', repository: 7 }, place, false],
		[{ organization: 'o'.repeat(1_000) }, { repository: `${'o'.repeat(1_000)}/app` }, false],
	] as const) {
		const known = {
			labels: new Set(['gpu']),
			any: true,
			scopes: new Set([scopeIn(config)]),
			fits: () => true,
		};
		assert.is(concernsUs([], known, job), expected, JSON.stringify(config));
	}
});

test('labels of a set: each once, folded, and no more than a runner may have, however many there are', () => {
	assert.equal(labelsIn(['GPU, big', 'gpu', '', ' ', 7, null]), ['gpu', 'big']);
	for (const none of [undefined, null, 'gpu', {}]) assert.equal(labelsIn(none), []);
	const names = Array.from({ length: 1_000_000 }, (_, index) => `l${index}`);
	const first = names.slice(0, 100);
	assert.equal(labelsIn(names), first, 'a list');
	assert.equal(labelsIn([names.join()]), first, 'one text');
	assert.equal(
		labelsIn(['x'.repeat(257), 'x'.repeat(256)]),
		['x'.repeat(256)],
		'one that no runner can have',
	);
});

test.run();

/** Deliveries that no replica received, found in GitHub's list. */

import * as assert from 'uvu/assert';
import type { FailedDelivery, Hook } from '../../../../admission/github/deliveries.ts';
import { notVisible } from '../../../../admission/github/policy.ts';
import type { Read, ReadOutcome } from '../../../../admission/github/types.ts';
import { Refusal } from '../../../../admission/jobs/endpoint/answer.ts';
import { KnownWebhooks } from '../../../../admission/jobs/events/known-webhooks.ts';
import { LostDeliveries } from '../../../../admission/jobs/events/lost-deliveries.ts';
import { hookOf, readFromMs, toRead } from '../../../../admission/jobs/events/rules/lost.ts';
import {
	gitHubKeepsMs,
	hookForgottenMs,
	leastWaitingRead,
	mostFailuresOfARound,
	mostHooks,
	mostReadOfARound,
	readBackMs,
} from '../../../../admission/jobs/events/rules/policy.ts';
import { writeNote } from '../../../../admission/jobs/events/rules/webhook-note.ts';
import { KubeError } from '../../../../admission/kube/client.ts';
import { type EventResult, Metrics } from '../../../../admission/telemetry/metrics.ts';
import { systemClock } from '../../../../admission/time/system-clock.ts';
import { suite } from '../../../support/suite.ts';
import { SimulatedClock } from '../../support/clock.ts';
import { recordingLog } from '../../support/log.ts';
import { payload } from './payload.ts';

const test = suite('lost deliveries');

const hook: Hook = { id: 5, owner: { kind: 'organization', name: 'octo-org' } };
/** By a secret that may sign everything. */
const anybody = [{ scopes: undefined }];
const overflow = () => new Refusal<EventResult>(503, 'overflow', 'the limit of recorded jobs is reached');

interface Stored {
	id: number;
	guid: string;
	delivered_at: string;
	event: string;
	action: string | null;
	payload: unknown;
}

/** GitHub's list of failed deliveries behind `read`, and a look once a minute. */
function setUp() {
	const clock = new SimulatedClock('2026-11-23T12:01:00Z');
	const { log, lines } = recordingLog('debug');
	const metrics = new Metrics(systemClock);
	const stored: Stored[] = [];
	const calls: string[] = [];
	const taken: unknown[] = [];
	const state: {
		answer: ReadOutcome | undefined;
		account: 'there' | 'missing' | 'unreadable';
		handle: () => Promise<'written' | Refusal<EventResult>>;
		recordsJobs: boolean;
	} = { answer: undefined, account: 'there', handle: async () => 'written', recordsJobs: false };
	const sent: number[] = [];
	const scopes: string[] = [];
	const settings: { answer: ReadOutcome; asked: number } = { answer: { kind: 'not-visible' }, asked: 0 };
	const read: Read = async (_what, { route, parameters, endpoint }) => {
		if (endpoint === 'get-hook') {
			settings.asked += 1;
			return settings.answer;
		}
		calls.push(`${endpoint} ${String(parameters.delivery_id ?? parameters.cursor ?? '')}`.trim());
		assert.is(parameters.hook_id, hook.id);
		assert.match(route, /^GET \/orgs\/\{org\}\/hooks\/\{hook_id\}\/deliveries/);
		if (state.answer) return state.answer;
		if (endpoint === 'get-delivery') {
			const found = stored.find(({ id }) => id === parameters.delivery_id);
			return found
				? { kind: 'read', body: { ...found, request: { headers: {}, payload: found.payload } }, link: '' }
				: { kind: 'not-visible' };
		}
		assert.is(parameters.status, 'failure');
		const from = Number(parameters.cursor ?? 0);
		const newest = stored.toSorted((one, other) => other.id - one.id);
		const more = from + 100 < stored.length;
		const link = `<https://api.github.com/orgs/octo-org/hooks/5/deliveries?status=failure&cursor=${from + 100}>; rel="next"`;
		return { kind: 'read', body: newest.slice(from, from + 100), link: more ? link : '' };
	};
	const hooks = new KnownWebhooks({ clock, metrics });
	const lost = new LostDeliveries({
		hooks,
		account: async () => {
			if (state.account === 'unreadable') throw new KubeError(500, 'InternalError', 'etcd is away');
			return state.account === 'there' ? { read } : { kind: 'credentials-missing', detail: 'none' };
		},
		handle: (event, body, sentMs, of) => {
			assert.is(event, 'workflow_job');
			taken.push(body);
			sent.push(sentMs);
			scopes.push(of ?? '');
			return state.handle();
		},
		recordsJobs: () => state.recordsJobs,
		clock,
		metrics,
		log,
	});
	const fail = (id: number, change: Partial<Stored> = {}): number =>
		stored.push({
			id,
			guid: `guid-${id}`,
			delivered_at: new Date(clock.now()).toISOString(),
			event: 'workflow_job',
			action: 'in_progress',
			payload: payload({ job: { id } }),
			...change,
		});
	const stop = new AbortController();
	const running = lost.run(stop.signal);
	/** So many looks pass. */
	const looks = (count: number) => clock.pass(count * 67_000);
	const end = async () => {
		stop.abort();
		await running;
		assert.is(clock.waiting, 0);
	};
	const count = (what: string) => calls.filter((call) => call.startsWith(what)).length;
	const ids = () => taken.map((body) => (body as { workflow_job: { id: number } }).workflow_job.id);
	return {
		clock,
		hooks,
		state,
		settings,
		stored,
		calls,
		taken,
		sent,
		scopes,
		ids,
		lines,
		metrics,
		fail,
		looks,
		end,
		count,
	};
}

test('GitHub is not asked before a webhook has sent a delivery', async () => {
	const { looks, calls, end } = setUp();
	await looks(10);
	assert.equal(calls, []);
	await end();
});

test('what failed is read once, and handled as if it had come', async () => {
	const { hooks, fail, looks, calls, ids, lines, metrics, end } = setUp();
	hooks.deliveryReceived(hook, anybody);
	fail(11);
	fail(12, { action: 'completed' });
	await looks(1);
	assert.equal(ids().toSorted(), [11, 12]);
	assert.equal(calls.toSorted(), ['get-delivery 11', 'get-delivery 12', 'list-deliveries']);
	assert.is(lines.filter((line) => line === 'info a lost event was found').length, 2);
	assert.match(await metrics.registry.metrics(), 'runners_events_total{result="written"} 2');
	await looks(5);
	assert.is(calls.filter((call) => call.startsWith('get')).length, 2);
	await end();
});

test('what the report says: which webhook, how many of its deliveries failed, or that they cannot be seen', async () => {
	const { hooks, fail, looks, state, metrics, clock, end } = setUp();
	hooks.deliveryReceived(hook, anybody);
	const lastDeliveryAt = clock.iso();
	const reported = () => metrics.sightings.report().hooks;
	assert.equal(reported(), [{ hook: 'octo-org, webhook 5', lastDeliveryAt }]);
	fail(11);
	fail(12, { action: 'queued' });
	await looks(1);
	assert.equal(reported(), [{ hook: 'octo-org, webhook 5', lastDeliveryAt, failed: 2 }]);
	state.answer = { kind: 'not-visible' };
	await looks(1);
	assert.equal(reported(), [{ hook: 'octo-org, webhook 5', lastDeliveryAt, hidden: true }]);
	await end();
});

test('how GitHub has it configured is asked once an hour, again at once after a failure, and reported', async () => {
	const { hooks, settings, looks, metrics, clock, end } = setUp();
	hooks.deliveryReceived(hook, anybody);
	await looks(3);
	assert.is(settings.asked, 1, 'not visible is an answer');
	settings.answer = { kind: 'github-unavailable', detail: '503' };
	await clock.pass(58 * 60_000);
	await looks(4);
	assert.ok(settings.asked >= 3, `${settings.asked}`);
	const before = settings.asked;
	const config = { url: 'https://runners.example.com/secret-path', content_type: 'json', insecure_ssl: '0' };
	settings.answer = { kind: 'read', body: { active: true, events: ['workflow_job'], config }, link: '' };
	await looks(5);
	assert.is(settings.asked, before + 1);
	const [reported] = metrics.sightings.report().hooks;
	assert.equal(reported?.settings, {
		active: true,
		events: ['workflow_job'],
		host: 'runners.example.com',
		contentType: 'json',
		insecureSsl: false,
	});
	await end();
});

test('one call a minute while nothing is lost', async () => {
	const { hooks, clock, count, end } = setUp();
	hooks.deliveryReceived(hook, anybody);
	await clock.pass(60 * 60_000);
	assert.ok(
		count('list-deliveries') >= 54 && count('list-deliveries') <= 66,
		String(count('list-deliveries')),
	);
	await end();
});

test('one call a minute too while deliveries come all the time', async () => {
	const { hooks, clock, state, count, end } = setUp();
	hooks.deliveryReceived(hook, anybody);
	// Another delivery comes during each of GitHub's answers.
	Object.defineProperty(state, 'answer', {
		get: () => (count('list-deliveries') < 500 ? hooks.deliveryReceived(hook, anybody) : undefined),
	});
	await clock.pass(10 * 60_000);
	assert.ok(count('list-deliveries') <= 11, String(count('list-deliveries')));
	await end();
});

test('by guid, the newest: what was sent again and failed again is one delivery', async () => {
	const { hooks, fail, looks, calls, end, clock } = setUp();
	hooks.deliveryReceived(hook, anybody);
	fail(11, { guid: 'same' });
	await clock.pass(1_000);
	fail(12, { guid: 'same' });
	await looks(3);
	assert.equal(
		calls.filter((call) => call.startsWith('get')),
		['get-delivery 12'],
	);
	await end();
});

test('when it was sent: by its guid, else as the list has it', async () => {
	const { hooks, fail, looks, sent, clock, end } = setUp();
	hooks.deliveryReceived(hook, anybody);
	const atMs = clock.now();
	fail(11);
	fail(12, { guid: '4d8ed510-a74e-11f1-8000-0123456789ab' });
	await looks(1);
	assert.equal(sent.toSorted(), [Date.parse('2026-09-03T04:16:57.569Z'), atMs]);
	await end();
});

test('where jobs are recorded, those that wait are read as well, after what the guard needs', async () => {
	const { hooks, fail, looks, state, ids, calls, end } = setUp();
	state.recordsJobs = true;
	hooks.deliveryReceived(hook, anybody);
	for (let id = 101; id <= 160; id++) fail(id, { action: id % 2 ? 'queued' : 'waiting' });
	for (let id = 1; id <= 60; id++) fail(id, { action: id % 2 ? 'in_progress' : 'completed' });
	fail(200, { action: 'paused' });
	await looks(1);
	const mostOfRunners = mostReadOfARound - leastWaitingRead;
	assert.ok(
		ids()
			.slice(0, mostOfRunners)
			.every((id) => id <= 60),
	);
	assert.ok(
		ids()
			.slice(mostOfRunners)
			.every((id) => id > 100),
	);
	assert.is(ids().length, mostReadOfARound);
	await looks(1);
	assert.is(ids().filter((id) => id <= 60).length, 60);
	await looks(3);
	assert.is(ids().length, 120);
	assert.not.ok(calls.includes('get-delivery 200'));
	await end();
});

test("a webhook whose secret is for one organization: another's event is not taken", async () => {
	const { hooks, fail, looks, taken, metrics, end } = setUp();
	hooks.deliveryReceived(hook, [{ scopes: [{ kind: 'organization', name: 'OCTO-org' }] }]);
	fail(11);
	const repository = { full_name: 'acme/app', html_url: 'https://github.com/acme/app' };
	fail(12, { payload: payload({ repository }) });
	await looks(3);
	assert.is(taken.length, 1);
	assert.match(await metrics.registry.metrics(), 'runners_events_total{result="out-of-scope"} 1');
	await end();
});

test('where jobs are not recorded, those that wait, other events, and what is an hour old are not read', async () => {
	const { hooks, fail, looks, count, clock, end } = setUp();
	hooks.deliveryReceived(hook, anybody);
	fail(1, { action: 'queued' });
	fail(2, { action: null });
	fail(3, { event: 'push', action: null });
	fail(4, { delivered_at: new Date(clock.now() - readBackMs - 1_000).toISOString() });
	for (const id of [null, 'x', 1.5, 2 ** 60] as never[]) fail(id);
	fail(9, { delivered_at: 'yesterday' });
	await looks(3);
	assert.is(count('get'), 0);
	await end();
});

test('hundreds: page by page, the newest first, and so many at a time', async () => {
	const { hooks, fail, looks, ids, count, clock, end } = setUp();
	hooks.deliveryReceived(hook, anybody);
	for (let id = 1; id <= 250; id++) {
		fail(id);
		await clock.pass(10);
	}
	await looks(1);
	assert.is(count('list-deliveries'), 3);
	assert.equal(
		ids(),
		Array.from({ length: mostReadOfARound - leastWaitingRead }, (_, index) => 250 - index),
	);
	await looks(9);
	assert.is(new Set(ids()).size, 250);
	assert.is(ids().length, 250);
	await end();
});

test('what could not be written stays lost, and is tried again', async () => {
	const { hooks, fail, looks, state, taken, lines, end } = setUp();
	hooks.deliveryReceived(hook, anybody);
	fail(11);
	state.handle = async () => {
		throw new KubeError(500, 'InternalError', 'etcd is away');
	};
	await looks(2);
	assert.is(taken.length, 2);
	assert.ok(lines.includes('warn lost events could not be written, retrying'));
	state.handle = async () => 'written';
	await looks(2);
	assert.is(taken.length, 3);
	await end();
});

/** What the replica before noted, and how long ago that had looked. */
const noted = (nowMs: number, agoMs: number): Record<string, string> => ({
	5: writeNote({ hook, scopes: undefined, seenMs: nowMs - agoMs, readUpToMs: nowMs - agoMs }) ?? '',
});
const hour = 60 * 60_000;

test("after a night without a replica: the evening's last job is read back, though no event comes", async () => {
	const { hooks, fail, looks, state, ids, scopes, clock, calls, metrics, end } = setUp();
	state.recordsJobs = true;
	const failAgo = (id: number, agoMs: number, action = 'queued') =>
		fail(id, { action, delivered_at: new Date(clock.now() - agoMs).toISOString() });
	failAgo(1, 11 * hour);
	failAgo(2, 9 * hour);
	failAgo(3, 9 * hour, 'in_progress');
	failAgo(4, hour / 2, 'in_progress');
	hooks.receiveNotes(noted(clock.now(), 10 * hour));
	await looks(1);
	assert.equal(ids(), [4, 3, 2], 'not what was lost while there was a replica that looked');
	assert.equal(scopes, ['jobs and runners', 'jobs', 'jobs'], 'runners of long ago are not those of now');
	assert.is(metrics.sightings.report().hooks[0]?.failed, 1, 'of the last hour');
	calls.length = 0;
	await looks(3);
	assert.equal([...new Set(calls)], ['list-deliveries']);
	await end();
});

test('how far back: as far as nothing was read, at most what GitHub keeps, at least an hour; of jobs alone', () => {
	const nowMs = Date.parse('2026-11-23T12:00:00Z');
	for (const [readAgoMs, agoMs] of [
		[undefined, readBackMs],
		[0, readBackMs],
		[readBackMs / 2, readBackMs],
		[5 * hour, 5 * hour],
		[gitHubKeepsMs, gitHubKeepsMs],
		[30 * gitHubKeepsMs, gitHubKeepsMs],
	] as const)
		assert.is(readFromMs(nowMs, readAgoMs === undefined ? undefined : nowMs - readAgoMs), nowMs - agoMs);
});

test('a long outage: the newest first, a limited number a minute, and it counts as read when all of it is', async () => {
	const { hooks, fail, looks, state, ids, taken, clock, end } = setUp();
	state.recordsJobs = true;
	hooks.receiveNotes(noted(clock.now(), 20 * hour));
	const readUpToMs = () => hooks.all()[0]?.readUpToMs;
	const before = readUpToMs();
	for (let id = 1; id <= 100; id++)
		fail(id, {
			delivered_at: new Date(clock.now() - 20 * hour + id * 60_000).toISOString(),
			action: 'queued',
		});
	await looks(1);
	assert.equal(
		ids(),
		Array.from({ length: mostReadOfARound }, (_, index) => 100 - index),
	);
	assert.is(readUpToMs(), before);
	state.answer = { kind: 'github-unavailable', detail: '502' };
	await looks(3);
	assert.is(readUpToMs(), before);
	state.answer = undefined;
	await looks(3);
	assert.is(new Set(ids()).size, 100);
	assert.is(taken.length, 100);
	assert.ok(Number(readUpToMs()) > clock.now() - 3 * 67_000);
	await end();
});

test('no room for hours: what was lost first is read as well once there is', async () => {
	const { hooks, fail, looks, state, ids, clock, end } = setUp();
	state.recordsJobs = true;
	hooks.deliveryReceived(hook, anybody);
	await looks(1);
	fail(1, { action: 'queued' });
	state.handle = async () => {
		return overflow();
	};
	await clock.pass(3 * readBackMs);
	state.handle = async () => 'written';
	const before = ids().length;
	await looks(3);
	assert.is(ids().length, before + 1);
	await end();
});

test('one that can never be written keeps no other waiting, and an API server that is away costs few calls', async () => {
	const { hooks, fail, looks, state, taken, ids, count, end } = setUp();
	hooks.deliveryReceived(hook, anybody);
	for (let id = 1; id <= 20; id++) fail(id);
	const poisoned = [20, 19, 18, 17];
	state.handle = async () => {
		if (poisoned.includes(ids().at(-1) ?? 0)) throw new KubeError(422, 'Invalid', 'never');
		return 'written';
	};
	await looks(1);
	assert.is(count('get-delivery'), mostFailuresOfARound);
	await looks(1);
	assert.equal(
		ids().filter((id) => !poisoned.includes(id)),
		Array.from({ length: 16 }, (_, index) => 16 - index),
	);
	taken.length = 0;
	await looks(4);
	assert.equal([...new Set(ids())].toSorted(), poisoned.toSorted(), 'they are tried again, each');
	assert.ok(taken.length <= 5 * mostFailuresOfARound);
	await end();
});

test('no room for a job that waits: it stays lost until there is, and what the guard needs is read', async () => {
	const { hooks, fail, looks, state, ids, count, metrics, end } = setUp();
	state.recordsJobs = true;
	hooks.deliveryReceived(hook, anybody);
	for (let id = 1; id <= 5; id++) fail(id);
	for (let id = 101; id <= 105; id++) fail(id, { action: 'queued' });
	let full = true;
	state.handle = async () => {
		if (full && (ids().at(-1) ?? 0) > 100) return overflow();
		return 'written';
	};
	await looks(1);
	assert.equal(ids(), [5, 4, 3, 2, 1, 105]);
	await looks(2);
	assert.is(count('get-delivery'), 8, 'one look for room in each round');
	assert.match(await metrics.registry.metrics(), 'runners_events_total{result="overflow"} 3');
	full = false;
	await looks(1);
	assert.equal(ids().slice(8), [105, 104, 103, 102, 101]);
	await end();
});

test('what cannot be read as an event is not tried again', async () => {
	const { hooks, fail, looks, state, taken, end } = setUp();
	hooks.deliveryReceived(hook, anybody);
	fail(11);
	state.handle = async () => {
		return new Refusal(400, 'unreadable', 'the body is not a workflow_job event that can be read');
	};
	await looks(4);
	assert.is(taken.length, 1);
	await end();
});

test('without the right to see them: logged once, and asked again after 10 minutes', async () => {
	const { hooks, fail, looks, state, count, clock, lines, taken, end } = setUp();
	hooks.deliveryReceived(hook, anybody);
	fail(11, { delivered_at: new Date(clock.now() + 20 * 60_000).toISOString() });
	state.answer = { kind: 'not-visible' };
	await looks(1);
	assert.is(count('list-deliveries'), 1);
	await clock.pass(notVisible.againMs - 70_000);
	assert.is(count('list-deliveries'), 1);
	await looks(2);
	assert.is(count('list-deliveries'), 2);
	assert.is(lines.filter((line) => line.startsWith('warn lost events cannot be found')).length, 1);
	state.answer = undefined;
	await clock.pass(notVisible.againMs + 70_000);
	assert.is(taken.length, 1);
	await end();
});

test('a failure at GitHub, no credentials, an API server that is away: tried again in the next round', async () => {
	const { hooks, fail, looks, state, taken, end } = setUp();
	hooks.deliveryReceived(hook, anybody);
	fail(11);
	state.answer = { kind: 'github-unavailable', detail: '502' };
	await looks(2);
	state.answer = { kind: 'read', body: { message: 'no list' }, link: '' };
	await looks(1);
	state.answer = undefined;
	state.account = 'missing';
	await looks(1);
	state.account = 'unreadable';
	await looks(1);
	assert.is(taken.length, 0);
	state.account = 'there';
	await looks(1);
	assert.is(taken.length, 1);
	await end();
});

test('a webhook without a delivery for three days is forgotten, and of many the one silent for longest', async () => {
	const { hooks, clock, count, calls, end } = setUp();
	for (let index = 0; index < 3 * mostHooks; index++)
		hooks.deliveryReceived({ ...hook, owner: { kind: 'organization', name: `octo-${index}` } }, anybody);
	await clock.pass(67_000);
	assert.is(count('list-deliveries'), mostHooks);
	await clock.pass(hookForgottenMs);
	calls.length = 0;
	await clock.pass(10 * 67_000);
	assert.equal(calls, []);
	await end();
});

test('which webhook a delivery came from', () => {
	const headers = (id: unknown, type: unknown) => (name: string) =>
		({ 'x-github-hook-id': id, 'x-github-hook-installation-target-type': type })[name] as string | undefined;
	assert.equal(hookOf(headers('5', 'organization'), payload()), hook);
	assert.equal(hookOf(headers('6', 'repository'), payload()), {
		id: 6,
		owner: { kind: 'repository', owner: 'octo-org', name: 'app' },
	});
	assert.equal(hookOf(headers('7', 'integration'), payload()), { id: 7, owner: { kind: 'app' } });
	for (const id of [undefined, '', '0', '-1', '1.5', 'x', '../7', String(2 ** 60)])
		assert.is(hookOf(headers(id, 'organization'), payload()), undefined, String(id));
	for (const type of [undefined, '', 'business', 'Organization'])
		assert.is(hookOf(headers('5', type), payload()), undefined, String(type));
	for (const login of [null, '', '..', 'a/b', 'octo org', 7])
		assert.is(
			hookOf(headers('5', 'organization'), payload({ rest: { organization: { login } } })),
			undefined,
			String(login),
		);
	for (const body of [null, [], 'text', 7, {}])
		assert.is(hookOf(headers('5', 'repository'), body), undefined);
});

test('which are read: of those that tell something, each once', () => {
	const failed = (id: number, change: Partial<FailedDelivery> = {}): FailedDelivery => ({
		id,
		guid: `guid-${id}`,
		atMs: id,
		event: 'workflow_job',
		action: 'in_progress',
		installationId: undefined,
		...change,
	});
	const tried = new Map([
		['guid-7', 2],
		['guid-6', 1],
	]);
	const read = (...list: FailedDelivery[]) =>
		toRead(list, { done: new Set(['guid-3']), tried }, false).map(({ id }) => id);
	assert.equal(read(failed(1), failed(2), failed(3)), [2, 1]);
	assert.equal(
		read(failed(1), failed(7), failed(6), failed(5)),
		[5, 1, 6, 7],
		'what could not be written comes last',
	);
	const many = Array.from({ length: mostReadOfARound }, (_, index) => failed(100 + index));
	for (const { guid } of many.slice(-5)) tried.set(guid, 1);
	const first = read(...many);
	const untried = many.slice(0, -5).map(({ id }) => id);
	assert.equal(
		first,
		untried.toReversed().slice(0, mostReadOfARound - leastWaitingRead),
		'nor does it take the place of another',
	);
	assert.equal(read(failed(1, { guid: 'g' }), failed(5, { guid: 'g' }), failed(4, { guid: 'g' })), [5]);
	assert.equal(read(failed(1, { action: 'queued' }), failed(2, { action: undefined })), []);
	assert.equal(read(failed(1, { event: 'check_run', action: 'completed' })), []);
});

test.run();

/** When the poll asks what, as tables. */
import * as assert from 'uvu/assert';
import { noteMiss, Repositories } from '../../../../admission/autoscale/poll/repositories.ts';
import { mayAsk } from '../../../../admission/autoscale/poll/rules/allowance.ts';
import { compare, noDrift, runningJobs } from '../../../../admission/autoscale/poll/rules/drift.ts';
import { roundAt } from '../../../../admission/autoscale/poll/rules/due.ts';
import {
	driftEveryMs,
	hookedForMs,
	mostRepositories,
	perMinute,
	rememberedForMs,
} from '../../../../admission/autoscale/poll/rules/policy.ts';
import { covers } from '../../../../admission/autoscale/poll/rules/targets.ts';
import { urgency } from '../../../../admission/autoscale/poll/rules/types.ts';
import { suite } from '../../../support/suite.ts';
import { job } from '../given.ts';

const test = suite('rules of the poll');

const minuteMs = 60_000;
const spent = { calls: 0, charged: 0, used: 0, withoutWebhook: 0 };

const allowances: [string, Partial<typeof spent>, keyof typeof urgency, boolean][] = [
	['nothing has been asked', {}, 'round', true],
	[
		'what a webhook leaves is used up',
		{ charged: perMinute.charged - perMinute.keptForAsks },
		'round',
		false,
	],
	[
		'... but for jobs that somebody waits for',
		{ charged: perMinute.charged - perMinute.keptForAsks },
		'ask',
		true,
	],
	['... and that ends as well', { charged: perMinute.charged }, 'ask', false],
	['calls that cost nothing are bounded too', { calls: perMinute.calls }, 'run', false],
	['without webhooks there are more', { charged: perMinute.charged, withoutWebhook: 10 }, 'round', true],
	['... up to half of the lists', { calls: perMinute.most, withoutWebhook: 500 }, 'ask', false],
	['an initial read may cost more', { calls: 30, charged: 30 }, 'initial', true],
	['... within bounds', { calls: perMinute.initial }, 'initial', false],
	['the guard needs its calls', { used: 0.5 }, 'initial', false],
	['... and yet', { used: 0.5 }, 'ask', true],
];
for (const [what, some, why, expected] of allowances)
	test(`${why}: ${what}: ${expected ? 'asked' : 'waits'}`, () => {
		assert.is(mayAsk({ ...spent, ...some }, urgency[why]), expected);
	});

const repository = (more: object = {}) => Object.assign(new Repositories().remember('octo-org/app', 0), more);
/** Its lists were read then. */
const readAt = (readMs: number) => {
	const list = () => ({ readMs, etag: undefined, runs: [] });
	return { lists: { queued: list(), in_progress: list(), waiting: list(), pending: list() } };
};

const rounds: [string, object, boolean, number][] = [
	['never read, no webhook', {}, false, 0],
	['never read, a webhook', {}, true, 10],
	['active, no webhook', { ...readAt(0), activeMs: 0 }, false, 1],
	['active, a webhook', { ...readAt(0), activeMs: 0 }, true, 10],
	['quiet for 15 min, no webhook', { ...readAt(0), activeMs: -15 * minuteMs }, false, 3],
	['quiet for a day, no webhook', { ...readAt(0), activeMs: -1_440 * minuteMs }, false, 5],
	['quiet for a day, a webhook', { ...readAt(0), activeMs: -1_440 * minuteMs }, true, 30],
	['a metric counts it', { ...readAt(0), activeMs: 0, metric: true }, true, 1],
	['an event a minute before', { ...readAt(0), activeMs: 0, eventMs: 9 * minuteMs }, true, 11],
	['an event long before', { ...readAt(0), activeMs: 0, eventMs: minuteMs }, true, 10],
	['events all the time', { ...readAt(0), activeMs: 0, eventMs: 60 * minuteMs }, true, 20],
];
for (const [what, more, hasWebhook, expected] of rounds)
	test(`${what}: the next round after ${expected} min`, () => {
		assert.is(roundAt(repository(more), 'queued', hasWebhook, 0), expected * minuteMs);
	});

test('what runs is listed less often than what waits for runners, what is held least', () => {
	const at = (status: 'queued' | 'in_progress' | 'waiting') =>
		roundAt(repository({ ...readAt(0), activeMs: 0 }), status, false, 0) / minuteMs;
	assert.equal([at('queued'), at('in_progress'), at('waiting')], [1, 3, 12]);
});

test('busy runners and running jobs are looked into when they differ at two looks in a row', () => {
	const look = (state: typeof noDrift, nowMs: number, busy: number, jobs: number) =>
		compare(state, { busy, jobs }, nowMs);
	const first = look(noDrift, 0, 2, 1);
	assert.not.ok(first.search);
	assert.not.ok(look(first.state, driftEveryMs - 1, 2, 1).search, 'too soon for a look');
	const second = look(first.state, driftEveryMs, 2, 1);
	assert.ok(second.search);
	assert.not.ok(look(second.state, 2 * driftEveryMs, 2, 1).search, 'not again at once');
	const agree = look(first.state, driftEveryMs, 1, 1);
	assert.not.ok(agree.search);
	assert.not.ok(look(agree.state, 2 * driftEveryMs, 2, 1).search, 'they agreed between');
	assert.not.ok(compare(first.state, undefined, driftEveryMs).search, 'not known');
});

test('a job runs until its runner has ended, whether or not GitHub has said so yet', () => {
	const jobs = [job(1), job(2, { state: 'in_progress' }), job(3, { state: 'in_progress', endedMs: 5 })];
	assert.is(runningJobs(jobs, []), 2, 'a runner that had ended, and works all the same');
	assert.is(runningJobs(jobs, [{ job: job(2).key, runner: 'r2' }]), 1, 'as soon as that is found');
});

test('a scope covers its repositories, whatever the case of its name', () => {
	const owner = { kind: 'organization', name: 'Octo-Org' } as const;
	const own = { kind: 'repository', owner: 'Octo-Org', name: 'App' } as const;
	const cases = ['octo-org/app', 'octo-org/web', 'octo-org-2/app'];
	assert.equal(
		cases.map((name) => covers(owner, name)),
		[true, true, false],
	);
	assert.equal(
		cases.map((name) => covers(own, name)),
		[true, false, false],
	);
	assert.ok(covers({ kind: 'enterprise', name: 'octo' }, 'octo-org/app'));
});

test('events show that a webhook delivers: of two repositories of an owner, that it is the owner\u2019s', () => {
	const known = new Repositories();
	const [app, web, api] = ['o/app', 'o/web', 'o/api'].map((name) => known.remember(name, 0));
	const shown = (nowMs = 0) => [app, web, api].map((each) => known.hasWebhook(each!, nowMs));
	assert.equal(shown(), [false, false, false]);
	known.event('O/App', 0);
	assert.equal(shown(), [true, false, false]);
	known.event('o/web', 0);
	assert.equal(shown(), [true, true, true]);
	noteMiss(api!, 5);
	noteMiss(app!, 5);
	assert.equal(shown(6), [false, true, false]);
	assert.ok(known.mostlyHasWebhook(api!, 6), 'it may be an exception');
	noteMiss(api!, 6);
	noteMiss(api!, 7);
	assert.not.ok(known.mostlyHasWebhook(api!, 7), 'it has no webhook');
	known.event('o/app', 10);
	assert.equal(shown(10), [true, true, false]);
	known.event('o/api', 20);
	assert.ok(known.mostlyHasWebhook(api!, 20));
	assert.equal(shown(hookedForMs + 20), [false, false, false]);
});

test('as many repositories are remembered as may be, for as long as they are mentioned', () => {
	const known = new Repositories();
	for (let index = 0; index < mostRepositories + 10; index++) known.remember(`o/${index}`, index);
	assert.is([...known.values()].length, mostRepositories);
	assert.is(known.get('o/9'), undefined);
	known.remember('o/10', mostRepositories);
	known.forgetOld(rememberedForMs + mostRepositories - 1);
	assert.ok(known.get('o/10'));
	assert.is(known.get('o/11'), undefined);
});

test.run();

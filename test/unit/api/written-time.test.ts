/** Times of the future that somebody wrote: a clock that was set right, a backup, an annotation. None holds anything up. */
import * as assert from 'uvu/assert';
import { busy, progress } from '../../../admission/api/keys.ts';
import type { RunnerSet } from '../../../admission/api/sets.ts';
import { dueMs, pastMs, writtenMs } from '../../../admission/api/written-time.ts';
import { JobBook } from '../../../admission/autoscale/job-book.ts';
import { SetMemory } from '../../../admission/autoscale/set-memory.ts';
import { WaitingDeletions } from '../../../admission/guard/waiting-deletions.ts';
import type { OwnedRunner } from '../../../admission/sets/owners.ts';
import { plan, type SetState } from '../../../admission/sets/rules/plan.ts';
import { startBackoff } from '../../../admission/sets/rules/policy.ts';
import { readAccounting } from '../../../admission/sets/rules/status.ts';
import { suite } from '../../support/suite.ts';
import { World } from '../support/world.ts';

const test = suite('times that somebody wrote');
const now = Date.parse('2026-11-27T12:00:00Z');
const hour = 60 * 60_000;
const tomorrow = '2026-11-28T13:00:00Z';
const earlier = '2026-11-27T11:00:00Z';

test('a time is read, or there is none; a past one is at most now, one to come at most the longest wait from now', () => {
	for (const none of [undefined, null, '', 'soon', 7]) assert.is(writtenMs(none), undefined);
	assert.equal([pastMs(earlier, now), pastMs(tomorrow, now)], [now - hour, now]);
	assert.equal(
		[dueMs(earlier, now, 5), dueMs(tomorrow, now, 5), dueMs('', now, 5)],
		[now - hour, now + 5, undefined],
	);
});

const accounting = { replicas: 1, effectiveTime: tomorrow, completions: [tomorrow], nextStartAt: tomorrow };
const setOf = (written: object) =>
	({ metadata: { name: 'a' }, spec: {}, status: { accounting: written } }) as unknown as RunnerSet;
const read = readAccounting(setOf(accounting), now)?.accounting;

const book = new JobBook(() => now);
const { job } = book.recordChanged({
	metadata: { name: 'j1', creationTimestamp: tomorrow },
	spec: {
		host: 'github.com',
		id: 1,
		repository: 'octo/app',
		labels: [],
		state: 'queued',
		stateSince: tomorrow,
		openedAt: tomorrow,
		createdAt: tomorrow,
	},
	status: { confirmedAt: tomorrow, checkedAt: tomorrow, endedAt: tomorrow },
});

const waiting = new WaitingDeletions();
waiting.note('ci/r1', 'busy', tomorrow, now);

for (const [field, found, atMost] of [
	["nextStartAt in a set's status", read?.nextStartMs, now + startBackoff.mostMs],
	["effectiveTime in a set's status", read?.effectiveMs, now],
	["completions in a set's status", read?.completionsMs[0], now],
	['stateSince of a job', job.stateMs, now],
	['openedAt of a job', job.openedMs, now],
	['createdAt of a job', job.createdMs, now],
	["confirmedAt in a job's status", job.confirmedMs, now],
	["checkedAt in a job's status", job.checkedMs, now],
	["endedAt in a job's status", job.endedMs, now],
	['requested-at of a recorded deletion', waiting.all.get('ci/r1')?.askedAtMs, now],
] as const)
	test(`${field}: tomorrow counts as ${atMost === now ? 'now' : 'the longest wait'}`, () => {
		assert.is(found, atMost);
	});

test('a set whose clock was set back under the same leader starts runners within the longest back-off', () => {
	const state: SetState = {
		replicas: 1,
		templateHash: 'h',
		surge: 1,
		deleting: false,
		credentialsMissing: false,
		recreationDelayMs: 10 * 60_000,
		accounting: {
			effectiveMs: now + 24 * hour,
			completionsMs: [now + 25 * hour],
			failedStarts: 1,
			briefEnds: 0,
			nextStartMs: now + 25 * hour,
		},
	};
	const first = plan([], state, now);
	assert.is(first.create, 0);
	assert.ok((first.requeueAfterMs ?? Infinity) <= 10 * 60_000);
	const later = { ...state, accounting: first.accounting };
	assert.is(plan([], later, now + 10 * 60_000).create, 1, 'the hold ends as well');
});

test('a runner that is idle since tomorrow: since it was first seen so', () => {
	const memory = new SetMemory(now);
	const owner = {
		...{ name: 'a', uid: 'u', phase: 'idle', departing: false, createdMs: now, sinceMs: now + 25 * hour },
		pod: {
			metadata: { name: 'a-0' },
			status: { conditions: [{ type: busy.condition, status: 'False', lastTransitionTime: tomorrow }] },
		},
	} as unknown as OwnedRunner;
	const idleSince = (ms: number) => memory.runnersSeen([owner], (name) => name, ms)[0]?.idleSinceMs;
	assert.equal(
		[idleSince(now), idleSince(now + hour), idleSince(now + 26 * hour)],
		[now, now, now + 25 * hour],
	);
});

test('a node that is missing since tomorrow: that is noted anew', async () => {
	const world = new World();
	const { clock, pods } = world;
	const noted = (sinceMs: number) =>
		world.runner('r1', { metadata: { annotations: world.nodeGone('r1', sinceMs) } });
	const of = (sinceMs: number) => pods.nodeGoneSinceMs(noted(sinceMs) as never);
	assert.ok(noted(clock.now()).metadata.annotations?.[progress.nodeGoneSince]);
	assert.is(of(clock.now() - 50_000), clock.now() - 50_000);
	assert.is(of(clock.now() + 25 * hour), undefined);
});

test.run();

/** How long the record of a job is kept. */
import * as assert from 'uvu/assert';
import type { WorkflowJob } from '../../../admission/api/autoscale.ts';
import { longestGateMs, oldNewsMs } from '../../../admission/autoscale/rules/policy.ts';
import { kept, keptMs } from '../../../admission/autoscale/rules/records.ts';
import { suite } from '../../support/suite.ts';

const test = suite('how long records of jobs are kept');

const nowMs = Date.parse('2026-11-23T12:00:00Z');
const ago = (ms: number) => new Date(nowMs - ms).toISOString();
const hourMs = 60 * 60_000;

const record = (spec: Partial<WorkflowJob['spec']>, creationTimestamp?: string): WorkflowJob => ({
	metadata: { name: 'x', ...(creationTimestamp === undefined ? {} : { creationTimestamp }) },
	spec: {
		host: 'github.com',
		id: 7,
		repository: 'octo-org/app',
		labels: [],
		state: 'queued',
		stateSince: ago(0),
		openedAt: ago(0),
		...spec,
	},
});

test('one that has completed: 5 minutes; one that was unknown before: 30; open ones until GitHub ends them', () => {
	const long = { createdAt: ago(3 * hourMs), openedAt: ago(3 * hourMs) };
	for (const [spec, lastsMs] of [
		[{ state: 'completed', ...long }, kept.completedMs],
		[{ state: 'completed', createdAt: ago(3 * hourMs), openedAt: undefined }, kept.tombstoneMs],
		[{ state: 'queued' }, kept.queuedMs + kept.tombstoneMs],
		// GitHub lets an approval take 30 days: the job is not old news when it comes then.
		[{ state: 'waiting' }, longestGateMs + kept.tombstoneMs],
		[{ state: 'in_progress' }, kept.runningMs + kept.tombstoneMs],
	] as const) {
		const at = (ageMs: number) => keptMs(record({ ...spec, stateSince: ago(ageMs) }), nowMs);
		assert.is(at(0), lastsMs, JSON.stringify(spec));
		assert.is(at(lastsMs - 1), 1);
		assert.is(at(lastsMs), 0);
		assert.is(at(lastsMs + hourMs), 0);
	}
});

test('a job that was made and completed a moment ago: until an event of its start is old news', () => {
	const at = (createdMs: number, sinceMs: number) =>
		keptMs(record({ state: 'completed', createdAt: ago(createdMs), stateSince: ago(sinceMs) }), nowMs);
	assert.ok(at(60_000, 0) > oldNewsMs - 60_000);
	assert.is(at(10 * 60_000, 9 * 60_000), kept.afterCreationMs - 10 * 60_000);
	assert.is(at(kept.afterCreationMs - 1, 6 * 60_000), 1);
	assert.is(at(kept.afterCreationMs, 6 * 60_000), 0);
	assert.is(at(kept.afterCreationMs, 4 * 60_000), 60_000, 'never shorter than for people');
});

test('a time that is missing, unreadable or ahead of ours does not keep a record for ever, nor lose it at once', () => {
	const completed = { state: 'completed', createdAt: ago(-2 * hourMs) } as const;
	assert.is(keptMs(record({ ...completed, stateSince: ago(-hourMs) }), nowMs), kept.afterCreationMs);
	for (const stateSince of [undefined, 'yesterday'])
		assert.is(
			keptMs(record({ state: 'completed', stateSince }, ago(kept.completedMs - 7)), nowMs),
			7,
			String(stateSince),
		);
});

test.run();

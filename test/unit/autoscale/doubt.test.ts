import * as assert from 'uvu/assert';
import { statusOf, whyOf } from '../../../admission/autoscale/rules/status.ts';
import type { Job, Runner } from '../../../admission/autoscale/rules/types.ts';
import { suite } from '../../support/suite.ts';
import {
	asked,
	desired as desiredBy,
	hour,
	job,
	jobs,
	minute,
	now,
	runner,
	runsOn,
	second,
} from './given.ts';

const test = suite('doubt');

/** Reported at `now`, long after GitHub had created it. */
const late: Partial<Job> = { createdMs: now - hour, openedMs: now, stateMs: now };
/** Suspect since `now`. */
const left: Partial<Job> = {
	openedMs: now - hour,
	stateMs: now - hour,
	createdMs: now - hour,
	unassignedMs: now - 5 * minute,
};
const desired = (list: Job[], ms: number, more = {}, runners: Runner[] = []) =>
	asked(list, runners, more, now + ms).desired;
/** The times, in minutes from `now`, at which what is wanted changes; as the rule itself says when to reconcile again. */
function changes(list: Job[], untilMs: number): string[] {
	const found: string[] = [];
	let before = 0;
	for (let ms = 0; ms < untilMs; ) {
		const { desired, requeueAfterMs = untilMs } = asked(list, [], {}, now + ms);
		if (desired !== before) found.push(`${ms / minute}: ${desired}`);
		before = desired;
		ms += requeueAfterMs;
	}
	return found;
}

test('jobs that were reported late, and that GitHub does not confirm: one runner for all of them tries every half hour', () => {
	const list = jobs(5, { ...late, checkedMs: now + second });
	assert.equal(changes(list, 75 * minute), ['1: 1', '11: 0', '31: 1', '41: 0', '61: 1', '71: 0']);
	const { waiting, unconfirmed, suspect } = asked(list, [], {}, now + minute);
	assert.equal([waiting, unconfirmed, suspect], [0, 5, 0]);
});

test('suspect jobs: one runner tries half an hour after idle ones have left them, and again', () => {
	assert.equal(changes(jobs(5, left), 95 * minute), ['30: 1', '40: 0', '60: 1', '70: 0', '90: 1']);
	assert.equal(
		changes([job(1, left), job(2, late)], 33 * minute),
		['1: 1', '11: 0', '31: 1'],
		'one for both',
	);
	const asleep = [job(1, { ...left, unassignedMs: now - hour, confirmedMs: now - 5 * minute })];
	assert.equal(changes(asleep, 41 * minute), ['30: 1', '40: 0'], 'since GitHub has confirmed it last');
});

test('no runner more where one is there anyway, or cannot be', () => {
	const list = jobs(3, late);
	const at = 2 * minute;
	assert.is(desired([...list, job(9)], at), 1, 'another job waits');
	assert.is(desired(list, at, { spare: 1 }), 1);
	assert.is(desired(list, at, { min: 1 }), 1);
	assert.is(desired(list, at, {}, [runner('r1', 'idle')]), 1);
	assert.is(desired(list, at, {}, [runner('r1', 'busy')]), 2, 'a busy one takes none');
	assert.is(desired(list, at, { countsJobs: false }), 0);
	assert.is(asked(list, [runner('r1', 'busy')], { max: 1 }, now + at).uncapped, 1);
	const running = job(1, { ...runsOn('elsewhere'), ...late });
	assert.is(desired([running], at), 0, 'one that runs waits for none');
});

test('when one of those that were reported late is taken, the others with its labels count', () => {
	const list = jobs(3, late);
	const taken = { ...late, stateMs: now + 2 * minute };
	const count = (first: Partial<Job>, runners: Runner[] = [], others: Partial<Job> = {}) => {
		const all = [job(1, first), ...list.slice(1).map((one) => ({ ...one, ...others }))];
		const { waiting, unconfirmed } = asked(all, runners, {}, now + 3 * minute);
		return [waiting, unconfirmed];
	};
	const busy = [runner('r1', 'busy', { busySinceMs: now + 2 * minute, job: { jobId: 1 } })];
	assert.equal(count({ ...taken, ...runsOn('r1') }, busy), [2, 0], 'an event has reported it');
	assert.equal(count(late, busy), [2, 0], 'its own job signal');
	assert.equal(count({ ...taken, state: 'completed', runnerName: 'r1' }), [2, 0], 'and it has ended');
	assert.equal(count({ ...taken, state: 'completed' }), [0, 2], 'cancelled');
	assert.equal(count({ ...taken, ...runsOn('r1') }, busy, { labels: ['GPU'] }), [0, 2], 'other labels');
	const labels = { labels: ['Self-Hosted '] };
	assert.equal(count({ ...taken, ...runsOn('r1') }, busy, labels), [2, 0]);
	assert.equal(
		count({ ...late, ...runsOn('gone') }),
		[0, 2],
		'an event of its start that is as old proves nothing',
	);
	assert.equal(count({ ...runsOn('r1'), openedMs: now - hour }, busy), [0, 2], 'that one was never doubted');
});

test('when a job is taken that was left as long, the doubt on the others ends', () => {
	const list = jobs(3, left);
	const taken = now + 31 * minute;
	const look = (first: Partial<Job>, runners: Runner[] = []) =>
		asked([job(1, first), ...list.slice(1)], runners, {}, now + 32 * minute);
	const count = (...args: Parameters<typeof look>) => {
		const { waiting, suspect } = look(...args);
		return [waiting, suspect];
	};
	const event = { ...left, unassignedMs: undefined, stateMs: taken, ...runsOn('r1') };
	const busy = runner('r1', 'busy', { busySinceMs: taken, job: { jobId: 1 } });
	assert.equal(count(event, [busy]), [2, 0], 'an event has reported it');
	assert.equal(look(event, [busy]).unassigned, [], 'and that is remembered');
	assert.equal(count(left, [busy]), [2, 0], 'its own job signal');
	assert.equal(count(event), [2, 0], 'by a runner of another set');
	assert.equal(count({ ...event, openedMs: now }, [busy]), [0, 2], 'it came when they were suspect already');
	assert.equal(count({ ...event, labels: ['gpu'] }, [busy]), [0, 2], 'other labels');
	for (const ended of [
		{ ...event, state: 'completed' },
		{ ...left, boundTo: 'gone', endedMs: taken },
	] as const)
		assert.equal(count(ended), [0, 2], 'it may have been taken long before');
	const idle = runner('r2', 'idle', { idleSinceMs: now - hour });
	const { unassigned } = look(event, [busy, idle]);
	assert.equal(unassigned, [{ job: 'j2', sinceMs: taken }], 'an idle runner leaves it since then');
	const two = [job(1, event), job(2, { ...event, openedMs: now + minute, ...runsOn('r9') }), job(3, left)];
	assert.is(asked(two, [busy], {}, now + 32 * minute).waiting, 1, 'any of several');
});

test('a job that waited for no longer than the start of its runner proves nothing', () => {
	const taken = { ...runsOn('r1'), openedMs: now - 70 * second, stateMs: now - 10 * second };
	const idle = runner('r2', 'idle', { idleSinceMs: now - minute });
	const { unassigned } = asked([job(1, taken), job(2, { ...left, unassignedMs: undefined })], [idle]);
	assert.equal(unassigned, [{ job: 'j2', sinceMs: now - minute }]);
});

test('the number is explained by the jobs that run and wait', () => {
	const why = (list: Job[], runners: Runner[] = []) =>
		whyOf({ desired: desiredBy(), demand: asked(list, runners) }).split('; ')[0];
	assert.is(why([]), '0 runners: 0 jobs running, 0 waiting');
	const some = [runner('r1', 'busy'), runner('r2', 'completed', { worked: true })];
	assert.is(why([job(9, runsOn('r1')), ...jobs(3)], some), '4 runners: 1 job running, 3 waiting');
});

test('what does not count is open, and reported', () => {
	const at = now + 2 * minute;
	const status = (list: Job[]) => {
		const demand = asked(list, [], {}, at);
		const schedule = { minReplicas: undefined, next: undefined, nextEdgeMs: undefined, summary: undefined };
		const reconciled = { desired: desiredBy(), demand, replicas: 0, schedule: { ...schedule, skipped: [] } };
		return statusOf({ metadata: { name: 'a' }, spec: {} } as never, { reconciled, findings: [] }, at);
	};
	const said = (list: Job[]) => {
		const { conditions = [], openJobs, suspectJobs, waitingJobs } = status(list);
		const { reason, message } = conditions.find(({ type }) => type === 'JobsSuspect') ?? {};
		return { openJobs, suspectJobs, waitingJobs, reason, message };
	};
	const tail =
		'not counted. While nothing else waits, one runner is started every 30 minutes to try such jobs. "kubectl runners jobs" lists them';
	const reportedLate = 'reported long after GitHub had created them, and not confirmed by GitHub since, are';
	const leftOne = '1 job that no idle runner has taken for minutes, and that GitHub has not confirmed, is';
	assert.equal(said(jobs(2, late)), {
		openJobs: 2,
		suspectJobs: 2,
		waitingJobs: 0,
		reason: 'ReportedLate',
		message: `2 jobs ${reportedLate} ${tail}`,
	});
	assert.equal(said([job(9, left), ...jobs(2, late)]), {
		openJobs: 3,
		suspectJobs: 3,
		waitingJobs: 0,
		reason: 'NotTakenByIdleRunners',
		message: `${leftOne} ${tail}; 2 jobs ${reportedLate} ${tail}`,
	});
	assert.equal(said([job(1, { ...runsOn('gone'), ...late })]).openJobs, 0, 'an old start is nothing');
});

test.run();

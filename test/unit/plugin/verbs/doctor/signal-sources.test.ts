/** The checks of doctor about job signals: which runners have job hooks and whether these report, logs, and a GitHub that was wrong. */
import * as assert from 'uvu/assert';
import { busy, jobHooks } from '../../../../../admission/api/keys.ts';
import { type JobSignal, writeSignals } from '../../../../../admission/runner/job-signals.ts';
import { suite } from '../../../../support/suite.ts';
import { pod as runnerPod } from '../../../runner/pods.ts';
import { ago, check, found, missing, notAllowed, nowMs, report } from './facts.ts';

const test = suite('plugin: doctor, job signals');

const script = { [jobHooks.script]: '#!/bin/sh' };
const signals = (by: JobSignal['by'], sinceMs: number, state: JobSignal['state'] = 'working') => ({
	[busy.signals]:
		writeSignals(
			[{ by, key: 'k', state, sinceMs, job: { name: 'build' } }],
			{ uid: 'uid-1', restarts: 0 },
			() => 's',
		) ?? '',
});
const pod = (name: string, annotations: Record<string, string>, labels: Record<string, string> = {}) =>
	runnerPod({ metadata: { name, annotations, labels: { 'actions-runner': '', ...labels } } });
const hooks = (...pods: ReturnType<typeof pod>[]) => check('job-hooks', { pods: found(pods) });
const minutes = (count: number) => nowMs - count * 60_000;

test('no runner, and those without hooks: nothing is wrong, their logs are read', () => {
	assert.equal(hooks(), { check: 'job-hooks', level: 'ok', message: 'no running runners' });
	assert.equal(hooks(pod('a', {}), runnerPod({ status: { phase: 'Succeeded' } })), {
		check: 'job-hooks',
		level: 'ok',
		message: '0 of 1 running runner with job hooks, of which 0 have reported a job',
	});
});

test('why pods have no hooks: a line for each reason', () => {
	const windows = { [jobHooks.absent]: 'it runs on Windows' };
	const { level, details } = hooks(
		pod('a', windows),
		pod('b', { [jobHooks.absent]: 'actions-runner/job-hooks is off' }),
		pod('c', windows),
		pod('d', windows),
		pod('e', script),
	);
	assert.is(level, 'ok');
	assert.equal(details, [
		'ci/a and 2 more: without job hooks: it runs on Windows',
		'ci/b: without job hooks: actions-runner/job-hooks is off',
	]);
});

for (const [what, annotations, labels, level] of [
	['have reported it', signals('hook', minutes(12)), {}, 'ok'],
	['reported one that is over', signals('hook', minutes(12), 'over'), { [busy.label]: 'true' }, 'ok'],
	['may still come: the job is new', signals('event', minutes(1)), {}, 'ok'],
	['have reported nothing, but an event has', signals('event', minutes(12)), {}, 'warning'],
	['have reported nothing, but the log has', signals('log', minutes(12)), {}, 'warning'],
	[
		"have reported nothing, but GitHub's list has",
		{ [busy.since]: ago(720) },
		{ [busy.label]: 'true' },
		'warning',
	],
	['have no job', {}, {}, 'ok'],
	['had a job that is over', signals('event', minutes(12), 'over'), {}, 'ok'],
] as [string, Record<string, string>, Record<string, string>, string][]) {
	test(`job hooks that ${what}: ${level}`, () => {
		const finding = hooks(pod('a', { ...script, ...annotations }, labels));
		assert.is(finding.level, level, JSON.stringify(finding));
		if (level === 'ok') return;
		assert.equal(finding.details, ['ci/a: has had a job for 12m, but its job hooks have not reported it']);
		assert.match(finding.message, /; 1 should have but has not$/);
		assert.match(finding.advice?.[0] ?? '', 'NetworkPolicy');
	});
}

const reports = (more: Parameters<typeof report>[0]) => ({ report: found(report(more)) });
const failed = (at: string, message: string) =>
	reports({ logs: { readable: 9, unreadable: 1, lastError: { at, pod: 'ci/r1', message } } });

for (const [what, more, level, text, advice] of [
	['none needed', reports({ logs: { readable: 0, unreadable: 0 } }), 'ok', /^none needed yet$/, undefined],
	[
		'all read',
		reports({ logs: { readable: 9, unreadable: 0 } }),
		'ok',
		/^9 of 9 reads succeeded$/,
		undefined,
	],
	['an error of long ago', failed(ago(7_200), 'x'), 'ok', /^9 of 10 reads succeeded$/, undefined],
	[
		'no right',
		failed(ago(60), 'cannot be read: pods "r1" is forbidden'),
		'warning',
		/^1 of 10 reads failed/,
		/pods\/log/,
	],
	['no kubelet', failed(ago(60), 'cannot be read: timed out'), 'warning', /^1 of 10 reads failed/, /kubelet/],
] as const) {
	test(`reading logs, as the server reports it, ${what}: ${level}`, () => {
		const finding = check('runner-logs', more);
		assert.is(finding.level, level);
		assert.match(finding.message, text);
		if (!advice) return assert.is(finding.advice, undefined);
		assert.match(finding.details?.[0] ?? '', /^ci\/r1, 60s ago: cannot be read/);
		assert.match(finding.advice?.[0] ?? '', advice);
	});
}

test('how often GitHub was wrong, by kind; a server that does not count it is not judged', () => {
	assert.is(check('github-answers', reports({ contradictions: {} })).level, 'ok');
	const finding = check(
		'github-answers',
		reports({ contradictions: { 'removed-while-busy': 2, 'of-a-later-version': 1, 'idle-while-busy': 0 } }),
	);
	assert.is(finding.level, 'warning');
	assert.is(finding.message, 'GitHub was wrong about a runner 3 times since the leader started');
	assert.equal(finding.details, [
		'2: GitHub confirmed the removal of a runner that then had a job: the job is probably lost',
		'1: of-a-later-version',
	]);
	for (const name of ['runner-logs', 'github-answers'])
		for (const unknown of [reports({}), { report: missing }, { report: notAllowed }])
			assert.throws(() => check(name, unknown), `no check ${name}`);
});

test.run();

/** `why` on the sources of job signals: what each says and since when, and none is left out. */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { arc, busy, jobHooks, progress } from '../../../../../admission/api/keys.ts';
import type { Pod } from '../../../../../admission/api/kinds.ts';
import type { LogReading } from '../../../../../admission/jobs/rules/runner-log.ts';
import { type JobSignal, writeSignals } from '../../../../../admission/runner/job-signals.ts';
import { sourceNames, sourceOf } from '../../../../../admission/runner/signal-sources.ts';
import { readPod } from '../../../../../plugin/runners/read.ts';
import type { Owner } from '../../../../../plugin/verbs/why/owner.ts';
import { sourceText } from '../../../../../plugin/verbs/why/source-text.ts';
import { sourcesOf } from '../../../../../plugin/verbs/why/sources.ts';
import type { Verdict } from '../../../../../plugin/verbs/why/verdict.ts';
import { asData, asText } from '../../../../../plugin/verbs/why/why.ts';
import { suite } from '../../../../support/suite.ts';
import { jitContainer, noon, pod, running, signer } from '../../../runner/pods.ts';

const test = suite('plugin: why, its sources');

const nowMs = noon + 12 * 60_000;
const works: LogReading = { says: 'works', at: '2026-11-23 12:10:00Z', job: 'build' };
const idle: LogReading = { says: 'idle', at: '2026-11-23 12:01:00Z' };
const unreadable: LogReading = { says: 'unknown', why: 'you may not get pods/log in namespace ci' };

const hooked: JobSignal = {
	by: 'hook',
	key: 'tracking',
	state: 'finishing',
	sinceMs: noon + 60_000,
	job: {
		name: 'build',
		repository: 'octo-org/app',
		workflow: 'CI',
		runId: 42,
		attempt: 2,
		url: 'https://github.com/octo-org/app/actions/runs/42',
	},
};
const withSignals = (...signals: JobSignal[]) => ({
	[busy.signals]:
		writeSignals(signals, { uid: 'uid-1', restarts: 0 }, (statement) => signer.signStatement(statement)) ??
		'',
});

function linesOf(change: Parameters<typeof pod>[0], log: LogReading = idle, owner?: Owner): string[] {
	const object = pod({ status: running(), ...change });
	const runner = readPod(object);
	if (!runner) throw new Error('no runner');
	return sourcesOf(object, runner, log, owner).map((source) => sourceText(source, nowMs));
}

test('every source of job signals has its lines, whatever sources there are', () => {
	for (const by of sourceNames) {
		const lines = linesOf({ metadata: { annotations: withSignals({ ...hooked, by }) } }, unreadable);
		const { name } = sourceOf(by);
		assert.ok(
			lines.some((line) => line.startsWith(`${name} `) && line.includes('finishing its job')),
			lines.join('\n'),
		);
	}
});

test('each source has a line, the silent ones too', () => {
	assert.equal(linesOf({}), [
		"runner's log     idle since 2026-11-23T12:01:00Z (11m)",
		'job hook         this pod has no job hooks',
		"GitHub's event   nothing reported",
		"GitHub's list    nothing reported",
		"GitHub's DELETE  GitHub has not been asked",
	]);
});

for (const [what, change, log, expected] of [
	['the log works', {}, works, "runner's log     working since 2026-11-23T12:10:00Z (2m): build"],
	[
		'a log that nobody may read',
		{},
		unreadable,
		`runner's log     not known: ${unreadable.says === 'unknown' && unreadable.why}`,
	],
	[
		'... and what the guard has read in it',
		{
			metadata: {
				annotations: withSignals({ ...hooked, by: 'log', state: 'working', job: { name: 'build' } }),
			},
		},
		unreadable,
		"runner's log     working since 2026-11-23T12:01:00Z (11m): build",
	],
	[
		"a hook's signal, finishing",
		{ metadata: { annotations: withSignals(hooked) } },
		idle,
		'job hook         finishing its job since 2026-11-23T12:01:00Z (11m): build (octo-org/app, run 42)',
	],
	[
		'hooks that are there and silent',
		{ metadata: { annotations: { [jobHooks.script]: '#!/bin/sh' } } },
		idle,
		'job hook         nothing reported',
	],
	[
		'no hooks, and why',
		{ metadata: { annotations: { [jobHooks.absent]: 'it runs on Windows' } } },
		idle,
		'job hook         this pod has no job hooks: it runs on Windows',
	],
	[
		"an event's signal that has ended",
		{ metadata: { annotations: withSignals({ ...hooked, by: 'event', state: 'over' }) } },
		idle,
		"GitHub's event   job over since 2026-11-23T12:01:00Z (11m): build (octo-org/app, run 42)",
	],
	[
		'the list lacks it',
		{ metadata: { annotations: { [progress.absentSince]: '2026-11-23T12:02:00Z signed' } } },
		idle,
		"GitHub's list    not listed since 2026-11-23T12:02:00Z (10m)",
	],
	[
		'the list has not shown it idle yet',
		{ metadata: { labels: { 'actions-runner': '', [busy.label]: 'unknown' } } },
		idle,
		"GitHub's list    not known: no recent list has shown it idle",
	],
	[
		'the list shows it idle',
		{
			status: {
				...running(),
				conditions: [{ type: busy.condition, status: 'False', lastTransitionTime: '2026-11-23T12:02:00Z' }],
			},
		},
		idle,
		"GitHub's list    idle since 2026-11-23T12:02:00Z (10m)",
	],
	[
		'422',
		{ metadata: { annotations: { [progress.refusal]: '2026-11-23T12:02:00Z it is running a job' } } },
		idle,
		"GitHub's DELETE  working since 2026-11-23T12:02:00Z (10m) (422: it is running a job)",
	],
	[
		'422 to ARC',
		{ metadata: { annotations: { [arc.completionWait]: '2026-11-23T12:02:00Z' } } },
		idle,
		"GitHub's DELETE  working since 2026-11-23T12:02:00Z (10m) (422 to ARC)",
	],
	[
		'204',
		{
			metadata: {
				annotations: {
					[progress.runnerId]: '7',
					[progress.completedAt]: '2026-11-23T12:02:00Z',
					[progress.proof]: 'signed',
				},
			},
		},
		idle,
		"GitHub's DELETE  removed since 2026-11-23T12:02:00Z (10m) (204)",
	],
] as [string, Parameters<typeof pod>[0], LogReading, string][]) {
	test(`source: ${what}`, () => {
		const said = linesOf(change, log);
		assert.ok(said.includes(expected), said.join('\n'));
	});
}

const scaleSet = {
	metadata: {
		labels: { 'actions-ephemeral-runner': 'True' },
		ownerReferences: [
			{
				apiVersion: 'actions.github.com/v1alpha1',
				kind: 'EphemeralRunner',
				name: 'r1',
				uid: 'u',
				controller: true,
			},
		],
	},
	spec: { nodeName: 'node-1', containers: [jitContainer('r1')] },
};
const owner = (status: object): Owner => ({ metadata: { name: 'r1', namespace: 'ci', uid: 'u' }, status });

for (const [what, given, expected] of [
	[
		'its job',
		owner({ jobId: 'x', jobDisplayName: 'build', jobRepositoryName: 'octo-org/app', workflowRunId: 42 }),
		'EphemeralRunner  working: build (octo-org/app, run 42)',
	],
	['no job', owner({}), 'EphemeralRunner  has no job'],
	['not to be read', { unread: 'it is gone' }, 'EphemeralRunner  not known: it is gone'],
] as [string, Owner, string][]) {
	test(`a scale set's EphemeralRunner: ${what}`, () => {
		assert.is(linesOf(scaleSet as Parameters<typeof pod>[0], idle, given).at(-1), expected);
	});
}

const allowed: Verdict = { verdict: 'allowed', reason: 'idle', message: 'm', next: 'n' };
const denied: Verdict = {
	verdict: 'denied',
	reason: 'busy',
	message: 'm',
	next: 'n',
	job: 'deploy',
	since: '2026-11-23T12:11:00Z',
};
const registered = { metadata: { annotations: { [progress.runnerId]: '7' } } };
const shown = (object: Pod, verdict: Verdict, log: LogReading) => ({
	pod: object,
	runner: readPod(object),
	verdict,
	log,
	nowMs,
});

for (const [what, verdict, log, state, job] of [
	['idle', allowed, idle, /, idle$/m, undefined],
	['the log works', denied, works, /, busy \(log\)$/m, /^Job: +build, busy for 2m$/m],
	[
		'the log works, and the guard has not seen it',
		allowed,
		works,
		/, busy \(log\)$/m,
		/^Job: +build, busy for 2m$/m,
	],
	[
		'only the guard may read the log',
		denied,
		unreadable,
		/, busy \(guard\)$/m,
		/^Job: +deploy, busy for 60s$/m,
	],
] as const) {
	test(`STATE by sources, while the pod's marks say idle: ${what}`, () => {
		const text = asText(shown(pod(registered), verdict, log));
		assert.match(text, state);
		if (job) assert.match(text, job);
		else assert.not.match(text, /^Job:/m);
	});
}

test('as data: state, job and every source, with times', () => {
	const object = pod({ metadata: { annotations: withSignals({ ...hooked, state: 'working' }) } });
	const data = asData(shown(object, denied, works)) as {
		runner: { state: string };
		job: object;
		sources: { by: string; state: string }[];
	};
	assert.is(data.runner.state, 'busy');
	assert.equal(data.job, {
		...hooked.job,
		name: 'build (octo-org/app, run 42)',
		since: '2026-11-23T12:01:00.000Z',
	});
	assert.equal(
		data.sources.map(({ by, state }) => `${by} ${state}`),
		['log working', 'hook working', 'event nothing', 'list nothing', 'delete nothing'],
	);
	assert.equal(data.sources[1], {
		by: 'hook',
		state: 'working',
		since: '2026-11-23T12:01:00.000Z',
		job: hooked.job,
	});
});

test('the example in docs/operations.md is what it prints', () => {
	const object = pod({ metadata: { name: 'linux-0', annotations: { [progress.runnerId]: '7' } } });
	const text = asText({
		...shown(
			object,
			{
				verdict: 'denied',
				reason: 'busy',
				message: 'it is busy (4s): build',
				next: 'the pod is deleted when the job ends',
			},
			{ says: 'works', at: '2026-11-23 12:11:56Z', job: 'build' },
		),
	});
	const docs = readFileSync(new URL('../../../../../docs/operations.md', import.meta.url), 'utf8');
	assert.ok(docs.includes(`\n${text}\`\`\`\n`), text);
});

test.run();

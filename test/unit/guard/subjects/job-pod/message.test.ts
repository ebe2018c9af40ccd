import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { longestMessage } from '../../../../../admission/guard/rules/message.ts';
import { deny } from '../../../../../admission/guard/rules/verdict.ts';
import {
	jobPodEditTexts,
	jobPodTexts,
} from '../../../../../admission/guard/subjects/job-pod/rules/message.ts';
import type { RunnerPod } from '../../../../../admission/runner/runner-pod.ts';
import { suite } from '../../../../support/suite.ts';
import { noon } from '../../../runner/pods.ts';
import { jobPod } from './pods.ts';

const test = suite('job pods: messages');

const runner = {
	runnerName: 'linux-x7k2p-0',
	busyHint: { sinceMs: noon - 12 * 60_000, job: 'build (octo-org/app, run 42)' },
};
const target = { ...jobPod(), name: 'linux-x7k2p-0-workflow', runner: 'linux-x7k2p-0' };
/** The job pod of this runner; undefined: the runner's pod was not read. */
const of = (read: typeof runner | undefined) => ({ ...target, runnerPod: read as RunnerPod | undefined });

test('which runner, which job, since when, what happens next, and where to look', () => {
	const { message, facts } = jobPodTexts(of(runner), deny('busy'), true, noon);
	const runbook = readFileSync(new URL('../../../../../docs/runbook.md', import.meta.url), 'utf8');
	assert.ok(runbook.includes(`\n${message}\n`));
	assert.is(
		message,
		'job pod of runner linux-x7k2p-0, which is busy (12m): build (octo-org/app, run 42). Recorded: the pod is deleted when the job ends. See: kubectl runners why linux-x7k2p-0-workflow -n ci',
	);
	assert.equal(facts, {
		reason: 'busy',
		state: 'is a job pod of runner linux-x7k2p-0, which is busy (12m): build (octo-org/app, run 42)',
		next: 'the pod is deleted when the job ends',
		recorded: true,
		job: 'build (octo-org/app, run 42)',
		since: '2026-11-23T11:48:00.000Z',
	});
});

test('the log’s job where no mark names one; nothing recorded in a dry run', () => {
	const { message } = jobPodTexts(of(undefined), deny('busy', 'lint'), 'dry-run', noon);
	assert.match(
		message,
		/^job pod of runner linux-x7k2p-0, which is busy: lint\. Dry run: nothing is recorded\. /,
	);
	const unknown = jobPodTexts(of(undefined), deny('job-unknown', 'its log cannot be read'), true, noon);
	assert.match(unknown.message, /which may run a job \(its log cannot be read\)\. Recorded: /);
});

test('what is not known to be busy says why it may be, names no job, and what is not recorded is to be asked for again', () => {
	const texts = (reason: 'job-unknown' | 'unknown-caller' | 'internal-error', recorded = true) => {
		const { message, facts } = jobPodTexts(of(runner), deny(reason, 'x'), recorded, noon);
		assert.equal([facts.job, facts.since], [undefined, undefined]);
		return message.replace(/^.*, which (.*) See: .*$/, '$1');
	};
	assert.is(
		texts('job-unknown'),
		'may run a job (x). Recorded: the pod is deleted when the runner is known to be idle.',
	);
	assert.is(
		texts('unknown-caller'),
		'may run a job, and the guard does not recognise the caller (x). Recorded: the pod is deleted at the next try.',
	);
	assert.is(
		texts('internal-error', false),
		'may run a job: the guard failed (x). Nothing is recorded: ask again.',
	);
	const { facts } = jobPodTexts(of(undefined), deny('busy'), true, noon);
	assert.equal([facts.state, facts.job], ['is a job pod of runner linux-x7k2p-0, which is busy', undefined]);
});

test('at most 200 characters on one line, whatever names, jobs and details are', () => {
	for (const reason of ['busy', 'job-unknown', 'internal-error', 'unknown-caller'] as const)
		for (const length of [1, 20, 63, 253])
			for (const detail of [undefined, 'short', 'x'.repeat(300), 'two\nlines \u001b[31mred']) {
				const name = 'n'.repeat(length);
				const long = { ...target, name, runner: name, namespace: name.slice(0, 63) };
				const busy = { runnerName: name, busyHint: { sinceMs: 0, job: detail } };
				for (const recorded of [true, false, 'dry-run'] as const) {
					const { message } = jobPodTexts(
						{ ...long, runnerPod: busy as RunnerPod },
						deny(reason, detail),
						recorded,
						noon,
					);
					assert.ok(message.length <= longestMessage, `${message.length}: ${message}`);
					assert.not.match(message, /\p{Cc}/u);
				}
				const { message } = jobPodEditTexts(long, [detail ?? 'label runner-pod must not be changed']);
				assert.ok(message.length <= longestMessage, `${message.length}: ${message}`);
			}
});

test.run();

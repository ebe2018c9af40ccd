import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { causesOf, readDenial } from '../../../admission/api/denial.ts';
import { type DenyReason, denyReasons } from '../../../admission/api/reasons.ts';
import { denials, type RunnerReason, runnerDenial } from '../../../admission/guard/rules/denials.ts';
import { type DenialTexts, longestMessage, unreadableTexts } from '../../../admission/guard/rules/message.ts';
import { deny } from '../../../admission/guard/rules/verdict.ts';
import { jobPodTexts } from '../../../admission/guard/subjects/job-pod/rules/message.ts';
import { denialTexts, editRefusedTexts } from '../../../admission/guard/subjects/runner/rules/message.ts';
import type { RunnerPod } from '../../../admission/runner/runner-pod.ts';
import { refused } from '../../../admission/webhook/review.ts';
import { suite } from '../../support/suite.ts';
import { noon, runnerPod } from '../runner/pods.ts';
import { jobPod } from './subjects/job-pod/pods.ts';

const test = suite('denials');

const example: RunnerPod = {
	...runnerPod(),
	name: 'linux-x7k2p-0',
	runnerName: 'linux-x7k2p-0',
	namespace: 'ci',
	uncertain: 'no plain RUNNER_REPO, RUNNER_ORG or RUNNER_ENTERPRISE in its container',
	busyHint: { sinceMs: noon - 12 * 60_000, job: 'build (octo-org/app, run 42)' },
};

const exampleJobPod = { ...jobPod(), name: 'linux-x7k2p-0-workflow' };

/** Details as the edges give them; the others have none. */
const details: Partial<Record<DenyReason, string>> = {
	'credentials-missing': 'Secret runners-system/runners-github does not exist',
	'credentials-invalid': '401 Bad credentials',
	forbidden: '403 Resource not accessible by personal access token',
	'rate-limited': 'until 12:40:00Z',
	'github-unavailable': '503',
	'job-unknown': 'its log does not say whether it works',
	'owner-leaving': 'linux-x7k2p would create the pod again',
};

const isRunnerReason = (reason: DenyReason): reason is RunnerReason => denials[reason].runner !== null;
const runnerReasons = denyReasons.filter(isRunnerReason);

function textsOf(pod: RunnerPod, reason: DenyReason, detail?: string): DenialTexts {
	if (!isRunnerReason(reason)) {
		const jobPod = { ...exampleJobPod, runner: pod.name };
		return jobPodTexts(jobPod, deny(reason, detail), true, noon);
	}
	const isRecorded = runnerDenial(reason).unrecorded === undefined;
	return denialTexts(pod, deny(reason, detail), isRecorded, noon);
}

test('every reason: the message stands word for word in the runbook', () => {
	const runbook = readFileSync(new URL('../../../docs/runbook.md', import.meta.url), 'utf8');
	const missing = denyReasons
		.map((reason) => textsOf(example, reason, details[reason]).message)
		.filter((message) => !runbook.includes(`\n${message}\n`));
	assert.equal(missing, []);
});

test('every reason: at most 200 characters on one line, whatever names, jobs and details are', () => {
	const long = 'x'.repeat(300);
	for (const reason of denyReasons) {
		for (const name of ['r', 'n'.repeat(40), 'n'.repeat(63), 'n'.repeat(253)]) {
			for (const detail of [undefined, 'short', long, 'two\nlines \u001b[31mred', ...details.forbidden!]) {
				const pod = {
					...example,
					name,
					runnerName: name.slice(0, 63),
					namespace: name.slice(0, 63),
					busyHint: { sinceMs: noon - 3e7, job: detail },
				};
				for (const { message } of [
					textsOf(pod, reason, detail),
					...([false, 'dry-run'] as const).map((recorded) =>
						denialTexts(pod, deny(isRunnerReason(reason) ? reason : 'busy', detail), recorded, noon),
					),
					editRefusedTexts(pod, [`label ${name} must not be changed`, detail ?? 'a new image']),
					unreadableTexts(name, detail ?? ''),
				]) {
					assert.ok(message.length <= longestMessage, `${reason}: ${message.length}: ${message}`);
					assert.not.match(message, /\p{Cc}/u);
				}
			}
		}
	}
});

test('busy: which runner, busy with what since when, what happens next, and the command for the rest', () => {
	assert.is(
		denialTexts(example, deny('busy'), true, noon).message,
		'runner linux-x7k2p-0 is busy (12m): build (octo-org/app, run 42). ' +
			'Recorded: the pod is deleted when the job ends. See: kubectl runners why linux-x7k2p-0 -n ci',
	);
	const unknown = { ...example, busyHint: { sinceMs: undefined, job: undefined } };
	assert.match(denialTexts(unknown, deny('busy'), true, noon).message, 'linux-x7k2p-0 is busy. Recorded');
});

test('a dry run and a record that failed are shown as what they are', () => {
	assert.match(denialTexts(example, deny('busy'), 'dry-run', noon).message, 'Dry run: nothing is recorded.');
	assert.match(
		denialTexts(example, deny('busy'), false, noon).message,
		'It could NOT be recorded: ask again.',
	);
});

test('long names: the job is cut first, then the name of the runner goes, the command stays whole', () => {
	const pod = {
		...example,
		name: `${'n'.repeat(44)}-0`,
		runnerName: `${'n'.repeat(44)}-0`,
		namespace: 'runners',
	};
	assert.match(
		denialTexts(pod, deny('busy'), true, noon).message,
		new RegExp(`^this runner is busy \\(12m\\): build.*why ${pod.name} -n runners$`),
	);
});

test('the causes carry every fact, whole, and are read back as they were', () => {
	const { facts } = denialTexts(example, deny('busy'), true, noon);
	assert.equal(readDenial(causesOf(facts)), facts);
	assert.equal(facts, {
		reason: 'busy',
		state: 'is busy (12m): build (octo-org/app, run 42)',
		next: 'the pod is deleted when the job ends',
		recorded: true,
		job: 'build (octo-org/app, run 42)',
		since: new Date(noon - 12 * 60_000).toISOString(),
	});
	for (const recorded of [true, false, 'dry-run'] as const) {
		const denial = denialTexts(example, deny('forbidden', '403 SSO'), recorded, noon).facts;
		assert.equal(readDenial(causesOf(denial)), denial);
		assert.is(denial.state, 'may be busy: GitHub denies access to it (403 SSO)');
	}
	assert.is(
		readDenial([{ reason: 'FieldValueInvalid', field: 'spec' }]),
		undefined,
		"somebody else's causes",
	);
});

test('whatever stands in names, users, jobs and details: no text can steer a terminal', () => {
	const odd = [
		'\u001b[31m',
		'\u009b2J',
		'\n',
		'\r',
		'\u0000',
		'\u0007',
		'\u2028',
		'\u202e',
		'\u2066',
		'é',
		'a',
		' ',
		'$',
	];
	let seed = 20;
	const random = (below: number) => {
		seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
		return Math.floor((seed / 2 ** 31) * below);
	};
	const text = () => Array.from({ length: random(12) }, () => odd[random(odd.length)]).join('');
	const steers = /[\p{Cc}\p{Zl}\p{Zp}\u202e\u2066]/u;
	for (let round = 0; round < 2_000; round++) {
		const pod: RunnerPod = {
			...example,
			runnerName: text(),
			uncertain: text(),
			nodeName: text(),
			busyHint: { sinceMs: noon, job: text() },
			record: { requestedAt: text(), requestedBy: text(), options: { via: 'delete' } },
		};
		const verdict = deny(runnerReasons[random(runnerReasons.length)] ?? 'busy', text());
		const texts = [
			denialTexts(pod, verdict, true, noon),
			editRefusedTexts(pod, [text(), text()]),
			denialTexts(pod, deny('owner-leaving', text()), false, noon),
			unreadableTexts(text(), text()),
		].flatMap(({ message, facts }) => {
			const response = refused('uid', { code: 409 }, message, facts);
			const { status } = response as { status: { message: string } };
			assert.ok(message.length <= longestMessage);
			return [status.message, ...causesOf(facts).map((cause) => cause.message)];
		});
		assert.not(
			texts.some((one) => steers.test(one)),
			JSON.stringify(texts),
		);
	}
});

test.run();

/** Whose runner an event is about. */
import * as assert from 'uvu/assert';
import { type JobEvent, readDelivery } from '../../../../admission/jobs/events/rules/delivery.ts';
import { isAbout } from '../../../../admission/jobs/events/rules/runner-of.ts';
import type { RunnerPod } from '../../../../admission/runner/runner-pod.ts';
import type { Scope } from '../../../../admission/runner/scope.ts';
import { suite } from '../../../support/suite.ts';
import { noon, runnerPod } from '../../runner/pods.ts';
import { payload } from './payload.ts';

const test = suite('whose event');

const event = (change: Partial<JobEvent> = {}): JobEvent => ({
	...(readDelivery('workflow_job', payload()) as JobEvent),
	...change,
});
const pod = (change: Partial<RunnerPod> = {}): RunnerPod => ({ ...runnerPod(), ...change });

const repository = (owner: string, name: string): Scope => ({ kind: 'repository', owner, name });
const organization = (name: string): Scope => ({ kind: 'organization', name });
const enterprise = (name: string): Scope => ({ kind: 'enterprise', name });

const cases: [string, Scope, Partial<JobEvent>, boolean][] = [
	['its repository', repository('octo-org', 'app'), {}, true],
	['its repository in another case', repository('Octo-Org', 'APP'), {}, true],
	['another repository of its owner', repository('octo-org', 'web'), {}, false],
	["another owner's repository of this name", repository('acme', 'app'), {}, false],
	['its organization', organization('octo-org'), {}, true],
	['its organization in another case', organization('OCTO-org'), {}, true],
	['another organization', organization('acme'), {}, false],
	['an organization with the name of the repository', organization('app'), {}, false],
	['its enterprise', enterprise('octo'), { enterprise: 'Octo' }, true],
	['another enterprise', enterprise('octo'), { enterprise: 'acme' }, false],
	['an enterprise that the event does not name', enterprise('octo'), { enterprise: undefined }, true],
];
for (const [what, scope, change, expected] of cases)
	test(`${what}: ${expected ? 'is' : 'is not'}`, () => {
		assert.is(isAbout(event(change), pod({ scope })), expected);
	});

test('the name counts, without regard to case', () => {
	assert.ok(isAbout(event({ runnerName: 'R1' }), pod()));
	for (const runnerName of ['r2', 'r', 'r11', '', ' r1']) assert.not(isAbout(event({ runnerName }), pod()));
});

test('the same names at another GitHub are another runner', () => {
	assert.not(isAbout(event({ host: 'ghes.example' }), pod()));
	assert.not(isAbout(event(), pod({ host: undefined })));
});

test('a pod whose scope is not certain is nobody', () => {
	assert.not(isAbout(event(), pod({ scope: undefined })));
});

test('a runner that has ended is not meant; one that is about to start may be', () => {
	assert.not(isAbout(event(), pod({ process: { state: 'exited' } })));
	assert.ok(isAbout(event(), pod({ process: { state: 'unbound' } })));
});

test('a job of before the container started was that of an earlier pod of this name', () => {
	// The container has run since 12:00.
	for (const [seconds, expected] of [
		[-3_600, false],
		[-61, false],
		[-60, true],
		[0, true],
		[3_600, true],
	] as const)
		assert.is(isAbout(event({ atMs: noon + seconds * 1_000 }), pod()), expected, `${seconds} s`);
	assert.ok(isAbout(event({ atMs: undefined }), pod()));
	assert.ok(isAbout(event({ atMs: 0 }), pod({ process: { state: 'running', sinceMs: undefined } })));
});

test.run();

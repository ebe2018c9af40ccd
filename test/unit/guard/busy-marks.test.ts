import * as assert from 'uvu/assert';
import { arc, busy } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import {
	looksOver,
	overwrites,
	planMarks,
	type Sighting,
} from '../../../admission/guard/rules/busy-marks.ts';
import type { JobSignal } from '../../../admission/runner/job-signals.ts';
import {
	absentOf,
	idleOf,
	registeredAs,
	signalsOf,
	unregisteredOf,
} from '../../../admission/runner/record.ts';
import { suite } from '../../support/suite.ts';
import { jitContainer, noon, pod, runnerPod, running, signer } from '../runner/pods.ts';

const test = suite('busy marks');
const now = noon + 60_000;
const at = (ms: number) => new Date(ms).toISOString();
const refusedAt = (ms: number) => `${at(ms)} Runner is still running a job`;
const sighting = (busy: boolean, atMs = now): Sighting => ({
	runner: { id: 42, busy, status: 'online' },
	complete: true,
	atMs,
	overForMs: 0,
});
const plan = (
	change: Parameters<typeof pod>[0],
	seen?: Sighting,
	er?: Parameters<typeof planMarks>[2],
	old = false,
) => {
	const facts = { ephemeralRunner: er, verify: signer.verifyStatement };
	return planMarks(pod(change), runnerPod(change, facts), er, seen, {
		nowMs: now,
		old,
		sign: signer.signStatement,
	});
};
/** GitHub has listed it as runner 42. */
const listed = registeredAs(runnerPod(), 42, signer.signStatement) as Record<string, string>;
const marked = {
	labels: { 'actions-runner': '', 'actions-runner/busy': 'true' },
	annotations: {
		...listed,
		'actions-runner/busy-since': 'x',
		'actions-runner/busy-marks': 'karpenter.sh/do-not-disrupt',
		'karpenter.sh/do-not-disrupt': 'true',
		'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
	},
};

test('busy at GitHub: label, since, id, autoscaler marks (B5)', () => {
	const change = plan({}, sighting(true));
	assert.is(change?.busy, true);
	assert.equal(change?.labels, { 'actions-runner/busy': 'true' });
	assert.equal(change?.annotations, {
		...listed,
		'actions-runner/busy-since': new Date(now).toISOString(),
		'karpenter.sh/do-not-disrupt': 'true',
		'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
		'actions-runner/busy-marks': 'karpenter.sh/do-not-disrupt,cluster-autoscaler.kubernetes.io/safe-to-evict',
	});
});
test('idle again: all of ours goes, the mark that the user set stays (B5)', () => {
	const change = plan({ metadata: marked, env: { RUNNER_EPHEMERAL: 'false' } }, sighting(false));
	assert.is(change?.busy, false);
	assert.equal(change?.labels, { 'actions-runner/busy': null });
	assert.equal(Object.keys(change?.annotations ?? {}).sort(), [
		'actions-runner/busy-marks',
		'actions-runner/busy-since',
		'karpenter.sh/do-not-disrupt',
	]);
});
test('busy still: nothing is written', () =>
	assert.is(plan({ metadata: marked }, sighting(true)), undefined));
test('idle still: nothing but the id is written', () => {
	assert.equal(plan({}, sighting(false)), {
		labels: {},
		annotations: listed,
		busy: undefined,
	});
});
test('lists have lacked it: only one that was begun later ends that note, or the two would chase each other', () => {
	const noted = { ...listed, ...absentOf(runnerPod(), now, signer.signStatement) } as Record<string, string>;
	const lacked = { metadata: { annotations: noted } };
	assert.is(plan(lacked, sighting(false, now)), undefined);
	assert.is(plan(lacked, sighting(false, now - 1)), undefined);
	assert.equal(plan(lacked, sighting(false, now + 1))?.annotations, {
		...listed,
		'actions-runner/absent-since': null,
	});
});
test('nothing known: nothing is written', () => assert.is(plan({ metadata: marked }), undefined));
test('an ephemeral runner missing from the list may be ending its job: its marks stay', () => {
	assert.is(
		plan({ metadata: marked }, { runner: undefined, complete: true, atMs: now, overForMs: 0 }),
		undefined,
	);
});
test('... but a container that still runs a minute after its job is over hangs: its marks and its 422 go', () => {
	const over = { runner: undefined, complete: true, atMs: now, overForMs: 60_000 };
	const answered = {
		...marked,
		annotations: { ...marked.annotations, 'actions-runner/unregistration-refusal': refusedAt(noon) },
	};
	const change = plan({ metadata: answered }, over);
	assert.is(change?.busy, false);
	assert.is(change?.annotations['actions-runner/unregistration-refusal'], null);
	assert.is(plan({ metadata: answered }, { ...over, overForMs: 59_000 }), undefined);
});
test('what looks over: absent from a complete list, or offline and idle', () => {
	const runner = { id: 1, busy: false, status: 'offline' };
	assert.ok(looksOver({ runner, complete: false, atMs: now }));
	assert.ok(looksOver({ runner: undefined, complete: true, atMs: now }));
	assert.not(looksOver({ runner: undefined, complete: false, atMs: now }));
	assert.not(looksOver({ runner: { ...runner, busy: true }, complete: true, atMs: now }));
	assert.not(looksOver({ runner: { ...runner, status: 'online' }, complete: true, atMs: now }));
});
test('a static runner missing from a complete list is not busy', () => {
	const change = plan(
		{ metadata: marked, env: { RUNNER_EPHEMERAL: 'false' } },
		{ runner: undefined, complete: true, atMs: now, overForMs: 0 },
	);
	assert.is(change?.busy, false);
});
test('the container has stopped: the marks go, whatever the list says', () => {
	const change = plan({ metadata: marked, status: { phase: 'Succeeded' } }, sighting(true));
	assert.is(change?.busy, false);
});
test('a 422 that is newer than the list wins over it', () => {
	const annotations = {
		'actions-runner/unregistration-refusal': refusedAt(now),
	};
	assert.is(plan({ metadata: { annotations } }, sighting(false, now - 1_000))?.busy, true);
});
test('a list that shows the job of a static runner takes the place of its 422: idle then, it is asked at once (A9)', () => {
	const annotations = {
		...listed,
		'actions-runner/unregistration-refusal': refusedAt(noon),
		'actions-runner/unregistration-claim': `${new Date(noon).toISOString()} me`,
	};
	const answered = { metadata: { labels: marked.labels, annotations }, env: { RUNNER_EPHEMERAL: 'false' } };
	assert.equal(plan(answered, sighting(true))?.annotations, {
		'actions-runner/unregistration-refusal': null,
		'actions-runner/unregistration-claim': null,
	});
	const late = plan(answered, sighting(false));
	assert.is(
		late?.annotations['actions-runner/unregistration-claim'],
		undefined,
		'never shown: in 30 s (invariant 5)',
	);
});
test('an ephemeral runner that GitHub answered 422 for is busy, whatever a late list says', () => {
	const annotations = { ...listed, 'actions-runner/unregistration-refusal': refusedAt(noon) };
	assert.is(plan({ metadata: { annotations } }, sighting(false))?.busy, true);
	assert.is(
		plan(
			{ metadata: { ...marked, annotations: { ...marked.annotations, ...annotations } } },
			sighting(false),
		),
		undefined,
	);
});
test("a scale set's job comes from its EphemeralRunner, before any list", () => {
	const er = { metadata: { name: 'r1' }, status: { jobId: 'j', jobDisplayName: 'build', runnerId: 9 } };
	const change = plan({}, undefined, er);
	assert.is(change?.busy, true);
	assert.is(change?.annotations['actions-runner/job'], 'build');
	assert.is(change?.annotations['actions-runner/runner-id'], '9');
});
test('a job that its EphemeralRunner no longer names stays on the pod, as long as the runner is busy', () => {
	const metadata = { ...marked, annotations: { ...marked.annotations, 'actions-runner/job': 'build' } };
	assert.is(plan({ metadata }, sighting(true), { metadata: { name: 'r1' }, status: {} }), undefined);
});

const answer = (agoMs: number) => ({
	'actions-runner/unregistration-refusal': refusedAt(now - agoMs),
	'actions-runner/unregistration-claim': `${new Date(now - agoMs).toISOString()} me`,
});
const fixed = { RUNNER_EPHEMERAL: 'false' };

test('a 422 that is newer than the list wins over it, also of a static runner', () => {
	const change = plan({ env: fixed, metadata: { annotations: answer(1_000) } }, sighting(false, now - 5_000));
	assert.is(change?.busy, true);
});
test('a 422 counts where no list is known', () => {
	assert.is(plan({ env: fixed, metadata: { annotations: answer(1_000) } })?.busy, true);
});
test('a list that is newer than the 422 of a static runner and shows it idle: it is idle', () => {
	const metadata = { ...marked, annotations: { ...marked.annotations, ...answer(5_000) } };
	assert.is(plan({ env: fixed, metadata }, sighting(false))?.busy, false);
});
test('a list of several pages that lacks a static runner says nothing about it', () => {
	const seen = { runner: undefined, complete: false, atMs: now, overForMs: 0 };
	assert.is(plan({ env: fixed, metadata: marked }, seen), undefined);
});
test('a job whose name is not known, or known already, is no news', () => {
	assert.is(plan({ metadata: marked }, sighting(true)), undefined);
	const er = { metadata: { name: 'r1' }, status: { jobId: '7', jobDisplayName: 'build' } };
	const metadata = { ...marked, annotations: { ...marked.annotations, 'actions-runner/job': 'build' } };
	assert.is(plan({ metadata }, sighting(true), er), undefined);
});
test('a mark that its user has set stays the user’s: it is not written, and not counted as ours', () => {
	const change = plan(
		{ metadata: { annotations: { 'karpenter.sh/do-not-disrupt': 'false' } } },
		sighting(true),
	);
	assert.not('karpenter.sh/do-not-disrupt' in (change?.annotations ?? {}));
	assert.is(
		change?.annotations['actions-runner/busy-marks'],
		'cluster-autoscaler.kubernetes.io/safe-to-evict',
	);
});
test('only autoscaler marks are taken away, whatever somebody wrote into the list of ours', () => {
	const annotations = { ...marked.annotations, 'actions-runner/busy-marks': 'theirs', theirs: 'x' };
	const change = plan({ env: fixed, metadata: { ...marked, annotations } }, sighting(false));
	assert.not('theirs' in (change?.annotations ?? {}));
});
test('the 422 of an ephemeral runner stays, though a newer list shows its job', () => {
	const metadata = { ...marked, annotations: { ...marked.annotations, ...answer(5_000) } };
	assert.is(plan({ metadata }, sighting(true)), undefined);
});
test('the 422 of a static runner stays while the list that shows its job is older', () => {
	const metadata = { ...marked, annotations: { ...marked.annotations, ...answer(1_000) } };
	assert.is(plan({ env: fixed, metadata }, sighting(true, now - 5_000)), undefined);
});
test('GitHub’s list says that the job is over, the EphemeralRunner that it runs: the 422 stays', () => {
	const er = { metadata: { name: 'r1' }, status: { jobId: '7', jobDisplayName: 'build' } };
	const annotations = { ...marked.annotations, ...answer(5_000), 'actions-runner/job': 'build' };
	const seen = { runner: undefined, complete: true, atMs: now, overForMs: 61_000 };
	assert.is(plan({ metadata: { ...marked, annotations } }, seen, er), undefined);
});
test('the container has stopped: the mark goes, and what GitHub said is left on the pod', () => {
	const status = {
		phase: 'Succeeded',
		containerStatuses: [{ name: 'runner', restartCount: 0, state: { terminated: { exitCode: 0 } } }],
	};
	const annotations = { ...marked.annotations, ...answer(5_000) };
	const seen = { runner: undefined, complete: true, atMs: now, overForMs: 61_000 };
	const change = plan({ status, metadata: { ...marked, annotations } }, seen);
	assert.is(change?.busy, false);
	assert.not('actions-runner/unregistration-refusal' in (change?.annotations ?? {}));
});
test('an attempt without a 422 belongs to the replica that made it', () => {
	const { 'actions-runner/unregistration-claim': signal } = answer(5_000);
	const annotations = { ...marked.annotations, 'actions-runner/unregistration-claim': signal };
	assert.is(plan({ env: fixed, metadata: { ...marked, annotations } }, sighting(true)), undefined);
});

test('its container has ended and cannot start again: its mark is of a job that is over, and nothing is known', () => {
	const waits = (reason: string) => ({
		phase: 'Running',
		containerStatuses: [{ name: 'runner', restartCount: 1, state: { waiting: { reason } } }],
	});
	const marked = {
		labels: { 'actions-runner/busy': 'true' },
		annotations: { 'actions-runner/busy-since': '2026-11-23T12:00:00Z' },
	};
	const change = plan({ metadata: marked, status: waits('CrashLoopBackOff') });
	assert.equal(change, {
		labels: { 'actions-runner/busy': 'unknown' },
		annotations: { 'actions-runner/busy-since': null },
		busy: false,
	});
	assert.is(plan({ metadata: marked, status: waits('ContainerCreating') }), undefined, 'it may run unseen');
});
test('nothing is known yet: "unknown" until a list shows it idle, and then no label', () => {
	const unknown = { labels: { 'actions-runner/busy': 'unknown' } };
	assert.equal(plan({ status: { phase: 'Pending' } })?.labels, unknown.labels, 'from the start');
	assert.equal(plan({})?.labels, unknown.labels);
	assert.is(plan({ metadata: unknown }), undefined, 'once');
	assert.equal(plan({ metadata: unknown }, sighting(false))?.labels, { 'actions-runner/busy': null });
	assert.is(plan({ metadata: unknown }, sighting(false))?.busy, undefined, 'no job has ended by that');
	assert.equal(plan({ metadata: unknown }, sighting(true))?.labels, { 'actions-runner/busy': 'true' });
	assert.is(
		plan({ metadata: { annotations: listed } }),
		undefined,
		'seen before, as by the leader before this one',
	);
});
test('nothing new is known of an idle runner: "unknown" again; a busy one stays busy', () => {
	const idle = { metadata: { annotations: listed } };
	assert.equal(plan(idle, sighting(false), undefined, true)?.labels, { 'actions-runner/busy': 'unknown' });
	assert.equal(plan(idle, undefined, undefined, true)?.labels, { 'actions-runner/busy': 'unknown' });
	assert.is(plan({ metadata: marked }, sighting(true), undefined, true), undefined);
});
test('a runner that is unregistered is not held up again', () => {
	const annotations = unregisteredOf(runnerPod(), 42, signer.signStatement, noon) as Record<string, string>;
	assert.is(plan({ metadata: { annotations } }), undefined);
	assert.is(plan({ metadata: { annotations } }, undefined, undefined, true), undefined);
});
test('an id that nobody has signed is written again, signed', () => {
	const change = plan({ metadata: { annotations: { 'actions-runner/runner-id': '42' } } }, sighting(false));
	assert.equal(change?.annotations, listed);
});
test('a 422 of the future says nothing', () => {
	const annotations = { ...listed, 'actions-runner/unregistration-refusal': refusedAt(now + 3_600_000) };
	assert.is(plan({ metadata: { annotations } }), undefined);
});
test('what ARC wrote is never taken away', () => {
	const annotations = {
		...marked.annotations,
		'actions-runner/runner-completion-wait-start-timestamp': new Date(noon).toISOString(),
		'actions-runner/unregistration-failure-message': 'busy',
		'actions-runner/id': '42',
	};
	for (const seen of [
		sighting(true),
		sighting(false),
		{ ...sighting(false), runner: undefined, overForMs: 61_000 },
	]) {
		const change = plan({ env: fixed, metadata: { ...marked, annotations } }, seen);
		for (const key of Object.keys(change?.annotations ?? {}))
			assert.not(key in annotations && !(key in marked.annotations), key);
	}
});

test('a scale set’s runner is pinned once it runs, in one patch with the other marks', () => {
	const er = {
		metadata: { name: 'r1', uid: 'er' },
		spec: { githubConfigUrl: 'https://github.com/octo-org' },
	};
	const spec = { containers: [jitContainer('r1')] };
	const pin = 'actions-runner/identity-proof';
	const first = plan({ spec }, sighting(true), er);
	const text = first?.annotations[pin];
	assert.match(text ?? '', /"scope":"octo-org","host":"github.com","signature":"/);
	assert.is(first?.labels['actions-runner/busy'], 'true');
	const annotations = (value: string) => ({
		...(first?.annotations as Record<string, string>),
		[pin]: value,
	});
	const again = (value: string, owner: typeof er | undefined = er) =>
		plan({ spec, metadata: { ...marked, annotations: annotations(value) } }, sighting(true), owner)
			?.annotations[pin];
	assert.is(again(text ?? ''), undefined, 'once');
	assert.is(again('forged'), text, 'what nobody has signed is written anew');
	assert.is(again(text ?? '', { ...er, spec: { githubConfigUrl: 'https://github.com/evil' } }), undefined);
	assert.is(plan({ spec, status: { phase: 'Pending' } }, undefined, er)?.annotations[pin], undefined);
	assert.is(plan({ spec }, undefined, undefined)?.annotations[pin], undefined);
});
test('what GitHub says about whether a runner is ephemeral counts more than what its pod says: such a 422 does not last for ever', () => {
	const annotations = { ...listed, 'actions-runner/unregistration-refusal': refusedAt(noon) };
	const seen = (busy: boolean, ephemeral: boolean | undefined): Sighting => {
		const one = sighting(busy);
		return { ...one, runner: one.runner && { ...one.runner, ephemeral } };
	};
	const clears = (env: Record<string, string>, ephemeral: boolean | undefined) =>
		plan({ env, metadata: { annotations } }, seen(true, ephemeral))?.annotations[
			'actions-runner/unregistration-refusal'
		] === null;
	assert.equal([clears({}, undefined), clears({}, true), clears({}, false)], [false, false, true]);
	assert.equal([clears(fixed, undefined), clears(fixed, true)], [true, false]);
	const idle = (ephemeral: boolean) =>
		plan(
			{ metadata: { ...marked, annotations: { ...marked.annotations, ...annotations } } },
			seen(false, ephemeral),
		)?.busy;
	assert.is(idle(false), false, 'a list shows a static runner as idle');
	assert.is(idle(true), undefined, 'an ephemeral one ends with its job');
});

test('registered anew under another id: that one is written; listed again after it was missing: that is over', () => {
	const other = { ...sighting(false), runner: { id: 43, busy: false, status: 'online' } };
	assert.is(
		plan({ metadata: { annotations: listed } }, other)?.annotations['actions-runner/runner-id'],
		'43',
	);
	const absent = absentOf(runnerPod(), noon, signer.signStatement) as Record<string, string>;
	const change = plan({ metadata: { annotations: { ...listed, ...absent } } }, sighting(false));
	assert.is(change?.annotations['actions-runner/absent-since'], null);
});
test('the id in GitHub’s list counts more than the one of the EphemeralRunner, which is written once', () => {
	const er = { metadata: { name: 'r1' }, status: { runnerId: 9 } };
	assert.is(plan({}, sighting(false), er)?.annotations['actions-runner/runner-id'], '42');
	const written = { metadata: { annotations: { 'actions-runner/runner-id': '8' } } };
	assert.not('actions-runner/runner-id' in (plan(written, undefined, er)?.annotations ?? {}));
});
test('a 422 without an attempt: only what is there is taken away', () => {
	const { 'actions-runner/unregistration-refusal': refusal } = answer(5_000);
	const annotations = { ...marked.annotations, 'actions-runner/unregistration-refusal': refusal };
	const change = plan({ env: fixed, metadata: { ...marked, annotations } }, sighting(true));
	assert.equal(change?.annotations, { 'actions-runner/unregistration-refusal': null });
});

/** A static runner with these job signals, and what else is on its pod. */
const signalled = (signals: JobSignal[], seen?: Sighting, change: Parameters<typeof pod>[0] = {}) => {
	const written = signalsOf({ ...runnerPod(change), signals }, signer.signStatement) as Record<
		string,
		string
	>;
	const annotations = { ...listed, ...change.metadata?.annotations, ...written };
	return plan({ env: fixed, ...change, metadata: { ...change.metadata, annotations } }, seen);
};
const signal = (state: JobSignal['state'], sinceMs = noon, name = 'build'): JobSignal => ({
	...{ by: 'hook', key: name, state, sinceMs },
	job: { name, repository: 'octo-org/app', runId: 42 },
});

test('a job that a hook or an event has reported is busy whatever the list shows, and names the job', () => {
	for (const state of ['working', 'finishing'] as const) {
		const change = signalled([signal(state)], sighting(false));
		assert.is(change?.labels['actions-runner/busy'], 'true');
		assert.is(change?.annotations['actions-runner/job'], 'build (octo-org/app, run 42)');
	}
});
test('a list that was begun before the job’s end was reported shows nothing of what came after', () => {
	const over = [signal('over', now - 5_000, 'a'), signal('over', noon, 'b')];
	assert.is(signalled(over, sighting(true, now - 6_000))?.busy, undefined);
	assert.is(signalled(over, sighting(true, now - 5_000))?.busy, true);
});
test('a list that shows a job takes back that lists have shown the runner idle; none other does', () => {
	const idle = idleOf(runnerPod(), noon, signer.signStatement) as Record<string, string>;
	const metadata = { annotations: { ...listed, ...idle } };
	assert.is(plan({ metadata }, sighting(true))?.annotations['actions-runner/idle-since'], null);
	assert.is(plan({ metadata }, sighting(false)), undefined);
});
test('the label of a hook is there already: its condition and its Event are not, and are written once', () => {
	const metadata = {
		...marked,
		annotations: { ...marked.annotations, 'actions-runner/job': 'build (octo-org/app, run 42)' },
	};
	const shown = (...conditions: [string, string][]) => ({
		...running(),
		conditions: conditions.map(([type, status]) => ({ type, status })),
	});
	const changeFor = (status: Pod['status'], annotations = {}) =>
		signalled([signal('working')], sighting(true), {
			status,
			metadata: { ...metadata, annotations: { ...metadata.annotations, ...annotations } },
		});
	assert.equal(changeFor(running()), { labels: {}, annotations: {}, busy: true });
	assert.is(changeFor(shown(['Ready', 'True'], [busy.condition, 'False']))?.busy, true);
	assert.is(changeFor(shown(['Ready', 'False'], [busy.condition, 'True'])), undefined);
	assert.is(
		changeFor(running(), { [arc.requestedAt]: at(noon) }),
		undefined,
		'ARC asks GitHub at each change',
	);
	const withoutAttempt = { metadata, status: running(), env: fixed };
	assert.is(plan(withoutAttempt, sighting(true)), undefined, 'a list that shows it has written both');
});
test('the label went with the log’s end of the job: the condition is still to go, once', () => {
	const status = { ...running(), conditions: [{ type: busy.condition, status: 'True' }] };
	const metadata = { annotations: listed };
	assert.equal(plan({ metadata, status }, sighting(false)), { labels: {}, annotations: {}, busy: false });
	assert.is(plan({ metadata, status: running() }, sighting(false)), undefined);
	const leaving = { annotations: { ...listed, [arc.requestedAt]: at(noon) } };
	assert.is(
		plan({ metadata: leaving, status }, sighting(false)),
		undefined,
		'ARC asks GitHub at each change',
	);
});
for (const [what, labels, annotations, expected] of [
	['removes an annotation', {}, { [busy.job]: null }, true],
	['removes the label', { [busy.label]: null }, {}, true],
	['sets the label to unknown', { [busy.label]: 'unknown' }, {}, true],
	['sets the label to true', { [busy.label]: 'true' }, { [busy.job]: 'build' }, false],
	['sets an annotation', {}, { [busy.job]: 'build' }, false],
] as const)
	test(`a change that ${what}: ${expected ? 'on the version that it was decided by' : 'whatever was written meanwhile'}`, () =>
		assert.is(overwrites({ labels, annotations }), expected));

test.run();

/**
 * One rulebook: the server and the plugin look at the same pods and find one answer. Is it a runner, where is it
 * registered, does it run a job, is its deletion recorded, and what would become of a deletion? The plugin sees a pod as
 * JSON, or in the few fields that it reads of protobuf; the server always sees the whole of it.
 */
import * as assert from 'uvu/assert';
import { arc, breakGlass, busy, progress, record } from '../../admission/api/keys.ts';
import type { EphemeralRunner, Pod } from '../../admission/api/kinds.ts';
import { decide } from '../../admission/guard/subjects/runner/rules/decide.ts';
import { type Facts, isRunnerPod, readRunnerPod } from '../../admission/runner/runner-pod.ts';
import { scopeKey } from '../../admission/runner/scope.ts';
import { readPodList } from '../../plugin/kube/pod-protobuf.ts';
import { scopeOf } from '../../plugin/runners/identity.ts';
import { deletionRecord, isBusy, isTerminating, stateOf } from '../../plugin/runners/state.ts';
import { layoutOf } from '../../plugin/verbs/doctor/layouts.ts';
import { whyAllowed } from '../../plugin/verbs/why/verdict.ts';
import { runnerDeploymentPod, runnerSetPod } from '../sim/pods.ts';
import { ephemeralRunner, scaleSetPod } from '../sim/scale-set-pods.ts';
import { suite } from '../support/suite.ts';
import { encodePodList } from './plugin/kube/encode-pods.ts';
import { noon, pod, running } from './runner/pods.ts';

const test = suite('one rulebook for the server and the plugin');

const nowMs = noon + 60 * 60_000;
const runs = running();
const long = 'x'.repeat(63);
const scaleSet = (labels: Record<string, string>) => {
	const made = scaleSetPod({ name: 's-1', namespace: 'ci', ownerUid: 'uid-s-1', nodeName: 'node-1' }) as Pod;
	return {
		...made,
		metadata: { ...made.metadata, uid: 'uid-pod', labels: { ...made.metadata.labels, ...labels } },
		status: runs,
	};
};
const orphaned = (labels: Record<string, string>) => {
	const made = scaleSet(labels);
	return { ...made, metadata: { ...made.metadata, ownerReferences: [] } };
};
const made = ephemeralRunner({ name: 's-1', namespace: 'ci' });
const owner: EphemeralRunner = { ...made, metadata: { ...made.metadata, uid: 'uid-s-1' } };
const withJob = { ...owner, status: { jobId: '9', jobDisplayName: 'build' } };
const marks = (annotations: Record<string, string>, labels: Record<string, string> = {}) =>
	pod({ metadata: { annotations, labels: { 'actions-runner': '', ...labels } } });
const onJob = { [busy.label]: 'true' };
const container = (state: object, more: object = {}): Pod['status'] => ({
	phase: 'Running',
	containerStatuses: [{ name: 'runner', state, ...more }],
});

/** Each pod, with the EphemeralRunner that the server finds for it. */
const pods: [what: string, pod: Pod, owner?: EphemeralRunner][] = [
	['ARC: a RunnerSet', { ...(runnerSetPod({ name: 'a-0', namespace: 'ci' }) as Pod), status: runs }],
	[
		'ARC: a RunnerDeployment',
		{ ...(runnerDeploymentPod({ name: 'a-1', namespace: 'ci' }) as Pod), status: runs },
	],
	['organization', pod()],
	['repository', pod({ env: { RUNNER_REPO: 'octo-org/app' } })],
	['enterprise', pod({ env: { RUNNER_ORG: '', RUNNER_ENTERPRISE: 'octo' } })],
	['RUNNER_REPO=app', pod({ env: { RUNNER_REPO: 'app', RUNNER_ORG: '' } })],
	['RUNNER_REPO=app beside an organization', pod({ env: { RUNNER_REPO: 'app' } })],
	['RUNNER_REPO=a/b/c', pod({ env: { RUNNER_REPO: 'a/b/c', RUNNER_ORG: '' } })],
	['RUNNER_REPO=/', pod({ env: { RUNNER_REPO: '/', RUNNER_ORG: '' } })],
	['every scope empty', pod({ env: { RUNNER_ORG: '' } })],
	['static', pod({ env: { RUNNER_EPHEMERAL: 'false' } })],
	[
		'a scope from a Secret',
		pod({
			spec: {
				nodeName: 'node-1',
				containers: [{ name: 'runner', env: [{ name: 'RUNNER_ORG', valueFrom: { secretKeyRef: {} } }] }],
			},
		}),
	],
	[
		'names and places of every shape',
		pod({
			spec: {
				nodeName: 'node-1',
				containers: [
					{
						name: 'runner',
						env: [
							{ name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
							{ name: 'RUNNER_NAME', value: 'prod-$(POD)' },
							{ name: 'RUNNER_ORG', value: 'octo-org' },
							{ name: 'RUNNER_ORG', value: 'octo-$$' },
							{ name: 'RUNNER_ORG', value: 'other' },
							{ name: 'GITHUB_URL', value: 'https://ghes.example/' },
							{ name: 'RUNNER_EPHEMERAL', value: 'yes' },
						],
						envFrom: [{ prefix: 'A_' }],
					},
				],
			},
		}),
	],
	[
		'a name from envFrom',
		pod({
			spec: {
				nodeName: 'node-1',
				containers: [{ name: 'runner', env: [{ name: 'RUNNER_ORG', value: 'o' }], envFrom: [{}] }],
			},
		}),
	],
	['by label alone', pod({ spec: { nodeName: 'node-1', containers: [{ name: 'runner', env: [] }] } })],
	['not a runner: another container', pod({ spec: { containers: [{ name: 'web' }] } })],
	[
		'not a runner: no env, no label',
		pod({ metadata: { labels: {} }, spec: { containers: [{ name: 'runner' }] } }),
	],
	['scale set, its EphemeralRunner there', scaleSet({}), owner],
	['scale set, its EphemeralRunner with a job', scaleSet({}), withJob],
	['scale set, its EphemeralRunner gone', scaleSet({})],
	[
		'scale set, labels of 63 characters, its EphemeralRunner there',
		scaleSet({ 'actions.github.com/organization': long }),
		owner,
	],
	['scale set, an organization of 63 characters', scaleSet({ 'actions.github.com/organization': long })],
	['scale set, a repository of 63 characters', orphaned({ 'actions.github.com/repository': long })],
	[
		'scale set, an organization of 63 characters, no owner',
		orphaned({ 'actions.github.com/organization': long }),
	],
	['scale set without an owner', orphaned({})],
	['never started', pod({ unbound: true, status: { phase: 'Pending' } })],
	['waiting for its image', pod({ status: container({ waiting: { reason: 'ImagePullBackOff' } }) })],
	['running, no status of the container yet', pod({ status: { phase: 'Running' } })],
	['ended', pod({ status: container({ terminated: { exitCode: 0 } }) })],
	['ended, waiting to be restarted', pod({ status: container({ waiting: {} }, { restartCount: 1 }) })],
	[
		'ended before, waiting',
		pod({ status: container({ waiting: {} }, { lastState: { terminated: { exitCode: 1 } } }) }),
	],
	[
		'restarted in place',
		pod({ status: container({ running: { startedAt: '2026-11-23T12:30:00Z' } }, { restartCount: 3 }) }),
	],
	['evicted without a status', pod({ status: { phase: 'Failed' } })],
	['phase Failed, container running', pod({ status: { ...runs, phase: 'Failed' } })],
	['terminating', pod({ metadata: { deletionTimestamp: '2026-11-23T12:00:00Z' } })],
	['busy', marks({ [busy.job]: 'build', [busy.since]: '2026-11-23T12:00:00Z' }, onJob)],
	['busy label with another value', marks({}, { [busy.label]: 'yes' })],
	[
		'busy condition without the label',
		{ ...pod(), status: { ...runs, conditions: [{ type: busy.condition, status: 'True' }] } },
	],
	[
		'a forged busy label before the start',
		pod({ metadata: { labels: { 'actions-runner': '', ...onJob } }, status: { phase: 'Pending' } }),
	],
	[
		'a busy label that was left behind',
		pod({ metadata: { labels: { 'actions-runner': '', ...onJob } }, status: { phase: 'Succeeded' } }),
	],
	['GitHub answered 422', marks({ [progress.refusal]: '2026-11-23T12:30:00Z busy' })],
	['GitHub answered 422 to the one before', marks({ [progress.refusal]: '2026-11-23T11:00:00Z busy' })],
	['GitHub answered 422 to ARC', marks({ [arc.completionWait]: '2026-11-23T12:55:00Z' })],
	[
		'recorded',
		marks({
			[record.requestedBy]: 'alice',
			[record.requestedAt]: '2026-11-23T12:00:00Z',
			[record.proof]: 'signed',
			[record.options]: '{"via":"eviction"}',
		}),
	],
	[
		'recorded, busy',
		marks(
			{
				[record.requestedBy]: 'alice',
				[record.requestedAt]: '2026-11-23T12:00:00Z',
				[record.proof]: 'signed',
			},
			onJob,
		),
	],
	[
		'recorded, options broken',
		marks({ [record.requestedBy]: 'alice', [record.options]: '{oops', [record.proof]: 'signed' }),
	],
	['recorded by somebody else', marks({ [record.requestedBy]: 'alice' })],
	['recorded by nobody', marks({ [record.requestedBy]: '', [record.requestedAt]: '2026-11-23T12:00:00Z' })],
	["ARC's own scale-down", marks({ [arc.requestedAt]: '2026-11-23T12:00:00Z' })],
	['unregistered, as somebody says', marks({ [progress.completedAt]: '2026-11-23T12:30:00Z' })],
	[
		'unregistered, signed',
		marks({
			[progress.runnerId]: '7',
			[progress.completedAt]: '2026-11-23T12:30:00Z',
			[progress.proof]: 'signed',
		}),
	],
	['unregistered before it was started', marks({ [progress.completedAt]: '2026-11-23T11:00:00Z' })],
	['break-glass', marks({ [breakGlass]: 'stuck' }, onJob)],
	['break-glass without a reason', marks({ [breakGlass]: '' }, onJob)],
	['an id that is none', marks({ [progress.runnerId]: 'seven' })],
	['another replica has an attempt', marks({ [progress.attempt]: '2026-11-23T12:59:50Z other' })],
];

for (const [what, whole, er] of pods) {
	test(`${what}: one answer`, () => {
		const server = readRunnerPod(whole, { ephemeralRunner: er });
		const seen = { json: whole, protobuf: readPodList(encodePodList([whole])).pods[0]! };
		for (const [how, object] of Object.entries(seen)) {
			assert.is(isRunnerPod(object), server !== undefined, `${how}: recognised`);
			if (!server) continue;
			assert.equal(comparable(object, er), comparable(whole, er), `${how}: the same pod`);
			agree(object, how, er);
		}
		if (!server) assert.not.ok(layoutOf(whole)?.kind === 'guarded', 'not guarded');
	});
}

/** The plugin has no key, so here the server takes every signature for its own, too. */
const verify: Facts['verify'] = (_statement, given) => given !== undefined;

/** What the model says, in so far as it does not depend on fields that no rule looks at. */
function comparable(object: Pod, er: EphemeralRunner | undefined) {
	return readRunnerPod(object, { ephemeralRunner: er, verify });
}

/** What the plugin shows of a runner is what the guard would do. */
function agree(object: Pod, how: string, er: EphemeralRunner | undefined): void {
	const facts = { ephemeralRunner: er, verify };
	const server = readRunnerPod(object, facts);
	if (!server) throw new Error('a runner pod');
	const decision = decide(server, nowMs, 'server');
	const state = stateOf(object, nowMs, server);

	if (server.scope || server.kind === 'legacy')
		assert.is(scopeOf(object, server), server.scope && scopeKey(server.scope), `${how}: scope`);
	const layout = layoutOf(object, { kind: 'found', value: er ? [er] : [] });
	assert.is(layout?.kind, server.scope ? 'guarded' : 'no-scope', `${how}: what the doctor says`);
	if (decision.kind === 'deny' && decision.reason === 'scope-unknown') assert.is(layout?.kind, 'no-scope');

	assert.equal(deletionRecord(object), server.record, `${how}: record`);
	assert.is(isTerminating(object), server.terminating, `${how}: terminating`);
	assert.is(state === 'stopped', server.process.state === 'exited', `${how}: stopped`);
	const deniedAsBusy = decision.kind === 'deny' && decision.reason === 'busy';
	if (deniedAsBusy) assert.ok(['busy', 'draining'].includes(state), `${how}: ${state}, and denied as busy`);
	if (state === 'busy')
		assert.ok(deniedAsBusy || server.breakGlass, `${how}: busy, and ${JSON.stringify(decision)}`);
	// Only the API server has the EphemeralRunner: without it the pod's own marks speak.
	if (!er)
		assert.is(isBusy(object), deniedAsBusy || (state !== 'stopped' && masksBusy(object)), `${how}: busy`);

	const reason = whyAllowed(object, nowMs).reason;
	if (decision.kind === 'allow') assert.is(reason, decision.reason, `${how}: why it is allowed`);
	if (decision.kind === 'settle') assert.is(reason, 'unregistered', how);
	if (decision.kind === 'ask') assert.ok(['idle', 'unregistered'].includes(reason), `${how}: ${reason}`);
}

/** A rule before "busy" lets it go: terminating, or break-glass. The runner may be busy all the same. */
function masksBusy(object: Pod): boolean {
	const runner = readRunnerPod(object);
	return runner?.breakGlass !== undefined && runner.busyHint !== undefined;
}

test('the pods of this test have every answer', () => {
	const decisions = pods.map(([, whole, er]) => {
		const runner = readRunnerPod(whole, { ephemeralRunner: er, verify });
		if (!runner) return 'not-a-runner';
		const decision = decide(runner, nowMs, 'server');
		return 'reason' in decision ? decision.reason : decision.kind;
	});
	assert.equal([...new Set(decisions)].sort(), [
		'already-terminating',
		'ask',
		'break-glass',
		'busy',
		'never-started',
		'not-a-runner',
		'runner-exited',
		'scope-unknown',
		'settle',
		'starting',
		'unregistering',
	]);
});

test.run();

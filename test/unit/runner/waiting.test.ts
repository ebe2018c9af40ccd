/** Why a runner has not started, in the words of its pod: statuses as kubelet and scheduler of Kubernetes 1.36 write them. */
import * as assert from 'uvu/assert';
import type { Pod } from '../../../admission/api/kinds.ts';
import { waitingReasons } from '../../../admission/api/reasons.ts';
import { trimPod } from '../../../admission/cluster/cache.ts';
import { mostWaitingMessage, vainReasons, waitingOf } from '../../../admission/runner/waiting.ts';
import { suite } from '../../support/suite.ts';
import { pod } from './pods.ts';

const test = suite('why a runner has not started');
type Status = NonNullable<Pod['status']>;

/** As the pod itself says, and as what the leader's cache keeps of it says: both must be the same. */
function read(status: Status, metadata: object = {}) {
	const object = pod({ status, metadata });
	const waiting = waitingOf(object);
	const kept = trimPod(object);
	assert.ok(kept);
	assert.equal(waitingOf(kept), waiting, 'the cache keeps what it is read from');
	return waiting;
}

const scheduled = { type: 'PodScheduled', status: 'True' };
const creating = { waiting: { reason: 'ContainerCreating' } };
const waits = (reason: string, message?: string) => ({ waiting: { reason, ...(message && { message }) } });
const pull =
	'Back-off pulling image "ghcr.io/octo-org/runner:missing": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image "ghcr.io/octo-org/runner:missing": not found';

for (const [what, status, reason, message] of [
	[
		'no node fits',
		{
			phase: 'Pending',
			conditions: [
				{
					type: 'PodScheduled',
					status: 'False',
					reason: 'Unschedulable',
					message:
						'0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 Insufficient cpu. preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.',
				},
			],
		},
		'Unschedulable',
		'Unschedulable: 0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 Insufficient cpu. preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.',
	],
	[
		'held back by a gate',
		{
			phase: 'Pending',
			conditions: [
				{
					type: 'PodScheduled',
					status: 'False',
					reason: 'SchedulingGated',
					message: 'Scheduling is blocked due to non-empty scheduling gates',
				},
			],
		},
		'SchedulingGated',
		'SchedulingGated: Scheduling is blocked due to non-empty scheduling gates',
	],
	[
		'the image does not exist',
		{
			phase: 'Pending',
			conditions: [scheduled],
			containerStatuses: [
				{ name: 'docker', state: creating },
				{ name: 'runner', restartCount: 0, state: waits('ImagePullBackOff', pull) },
			],
		},
		'ImageNotPulled',
		`container runner: ImagePullBackOff: ${pull}`,
	],
	[
		"the sidecar's image does not exist",
		{
			phase: 'Pending',
			conditions: [scheduled],
			containerStatuses: [
				{ name: 'docker', state: waits('ErrImagePull', 'pull access denied') },
				{ name: 'runner', state: creating },
			],
		},
		'ImageNotPulled',
		'container docker: ErrImagePull: pull access denied',
	],
	[
		'a Secret is missing',
		{
			phase: 'Pending',
			conditions: [scheduled],
			containerStatuses: [
				{ name: 'runner', state: waits('CreateContainerConfigError', 'secret "npm" not found') },
			],
		},
		'ContainerNotCreated',
		'container runner: CreateContainerConfigError: secret "npm" not found',
	],
	[
		'an init container crashes',
		{
			phase: 'Pending',
			conditions: [scheduled],
			initContainerStatuses: [
				{
					name: 'prepare',
					restartCount: 3,
					state: waits('CrashLoopBackOff', 'back-off 40s restarting failed'),
				},
			],
			containerStatuses: [{ name: 'runner', state: waits('PodInitializing') }],
		},
		'ContainerCrashes',
		'container prepare: CrashLoopBackOff: back-off 40s restarting failed',
	],
	[
		'it has run, and waits for its next start',
		{
			phase: 'Running',
			containerStatuses: [
				{ name: 'docker', state: waits('CrashLoopBackOff', 'of docker') },
				{ name: 'runner', restartCount: 1, state: waits('CrashLoopBackOff', 'of runner') },
			],
		},
		'ContainerCrashes',
		'container runner: CrashLoopBackOff: of runner',
	],
] as [string, Status, string, string][]) {
	test(`${what}: ${reason}`, () => {
		assert.equal(read(status), { reason, message });
	});
}

for (const [what, status, metadata] of [
	['it has just been made', {}],
	[
		'its image is being pulled',
		{ phase: 'Pending', conditions: [scheduled], containerStatuses: [{ name: 'runner', state: creating }] },
	],
	[
		'it runs, and its sidecar does not',
		{
			phase: 'Running',
			containerStatuses: [
				{ name: 'runner', state: { running: {} } },
				{ name: 'docker', state: waits('CrashLoopBackOff') },
			],
		},
	],
	[
		'it has ended',
		{ phase: 'Failed', containerStatuses: [{ name: 'runner', state: waits('ErrImagePull') }] },
	],
	[
		'it is being deleted',
		{ phase: 'Pending', containerStatuses: [{ name: 'runner', state: waits('ErrImagePull') }] },
		{ deletionTimestamp: '2026-11-23T12:00:00Z' },
	],
] as [string, Status, object?][]) {
	test(`nothing is said where ${what}`, () => {
		assert.is(read(status, metadata), undefined);
	});
}

test('a text of the kubelet is bounded and on one line, whatever a registry has answered', () => {
	const long = `a\u001b[31m\nb${'x'.repeat(100_000)}`;
	const object = pod({
		status: { phase: 'Pending', containerStatuses: [{ name: 'runner', state: waits('ErrImagePull', long) }] },
	});
	const { message = '' } = waitingOf(object) ?? {};
	assert.is(message.length, mostWaitingMessage);
	assert.ok(message.startsWith('container runner: ErrImagePull: a?[31m bxx'), message);
	const kept = trimPod(object);
	assert.ok(kept && JSON.stringify(kept).length < 5_000, 'nor is it kept whole in the cache');
	assert.equal(waitingOf(kept), waitingOf(object));
});

test('each reason of the kubelet is one of ours', () => {
	for (const reason of vainReasons.values()) assert.ok(waitingReasons.includes(reason));
});

test('every reason by which a kubelet says that it has tried in vain, as Kubernetes spells it', () => {
	const reasons = {
		ImageNotPulled:
			'ErrImagePull ImagePullBackOff InvalidImageName ErrImageNeverPull ImageInspectError RegistryUnavailable',
		ContainerNotCreated: 'CreateContainerConfigError CreateContainerError RunContainerError',
		ContainerCrashes: 'CrashLoopBackOff',
	};
	for (const [reason, names] of Object.entries(reasons))
		for (const name of names.split(' ')) {
			const status = { phase: 'Pending', containerStatuses: [{ name: 'runner', state: waits(name) }] };
			assert.is(waitingOf(pod({ status }))?.reason, reason, name);
		}
});

test('of several containers: none where the runner runs, its own where it has run, else the runner first; 50 are read', () => {
	const vain = (name: string) => ({ name, state: waits('ErrImagePull') });
	const starts = { name: 'runner', state: creating };
	const runs = { name: 'runner', state: { running: {} } };
	const of = (phase: string, ...containerStatuses: object[]) =>
		waitingOf({ metadata: { name: 'r1' }, status: { phase, containerStatuses } } as Pod)?.message;
	assert.is(of('Pending', vain('sidecar'), runs), undefined);
	assert.is(of('Running', vain('sidecar'), starts), undefined);
	assert.is(of('Pending', vain('sidecar'), vain('runner')), 'container runner: ErrImagePull');
	const many = Array.from({ length: 50 }, (_, index) => ({ ...starts, name: `c${index}` }));
	assert.is(of('Pending', ...many, vain('last')), undefined);
});

test.run();

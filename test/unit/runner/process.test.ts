import * as assert from 'uvu/assert';
import type { Container, ContainerStatus, Pod } from '../../../admission/api/kinds.ts';
import { trimPod } from '../../../admission/cluster/cache.ts';
import { cannotStart, cannotStartFromMs, readProcess } from '../../../admission/runner/process.ts';
import { suite } from '../../support/suite.ts';
import { noon, pod } from './pods.ts';

const test = suite('the process of the runner');
const minute = 60_000;
const at = (ms: number) => new Date(ms).toISOString();

interface Parts {
	status?: Omit<ContainerStatus, 'name'>;
	phase?: string;
	more?: Partial<NonNullable<Pod['status']>>;
	spec?: Partial<NonNullable<Pod['spec']>>;
	runner?: Partial<Container>;
	others?: Container[];
	unbound?: boolean;
	createdMs?: number;
}

function made({ status, phase, more, spec, runner, others = [], unbound = false, createdMs }: Parts): Pod {
	const base = pod({ unbound });
	const containers = (base.spec?.containers ?? []).map((one) => ({ ...one, ...runner }));
	return {
		...base,
		metadata: {
			...base.metadata,
			...(createdMs === undefined ? {} : { creationTimestamp: at(createdMs) }),
		},
		spec: { ...base.spec, containers: [...containers, ...others], ...spec },
		status: {
			...(phase === undefined ? {} : { phase }),
			...(status ? { containerStatuses: [{ name: 'runner', ...status }] } : {}),
			...more,
		},
	};
}
/** As the pod itself says, and as what the leader's cache keeps of it says: both must be the same. */
function read(parts: Parts) {
	const object = made(parts);
	const process = readProcess(object);
	const kept = trimPod(object);
	assert.ok(kept);
	assert.equal(readProcess(kept), process, 'the cache keeps what the process is read from');
	return process;
}
const starting = (parts: Parts) => {
	const process = read(parts);
	if (process.state !== 'starting') throw new Error(`it is ${process.state}`);
	return process;
};
const waiting = (reason?: string) => ({ state: { waiting: reason === undefined ? {} : { reason } } });
const ended = (exitCode = 0) => ({ state: { terminated: { exitCode, finishedAt: at(noon) } } });
const always = { restartPolicy: 'Always' };

for (const [what, state, parts] of [
	['on no node', 'unbound', { unbound: true, phase: 'Pending' }],
	['on no node, no status at all', 'unbound', { unbound: true }],
	['on a node, no status yet', 'starting', { phase: 'Pending' }],
	['its container is being created', 'starting', { phase: 'Pending', status: waiting('ContainerCreating') }],
	['no state, which means waiting', 'starting', { phase: 'Pending', status: {} }],
	['it runs', 'running', { phase: 'Running', status: { state: { running: { startedAt: at(noon) } } } }],
	['Running, without a status', 'running', { phase: 'Running' }],
	['phase Failed while it runs', 'running', { phase: 'Failed', status: { state: { running: {} } } }],
	['evicted before it started', 'exited', { phase: 'Failed' }],
	['terminated, never restarted', 'exited', { phase: 'Running', status: ended(1) }],
	[
		'... beside a sidecar that goes on',
		'exited',
		{ phase: 'Running', status: ended(), others: [{ name: 'docker' }] },
	],
	['terminated, always restarted', 'starting', { phase: 'Running', status: ended(), spec: always }],
	[
		'... Always is the default',
		'starting',
		{ phase: 'Running', status: ended(), spec: { restartPolicy: undefined } },
	],
	['... but the pod has ended', 'exited', { phase: 'Failed', status: ended(), spec: always }],
	[
		'OnFailure and a failure',
		'starting',
		{ phase: 'Running', status: ended(1), spec: { restartPolicy: 'OnFailure' } },
	],
	[
		'OnFailure and success',
		'exited',
		{ phase: 'Running', status: ended(0), spec: { restartPolicy: 'OnFailure' } },
	],
	[
		'the container has a policy of its own',
		'starting',
		{ phase: 'Running', status: ended(), runner: always },
	],
	[
		'the container has rules',
		'starting',
		{ phase: 'Running', status: ended(), runner: { restartPolicyRules: [{ action: 'Restart' }] } },
	],
	[
		'a rule of another container starts all of them again',
		'starting',
		{
			phase: 'Running',
			status: ended(),
			others: [{ name: 'x', restartPolicyRules: [{ action: 'RestartAllContainers' }] }, { name: 'last' }],
		},
	],
	[
		'... or of an init container',
		'starting',
		{
			phase: 'Running',
			status: ended(),
			spec: { initContainers: [{ name: 'x', restartPolicyRules: [{ action: 'RestartAllContainers' }] }] },
		},
	],
	[
		'a rule of another that restarts itself alone',
		'exited',
		{
			phase: 'Running',
			status: ended(),
			others: [{ name: 'x', restartPolicyRules: [{ action: 'Restart' }] }],
		},
	],
	[
		'waits after a run',
		'starting',
		{
			phase: 'Running',
			status: { ...waiting('CrashLoopBackOff'), lastState: { terminated: { exitCode: 1 } } },
			spec: always,
		},
	],
	[
		'waits, restarted before',
		'starting',
		{ phase: 'Running', status: { ...waiting(), restartCount: 2 }, spec: always },
	],
] as [string, string, Parts][])
	test(`${what}: ${state}`, () => assert.is(read(parts).state, state));

test('it cannot start when the kubelet says why, of it or of an init container before it', () => {
	for (const reason of [
		'ErrImagePull',
		'ImagePullBackOff',
		'CreateContainerConfigError',
		'CrashLoopBackOff',
	]) {
		const own = starting({ phase: 'Pending', status: waiting(reason), createdMs: noon });
		assert.equal([own.failing, cannotStart(own, noon)], [reason, true]);
	}
	const initContainerStatuses = [{ name: 'setup', ...waiting('ImagePullBackOff') }];
	assert.ok(cannotStart(starting({ phase: 'Pending', more: { initContainerStatuses } }), noon));
	const beside = { containerStatuses: [{ name: 'docker', ...waiting('ErrImagePull') }] };
	const after = starting({ phase: 'Pending', more: beside, createdMs: noon });
	assert.not(cannotStart(after, noon), 'the image of another container keeps the runner from nothing');
	for (const reason of ['ContainerCreating', 'PodInitializing', 'SomethingNew'])
		assert.is(starting({ phase: 'Pending', status: waiting(reason) }).failing, undefined);
});

test('... or when nothing has changed for 2 minutes; a time of the future counts as none', () => {
	const conditions = (ms: number, type = 'PodScheduled') => ({
		conditions: [{ type, status: 'True', lastTransitionTime: at(ms) }],
	});
	const of = (more: Parts['more'], createdMs = noon - 60 * minute) =>
		cannotStartFromMs(starting({ phase: 'Pending', createdMs, more }), noon) - noon;
	assert.is(of({}, noon - minute), minute);
	assert.is(of(conditions(noon - minute)), minute);
	assert.is(of(conditions(noon + minute)), -58 * minute, 'a clock that is ahead, or a lie');
	assert.is(of(conditions(noon, 'actions-runner/Busy')), -58 * minute, 'our own');
	const started = { name: 'docker', state: { running: { startedAt: at(noon - 2_000) } } };
	assert.is(of({ containerStatuses: [started] }), 2 * minute - 2_000);
	const done = { name: 'init', state: { terminated: { exitCode: 0, finishedAt: at(noon - 3_000) } } };
	assert.is(of({ initContainerStatuses: [done] }), 2 * minute - 3_000);
	assert.ok(cannotStart({ failing: undefined, changesMs: [], statusLags: false }, noon), 'no time at all');
});

test('the status lags where another container follows it, or its own postStart hook', () => {
	assert.not(starting({ phase: 'Pending' }).statusLags);
	assert.ok(starting({ phase: 'Pending', others: [{ name: 'docker' }] }).statusLags);
	assert.ok(starting({ phase: 'Pending', runner: { lifecycle: { postStart: {} } } }).statusLags);
});

test('a pod with as many statuses as it can hold is read in milliseconds', () => {
	const many = Array.from({ length: 20_000 }, (_, index) => ({ name: `c${index}`, ...waiting() }));
	const object = made({ phase: 'Pending', more: { initContainerStatuses: many, containerStatuses: many } });
	const spent = Array.from({ length: 5 }, () => {
		const before = process.cpuUsage();
		readProcess(object);
		return process.cpuUsage(before).user / 1_000;
	});
	assert.ok(Math.min(...spent) < 10, `${Math.min(...spent)} ms`);
	assert.ok((trimPod(object)?.status?.containerStatuses?.length ?? 0) <= 51);
});

test.run();

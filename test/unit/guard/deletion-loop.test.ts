/** Recorded deletions are completed by the leader, whatever happens meanwhile; nobody has to ask again. */
import * as assert from 'uvu/assert';
import { arc, breakGlass, deletionPendingCondition, progress, record } from '../../../admission/api/keys.ts';
import type { Condition, EphemeralRunner, Pod } from '../../../admission/api/kinds.ts';
import { liveOwner } from '../../../admission/cluster/pod-owner.ts';
import { quietMs } from '../../../admission/guard/rules/policy.ts';
import { type IdleLists, mayAskAgain } from '../../../admission/guard/rules/second-try.ts';
import { readLog } from '../../../admission/jobs/read-log.ts';
import { KubeError } from '../../../admission/kube/client.ts';
import type { RunnerPod } from '../../../admission/runner/runner-pod.ts';
import { suite } from '../../support/suite.ts';
import { runnerPod, running } from '../runner/pods.ts';
import { runnerDeletionLoop } from '../support/guard.ts';
import { paths, World } from '../support/world.ts';

const test = suite('deletion loop');
const minute = 60_000;

const recorded = (options: object = { via: 'delete' }, requestedAt = '2026-11-23T12:00:30Z') => ({
	[record.requestedAt]: requestedAt,
	[record.requestedBy]: 'alice',
	[record.options]: JSON.stringify(options),
});

/** A world with the loop, not yet started. */
function setUp() {
	const world = new World();
	const { parts, api, metrics } = world;
	let looks = 0;
	const confirmed: { busy: boolean; idleLists?: IdleLists } = { busy: true };
	const reconciled = metrics.reconciled.bind(metrics);
	metrics.reconciled = (...facts) => {
		looks += 1;
		reconciled(...facts);
	};
	/** The logs that are followed, by pod: since when they say idle. */
	const followed = {
		idle: new Map<string, number>(),
		asked: new Map<string, () => void>(),
		follow: ({ name }: RunnerPod, onIdle: () => void) => void followed.asked.set(name, onIdle),
		idleSinceMs: ({ name }: RunnerPod) => followed.idle.get(name),
		forgotten: [] as string[],
		forget: (uid: string) => void followed.forgotten.push(uid),
	};
	const loop = runnerDeletionLoop(parts, {
		liveOwner: (pod: Pod) => liveOwner(api, pod, ['runnerset', 'runnerdeployment']),
		busyConfirmed: () => confirmed.busy,
		idleLists: () => confirmed.idleLists,
		readLog: (pod) => readLog(api, pod),
		followedLogs: followed,
	});
	const condition = (name: string) =>
		(world.pod(name)?.status?.conditions as Condition[] | undefined)?.find(
			({ type }) => type === deletionPendingCondition,
		);
	/** Pod example-abcde-0 of the StatefulSet example-abcde of RunnerSet example. */
	const runnerOfSet = (
		{ labels, ...metadata }: Partial<Pod['metadata']> = {},
		...how: [change?: Parameters<World['runner']>[1], atGitHub?: Parameters<World['runner']>[2]]
	) => {
		const name = 'example-abcde';
		const set = {
			apiVersion: 'actions.summerwind.dev/v1alpha1',
			kind: 'RunnerSet',
			name: 'example',
			uid: 'set-1',
		};
		api.put(paths.statefulSets, {
			metadata: { name, namespace: 'ci', uid: 'sts-1', ownerReferences: [set] },
		});
		const [change, atGitHub] = how;
		const made = {
			...change,
			metadata: {
				...metadata,
				labels: { 'actions-runner': '', 'runnerset-name': set.name, ...labels },
				ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name, uid: 'sts-1' }],
			},
		};
		world.runner(`${name}-0`, made, atGitHub);
	};
	return {
		followed,
		world,
		loop,
		confirmed,
		...world,
		condition,
		runnerOfSet,
		/** How long it took, ms; its Events are there afterwards. */
		async gone(name: string, withinMs?: number) {
			const tookMs = await world.clock.until(`${name} is gone`, () => !world.pod(name), withinMs);
			await world.clock.pass(50);
			return tookMs;
		},
		waits: (name: string) => loop.waiting.get(`ci/${name}`)?.reason,
		/** How often the loop has looked at a pod so far. */
		looks: () => looks,
	};
}

test('busy: nothing is sent to GitHub while the job runs; the pod goes when its container has stopped (A1)', async () => {
	const { world, loop, clock, github, condition, gone, waits, looks } = setUp();
	world.runner('r1', { metadata: { annotations: recorded(), labels: { 'actions-runner/busy': 'true' } } });
	await world.start();
	await clock.pass(5_000);
	const before = looks();
	await clock.pass(3 * 60 * minute);
	assert.is(looks(), before, 'only a change of the pod has it looked at again');
	assert.equal([world.deletions('r1').length, github.calls, waits('r1')], [0, [], 'busy']);
	assert.equal([condition('r1')?.status, condition('r1')?.reason], ['True', 'Busy']);
	assert.equal(world.eventsOn('r1'), [], 'a job is nothing to report');
	world.exit('r1');
	assert.ok((await gone('r1')) < 2_000);
	assert.equal([world.eventsOn('r1'), loop.waiting.size], [['Normal DeletionCompleted'], 0]);
	await world.stop(loop);
});
test('a pod of more than 1 MiB of JSON, which lists and watches leave out: its recorded deletion is carried out (invariant 4)', async () => {
	const { world, loop, clock, gone, waits } = setUp();
	const env = { A: '<'.repeat(180_000) };
	world.runner('listed', { env, metadata: { annotations: recorded() } });
	world.runner('busy', { env, metadata: { annotations: recorded() } }, { busy: true });
	await world.start();
	await gone('listed');
	world.runner('watched', { env });
	await clock.pass(1_000);
	world.record('watched');
	await gone('watched');
	assert.is(waits('busy'), 'busy');
	world.exit('busy');
	await gone('busy');
	await world.stop(loop);
});
test('busy, and ARC has it unregistered: no condition is written, for each change of the pod has ARC ask GitHub once more', async () => {
	const { world, loop, clock, condition, waits, looks } = setUp();
	const annotations = { ...recorded(), [arc.requestedAt]: '2026-11-23T12:00:00Z' };
	world.runner('r1', { metadata: { annotations, labels: { 'actions-runner/busy': 'true' } } });
	await world.start();
	await clock.pass(5_000);
	const before = looks();
	await clock.pass(10 * minute);
	assert.is(looks(), before);
	assert.equal([waits('r1'), condition('r1')], ['busy', undefined]);
	assert.is(world.api.callsTo('PATCH', /pods\/r1/).length, 0);
	await world.stop(loop);
});
test('... whatever else it waits for is written, and its log is not followed', async () => {
	const { world, loop, github, condition, followed } = setUp();
	github.failure = { kind: 'github-unavailable', detail: '502' };
	const annotations = { ...recorded(), [arc.requestedAt]: '2026-11-23T12:00:00Z' };
	world.runner('r1', { metadata: { annotations } });
	world.runner('static', { env: { RUNNER_EPHEMERAL: 'false' }, metadata: { annotations: recorded() } });
	await world.start();
	for (const name of ['r1', 'static']) assert.is(condition(name)?.reason, 'GithubUnavailable');
	assert.is(followed.asked.size, 0);
	await world.stop(loop);
});
test('GitHub has answered 422 to ARC for an ephemeral runner, or ARC has had it unregistered: no DELETE is sent', async () => {
	for (const key of [arc.completionWait, arc.completedAt]) {
		const { world, loop, clock, github } = setUp();
		const annotations = { ...recorded(), [key]: '2026-11-23T12:00:30Z' };
		const isBusy = key === arc.completionWait;
		world.runner('r1', { metadata: { annotations } }, isBusy ? { busy: true } : 'unknown');
		await world.start();
		await clock.pass(9 * minute);
		assert.is(github.count('remove'), 0, key);
		await world.stop(loop);
	}
});
test('idle: unregistered once, the proof written, deleted with its UID and as it was asked for (A2)', async () => {
	const { world, loop, github, gone } = setUp();
	world.runner('r1', { metadata: { annotations: recorded({ via: 'delete', gracePeriodSeconds: 5 }) } });
	await world.start();
	await gone('r1');
	assert.is(github.count('remove'), 1);
	assert.equal(
		world.deletions('r1').map(({ body }) => body),
		[{ apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 5, preconditions: { uid: 'uid-r1' } }],
	);
	const written = world.api.callsTo('PATCH', /pods\/r1$/).map(({ body }) => body as Pod);
	assert.ok(written.some(({ metadata }) => metadata.annotations?.[progress.proof]));
	assert.is(github.find('r1'), undefined);
	await world.stop(loop);
});
test('422, and then the job is cancelled before the runner has received it: once two lists and its log say idle, it is asked again', async () => {
	const { world, loop, clock, github, confirmed } = setUp();
	github.register('r1', { busy: true });
	world.runner('r1', { metadata: { annotations: recorded() } }, 'unknown');
	await world.start();
	await clock.until('422', () => world.pod('r1')?.metadata.annotations?.[progress.refusal] !== undefined);
	const answeredMs = clock.now();
	const asked = () => github.count('remove');
	const idleSince = (firstMs: number) => {
		confirmed.idleLists = { firstMs, lastMs: clock.now() };
	};
	await clock.pass(5 * minute);
	assert.is(asked(), 1, 'no list shows it idle');
	idleSince(answeredMs - minute);
	await clock.pass(minute);
	assert.is(asked(), 1, 'the first one is older than the answer');
	idleSince(clock.now() - 30_000);
	await clock.pass(minute);
	assert.is(asked(), 1, 'they are too close to each other');
	world.api.logs.set('ci/r1', '2026-11-23 12:00:30Z: Running job: build\n');
	idleSince(answeredMs + 1_000);
	await clock.pass(minute);
	assert.is(asked(), 1, 'its log says that it works');
	world.api.logs.delete('ci/r1');
	await clock.until('asked again', () => asked() === 2, 2 * minute);
	assert.ok(world.pod('r1'), 'GitHub says 422 again');
	const secondMs = clock.now();
	for (let passed = 0; asked() === 2 && passed < 20; passed++) {
		idleSince(secondMs + 1_000);
		await clock.pass(30_000);
	}
	const pauseMs = clock.now() - secondMs;
	assert.ok(pauseMs >= 4 * minute && pauseMs <= 5 * minute, `the next pause is ${pauseMs} ms`);
	github.set('r1', { busy: false });
	for (let passed = 0; world.pod('r1') && passed < 40; passed++) {
		idleSince(clock.now() - 2 * minute);
		await clock.pass(30_000);
	}
	assert.not(world.pod('r1'), 'GitHub says 204: it goes');
	assert.ok(asked() <= 4);
	await world.stop(loop);
});
test('... never where a source says that it works, or its EphemeralRunner names a job', () => {
	const at = Date.parse('2026-11-23T12:00:00Z');
	const lists = { firstMs: at + 1_000, lastMs: at + 70_000 };
	const pod = { ...runnerPod(), busyAnswer: { atMs: at, to: 'us' as const } };
	const of = (change: Partial<RunnerPod>, answers = 1, nowMs = at + 2 * minute) =>
		mayAskAgain({ ...pod, ...change }, lists, answers, nowMs);
	const signal = { by: 'hook', key: '1', state: 'working', sinceMs: 0, job: { name: 'x' } } as const;
	assert.equal([of({}), of({}, 1, at + 2 * minute - 1)], [true, false]);
	assert.equal([of({}, 2, at + 4 * minute - 1), of({}, 2, at + 4 * minute)], [false, true]);
	assert.equal([of({}, 9, at + 30 * minute - 1), of({}, 9, at + 30 * minute)], [false, true]);
	assert.not(of({ signals: [signal] }));
	assert.not(of({ busyAnswer: { atMs: at, to: 'arc' } }));
	assert.not(of({ ephemeral: false }));
	assert.not(mayAskAgain(pod, undefined, 1, at + minute * 60));
	assert.not(mayAskAgain(pod, { firstMs: at, lastMs: at + 70_000 }, 1, at + minute * 60), 'begun before it');
});
const waitingFor = (reason: string) => ({
	phase: 'Pending',
	containerStatuses: [{ name: 'runner', restartCount: 0, state: { waiting: { reason } } }],
});
test('an eviction recorded while it was on no node is completed as a DELETE, which ends that version or is refused', async () => {
	const { world, loop, gone, github } = setUp();
	const metadata = { annotations: recorded({ via: 'eviction' }) };
	world.runner('r1', { unbound: true, metadata, status: { phase: 'Pending' } }, 'unknown');
	await world.start();
	await gone('r1');
	assert.equal(
		world.deletions('r1').map(({ subresource }) => subresource),
		[undefined],
	);
	assert.equal(github.calls, []);
	await world.stop(loop);
});
test('on a node and not seen to run: it waits, and goes when it is idle', async () => {
	const { world, loop, clock, github, condition, gone, waits } = setUp();
	const metadata = { annotations: recorded(), creationTimestamp: new Date(clock.now()).toISOString() };
	world.runner('r1', { metadata, status: waitingFor('ContainerCreating') }, 'unknown');
	await world.start();
	await clock.pass(100_000);
	assert.equal([github.calls, world.deletions('r1'), waits('r1')], [[], [], 'starting']);
	assert.equal([condition('r1')?.status, condition('r1')?.reason], ['True', 'Starting']);
	github.register('r1');
	world.shows('r1', running('2026-11-23T12:01:40Z'));
	assert.ok((await gone('r1')) < 6_000);
	assert.is(github.count('remove'), 1);
	await world.stop(loop);
});
test('it cannot start: deleted within a second of the kubelet’s word, with one second of grace, without a call to GitHub', async () => {
	const { world, loop, clock, github, gone } = setUp();
	const creationTimestamp = new Date(clock.now()).toISOString();
	const metadata = { annotations: recorded({ via: 'delete', gracePeriodSeconds: 60 }), creationTimestamp };
	world.runner('r1', { metadata, status: waitingFor('ContainerCreating') }, 'unknown');
	await world.start();
	await clock.pass(10_000);
	assert.equal(world.deletions('r1'), []);
	world.shows('r1', waitingFor('ErrImagePull'));
	assert.ok((await gone('r1')) < 3_000);
	const [deletion] = world.deletions('r1');
	assert.is((deletion?.body as { gracePeriodSeconds?: number } | undefined)?.gracePeriodSeconds, 1);
	assert.equal(github.calls, []);
	assert.equal(world.eventsOn('r1'), ['Normal DeletionCompleted']);
	await world.stop(loop);
});
test('nothing has changed for two minutes: it counts as one that cannot start', async () => {
	const { world, loop, clock, gone } = setUp();
	const metadata = { annotations: recorded(), creationTimestamp: new Date(clock.now()).toISOString() };
	world.runner('r1', { metadata, status: waitingFor('ContainerCreating') }, 'unknown');
	await world.start();
	const tookMs = await gone('r1');
	assert.ok(tookMs > 115_000 && tookMs < 125_000, `${tookMs} ms`);
	await world.stop(loop);
});
test('... but where another container follows it, GitHub’s list must lack it, or show an earlier pod’s', async () => {
	for (const [status, goes] of [
		['online', false],
		['offline', true],
		[undefined, true],
	] as const) {
		const { world, loop, clock, github } = setUp();
		const spec = world.lagging('r1');
		if (status) github.register('r1', { status });
		world.runner(
			'r1',
			{ spec, metadata: { annotations: recorded() }, status: waitingFor('ErrImagePull') },
			'unknown',
		);
		await world.start();
		await clock.pass(10_000);
		assert.is(
			world.pod('r1')?.metadata.deletionTimestamp !== undefined || !world.pod('r1'),
			goes,
			`${status}`,
		);
		assert.ok(github.count('list') > 0);
		assert.is(github.count('remove'), 0);
		await world.stop(loop);
	}
});
test('GitHub says 422: an ephemeral runner is not asked about again in its whole life (invariant 5)', async () => {
	const { world, loop, clock, github, gone } = setUp();
	world.runner('r1', { metadata: { annotations: recorded() } }, { busy: true });
	await world.start();
	await clock.pass(2 * 60 * minute);
	assert.equal([github.count('remove'), world.deletions('r1').length], [1, 0]);
	world.exit('r1');
	await gone('r1', minute);
	assert.is(github.count('remove'), 1);
	await world.stop(loop);
});
test('GitHub says 422: a static runner is tried at most every 30 s, and goes when it is idle (invariant 5)', async () => {
	const { world, loop, clock, github, gone } = setUp();
	const env = { RUNNER_EPHEMERAL: 'false' };
	world.runner('r1', { env, metadata: { annotations: recorded() } }, { busy: true });
	await world.start();
	await clock.pass(10 * minute);
	const asked = github.count('remove');
	assert.ok(asked >= 15 && asked <= 21, `${asked} calls in 10 min`);
	assert.is(world.deletions('r1').length, 0);
	github.set('r1', { busy: false });
	assert.ok((await gone('r1')) <= 40_000);
	await world.stop(loop);
});
test('not registered yet: looked for every 10 s, given up after 10 min (A7)', async () => {
	const { world, loop, clock, github, gone, waits } = setUp();
	world.runner('r1', { metadata: { annotations: recorded() } }, 'unknown');
	await world.start();
	await clock.pass(8 * minute);
	assert.equal([waits('r1'), world.deletions('r1').length], ['registering', 0]);
	const lists = github.count('list');
	assert.ok(lists >= 40 && lists <= 60, `${lists} lists in 8 min`);
	assert.equal(world.eventsOn('r1'), []);
	const tookMs = await gone('r1');
	assert.ok(clock.now() >= Date.parse('2026-11-23T12:10:00Z'), `${tookMs} ms after 8 min`);
	await world.stop(loop);
});
test('a runner that has not registered 10 min after its start goes when two lists, a minute apart, lack it (A7)', async () => {
	const { world, loop, clock, github, waits } = setUp();
	world.runner('r1', { metadata: { annotations: recorded() } }, 'unknown'); // has run since 12:00, it is 12:01
	await world.start();
	await clock.pass(8 * minute + 58_000);
	assert.equal([waits('r1'), world.deletions('r1').length], ['registering', 0]);
	const tookMs = await clock.until('it goes', () => world.deletions('r1').length > 0, 3 * minute);
	assert.ok(tookMs >= 60_000 && tookMs < 90_000, `${tookMs} ms after the ten minutes`);
	assert.is(github.count('remove'), 0);
	await world.stop(loop);
});
test('a static runner that GitHub had and lists no more goes at once, though its 204 was lost', async () => {
	const { world, loop, github, gone } = setUp();
	const env = { RUNNER_EPHEMERAL: 'false' };
	world.runner('r1', { env, metadata: { annotations: { ...recorded(), ...world.listed('r1', 1) } } });
	github.leave('r1');
	await world.start();
	await gone('r1', 10_000);
	await world.stop(loop);
});
test('an ephemeral runner that GitHub had and lists no more goes a minute later, and a list that shows it again begins anew', async () => {
	const { world, loop, clock, github, gone, waits } = setUp();
	const annotations = () => ({ ...recorded(), ...world.listed('r1', 1) });
	world.runner('r1', { metadata: { annotations: annotations() } });
	github.leave('r1');
	await world.start();
	await clock.pass(30_000);
	assert.equal([waits('r1'), github.count('remove')], ['unregistering', 1]);
	await gone('r1', 2 * minute);
	assert.is(github.count('remove'), 1, 'a look into the list is enough then');
	await world.stop(loop);
});
test('a runner that registers while it is waited for is unregistered then, and goes (A7)', async () => {
	const { world, loop, clock, github, gone } = setUp();
	world.runner('r1', { metadata: { annotations: recorded() } }, 'unknown');
	await world.start();
	await clock.pass(2 * minute);
	github.register('r1');
	assert.ok((await gone('r1')) < 15_000);
	assert.is(github.count('remove'), 1);
	await world.stop(loop);
});
for (const [kind, slowestMs] of [
	['github-unavailable', 12_500 + 3_000],
	['rate-limited', 12_500 + 3_000],
	['credentials-invalid', 37_500 + 3_000],
	['forbidden', 37_500 + 3_000],
] as const)
	test(`${kind}: nothing goes, the reason is shown once, and it goes on by itself when that is over (F1, F3, F4, F5)`, async () => {
		const { world, loop, clock, github, condition, gone, waits } = setUp();
		github.failure = { kind, detail: 'as GitHub said' };
		world.runner('r1', { metadata: { annotations: recorded() } });
		await world.start();
		await clock.pass(10 * minute);
		assert.equal([waits('r1'), world.deletions('r1').length, condition('r1')?.status], [kind, 0, 'True']);
		const reason = condition('r1')?.reason;
		assert.equal(world.eventsOn('r1'), [`Warning DeletionWaits${reason}`]);
		assert.is(github.count('remove'), 0, 'the account knows that it cannot be asked');
		github.failure = undefined;
		assert.ok((await gone('r1')) <= slowestMs);
		await world.stop(loop);
	});
test('GitHub is back: all that waited for it goes on within 2 s, those that wait for a job do not (F5)', async () => {
	const { world, loop, clock, github, gone, waits } = setUp();
	github.failure = { kind: 'credentials-invalid', detail: '401' };
	for (const name of ['r1', 'r2', 'r3']) world.runner(name, { metadata: { annotations: recorded() } });
	world.runner('r4', { metadata: { annotations: recorded(), labels: { 'actions-runner/busy': 'true' } } });
	await world.start();
	await clock.pass(31_000);
	github.failure = undefined;
	loop.retryGitHub();
	// 2 s at most until GitHub is asked, 2 s of the quiet period, and the calls.
	for (const name of ['r1', 'r2', 'r3']) await gone(name, 4_500);
	assert.equal([waits('r4'), github.count('remove')], ['busy', 3]);
	await world.stop(loop);
});
test('taken back: what is no longer recorded is not deleted, and does not count as waiting', async () => {
	const { world, loop, clock, gone } = setUp();
	world.runner('r1', { metadata: { annotations: recorded(), labels: { 'actions-runner/busy': 'true' } } });
	await world.start();
	world.edit('r1', { annotations: Object.fromEntries(Object.values(record).map((key) => [key, null])) });
	await clock.pass(1_000);
	assert.is(loop.waiting.size, 0);
	world.exit('r1');
	await clock.pass(10 * minute);
	assert.is(world.deletions('r1').length, 0);
	world.record('r1');
	await gone('r1', minute);
	await world.stop(loop);
});
test('taken back while its next try is due: GitHub is not asked, nothing is recorded, and the pod stays', async () => {
	const { world, loop, clock, github } = setUp();
	github.failure = { kind: 'github-unavailable', detail: '502' };
	world.runner('r1', { metadata: { annotations: recorded() } });
	await world.start();
	await clock.pass(1_000);
	world.edit('r1', { annotations: Object.fromEntries(Object.values(record).map((key) => [key, null])) });
	github.failure = undefined;
	await clock.pass(10 * minute);
	assert.equal([github.count('remove'), world.deletions('r1').length], [0, 0]);
	assert.is(world.annotations('r1')[record.requestedBy], undefined);
	await world.stop(loop);
});
test('taken back and recorded once more: the pod says once more why it waits', async () => {
	const { world, loop, clock, api, condition } = setUp();
	world.runner('r1', { metadata: { annotations: recorded(), labels: { 'actions-runner/busy': 'true' } } });
	await world.start();
	assert.is(condition('r1')?.reason, 'Busy');
	world.edit('r1', { annotations: Object.fromEntries(Object.values(record).map((key) => [key, null])) });
	await clock.pass(100);
	api.update<Pod>(paths.pods, 'r1', 'ci', ({ status }) => void delete status?.conditions);
	world.record('r1');
	await clock.pass(100);
	assert.is(condition('r1')?.reason, 'Busy');
	await world.stop(loop);
});
test('a record that somebody has changed is none any longer, and does not wait', async () => {
	const { world, loop, clock, waits } = setUp();
	world.runner('r1', { metadata: { annotations: recorded(), labels: { 'actions-runner/busy': 'true' } } });
	await world.start();
	assert.is(waits('r1'), 'busy');
	world.edit('r1', { annotations: { [record.requestedBy]: 'bob' } });
	await clock.pass(100);
	assert.equal([waits('r1'), loop.waiting.size], [undefined, 0]);
	await world.stop(loop);
});
test('one of its annotations is taken away: nobody carries it out, and that is said once', async () => {
	for (const key of Object.values(record)) {
		const { world, loop, clock, waits, lines } = setUp();
		world.runner('r1', { metadata: { annotations: recorded(), labels: { 'actions-runner/busy': 'true' } } });
		await world.start();
		assert.is(waits('r1'), 'busy');
		world.edit('r1', { annotations: { [key]: null } });
		await clock.pass(1_000);
		assert.equal([waits('r1'), world.eventsOn('r1')], [undefined, ['Warning DeletionRecordInvalid']], key);
		world.edit('r1', { labels: { team: 'a' } });
		await clock.pass(10 * minute);
		assert.is(lines.filter((line) => line.includes('not carried out')).length, 1, 'once');
		world.edit('r1', { annotations: Object.fromEntries(Object.values(record).map((one) => [one, null])) });
		await clock.pass(1_000);
		assert.equal(world.eventsOn('r1'), ['Warning DeletionRecordInvalid']);
		assert.is(world.deletions('r1').length, 0);
		await world.stop(loop);
	}
});
test('gone when its next try is due: that is no error', async () => {
	const { world, loop, clock, api, github, lines } = setUp();
	github.failure = { kind: 'github-unavailable', detail: '502' };
	world.runner('r1', { metadata: { annotations: recorded() } });
	await world.start();
	await clock.pass(1_000);
	api.drop(paths.pods, 'r1', 'ci');
	await clock.pass(minute);
	assert.equal(
		lines.filter((line) => line.includes('retrying')),
		[],
	);
	await world.stop(loop);
});
test('the log of a static runner is followed as long as its deletion is recorded', async () => {
	const { world, loop, clock, api, followed } = setUp();
	for (const name of ['cancelled', 'terminating', 'gone'])
		world.runner(name, {
			env: { RUNNER_EPHEMERAL: 'false' },
			metadata: { annotations: recorded(), labels: { 'actions-runner/busy': 'true' } },
		});
	await world.start();
	world.edit('cancelled', { labels: { team: 'a' } });
	await clock.pass(100);
	assert.equal(followed.forgotten, []);
	world.edit('cancelled', {
		annotations: Object.fromEntries(Object.values(record).map((key) => [key, null])),
	});
	api.update(paths.pods, 'terminating', 'ci', ({ metadata }) => {
		metadata.deletionTimestamp = '2026-11-23T12:02:00Z';
	});
	api.drop(paths.pods, 'gone', 'ci');
	await clock.pass(100);
	assert.equal(new Set(followed.forgotten), new Set(['uid-cancelled', 'uid-terminating', 'uid-gone']));
	await world.stop(loop);
});
test('GitHub is back: an eviction that somebody’s budget refuses is tried again as well', async () => {
	const { world, loop, clock, api, waits } = setUp();
	const refusal = new KubeError(429, 'TooManyRequests', 'Cannot evict pod', ['DisruptionBudget']);
	api.fail('POST', /eviction$/, refusal, 100);
	world.runner('r1', { metadata: { annotations: recorded({ via: 'eviction' }) } });
	world.exit('r1');
	await world.start();
	await clock.pass(100);
	assert.is(waits('r1'), 'disruption-budget');
	const before = world.deletions('r1').length;
	loop.retryGitHub();
	await clock.pass(2_100);
	assert.is(world.deletions('r1').length, before + 1);
	await world.stop(loop);
});
test('what nobody asked for is left alone', async () => {
	const { world, loop, clock, github } = setUp();
	world.runner('r1');
	world.runner('r2');
	world.exit('r2');
	await world.start();
	await clock.pass(60 * minute);
	assert.equal([world.deletions('r1').length + world.deletions('r2').length, github.calls], [0, []]);
	await world.stop(loop);
});
test('an eviction is completed as an eviction: a disruption budget of the user’s has its say (B7)', async () => {
	const { world, loop, clock, api, gone, waits } = setUp();
	api.put(paths.budgets, {
		metadata: { name: 'theirs', namespace: 'ci' },
		spec: { minAvailable: 1, selector: { matchLabels: { 'actions-runner': '' } } },
	} as never);
	world.runner('r1', { metadata: { annotations: recorded({ via: 'eviction' }) } });
	await world.start();
	await clock.pass(minute);
	assert.is(waits('r1'), 'disruption-budget');
	assert.equal(world.eventsOn('r1'), ['Warning DeletionWaitsDisruptionBudget']);
	const tries = world.deletions('r1').length;
	assert.ok(tries >= 10 && tries <= 14, `${tries} evictions in a minute`);
	api.drop(paths.budgets, 'theirs', 'ci');
	assert.ok((await gone('r1')) < 7_000);
	assert.ok(world.deletions('r1').every(({ subresource }) => subresource === 'eviction'));
	await world.stop(loop);
});
test('somebody else’s new pod of that name is not deleted in its place', async () => {
	const { world, loop, clock, api, lines } = setUp();
	world.runner('r1', { metadata: { annotations: recorded(), labels: { 'actions-runner/busy': 'true' } } });
	await world.start();
	// The pod is replaced between the look and the DELETE.
	const slow = api.fail('DELETE', /pods\/r1$/, { delayMs: 2_000 });
	world.exit('r1');
	await clock.pass(500);
	api.drop(paths.pods, 'r1', 'ci');
	world.runner('r1', { metadata: { uid: 'uid-new' } });
	await clock.pass(5 * minute);
	slow();
	assert.equal(
		[world.pod('r1')?.metadata.uid, world.pod('r1')?.metadata.deletionTimestamp],
		['uid-new', undefined],
	);
	assert.is(loop.waiting.size, 0);
	assert.equal(
		lines.filter((line) => line.startsWith('warn')),
		[],
		'that is no failure',
	);
	await world.stop(loop);
});
test('a pod that was replaced while nothing could be watched waits no longer, and its successor is left alone', async () => {
	const { world, loop, clock, api } = setUp();
	world.runner('r1', { metadata: { annotations: recorded(), labels: { 'actions-runner/busy': 'true' } } });
	await world.start();
	await clock.pass(1_000);
	api.breakWatches();
	api.drop(paths.pods, 'r1', 'ci');
	world.runner('r1', { metadata: { uid: 'uid-new' } });
	api.compact();
	await clock.pass(minute);
	assert.equal([loop.waiting.size, world.deletions('r1').length], [0, 0]);
	await world.stop(loop);
});
test('the API server fails: tried again until it is done (invariant 10)', async () => {
	const { world, loop, api, gone, lines } = setUp();
	world.runner('r1', { metadata: { annotations: recorded() } });
	api.fail('DELETE', /pods\/r1$/, new KubeError(500, '', 'etcd'), 3);
	await world.start();
	assert.ok((await gone('r1')) < 10_000);
	assert.is(
		lines.filter((line) => line === 'warn recorded deletion could not be carried out, retrying').length,
		3,
	);
	assert.is(
		api.callsTo('GET', /pods\/r1$/).length,
		4,
		'it is read before each try; whether it is another one by now is asked only after a 409',
	);
	await world.stop(loop);
});
test('a 409 that is not about the UID is no end: it is tried again', async () => {
	const { world, loop, api, gone } = setUp();
	world.runner('r1', { metadata: { annotations: recorded() } });
	api.fail('DELETE', /pods\/r1$/, new KubeError(409, 'Conflict', 'refused by a webhook'), 2);
	await world.start();
	await gone('r1', minute);
	await world.stop(loop);
});
test('gone already when it is to be deleted: done', async () => {
	const { world, loop, clock, api, lines } = setUp();
	world.runner('r1', { metadata: { annotations: recorded() } });
	api.admission.push(({ operation }) => {
		if (operation !== 'DELETE') return undefined;
		api.drop(paths.pods, 'r1', 'ci');
		return new KubeError(404, 'NotFound', 'gone');
	});
	await world.start();
	await clock.pass(3_000);
	assert.equal([loop.waiting.size, lines.filter((line) => line.startsWith('warn'))], [0, []]);
	assert.equal(world.eventsOn('r1'), []);
	await world.stop(loop);
});
test('the node is gone for 60 s: the job is lost, and the pod is let go with a warning', async () => {
	const { world, loop, clock, api, gone, looks } = setUp();
	world.runner('r1', { metadata: { annotations: recorded(), labels: { 'actions-runner/busy': 'true' } } });
	await world.start();
	await clock.pass(minute);
	api.drop(paths.nodes, 'node-1');
	await clock.pass(1_000);
	assert.ok(world.annotations('r1')[progress.nodeGoneSince], 'it is written down for the next leader');
	const before = looks();
	const tookMs = await gone('r1');
	assert.ok(looks() - before < 5, `looked at ${looks() - before} times, not only when the time is over`);
	assert.ok(tookMs >= 58_000 && tookMs < 65_000, `${tookMs} ms`);
	assert.ok(world.eventsOn('r1').includes('Warning NodeGone'));
	await world.stop(loop);
});
test('a node that comes back within the 60 s takes nothing away', async () => {
	const { world, loop, clock, api, lines } = setUp();
	world.runner('r1', { metadata: { annotations: recorded(), labels: { 'actions-runner/busy': 'true' } } });
	await world.start();
	api.drop(paths.nodes, 'node-1');
	await clock.pass(40_000);
	api.put(paths.nodes, { metadata: { name: 'node-1' } });
	await clock.pass(10 * minute);
	assert.equal(
		[world.deletions('r1').length, world.annotations('r1')[progress.nodeGoneSince]],
		[0, undefined],
	);
	const missing = lines.filter((line) => line.startsWith('warn the node of a runner is missing'));
	assert.is(missing.length, 1, 'that it is missing is logged, that it is back is not');
	await world.stop(loop);
});
test('a leader that takes over counts the node’s absence from when the one before it had seen it', async () => {
	const { world, loop, clock, api, gone } = setUp();
	api.drop(paths.nodes, 'node-1');
	const since = world.nodeGone('r1', clock.now() - 50_000);
	world.runner('r1', {
		metadata: { annotations: { ...recorded(), ...since }, labels: { 'actions-runner/busy': 'true' } },
	});
	await world.start();
	const tookMs = await gone('r1');
	assert.ok(tookMs <= 13_000, `${tookMs} ms`);
	await world.stop(loop);
});
test('a busy static runner on a missing node goes when the 60 s are over, not when GitHub is next asked about its job', async () => {
	const { world, loop, clock, api, gone, waits } = setUp();
	api.drop(paths.nodes, 'node-1');
	const since = world.nodeGone('r1', clock.now() - 45_000);
	const env = { RUNNER_EPHEMERAL: 'false' };
	world.runner('r1', { env, metadata: { annotations: { ...recorded(), ...since } } }, { busy: true });
	await world.start();
	await clock.pass(1_000);
	assert.is(waits('r1'), 'busy');
	const tookMs = await gone('r1');
	assert.ok(tookMs <= 15_000, `${tookMs} ms`);
	await world.stop(loop);
});
test('a new leader that knows the nodes after the pods notices all the same that one is gone', async () => {
	const { world, loop, clock, api, gone } = setUp();
	api.drop(paths.nodes, 'node-1');
	const since = world.nodeGone('r1', clock.now() - 50_000);
	const pending = {
		type: deletionPendingCondition,
		status: 'True',
		reason: 'Busy',
		message: 'it runs a job',
	};
	const made = world.runner('r1', {
		metadata: { annotations: { ...recorded(), ...since }, labels: { 'actions-runner/busy': 'true' } },
	});
	api.put(paths.pods, { ...made, status: { ...made.status, conditions: [pending] } });
	api.fail('GET', /nodes$/, { delayMs: 3_000 }, 1);
	await world.start();
	const tookMs = await gone('r1');
	assert.ok(tookMs <= 13_000, `${tookMs} ms`);
	await world.stop(loop);
});
test('a namespace that is being deleted: its runners count as asked for, idle ones go, busy ones first end (G3)', async () => {
	const { world, loop, clock, api, gone } = setUp();
	world.runner('idle');
	world.runner('busy', { metadata: { labels: { 'actions-runner/busy': 'true' } } });
	await world.start();
	api.update(paths.namespaces, 'ci', undefined, ({ metadata }) => {
		metadata.deletionTimestamp = clock.iso();
	});
	await gone('idle', 10_000);
	await clock.pass(30 * minute);
	assert.ok(world.pod('busy'));
	assert.is(
		world.annotations('busy')[record.requestedBy],
		'system:serviceaccount:kube-system:namespace-controller',
	);
	world.exit('busy');
	await gone('busy', minute);
	await world.stop(loop);
});
test('an exited runner whose StatefulSet stands is left to its set, and deleted when that is gone (D1, invariant 6)', async () => {
	const { world, loop, clock, api, gone, waits, runnerOfSet } = setUp();
	runnerOfSet({ annotations: recorded(), labels: { 'actions-runner/busy': 'true' } });
	await world.start();
	world.exit('example-abcde-0');
	await clock.pass(minute);
	assert.equal([waits('example-abcde-0'), world.deletions('example-abcde-0').length], ['owner-leaving', 0]);
	api.drop(paths.statefulSets, 'example-abcde', 'ci');
	assert.ok((await gone('example-abcde-0')) < 3_000);
	await world.stop(loop);
});
type Owned = ReturnType<typeof setUp>;
for (const [what, made] of [
	['idle', (_: Owned): Parameters<Owned['runnerOfSet']> => [{ annotations: recorded() }]],
	[
		'on no node yet',
		(): Parameters<Owned['runnerOfSet']> => [
			{ annotations: recorded() },
			{ unbound: true, status: { phase: 'Pending' } },
			'unknown',
		],
	],
	[
		'on a node that is gone',
		({ world, clock, api }: Owned): Parameters<Owned['runnerOfSet']> => {
			api.drop(paths.nodes, 'node-1');
			const since = world.nodeGone('example-abcde-0', clock.now() - 50_000);
			return [{ annotations: { ...recorded(), ...since } }];
		},
	],
	[
		'asked for by an eviction, with its grace period',
		(): Parameters<Owned['runnerOfSet']> => [
			{ annotations: recorded({ via: 'eviction', gracePeriodSeconds: 7 }) },
		],
	],
] as const)
	test(`${what}, and its StatefulSet would make it again: that is deleted first (invariants 6, 7)`, async () => {
		const owned = setUp();
		const { world, loop, api, gone } = owned;
		owned.runnerOfSet(...made(owned));
		await world.start();
		await gone('example-abcde-0', 30_000);
		const deleted = api.calls
			.filter(({ method, subresource }) => method === 'DELETE' || subresource === 'eviction')
			.map(({ name, body }) => {
				const { deleteOptions = body } = body as { deleteOptions?: unknown };
				const { preconditions, gracePeriodSeconds, dryRun } = deleteOptions as Record<string, object>;
				return [name, preconditions, gracePeriodSeconds, dryRun];
			});
		const [pod, owner] = [{ uid: 'uid-example-abcde-0' }, { uid: 'sts-1' }];
		const isEviction = what.includes('eviction');
		const graceSeconds = isEviction ? 7 : undefined;
		assert.equal(deleted, [
			...(isEviction ? [['example-abcde-0', pod, 7, ['All']]] : []),
			['example-abcde', owner, undefined, undefined],
			['example-abcde-0', pod, graceSeconds, undefined],
		]);
		await world.stop(loop);
	});
test('a Runner that --cascade=orphan left would make it again: that is deleted first, but not for a static one', async () => {
	const { world, loop, api, gone } = setUp();
	const labels = { 'runner-deployment-name': 'example', 'runner-template-hash': 'h1' };
	for (const [name, ephemeral] of [
		['example-abcde', 'true'],
		['example-static', 'false'],
	] as const) {
		api.put(paths.runners, { metadata: { name, namespace: 'ci', uid: `owner-${name}`, labels } });
		const ownerReferences = [
			{ apiVersion: 'actions.summerwind.dev/v1alpha1', kind: 'Runner', name, uid: `owner-${name}` },
		];
		const podLabels = { 'actions-runner': '', 'runner-deployment-name': 'example' };
		world.runner(name, {
			env: { RUNNER_EPHEMERAL: ephemeral },
			metadata: { annotations: recorded(), labels: podLabels, ownerReferences },
		});
	}
	await world.start();
	await gone('example-abcde', 30_000);
	await gone('example-static', 30_000);
	assert.equal(
		[...api.each(paths.runners)].map(({ metadata }) => metadata.name),
		['example-static'],
	);
	await world.stop(loop);
});
test('an eviction that a disruption budget refuses leaves the StatefulSet in place (B7)', async () => {
	const { world, loop, clock, api, gone, waits, runnerOfSet } = setUp();
	api.put(paths.budgets, {
		metadata: { name: 'theirs', namespace: 'ci' },
		spec: { minAvailable: 1, selector: { matchLabels: { 'actions-runner': '' } } },
	} as never);
	runnerOfSet({ annotations: recorded({ via: 'eviction' }) });
	await world.start();
	await clock.pass(minute);
	assert.is(waits('example-abcde-0'), 'disruption-budget');
	assert.ok(api.find(paths.statefulSets, 'example-abcde', 'ci'));
	api.drop(paths.budgets, 'theirs', 'ci');
	await gone('example-abcde-0', 7_000);
	assert.not(api.find(paths.statefulSets, 'example-abcde', 'ci'));
	await world.stop(loop);
});
test('just let go in an admission: the caller’s own DELETE is waited for, 2 s from the 204', async () => {
	const { world, loop, clock, gone } = setUp();
	const unregistered = world.unregistered('r1', 1, clock.now() - 500);
	world.runner('r1', { metadata: { annotations: { ...recorded(), ...unregistered } } });
	await world.start();
	await clock.pass(1_000);
	assert.is(world.deletions('r1').length, 0);
	for (const team of ['a', 'b']) {
		world.edit('r1', { labels: { team } });
		await clock.pass(1_000);
	}
	assert.ok((await gone('r1')) < 2_000, 'other changes of the pod make the wait no longer');
	assert.is(world.deletions('r1').length, 1);
	await world.stop(loop);
});
test('an exchange that an admission began is its caller’s to finish: ours joins it and then waits 2 s', async () => {
	const { world, loop, clock, github, gone } = setUp();
	const attempt = { [progress.attempt]: `${clock.iso(1_000)} leader` };
	world.runner('r1', { metadata: { annotations: { ...recorded(), ...attempt } } });
	await world.start();
	await clock.until('GitHub is asked', () => github.count('remove') === 1);
	await clock.pass(3_000);
	assert.is(world.deletions('r1').length, 0);
	await gone('r1', 5_000);
	await world.stop(loop);
});
test('a watch that lags: the pod is deleted once, and that is reported once', async () => {
	const { world, loop, clock, gone } = setUp();
	const busyAndRecorded = { annotations: recorded(), labels: { 'actions-runner/busy': 'true' } };
	world.runner('r1', { metadata: { ...busyAndRecorded, finalizers: ['test/hold'] } });
	world.runner('r2', { metadata: busyAndRecorded });
	await world.start();
	for (const name of ['r1', 'r2']) world.exit(name);
	await clock.pass(0);
	const catchUp = world.api.holdWatches(paths.pods);
	world.edit('r1', { labels: { 'actions-runner': '', team: 'a' } });
	const calls = () => ['r1', 'r2'].map((name) => world.deletions(name).length);
	const completed = () => world.lines.filter((line) => line === 'info recorded deletion completed').length;
	await clock.pass(1_000);
	catchUp(1); // the label: a change of the time before
	// Changes of the node cause another reconcile.
	for (let time = 0; time < 4; time++) {
		await clock.pass(1_000);
		world.api.drop(paths.nodes, 'node-1');
		await clock.pass(1_000);
		world.api.put(paths.nodes, { metadata: { name: 'node-1' } });
	}
	await clock.pass(1_000);
	assert.equal([calls(), completed(), loop.waiting.size], [[1, 1], 2, 0]);
	catchUp();
	await gone('r2');
	await clock.pass(minute);
	assert.equal([calls(), completed(), loop.waiting.size], [[1, 1], 2, 0]);
	await world.stop(loop);
});
test('... and again where nothing has come of it for 30 s', async () => {
	const { world, loop, clock } = setUp();
	world.runner('r1', { metadata: { annotations: recorded(), labels: { 'actions-runner/busy': 'true' } } });
	await world.start();
	world.exit('r1');
	await clock.pass(0);
	world.api.holdWatches(paths.pods);
	await clock.pass(29_000);
	assert.is(world.deletions('r1').length, 1);
	await clock.pass(3_000);
	assert.is(world.deletions('r1').length, 2);
	await world.stop(loop);
});
test('another replica asks GitHub: waited for as long as its attempt lasts, then asked ourselves', async () => {
	const { world, loop, clock, github, gone, waits } = setUp();
	const attempt = { [progress.attempt]: `${clock.iso(1_000)} crashed-replica` };
	world.runner('r1', { metadata: { annotations: { ...recorded(), ...attempt } } });
	await world.start();
	await clock.pass(20_000);
	assert.equal([waits('r1'), github.count('remove')], ['unregistering', 0]);
	await gone('r1', 40_000);
	assert.is(github.count('remove'), 1);
	await world.stop(loop);
});
test('break-glass on an idle one: the loop deletes it because GitHub has unregistered it', async () => {
	const { world, loop, api, gone } = setUp();
	world.runner('r1', { metadata: { annotations: { ...recorded(), [breakGlass]: 'INC-1' } } });
	await world.start();
	await gone('r1');
	const messages = api.all(paths.events).map((event) => (event as unknown as { message: string }).message);
	assert.equal(messages.length, 1);
	assert.match(messages[0] ?? '', /: GitHub has unregistered it$/);
	await world.stop(loop);
});
test('break-glass is for a person’s own DELETE: the loop keeps a busy runner all the same', async () => {
	const { world, loop, clock } = setUp();
	world.runner('r1', {
		metadata: {
			annotations: { ...recorded(), 'actions-runner/break-glass': 'node is burning' },
			labels: { 'actions-runner/busy': 'true' },
		},
	});
	await world.start();
	await clock.pass(10 * minute);
	assert.is(world.deletions('r1').length, 0);
	await world.stop(loop);
});
test('an attempt alone is no change: a try that changed nothing does not bring the next one at once', async () => {
	const { world, loop, clock, github, api } = setUp();
	world.runner('r1', { metadata: { annotations: recorded() } }, 'unknown');
	await world.start();
	await clock.pass(minute);
	const writes = api.callsTo('PATCH', /pods\/r1$/).length;
	assert.ok(
		github.count('list') <= 9 && writes <= 16,
		`${github.count('list')} lists, ${writes} writes a minute`,
	);
	await world.stop(loop);
});
test('how many wait and since when is in the metrics; a repeated look changes neither', async () => {
	const { world, loop, clock, metrics } = setUp();
	for (const name of ['r1', 'r2'])
		world.runner(name, { metadata: { annotations: recorded(), labels: { 'actions-runner/busy': 'true' } } });
	await world.start();
	await clock.pass(5 * minute);
	assert.match(await metrics.registry.metrics(), 'runners_recorded_deletions{reason="busy"} 2');
	assert.is(loop.waiting.get('ci/r1')?.askedAtMs, Date.parse('2026-11-23T12:00:30Z'));
	await world.stop(loop);
});

test('the Event: who asked and when; for a namespace’s deletion nobody did', async () => {
	const { world, loop, clock, api, gone } = setUp();
	world.runner('r1', { metadata: { annotations: recorded() } });
	world.runner('r2');
	await world.start();
	await gone('r1');
	api.update(paths.namespaces, 'ci', undefined, ({ metadata }) => {
		metadata.deletionTimestamp = clock.iso();
	});
	await clock.pass(5_000);
	const said = (name: string) =>
		api
			.all(paths.events)
			.map((event) => event as unknown as { involvedObject: { name: string }; message: string })
			.find(({ involvedObject }) => involvedObject.name === name)?.message ?? '';
	assert.match(said('r1'), 'alice');
	assert.not.match(said('r2'), 'undefined');
	await world.stop(loop);
});
test('a runner that comes into a namespace that is being deleted, unrecorded, is asked about at once (G3)', async () => {
	const { world, loop, clock, api, gone } = setUp();
	api.update(paths.namespaces, 'ci', undefined, ({ metadata }) => {
		metadata.deletionTimestamp = clock.iso();
	});
	await world.start();
	world.runner('late');
	await gone('late', 10_000);
	await world.stop(loop);
});
test('a change of another namespace brings no pod of this one', async () => {
	const { world, loop, clock, api, github } = setUp();
	world.runner('r1');
	api.put(paths.namespaces, { metadata: { name: 'other' } });
	await world.start();
	api.update(paths.namespaces, 'other', undefined, ({ metadata }) => {
		metadata.deletionTimestamp = clock.iso();
	});
	await clock.pass(minute);
	assert.equal([github.calls, world.deletions('r1').length], [[], 0]);
	await world.stop(loop);
});
test('a scale-set runner whose EphemeralRunner gets its scope is tried again at once', async () => {
	const { world, loop, clock, api, gone, waits } = setUp();
	const owner = {
		apiVersion: 'actions.github.com/v1alpha1',
		kind: 'EphemeralRunner',
		name: 'r1',
		uid: 'er-1',
	};
	api.put(paths.ephemeralRunners, { metadata: { name: 'r1', namespace: 'ci', uid: 'er-1' } });
	world.scaleSetRunner('r1', { metadata: { annotations: recorded(), ownerReferences: [owner] } });
	await world.start();
	await clock.pass(25_000);
	assert.is(waits('r1'), 'scope-unknown');
	api.update<EphemeralRunner>(paths.ephemeralRunners, 'r1', 'ci', (runner) => {
		runner.spec = { githubConfigUrl: 'https://github.com/octo-org' };
	});
	assert.ok((await gone('r1')) < 5_000);
	assert.is(api.find(paths.ephemeralRunners, 'r1', 'ci'), undefined, 'its owner goes with it');
	await world.stop(loop);
});
test('an EphemeralRunner that changes or goes brings no deletion that nobody asked for', async () => {
	const { world, loop, clock, api, github, lines } = setUp();
	const owner = {
		apiVersion: 'actions.github.com/v1alpha1',
		kind: 'EphemeralRunner',
		name: 'r1',
		uid: 'er-1',
	};
	const spec = { githubConfigUrl: 'https://github.com/octo-org' };
	for (const name of ['r1', 'without-pod'])
		api.put(paths.ephemeralRunners, {
			metadata: { name, namespace: 'ci', uid: name === 'r1' ? 'er-1' : 'er-2' },
			spec,
		});
	world.scaleSetRunner('r1', { metadata: { ownerReferences: [owner] } });
	await world.start();
	await clock.pass(25_000);
	for (const name of ['r1', 'without-pod'])
		api.update(paths.ephemeralRunners, name, 'ci', (runner) => {
			runner.status = { runnerName: name };
		});
	await clock.pass(1_000);
	api.drop(paths.ephemeralRunners, 'r1', 'ci');
	await clock.pass(minute);
	assert.equal([github.calls, world.deletions('r1').length], [[], 0]);
	assert.equal(
		lines.filter((line) => !line.startsWith('debug') && !line.startsWith('info')),
		[],
	);
	await world.stop(loop);
});
test('GitHub is back: one that is still registering, and one that waits for its job, are not tried for that', async () => {
	const { world, loop, clock, github, waits } = setUp();
	world.runner('new', { metadata: { annotations: recorded() } }, 'unknown');
	world.runner(
		'static',
		{ env: { RUNNER_EPHEMERAL: 'false' }, metadata: { annotations: recorded() } },
		{ busy: true },
	);
	await world.start();
	await clock.pass(1_000);
	assert.equal([waits('new'), waits('static')], ['registering', 'busy']);
	github.calls.length = 0;
	loop.retryGitHub();
	await clock.pass(2_500);
	assert.equal(github.calls, []);
	await world.stop(loop);
});
test('a plain delete that gets 429 is no matter of a disruption budget: it is tried again as it is', async () => {
	const { world, loop, api, gone, lines } = setUp();
	world.runner('r1', { metadata: { annotations: recorded() } });
	api.fail('DELETE', /pods\/r1$/, new KubeError(429, 'TooManyRequests', 'the API server is busy'), 2);
	await world.start();
	await gone('r1', 10_000);
	assert.equal(world.eventsOn('r1'), ['Normal DeletionCompleted']);
	assert.is(lines.filter((line) => line.startsWith('warn')).length, 2);
	await world.stop(loop);
});
for (const [what, error] of [
	['etcd', new KubeError(500, '', 'etcd')],
	['our own review', new KubeError(429, 'TooManyRequests', 'runner "r1" is busy', ['actions-runner/reason'])],
] as const)
	test(`an eviction that fails for ${what} is no matter of a disruption budget`, async () => {
		const { world, loop, api, gone } = setUp();
		world.runner('r1', { metadata: { annotations: recorded({ via: 'eviction' }) } });
		api.fail('POST', /eviction$/, error, 2);
		await world.start();
		await gone('r1', 10_000);
		assert.equal(world.eventsOn('r1'), ['Normal DeletionCompleted']);
		assert.not.ok(world.lines.some((line) => line === 'info recorded deletion waits'));
		await world.stop(loop);
	});
test('the condition can’t be written: the deletion is tried every 30 s, the log and an Event say why, and the pod does later', async () => {
	const { world, loop, clock, api, github, condition, looks } = setUp();
	world.runner(
		'r1',
		{ env: { RUNNER_EPHEMERAL: 'true' }, metadata: { annotations: recorded() } },
		{ busy: true },
	);
	api.fail('PATCH', /pods\/r1\/status$/, new KubeError(403, 'Forbidden', 'no'), 10);
	await world.start();
	await clock.pass(4 * minute);
	assert.ok(looks() <= 12, `${looks()} tries`);
	assert.is(github.count('remove'), 1);
	const said = (level: string, text: string) =>
		world.lines.filter((line) => line.startsWith(`${level} ${text}`)).length;
	assert.is(said('info', 'recorded deletion waits'), 1);
	assert.is(said('warn', 'a condition that says why'), looks());
	await clock.pass(4 * minute);
	assert.is(condition('r1')?.reason, 'Busy');
	await world.stop(loop);
});
test('the condition is on the pod already, from the leader before: nothing is written or reported again', async () => {
	const { world, loop, clock, api } = setUp();
	const pending = {
		type: deletionPendingCondition,
		status: 'True',
		reason: 'Busy',
		message: 'it runs a job',
	};
	const made = world.runner('r1', {
		metadata: { annotations: recorded(), labels: { 'actions-runner/busy': 'true' } },
	});
	const other = { type: 'actions-runner/Busy', status: 'True' };
	api.put(paths.pods, { ...made, status: { ...made.status, conditions: [other, pending] } });
	await world.start();
	await clock.pass(minute);
	assert.equal([api.callsTo('PATCH', /./).length, loop.waiting.get('ci/r1')?.reason], [0, 'busy']);
	await world.stop(loop);
});
test('why it waits changes: the condition follows', async () => {
	const { world, loop, clock, github, condition } = setUp();
	github.failure = { kind: 'github-unavailable', detail: '502' };
	world.runner('r1', { metadata: { annotations: recorded() } }, { busy: true });
	await world.start();
	await clock.pass(2_000);
	assert.is(condition('r1')?.reason, 'GithubUnavailable');
	github.failure = undefined;
	await clock.pass(30_000);
	assert.is(condition('r1')?.reason, 'Busy');
	await world.stop(loop);
});
test('another replica is asking: that is everyday, and no warning', async () => {
	const { world, loop, clock } = setUp();
	const attempt = { [progress.attempt]: `${clock.iso(1_000)} another-replica` };
	world.runner('r1', { metadata: { annotations: { ...recorded(), ...attempt } } });
	await world.start();
	await clock.pass(5_000);
	assert.equal(world.eventsOn('r1'), []);
	await world.stop(loop);
});
test('a pod that no node has been chosen for is not on a missing one', async () => {
	const { world, loop, clock, api } = setUp();
	const containers = [{ name: 'runner', env: [{ name: 'RUNNER_ORG', value: 'octo-org' }] }];
	world.runner('r1', {
		spec: { containers },
		metadata: { annotations: recorded(), labels: { 'actions-runner/busy': 'true' } },
	});
	await world.start();
	await clock.pass(minute);
	assert.equal(
		[world.annotations('r1')[progress.nodeGoneSince], api.callsTo('PATCH', /pods\/r1$/).length],
		[undefined, 0],
	);
	await world.stop(loop);
});
test('one recorded deletion waits longest: that is what the metrics show', async () => {
	const { world, loop, clock, metrics } = setUp();
	const oldest: (number | undefined)[] = [];
	const counted = metrics.recordedDeletions.bind(metrics);
	metrics.recordedDeletions = (byReason, oldestMs) => {
		oldest.push(oldestMs);
		counted(byReason, oldestMs);
	};
	for (const [name, at] of [
		['r1', '2026-11-23T12:00:40Z'],
		['r2', '2026-11-23T12:00:20Z'],
		['r3', '2026-11-23T12:00:50Z'],
	] as const)
		world.runner(name, {
			metadata: { annotations: recorded({ via: 'delete' }, at), labels: { 'actions-runner/busy': 'true' } },
		});
	await world.start();
	await clock.pass(1_000);
	assert.is(oldest.at(-1), Date.parse('2026-11-23T12:00:20Z'));
	await world.stop(loop);
});
test('a pod that is gone, whoever deleted it, waits no longer', async () => {
	const { world, loop, clock, api } = setUp();
	world.runner('r1', { metadata: { annotations: recorded(), labels: { 'actions-runner/busy': 'true' } } });
	await world.start();
	await clock.pass(1_000);
	assert.is(loop.waiting.size, 1);
	api.drop(paths.pods, 'r1', 'ci');
	await clock.pass(1_000);
	assert.is(loop.waiting.size, 0);
	await world.stop(loop);
});
test('an exited runner’s pod in a namespace that is being deleted goes though its StatefulSet stands', async () => {
	const { world, loop, api, clock, gone, runnerOfSet } = setUp();
	runnerOfSet();
	world.exit('example-abcde-0');
	await world.start();
	api.update(paths.namespaces, 'ci', undefined, ({ metadata }) => {
		metadata.deletionTimestamp = clock.iso();
	});
	await gone('example-abcde-0', 5_000);
	await world.stop(loop);
});
test('an idle runner of a set is unregistered and goes, though its StatefulSet stands: only an exited one is left to it', async () => {
	const { world, loop, gone, runnerOfSet } = setUp();
	runnerOfSet({ annotations: recorded() });
	await world.start();
	await gone('example-abcde-0', 10_000);
	await world.stop(loop);
});
test('only recorded deletions are looked at, and only when something of theirs has changed', async () => {
	const { world, loop, clock, api, looks } = setUp();
	const busy = { labels: { 'actions-runner/busy': 'true' } };
	world.runner('asked', { metadata: { annotations: recorded(), ...busy } });
	world.runner('unasked');
	api.update<Pod>(paths.pods, 'unasked', 'ci', (pod) => {
		pod.spec = { ...pod.spec, nodeName: 'node-2' };
	});
	api.put(paths.nodes, { metadata: { name: 'node-2' } });
	for (const name of ['asked', 'unasked'])
		api.put(paths.ephemeralRunners, { metadata: { name, namespace: 'ci', uid: `er-${name}` } });
	await world.start();
	await clock.pass(25_000);
	const changes: [string, () => void][] = [
		['a pod that nobody asked for', () => world.edit('unasked', { labels: { team: 'a' } })],
		[
			'a namespace that stays',
			() =>
				api.update(paths.namespaces, 'ci', undefined, ({ metadata }) => {
					metadata.labels = { team: 'a' };
				}),
		],
		[
			'a heartbeat of its node',
			() =>
				api.update(paths.nodes, 'node-1', undefined, (node) => {
					node.status = { heartbeat: clock.iso() };
				}),
		],
		['another node, with a pod that nobody asked for', () => api.drop(paths.nodes, 'node-2')],
		[
			'an EphemeralRunner whose pod nobody asked for',
			() =>
				api.update(paths.ephemeralRunners, 'unasked', 'ci', (runner) => {
					runner.status = { runnerName: 'unasked' };
				}),
		],
		['an EphemeralRunner that goes', () => api.drop(paths.ephemeralRunners, 'asked', 'ci')],
		['GitHub is back, and its job goes on', () => loop.retryGitHub()],
	];
	for (const [what, change] of changes) {
		const before = looks();
		change();
		await clock.pass(3_000);
		assert.is(looks() - before, 0, what);
	}
	await world.stop(loop);
});
test('a second try about a static runner’s job leaves GitHub’s calls to those who wait for an answer (invariant 5)', async () => {
	const { world, loop, clock } = setUp();
	const asked: string[] = [];
	const { account } = world.ports;
	world.ports.account = async (pod) => {
		const found = await account(pod);
		if ('kind' in found) return found;
		return {
			...found,
			unregister: (runner, options) => {
				asked.push(options.priority);
				return found.unregister(runner, options);
			},
		};
	};
	const env = { RUNNER_EPHEMERAL: 'false' };
	world.runner('r1', { env, metadata: { annotations: recorded() } }, { busy: true });
	await world.start();
	await clock.until('it is asked about again', () => asked.length === 2);
	assert.equal(asked, ['request', 'background']);
	await world.stop(loop);
});
test('a static runner whose job is over is deleted at GitHub’s answer: there is no caller whose DELETE to wait for', async () => {
	const { world, loop, clock, github } = setUp();
	const answered = {
		[progress.refusal]: `${clock.iso(31_000)} is still running a job`,
		[progress.attempt]: `${clock.iso(31_000)} leader`,
	};
	const env = { RUNNER_EPHEMERAL: 'false' };
	world.runner('r1', { env, metadata: { annotations: { ...recorded(), ...answered } } });
	await world.start();
	await clock.until('GitHub is asked', () => github.count('remove') === 1);
	await clock.pass(quietMs + 500);
	assert.is(world.deletions('r1').length, 1);
	await world.stop(loop);
});
test('a container that stops while GitHub is being asked: the pod goes at once, since that needs no answer', async () => {
	const { world, loop, clock, gone } = setUp();
	const attempt = { [progress.attempt]: `${clock.iso(1_000)} another-replica` };
	world.runner('r1', { metadata: { annotations: { ...recorded(), ...attempt } } });
	world.exit('r1');
	await world.start();
	await gone('r1', 1_000);
	await world.stop(loop);
});

test('a busy mark that no list confirms for long is a question: an idle runner goes, a busy one gets 422 and stays', async () => {
	const { world, loop, clock, confirmed, github, gone } = setUp();
	const marked = { annotations: recorded(), labels: { 'actions-runner/busy': 'true' } };
	world.runner('idle', { metadata: marked });
	world.runner('busy', { metadata: marked }, { busy: true });
	await world.start();
	await clock.pass(minute);
	assert.equal(github.count('remove'), 0);
	confirmed.busy = false;
	for (const name of ['idle', 'busy']) world.edit(name, { labels: { team: 'a' } });
	await gone('idle', minute);
	await clock.pass(10 * minute);
	assert.equal([github.count('remove'), world.deletions('busy').length], [2, 0], '422 once (invariant 5)');
	await world.stop(loop);
});
test('a record that somebody wrote in another’s name, or copied from another pod, is not carried out', async () => {
	const { world, loop, clock, github } = setUp();
	world.runner('donor', { metadata: { annotations: recorded() } }, { busy: true });
	const copied = world.annotations('donor');
	world.runner('a', { metadata: { annotations: { ...recorded(), [record.proof]: 'AAAA' } } });
	world.runner('b', { metadata: { annotations: copied } });
	await world.start();
	await clock.pass(10 * minute);
	assert.equal([world.deletions('a').length, world.deletions('b').length], [0, 0]);
	assert.equal(github.find('a') !== undefined && github.find('b') !== undefined, true);
	await world.stop(loop);
});
test('a node that somebody says has been gone for long is waited for like any other', async () => {
	const { world, loop, clock, api } = setUp();
	const said = { [progress.nodeGoneSince]: '2020-01-01T00:00:00Z AAAA' };
	world.runner('r1', { metadata: { annotations: { ...recorded(), ...said } } }, { busy: true });
	await world.start();
	api.drop(paths.nodes, 'node-1');
	await clock.pass(59_000);
	assert.is(world.deletions('r1').length, 0);
	await clock.until('it is let go', () => world.deletions('r1').length > 0, 10_000);
	await world.stop(loop);
});

test('a static runner in a full queue: its log is followed, and it goes in the second in which it is idle', async () => {
	const { world, loop, clock, github, gone, followed } = setUp();
	const env = { RUNNER_EPHEMERAL: 'false' };
	const marked = { annotations: recorded(), labels: { 'actions-runner/busy': 'true' } };
	world.runner('r1', { env, metadata: marked }, { busy: true });
	world.runner('ephemeral', { metadata: marked }, { busy: true });
	const leaving = { ...marked, annotations: { ...recorded(), [arc.requestedAt]: '2026-11-23T12:00:00Z' } };
	world.runner('arcs', { env, metadata: leaving }, { busy: true });
	await world.start();
	await clock.until('its log is followed', () => followed.asked.has('r1'));
	assert.not(followed.asked.has('ephemeral'), 'that one ends with its job');
	assert.not(followed.asked.has('arcs'), 'ARC looks after that one');
	await clock.pass(minute);
	assert.is(github.count('remove'), 0, 'known to be busy');
	github.set('r1', { busy: false });
	followed.idle.set('r1', clock.now());
	followed.asked.get('r1')?.();
	await clock.pass(200);
	assert.is(github.count('remove'), 1, 'though its mark still says that it is busy');
	assert.ok((await gone('r1')) <= quietMs + 1_500);
	await world.stop(loop);
});
test('... and GitHub, which says 422 all the same, is not asked again and again for it', async () => {
	const { world, loop, clock, github, followed } = setUp();
	const env = { RUNNER_EPHEMERAL: 'false' };
	world.runner('r1', { env, metadata: { annotations: recorded() } }, { busy: true });
	followed.idle.set('r1', clock.now());
	await world.start();
	for (let second = 0; second < 20; second++) {
		followed.asked.get('r1')?.();
		await clock.pass(1_000);
	}
	assert.is(github.count('remove'), 1);
	await world.stop(loop);
});
test('... nor for each line of a log in which a job prints that it is idle, ten times a second (invariant 5)', async () => {
	const { world, loop, clock, github, followed } = setUp();
	const env = { RUNNER_EPHEMERAL: 'false' };
	world.runner('r1', { env, metadata: { annotations: recorded() } }, { busy: true });
	await world.start();
	for (let line = 0; line < 600; line++) {
		followed.idle.set('r1', clock.now());
		followed.asked.get('r1')?.();
		await clock.pass(100);
	}
	assert.ok(github.count('remove') <= 7, `${github.count('remove')} DELETEs in a minute`);
	assert.ok(github.count('remove') >= 5, `${github.count('remove')} DELETEs in a minute`);
	await world.stop(loop);
});
test('the quiet period of another replica’s 204 begins when the watch shows its proof, and not for one that is forged', async () => {
	const { world, loop, clock } = setUp();
	const proven = world.unregistered('r1', 1, clock.now());
	world.runner('r1', { metadata: { annotations: proven } });
	world.runner('r2', { metadata: { annotations: { ...proven, [progress.proof]: 'AAAA' } } });
	await world.start();
	await clock.pass(quietMs);
	const read = async (name: string) => (await world.pods.from(world.pod(name) as Pod)) as RunnerPod;
	assert.is(world.ports.quiet.leftMs(await read('r1')), 0);
	assert.is(world.ports.quiet.leftMs(await read('r2')), undefined);
	await world.stop(loop);
});
test('GitHub’s 204 to a replica whose clock is behind, or ahead: the caller’s DELETE is waited for all the same', async () => {
	for (const aheadMs of [-10_000, 0, 3_600_000]) {
		const { world, loop, clock } = setUp();
		const proven = world.unregistered('r1', 1, clock.now() + aheadMs);
		world.runner('r1', { metadata: { annotations: { ...recorded(), ...proven } } });
		await world.start();
		await clock.pass(quietMs + 1_500);
		assert.equal(world.deletions('r1'), [], `${aheadMs} ms`);
		await clock.pass(3_000);
		assert.is(world.deletions('r1').length, 1, `${aheadMs} ms`);
		await world.stop(loop);
	}
});

test.run();

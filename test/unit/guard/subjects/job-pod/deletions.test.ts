/** Job pods follow their runner: its marks, and recorded deletions are carried out when it no longer works. */
import * as assert from 'uvu/assert';
import {
	autoscalerMarks,
	busy,
	deletionPendingCondition,
	jobPods as jobPodKeys,
} from '../../../../../admission/api/keys.ts';
import type { Condition, Pod } from '../../../../../admission/api/kinds.ts';
import { DeletionLoop } from '../../../../../admission/guard/deletion-loop.ts';
import { JobPodDeletions } from '../../../../../admission/guard/subjects/job-pod/deletions.ts';
import { JobPods } from '../../../../../admission/guard/subjects/job-pod/job-pods.ts';
import { markJobPods } from '../../../../../admission/guard/subjects/job-pod/mark-job-pods.ts';
import { WaitingDeletions } from '../../../../../admission/guard/waiting-deletions.ts';
import { readLog } from '../../../../../admission/jobs/read-log.ts';
import { KubeError } from '../../../../../admission/kube/client.ts';
import { readJobPod } from '../../../../../admission/runner/job-pod.ts';
import { recordOf } from '../../../../../admission/runner/record.ts';
import type { RunnerPod } from '../../../../../admission/runner/runner-pod.ts';
import { suite } from '../../../../support/suite.ts';
import { signer } from '../../../runner/pods.ts';
import { paths, World } from '../../../support/world.ts';
import { jobPodObject, stepPodObject } from './pods.ts';

const test = suite('job pods: the loop');
const name = 'r1-workflow';
const working = '2026-11-23 12:00:30Z: Running job: build\n';
const idle = '2026-11-23 12:00:30Z: Listening for Jobs\n';

/** What the leader does about job pods. */
function loopsOf(parts: World['parts'], label: ConstructorParameters<typeof JobPods>[1] = jobPodKeys.label) {
	const jobPods = new JobPods(parts, label);
	const readRunnersLog = (runner: RunnerPod) => readLog(parts.client, runner);
	const subject = new JobPodDeletions('job-pod-deletion', {
		...{ ...parts, jobPods, readLog: readRunnersLog },
		verify: signer.verifyStatement,
	});
	const counted = new WaitingDeletions();
	const deletions = new DeletionLoop(subject, { ...parts, waiting: counted });
	const marks = markJobPods('job-pods', { ...parts, jobPods });
	return {
		counted,
		run: (signal: AbortSignal) => subject.run(signal),
		stop: async () => void (await Promise.all([deletions.stop(), marks.stop()])),
	};
}

/** The runner r1, with this log, and the pod of its job; the loop runs. */
async function setUp({
	log = working,
	via,
	busy: marked = false,
}: {
	log?: string;
	via?: 'delete' | 'eviction';
	busy?: boolean;
} = {}) {
	const world = new World();
	const { api, clock, parts } = world;
	const labels: Record<string, string> = {
		'actions-runner': '',
		...(marked ? { [busy.label]: 'true' } : {}),
	};
	world.runner('r1', {
		metadata: { labels, annotations: { [busy.job]: 'build (octo-org/app, run 42)' } },
	});
	api.logs.set('ci/r1', log);
	const object = jobPodObject();
	if (via) {
		const jobPod = readJobPod(object)!;
		const request = { user: 'alice', options: { via, gracePeriodSeconds: 7 }, dryRun: false };
		const annotations = recordOf(jobPod, request, signer.signStatement, clock.now()) as Record<
			string,
			string
		>;
		object.metadata.annotations = annotations;
	}
	api.put(paths.pods, object);
	const loop = loopsOf(parts);
	await world.start((signal) => loop.run(signal));
	const job = () => world.pod(name) as Pod | undefined;
	return {
		...world,
		world,
		loop,
		job,
		label: () => job()?.metadata.labels?.[busy.label],
		gone: async (withinMs?: number) => {
			const tookMs = await clock.until('the job pod is gone', () => !job(), withinMs);
			await clock.pass(50);
			return tookMs;
		},
		pending: () =>
			(job()?.status?.conditions as Condition[] | undefined)?.find(
				({ type }) => type === deletionPendingCondition,
			),
	};
}

test('it carries the marks of its runner while that works, and none after', async () => {
	const { world, loop, clock, job, label } = await setUp({ busy: true });
	assert.is(label(), 'true');
	const { annotations = {} } = job()!.metadata;
	assert.is(annotations[busy.job], 'build (octo-org/app, run 42)');
	for (const [key, value] of Object.entries(autoscalerMarks)) assert.is(annotations[key], value);
	world.edit('r1', { labels: { [busy.label]: null } });
	await clock.pass(100);
	assert.equal([label(), job()?.metadata.annotations], [undefined, {}]);
	world.edit('r1', { labels: { [busy.label]: 'unknown' } });
	await clock.pass(100);
	assert.is(label(), 'unknown');
	world.edit('r1', { labels: { [busy.label]: 'true' } });
	await clock.pass(100);
	assert.is(label(), 'true');
	world.exit('r1');
	await clock.pass(100);
	assert.is(label(), undefined);
	assert.equal(world.deletions(name), [], 'nobody has asked for its deletion');
	await world.stop(loop);
});

test('a recorded deletion waits for the runner, and is carried out as it was asked when that has stopped (A19)', async () => {
	const { world, loop, clock, api, job, gone, pending } = await setUp({ via: 'delete', busy: true });
	await clock.pass(10 * 60_000);
	assert.equal(world.deletions(name), []);
	assert.equal([pending()?.status, pending()?.reason], ['True', 'Busy']);
	assert.is(loop.counted.all.size, 0, 'the metrics and the report count runners');
	assert.match(pending()?.message ?? '', /is a job pod of runner r1, which is busy: build/);
	assert.equal(api.callsTo('PATCH', /r1-workflow\/status$/).length, 1, 'written once');
	assert.ok(job());
	world.exit('r1');
	assert.ok((await gone()) < 2_000);
	const [call] = world.deletions(name);
	const { gracePeriodSeconds, preconditions } = call!.body as Record<string, unknown>;
	assert.equal([call!.method, gracePeriodSeconds, preconditions], ['DELETE', 7, { uid: 'uid-job' }]);
	assert.equal(world.eventsOn(name), ['Normal DeletionCompleted']);
	await world.stop(loop);
});

test('the log alone says that the job is over: found within some seconds; an eviction is carried out as one', async () => {
	const { world, loop, api, clock, gone } = await setUp({ via: 'eviction' });
	await clock.pass(60_000);
	assert.equal(world.deletions(name), []);
	api.logs.set('ci/r1', `${working}2026-11-23 12:02:30Z: Job build completed with result: Succeeded\n`);
	assert.ok((await gone()) < 15_000);
	assert.is(world.deletions(name).length, 1);
	assert.ok(world.deletions(name)[0]?.path.endsWith('/eviction'));
	await world.stop(loop);
});

test('the runner is gone, or a runner that is idle left it over: it goes at once, and only once', async () => {
	const { world, loop, api, clock, gone } = await setUp({ via: 'delete', log: idle });
	await gone(1_000);
	await clock.pass(60_000);
	assert.is(world.deletions(name).length, 1);
	await world.stop(loop);
	const other = await setUp({ via: 'delete' });
	other.api.drop(paths.pods, 'r1', 'ci');
	await other.gone(2_000);
	await other.world.stop(other.loop);
	assert.equal(api.callsTo('GET', /log$/).length, 1, 'one look into the log');
});

test('its DELETE is refused, for its runner has begun to work, or fails: it is tried again', async () => {
	const { world, loop, api, gone } = await setUp({ via: 'delete' });
	api.logs.set('ci/r1', idle);
	api.fail('DELETE', /r1-workflow$/, new KubeError(409, 'Conflict', 'denied the request'), 1);
	api.fail('DELETE', /r1-workflow$/, new KubeError(500, 'InternalError', 'no replica answers'), 2);
	await gone(60_000);
	assert.is(world.deletions(name).length, 4);
	await world.stop(loop);
});

test('in a namespace that is being deleted it goes without a record, when the runner works no more', async () => {
	const { world, loop, api, clock, job, gone } = await setUp({ busy: true });
	api.update(paths.namespaces, 'ci', undefined, ({ metadata }) => {
		metadata.deletionTimestamp = '2026-11-23T12:02:00Z';
	});
	await clock.pass(60_000);
	assert.ok(job());
	world.exit('r1');
	await gone(2_000);
	await world.stop(loop);
});

test('two job pods of one runner: each follows it, also when one of them has gone', async () => {
	const { world, loop, api, clock, label } = await setUp();
	const step = 'r1-step-0abc1234';
	api.put(paths.pods, jobPodObject({ metadata: { name: step, uid: 'uid-step' } }));
	await clock.pass(100);
	api.drop(paths.pods, step, 'ci');
	world.edit('r1', { labels: { [busy.label]: 'true' } });
	await clock.pass(100);
	assert.is(label(), 'true');
	api.drop(paths.pods, name, 'ci');
	await clock.pass(100);
	api.put(paths.pods, jobPodObject({ metadata: { uid: 'uid-next' } }));
	await clock.pass(100);
	assert.is(label(), 'true', 'the next job’s pod of the same name');
	await world.stop(loop);
});

test('a runner’s change costs no call where its job pods show it already; other runners’ changes none at all', async () => {
	const { world, loop, api, clock } = await setUp({ busy: true });
	world.runner('r2');
	const before = api.callsTo('PATCH', /./).length;
	world.edit('r1', { annotations: { team: 'a' } });
	world.edit('r2', { labels: { [busy.label]: 'true' } });
	await clock.pass(1_000);
	assert.is(api.callsTo('PATCH', /./).length, before);
	await world.stop(loop);
});

test('a new leader that knows job pods before runners takes no mark away', async () => {
	const { world, loop, api, clock } = await setUp({ busy: true });
	await world.stop(loop);
	const next = new World(world);
	const successor = loopsOf(next.parts);
	const before = api.callsTo('PATCH', /./).length;
	// Its first list of all pods is late; the one by label is not.
	let slow = true;
	api.fail('GET', /^\/api\/v1\/pods$/, { delayMs: 5_000 }, 1);
	const stop = new AbortController();
	const cached = next.cache.run(stop.signal).then(() => {
		slow = false;
	});
	await clock.pass(100);
	const running = successor.run(stop.signal);
	await clock.pass(1_000);
	assert.not(next.cache.pods.synced);
	assert.is(api.callsTo('PATCH', /./).length, before);
	await clock.pass(6_000);
	assert.ok(next.cache.pods.synced && slow);
	assert.is(api.callsTo('PATCH', /./).length, before);
	stop.abort();
	await clock.pass(60_000);
	await Promise.all([successor.stop(), running, cached]);
});

test('its eviction meets somebody’s budget: it is tried again every 5 s, the pod says why, and there is no error', async () => {
	const { world, loop, api, clock, lines, gone, pending } = await setUp({ via: 'eviction' });
	api.logs.set('ci/r1', idle);
	const refusal = new KubeError(429, 'TooManyRequests', 'Cannot evict pod', ['DisruptionBudget']);
	api.fail('POST', /eviction$/, refusal, 5);
	await clock.pass(18_000);
	assert.is(world.deletions(name).length, 3, 'one every 5 s');
	assert.is(pending()?.reason, 'DisruptionBudget');
	assert.not(lines.some((line) => line.includes('retrying')));
	await gone(60_000);
	assert.equal(world.eventsOn(name), ['Warning DeletionWaitsDisruptionBudget', 'Normal DeletionCompleted']);
	await world.stop(loop);
});

test('it vanishes before its DELETE arrives: nothing is reported, and no error', async () => {
	const { world, loop, api, clock, lines } = await setUp({ via: 'delete' });
	const held = api.holdWatches(paths.pods);
	world.exit('r1');
	api.drop(paths.pods, name, 'ci');
	await clock.pass(15_000);
	held();
	await clock.pass(1_000);
	assert.ok(world.deletions(name).length > 0);
	assert.equal(world.eventsOn(name), []);
	assert.not(lines.some((line) => line.includes('retrying')));
	await world.stop(loop);
});

test('a new leader says why a deletion waits only if the reason is another than the pod shows', async () => {
	const { world, loop, api, clock, pending } = await setUp({ via: 'delete', busy: true });
	await clock.pass(1_000);
	assert.is(pending()?.reason, 'Busy');
	world.edit('r1', { labels: { [busy.label]: null } });
	api.fail('GET', /log$/, new KubeError(502, 'BadGateway', 'kubelet'));
	await clock.pass(30_000);
	assert.is(pending()?.reason, 'JobUnknown');
	assert.is(api.callsTo('PATCH', /r1-workflow\/status$/).length, 2);
	await world.stop(loop);
});

test('another namespace is deleted: it stays', async () => {
	const { world, loop, api, clock, job } = await setUp({ log: idle });
	api.put(paths.namespaces, { metadata: { name: 'other' } });
	api.update(paths.namespaces, 'other', undefined, ({ metadata }) => {
		metadata.deletionTimestamp = '2026-11-23T12:02:00Z';
	});
	await clock.pass(30_000);
	assert.ok(job());
	await world.stop(loop);
});

test('a record that somebody else has written, or copied from another pod, is none', async () => {
	const { world, loop, clock, job } = await setUp({ via: 'delete', log: idle, busy: true });
	const copied = job()!.metadata.annotations!;
	const other = jobPodObject({
		metadata: { name: 'r1-step-0abc1234', uid: 'uid-step', annotations: copied },
	});
	world.api.put(paths.pods, other);
	world.edit('r1', { labels: { [busy.label]: null } });
	await clock.pass(60_000);
	assert.equal(world.deletions('r1-step-0abc1234'), []);
	assert.is(world.deletions(name).length, 1);
	await world.stop(loop);
});

test('the pod of a container action without a label of the hooks: marked and carried out like the job’s', async () => {
	const [name, runner] = ['r1-step-0a1b2c3d', 'r1'];
	const world = new World();
	const { api, clock, parts } = world;
	world.runner(runner, { metadata: { labels: { 'actions-runner': '', [busy.label]: 'true' } } });
	api.logs.set(`ci/${runner}`, working);
	const object = stepPodObject(name);
	const request = { user: 'alice', options: { via: 'eviction' }, dryRun: false } as const;
	object.metadata.annotations = recordOf(
		readJobPod(object)!,
		request,
		signer.signStatement,
		clock.now(),
	) as Record<string, string>;
	api.put(paths.pods, object);
	const loops = loopsOf(parts, jobPodKeys.job);
	await world.start((signal) => loops.run(signal));
	await clock.pass(20_000);
	assert.is(world.pod(name)?.metadata.labels?.[busy.label], 'true', 'the back-stop’s budget holds it');
	assert.equal(world.deletions(name), []);
	api.logs.set(`ci/${runner}`, idle);
	world.edit(runner, { labels: { [busy.label]: null } });
	await clock.until('it is gone', () => !world.pod(name), 20_000);
	await world.stop(loops);
});

test('pods of Jobs of more than 1 MiB of JSON: those with a container `job` are read, and a recorded deletion is carried out (invariant 4)', async () => {
	const [name, foreign] = ['r1-step-0a1b2c3d', 'import-step-0a1b2c3d'];
	const world = new World();
	const { api, parts, metrics } = world;
	const large = (pod: Pod, container: string): Pod => {
		const env = [{ name: 'A', value: '<'.repeat(180_000) }];
		return { ...pod, spec: { ...pod.spec, containers: [{ name: container, env }] } };
	};
	const object = large(stepPodObject(name), 'job');
	const request = { user: 'alice', options: { via: 'delete' }, dryRun: false } as const;
	object.metadata.annotations = recordOf(
		readJobPod(object)!,
		request,
		signer.signStatement,
		world.clock.now(),
	) as Record<string, string>;
	api.put(paths.pods, object);
	api.put(paths.pods, large(stepPodObject(foreign, { uid: 'uid-foreign' }), 'import'));
	const loops = loopsOf(parts, jobPodKeys.job);
	await world.start((signal) => loops.run(signal));
	await world.clock.until('it is gone', () => !world.pod(name), 20_000);
	const alone = api.callsTo('GET', /\/namespaces\/ci\/pods$/).map(({ query }) => query.fieldSelector);
	assert.equal(new Set(alone), new Set([`metadata.name=${name}`]));
	assert.ok([...metrics.largeObjects.states()].some(([one]) => one === `ci/${foreign}`));
	await world.stop(loops);
});

test.run();

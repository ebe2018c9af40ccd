/** Groups D and E: what comes in a completed runner's place, when, and under which name. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import { type History, startHistory } from '../../rig/history.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { kinds, SetUnderTest } from '../../rig/runner-sets.ts';
import { suite } from '../../support/suite.ts';

interface Context {
	rig: Rig;
	history: History;
	sets: SetUnderTest[];
}

const test = suite<Context>('completion of sets');

test.before(async (context) => {
	context.rig = await startRig({ sets: true });
	context.history = await startHistory(context.rig);
	context.sets = [];
});
test.after(async ({ rig, history, sets }) => {
	for (const set of sets ?? []) set.stop();
	history?.stop();
	await rig?.stop();
});
test.after.each(async ({ history, rig, sets }) => {
	assert.equal(await history.violationsAtRest(), []);
	assert.equal(
		rig.logs(({ level }) => level === 'error'),
		[],
	);
	for (const set of sets)
		if (set.ephemeral) assert.equal(set.reused(), [], 'a pod name was used twice (invariant 6)');
});

const delay = (time: string) => ({ 'actions-runner/recreation-delay': time });

for (const kind of kinds) {
	const make = async ({ rig, sets }: Context, options: Parameters<typeof SetUnderTest.make>[2]) => {
		const set = await SetUnderTest.make(rig, kind, options);
		sets.push(set);
		return set;
	};
	/** Longer than an end may take to be seen: one that comes as soon after the newest word may count as before it (D11). */
	const afterTheWordMs = 300;
	/** kubectl delete of all its pods is refused: each of so many runs a job, and is to go afterwards. */
	const refusedAll = async ({ rig, namespace }: SetUnderTest, count: number) => {
		const { stderr } = await rig.kubectl(['-n', namespace, 'delete', 'pods', '--all', '--wait=false']);
		assert.is(stderr.match(/Recorded: the pod is deleted/g)?.length, count);
	};
	/** A job that starts and ends at once on each. */
	const complete = async (set: SetUnderTest, ...names: string[]) => {
		await sleep(afterTheWordMs);
		for (const name of names) await set.rig.agents.runJob(set.namespace, name);
		await Promise.all(names.map((name) => set.endJob(name)));
	};

	test(`${kind} that an autoscaler drives: a completed runner is not replaced, not by a new leader either, before effectiveTime moves; then at once (D1, D2, D4)`, async (context) => {
		const { rig } = context;
		const set = await make(context, { replicas: 3, annotations: delay('10m') });
		const newest = [...(await rig.pods(set.namespace))]
			.sort((a, b) => (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? ''))
			.at(-1);
		await complete(set, newest?.metadata.name ?? '');
		await set.reaches(2);
		await set.stays(2);
		assert.match(
			(await set.conditionIs('Holding', 'True')).message ?? '',
			/^1 completed since effectiveTime/,
		);

		for (const server of [...rig.servers]) await server.stop();
		await rig.addServer();
		await rig.guarded();
		await sleep(2_000);
		await set.stays(2);

		const fromMs = Date.now();
		await set.patch({ spec: { effectiveTime: new Date().toISOString() } });
		await set.reaches(3);
		assert.ok(Date.now() - fromMs < 10_000);
		await set.stays(3);
		assert.is(set.uids.size, 4, 'one pod, not more');
	});

	test(`${kind} that an autoscaler drives: those whose deletion was asked for complete like any other, and are not replaced before effectiveTime moves (D1, invariant 6)`, async (context) => {
		const set = await make(context, { replicas: 10, annotations: delay('10m') });
		const first = set.known();
		await sleep(afterTheWordMs);
		for (const name of first) await context.rig.agents.runJob(set.namespace, name);
		await refusedAll(set, first.length);
		await Promise.all(first.map((name) => set.endJob(name)));
		await eventually('all are gone', () => first.every((name) => !set.all().includes(name)));
		await set.stays(0);
		assert.match(
			(await set.conditionIs('Holding', 'True')).message ?? '',
			/^10 completed since effectiveTime/,
		);
		await set.patch({ spec: { effectiveTime: new Date().toISOString() } });
		await set.reaches(10);
	});

	test(`${kind} at its maximum with a backlog: one ends, its autoscaler still wants as many, the next starts at once (D11)`, async (context) => {
		const { rig } = context;
		const set = await make(context, { replicas: 3, annotations: delay('10m') });
		rig.agents.queueJobs({ scope: set.scope, count: 5 });
		const first = set.known();
		await eventually('all three work', () => set.journal('job-started').length === 3);
		await set.endJob(first[0] ?? '');
		await set.reaches(2);
		// As many as before: only effectiveTime tells that this word is newer than the completion.
		const fromMs = Date.now();
		await set.patch({ spec: { replicas: 3, effectiveTime: new Date().toISOString() } });
		await eventually('the fourth job runs', () => set.journal('job-started').length === 4, { everyMs: 20 });
		const tookMs = Date.now() - fromMs;
		assert.ok(tookMs < 5_000, `${tookMs} ms`);
		assert.is(rig.agents.queued(), 1);
		await set.stays(3, 1_500);
		rig.agents.clearQueue();
		await set.scale(0);
		await rig.agents.endAllJobs();
		await set.reaches(0);
	});

	test(`${kind} that an autoscaler drives and says nothing: one correction when the delay has passed (D3)`, async (context) => {
		const set = await make(context, { replicas: 2, annotations: delay('6s') });
		const [first = ''] = set.known();
		const fromMs = Date.now();
		await complete(set, first);
		await set.reaches(1);
		await set.stays(1, 3_000);
		await set.reaches(2);
		const tookMs = Date.now() - fromMs;
		assert.ok(tookMs > 5_000 && tookMs < 9_000, `${tookMs} ms`);
		await set.stays(2);
		assert.is(set.uids.size, 3);
	});

	test(`${kind}: replicas raised by hand or through /scale while places are held: pods at once (D6)`, async (context) => {
		const set = await make(context, { replicas: 2, annotations: delay('10m') });
		await complete(set, ...set.known());
		await set.reaches(0);
		await set.stays(0, 1_500);
		const before = (await set.object()).spec.effectiveTime;
		await set.patch({ spec: { replicas: 3 } });
		assert.ok((await set.reaches(3)) < 3_000);
		const stamped = (await set.object()).spec.effectiveTime;
		assert.not.equal(stamped, before);
		await set.registered(3);
		await complete(set, ...set.known());
		await set.reaches(0);
		await set.scale(4);
		assert.ok((await set.reaches(4)) < 3_000);
		await eventually(
			'the reconciler has stamped it',
			async () => (await set.object()).spec.effectiveTime !== stamped,
		);
	});

	test(`${kind} without an autoscaler: a completed runner is replaced at once, a static one that somebody deletes soon (D9)`, async (context) => {
		const set = await make(context, { replicas: 3 });
		await complete(set, set.known()[0] ?? '');
		await eventually('it is replaced', () => set.uids.size === 4 && set.live().length === 3, {
			withinMs: 3_000,
		});
		const fixed = await make(context, { replicas: 2, config: { ephemeral: false } });
		const [victim = ''] = fixed.known();
		const uid = (await fixed.pod(victim))?.metadata.uid;
		await context.rig.ok(['-n', fixed.namespace, 'delete', 'pod', victim, '--wait=false']);
		// A StatefulSet may make a pod of the same name before the reconciler has deleted it: another runner, as good.
		await eventually('it is replaced', async () => (await fixed.pod(victim))?.metadata.uid !== uid);
		await fixed.registered(2);
		await fixed.stays(2);
	});

	test(`${kind}: 20 completions within a second, in a set of 20: all owners are gone in a moment, the count is right (E1, E2)`, async (context) => {
		const set = await make(context, { replicas: 20 });
		const first = set.known();
		for (const name of first) await context.rig.agents.runJob(set.namespace, name);
		const fromMs = Date.now();
		await Promise.all(first.map((name) => set.endJob(name)));
		await eventually('all are gone', () => first.every((name) => !set.all().includes(name)), { everyMs: 20 });
		const tookMs = Date.now() - fromMs;
		console.log(`${kind}: 20 completed at once are gone after ${tookMs} ms`);
		assert.ok(tookMs < 4_000, `${tookMs} ms`);
		await set.reaches(20);
		await set.stays(20);
		assert.is(set.uids.size, 40);
		assert.is(set.most, 20);
	});

	test(`${kind}: all 20 are to be deleted, and finish within a second: each goes once, and none comes back under its name (E1, invariant 6)`, async (context) => {
		const set = await make(context, { replicas: 20 });
		const first = set.known();
		for (const name of first) await context.rig.agents.runJob(set.namespace, name);
		await refusedAll(set, first.length);
		await Promise.all(first.map((name) => set.endJob(name)));
		await eventually('all are gone', () => first.every((name) => !set.all().includes(name)), { everyMs: 20 });
		await set.registered(20);
		await set.stays(20);
		assert.is(set.uids.size, 40);
		assert.is(set.most, 20);
	});

	test(`${kind}: one that can not start holds up nothing else (E3)`, async (context) => {
		const set = await make(context, { replicas: 3 });
		await context.rig.ok(['cordon', 'node-1', 'node-2']);
		try {
			await set.scale(4);
			await set.reaches(4);
			const stuck = set.live().find((name) => !set.known().includes(name));
			const [first = ''] = set.known();
			await complete(set, first);
			await eventually('the completed one is gone', () => !set.all().includes(first), { withinMs: 3_000 });
			await set.reaches(4);
			await set.scale(2);
			await set.reaches(2);
			assert.not.ok(set.live().includes(stuck ?? ''));
		} finally {
			await context.rig.ok(['uncordon', 'node-1', 'node-2']);
		}
	});

	test(`${kind}: one that has not registered for 10 min is replaced once, but not while GitHub's list fails (E5)`, async (context) => {
		const { rig } = context;
		const set = await make(context, { podAnnotations: { 'test.runners/no-register': 'true' } });
		await set.scale(2);
		await set.reaches(2);
		const [lost = ''] = set.live();
		await eventually('it runs', async () => (await set.pod(lost))?.status?.phase === 'Running');
		const broken = rig.github.fault({
			fault: { kind: 'server-error', status: 503 },
			endpoint: 'list',
			scope: set.scope,
		});
		const startedAt = new Date(Date.now() - 11 * 60_000).toISOString().replace(/\.\d+Z/, 'Z');
		const status = (await set.pod(lost))?.status?.containerStatuses?.map((one) => ({
			...one,
			state: { running: { startedAt } },
		}));
		await rig.kube.patch(`/api/v1/namespaces/${set.namespace}/pods/${lost}/status`, {
			status: { containerStatuses: status },
		});
		await set.stays(2, 5_000);
		assert.ok(set.live().includes(lost), 'GitHub could not be asked');
		broken.clear();
		await eventually('it is replaced', () => !set.all().includes(lost) && set.live().length === 2, {
			withinMs: 40_000,
		});
		await set.stays(2, 5_000);
		assert.is(set.uids.size, 3, 'once');
		assert.is(set.most, 2, 'never more than wanted');
	});
}

test('runners that end before they register: the next comes after a pause, the condition says so', async (context) => {
	const { rig } = context;
	const set = await SetUnderTest.make(rig, 'RunnerDeployment', {
		podAnnotations: { 'test.runners/no-register': 'true' },
	});
	context.sets.push(set);
	await set.scale(1);
	await set.reaches(1);
	const [name = ''] = set.live();
	await eventually('it runs', async () => (await set.pod(name))?.status?.phase === 'Running');
	const containerStatuses = (await set.pod(name))?.status?.containerStatuses?.map((one) => ({
		...one,
		state: { terminated: { exitCode: 2, reason: 'Error', containerID: 'x://y' } },
	}));
	await rig.kube.patch(`/api/v1/namespaces/${set.namespace}/pods/${name}/status`, {
		status: { phase: 'Failed', containerStatuses },
	});
	const failed = Date.now();
	await set.reaches(0);
	await set.conditionIs('StartsFailing', 'True');
	await set.stays(0, 6_000);
	await set.reaches(1);
	assert.ok(Date.now() - failed > 9_000);
});

test.run();

/** Every replica is away for an hour, while jobs end, pods go, sets are scaled: what is found on return (H7). */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { breakGlass, busy, progress, record } from '../../../admission/api/keys.ts';
import { eventually } from '../../rig/eventually.ts';
import { type History, startHistory } from '../../rig/history.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { kinds, SetUnderTest } from '../../rig/runner-sets.ts';
import { suite } from '../../support/suite.ts';
import { end, Space } from '../support/space.ts';

interface Context {
	rig: Rig;
	history: History;
	sets: SetUnderTest[];
}

const test = suite<Context>('an hour without the server');
const hourMs = 60 * 60_000;
/** Times on pods that are an hour older after the absence. */
const times = [busy.since, record.requestedAt, progress.completionWait, progress.completedAt];

test.before(async (context) => {
	context.rig = await startRig({ sets: true, replicas: 2 });
	context.history = await startHistory(context.rig);
	context.sets = [];
});
test.after(async ({ rig, history, sets }) => {
	for (const set of sets ?? []) set.stop();
	history?.stop();
	await end(rig);
});
test.after.each(({ history, rig }) => {
	assert.equal(history.violations({ lost: [...lost], cancelled: [...aged] }), []);
	assert.equal(
		rig.logs(({ level }) => level === 'error'),
		[],
	);
});

/** Deleted by break-glass, as the guard is away. */
const lost = new Set<string>();
/** Their record was made to look an hour older. */
const aged = new Set<string>();

async function leave(rig: Rig): Promise<void> {
	await Promise.all([...rig.servers].map((server) => server.stop()));
}

/** All that is written down of times is an hour ago now. */
async function anHourPasses(rig: Rig, namespaces: string[]): Promise<void> {
	for (const namespace of namespaces) {
		for (const { metadata } of await rig.pods(namespace)) {
			const older = Object.entries(metadata.annotations ?? {})
				.filter(([key]) => times.includes(key as (typeof times)[number]))
				.map(([key, time]) => [key, new Date(Date.parse(time) - hourMs).toISOString()]);
			const claim = metadata.annotations?.[progress.claim]?.split(' ');
			if (claim)
				older.push([
					progress.claim,
					`${new Date(Date.parse(claim[0] ?? '') - hourMs).toISOString()} ${claim[1]}`,
				]);
			if (older.length === 0) continue;
			aged.add(`${namespace}/${metadata.name}`);
			await rig.kube.patch(`/api/v1/namespaces/${namespace}/pods/${metadata.name}`, {
				metadata: { annotations: Object.fromEntries(older) },
			});
		}
	}
}

test('recorded deletions, ended jobs, pods that are gone: all is put right with one list an organization, and no job is killed (H7)', async ({
	rig,
}) => {
	const spaces = [await Space.make(rig), await Space.make(rig)];
	const names = ['ended', 'ended-recorded', 'busy', 'busy-recorded', 'glass', 'idle-1', 'idle-2', 'idle-3'];
	for (const space of spaces) {
		await space.runners(names);
		for (const name of names.slice(0, 5)) await space.runJob(name, { known: true });
		for (const name of ['ended-recorded', 'busy-recorded']) await space.refused(name);
	}
	await leave(rig);
	for (const space of spaces) {
		for (const name of ['ended', 'ended-recorded']) await space.endJob(name);
		await space.ok('annotate', 'pod', 'glass', `${breakGlass}=the guard is away`);
		lost.add(`${space.name}/glass`);
		await space.ok('delete', 'pod', 'glass', '--wait=false');
		await space.gone('glass');
	}
	await anHourPasses(
		rig,
		spaces.map(({ name }) => name),
	);
	const sinceMs = Date.now();
	await rig.addServer();
	await rig.guarded();
	for (const space of spaces) {
		await space.gone('ended-recorded');
		await eventually(
			'the mark of the ended job is gone',
			async () => (await space.pod('ended'))?.metadata.labels?.[busy.label] === undefined,
		);
	}
	// The next poll is due 10 s after the first list.
	const leading = rig.logs(({ msg }) => msg === 'leading')[0];
	await sleep(Math.max(0, Date.parse(leading?.time ?? '') + 9_000 - Date.now()));
	for (const space of spaces) {
		const calls = space.calls().filter(({ atMs }) => atMs >= sinceMs);
		assert.equal(
			calls.map(({ endpoint }) => endpoint),
			['list'],
			`${space.name}: one list in all`,
		);
		for (const name of ['busy', 'busy-recorded', 'idle-1', 'idle-2', 'idle-3', 'ended'])
			assert.is((await space.pod(name))?.metadata.deletionTimestamp, undefined, name);
		assert.equal(
			space.killedJobs().map(({ pod }) => pod),
			['glass'],
		);
		for (const name of ['busy', 'busy-recorded']) await space.endJob(name);
		await space.gone('busy-recorded');
	}
});

for (const kind of kinds) {
	test(`${kind}: jobs that ended, a pod that was deleted, another number wanted: the set comes to it, never above, and no job is killed (H7)`, async ({
		rig,
		sets,
	}) => {
		if (rig.servers.length === 0) await rig.addServer();
		const set = await SetUnderTest.make(rig, kind, { replicas: 6 });
		sets.push(set);
		const [busyOne = '', ended = '', other = '', glass = ''] = set.known();
		await set.busy(busyOne, ended, other);
		await leave(rig);
		for (const name of [ended, other]) await set.endJob(name);
		lost.add(`${set.namespace}/${glass}`);
		await rig.ok(['-n', set.namespace, 'annotate', 'pod', glass, `${breakGlass}=the guard is away`]);
		await rig.ok(['-n', set.namespace, 'delete', 'pod', glass, '--wait=false']);
		await set.scale(4);
		await anHourPasses(rig, [set.namespace]);
		await sleep(2_000);
		set.most = 0;
		await rig.addServer();
		await rig.guarded();
		await set.registered(4, 60_000);
		await set.stays(4);
		assert.ok(set.live().includes(busyOne), 'its job goes on');
		assert.ok(set.most <= 4, `${set.most} pods at a time`);
		for (const name of [ended, other]) assert.not.ok(set.all().includes(name), name);
		assert.equal(set.journal('job-killed'), []);
		await set.endJob(busyOne);
		await set.registered(4);
	});
}

test.run();

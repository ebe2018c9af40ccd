/**
 * Servers that stop, and others that take over: a leader that is killed (E8), and an hour in which no replica runs while
 * jobs end, pods go and come, and sets are scaled (D4, E7, H7). Everything is prepared first, for one absence.
 */
import * as assert from 'uvu/assert';
import { breakGlass, busy, progress } from '../../../admission/api/keys.ts';
import { lacksInjection } from '../../../admission/sets/pod/injection.ts';
import { eventually } from '../../rig/eventually.ts';
import { failures, type History, startHistory } from '../../rig/history.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { type Kind, kinds, type SetOptions, SetUnderTest } from '../../rig/runner-sets.ts';
import { suite } from '../../support/suite.ts';
import { end, Space } from '../support/space.ts';

interface Context {
	rig: Rig;
	history: History;
	spaces: Space[];
	/** Sets by what they are for. */
	changed: Map<Kind, SetUnderTest>;
	held: SetUnderTest;
	withoutWebhook: SetUnderTest;
	/** The whole absence; resolves when a server is back. */
	absence: () => Promise<Absence>;
}

interface Absence {
	backMs: number;
}

const test = suite<Context>('servers that stop, and others that take over');
const hourMs = 60 * 60_000;
/** Times on pods that are an hour older after the absence. Those that the server signs cannot be changed. */
const times: readonly string[] = [busy.since];
/** A scope's list is read each 10 s at the most; how long a call is under way differs. */
const pollMs = 8_000;
const webhooks = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';

/** A runner without a name does not start, and who it is would not be certain: this template brings the name itself. */
const namesItself: SetOptions = {
	spec: {
		template: {
			metadata: { labels: { app: 'example' } },
			spec: {
				containers: [
					{
						name: 'runner',
						env: [{ name: 'RUNNER_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
					},
				],
			},
		},
	},
};

/** Deleted by break-glass, as the guard is away. */
const lost = new Set<string>();
/** Their record was made to look an hour older. */
const aged = new Set<string>();

test.before(async (context) => {
	const rig = await startRig({ sets: true, replicas: 2 });
	context.rig = rig;
	context.history = await startHistory(rig);
	const make = (kind: Kind, replicas: number, more: SetOptions = {}) =>
		SetUnderTest.make(rig, kind, { replicas, ...more });
	const delay = { annotations: { 'actions-runner/recreation-delay': '10m' } };
	const [spaces, held, withoutWebhook, ...changed] = await Promise.all([
		Promise.all([spaceWithRunners(rig), spaceWithRunners(rig)]),
		make('RunnerSet', 2, delay),
		make('RunnerSet', 2, namesItself),
		...kinds.map((kind) => make(kind, 4)),
	]);
	Object.assign(context, { spaces, held, withoutWebhook });
	context.changed = new Map(changed.map((set) => [set.kind, set]));
	let absence: Promise<Absence> | undefined;
	context.absence = () => {
		absence ??= anHourAway(context);
		return absence;
	};
});
test.after(async ({ rig, history, held, withoutWebhook, changed }) => {
	for (const set of [held, withoutWebhook, ...(changed?.values() ?? [])]) set?.stop();
	history?.stop();
	await end(rig);
});
test.after.each(async ({ history, rig }) => {
	assert.equal(await failures(rig, history, { lost: [...lost], cancelled: [...aged] }), []);
});

async function spaceWithRunners(rig: Rig): Promise<Space> {
	const space = await Space.make(rig);
	const working = ['ended', 'ended-recorded', 'busy', 'busy-recorded', 'glass'];
	await space.runners([...working, 'idle']);
	await Promise.all(working.map((name) => space.runJob(name, { known: true })));
	for (const name of ['ended-recorded', 'busy-recorded']) await space.refused(name);
	return space;
}

/** By break-glass, as nobody is there who could allow it. */
async function deleteByForce(rig: Rig, namespace: string, name: string): Promise<void> {
	lost.add(`${namespace}/${name}`);
	const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
	await rig.kube.patch(path, { metadata: { annotations: { [breakGlass]: 'the guard is away' } } });
	await rig.kube.delete(path);
}

/** All that is written down of times is an hour ago now. */
async function anHourPasses(rig: Rig, namespace: string): Promise<void> {
	const earlier = (time: string) => new Date(Date.parse(time) - hourMs).toISOString();
	for (const { metadata } of await rig.pods(namespace)) {
		const annotations = metadata.annotations ?? {};
		const older = Object.entries(annotations)
			.filter(([key]) => times.includes(key))
			.map(([key, time]) => [key, earlier(time)]);
		const [claimedAt = '', by] = annotations[progress.attempt]?.split(' ') ?? [];
		if (by) older.push([progress.attempt, `${earlier(claimedAt)} ${by}`]);
		if (older.length === 0) continue;
		aged.add(`${namespace}/${metadata.name}`);
		await rig.kube.patch(`/api/v1/namespaces/${namespace}/pods/${metadata.name}`, {
			metadata: { annotations: Object.fromEntries(older) },
		});
	}
}

const unfit = async (set: SetUnderTest) =>
	(await set.rig.pods(set.namespace))
		.filter((pod) => lacksInjection(pod))
		.map(({ metadata }) => metadata.name);

/** Who does what in the sets `changed`. */
const rolesOf = (names: string[]) => {
	const [working = '', ended = '', glass = '', idle = ''] = names.sort();
	return { working, ended, glass, idle };
};
const roles = new Map<Kind, ReturnType<typeof rolesOf>>();
/** Who of the set without a webhook runs a job when the servers come back, and who does not. */
const unfitRoles = { working: '', idle: '', workingUid: '' };

async function anHourAway({ rig, spaces, changed, held, withoutWebhook }: Context): Promise<Absence> {
	const [first = ''] = held.live();
	await held.work(first);
	await held.finish(first);
	await held.reaches(1);
	await held.conditionIs('Holding', 'True');
	for (const set of changed.values()) {
		const parts = rolesOf(set.live());
		roles.set(set.kind, parts);
		await set.work(parts.working, parts.ended);
	}
	const [working = '', idle = ''] = withoutWebhook.live();

	await Promise.all([...rig.servers].map((server) => server.stop()));
	for (const space of spaces) {
		for (const name of ['ended', 'ended-recorded']) await space.endJob(name);
		await deleteByForce(rig, space.name, 'glass');
		await space.gone('glass', 60_000);
	}
	for (const set of changed.values()) {
		const { ended, glass } = roles.get(set.kind) ?? rolesOf([]);
		await set.finish(ended);
		await deleteByForce(rig, set.namespace, glass);
		await set.scale(3);
	}
	for (const { name } of spaces) await anHourPasses(rig, name);
	for (const { namespace } of changed.values()) await anHourPasses(rig, namespace);

	type Configuration = { metadata: { name: string; labels?: object } };
	const { metadata, ...rest } = await rig.kube.get<Configuration>(`${webhooks}/runners-admission`);
	await rig.kube.delete(`${webhooks}/runners-admission`);
	for (const name of [working, idle]) {
		const uid = (await withoutWebhook.pod(name))?.metadata.uid;
		await deleteByForce(rig, withoutWebhook.namespace, name);
		await eventually(
			'its StatefulSet has made it anew',
			async () =>
				(await withoutWebhook.pod(name))?.metadata.uid !== uid && withoutWebhook.live().includes(name),
			{ withinMs: 60_000 },
		);
	}
	assert.equal((await unfit(withoutWebhook)).sort(), [working, idle].sort());
	await withoutWebhook.online(2);
	await withoutWebhook.work(working);
	const workingUid = (await withoutWebhook.pod(working))?.metadata.uid ?? '';
	Object.assign(unfitRoles, { working, idle, workingUid });
	await rig.kube.create(webhooks, { ...rest, metadata: { name: metadata.name, labels: metadata.labels } });

	for (const set of changed.values()) set.most = 0;
	const backMs = Date.now();
	await rig.addServer();
	await rig.guarded();
	return { backMs };
}

test('two replicas, the leader is killed in the middle of a scale-up: exactly the wanted number, no duplicates (E8)', async ({
	rig,
}) => {
	const sets = await Promise.all(kinds.map((kind) => SetUnderTest.make(rig, kind)));
	await Promise.all(sets.map((set) => set.scale(12)));
	await eventually('it has begun', () => sets.some((set) => set.live().length > 3), { everyMs: 5 });
	const leader = rig.servers.find((server) => server.log.some(({ msg }) => msg === 'leading'));
	leader?.signal('SIGKILL');
	await leader?.exited;
	for (const set of sets) {
		await set.online(12, 120_000);
		await set.rests(12);
		assert.equal([set.most, set.uids.size], [12, 12]);
	}
	for (const set of sets) await set.end();
});

test('an hour away: recorded deletions, ended jobs, pods that are gone: all is put right with one list an organization, and no job is killed (H7)', async ({
	spaces,
	absence,
}) => {
	const { backMs } = await absence();
	for (const space of spaces) {
		await space.gone('ended-recorded', 60_000);
		await eventually(
			'the mark of the ended job is gone',
			async () => (await space.pod('ended'))?.metadata.labels?.[busy.label] === undefined,
			{ withinMs: 60_000 },
		);
		const calls = space.calls().filter(({ atMs }) => atMs >= backMs);
		const tooEarly = calls.filter(
			({ endpoint, atMs }, index) => endpoint !== 'list' || atMs - (calls[index - 1]?.atMs ?? 0) < pollMs,
		);
		assert.equal(tooEarly, [], `${space.name}: nothing but one list each 10 s`);
	}
	for (const space of spaces) {
		for (const name of ['busy', 'busy-recorded', 'idle', 'ended'])
			assert.is((await space.pod(name))?.metadata.deletionTimestamp, undefined, name);
		assert.equal(
			space.killedJobs().map(({ pod }) => pod),
			['glass'],
		);
		for (const name of ['busy', 'busy-recorded']) await space.endJob(name);
		await space.gone('busy-recorded', 60_000);
		await space.clear();
	}
});

for (const kind of kinds) {
	test(`${kind}: jobs that ended, a pod that was deleted, another number wanted: the set comes to it, never above, and no job is killed (H7)`, async ({
		changed,
		absence,
	}) => {
		await absence();
		const set = changed.get(kind);
		const { working, ended } = roles.get(kind) ?? rolesOf([]);
		if (!set) return assert.unreachable();
		await set.online(3, 120_000);
		await set.rests(3);
		assert.ok(set.live().includes(working), 'its job goes on');
		assert.ok(set.most <= 3, `${set.most} pods at a time`);
		assert.not.ok(set.all().includes(ended));
		assert.equal(set.journal('job-killed'), []);
		await set.finish(working);
		await eventually('its place is filled', () => !set.live().includes(working) && set.live().length === 3, {
			withinMs: 60_000,
		});
	});
}

test('the next leader does not fill a place that is held, before effectiveTime moves (D4, invariant 10)', async ({
	held,
	absence,
}) => {
	await absence();
	await held.rests(1);
	assert.is(held.uids.size, 2);
	await held.patch({ spec: { effectiveTime: new Date().toISOString() } });
	await held.reaches(2);
	await held.rests(2);
	assert.is(held.uids.size, 3);
});

test('RunnerSet whose pods were made while the pod webhook was missing: an idle one is replaced at once, a busy one when its job is done, and the set says so (E7)', async ({
	rig,
	withoutWebhook: set,
	absence,
}) => {
	await absence();
	const { working, idle, workingUid } = unfitRoles;
	await eventually('the idle one is replaced', async () => !(await unfit(set)).includes(idle), {
		withinMs: 60_000,
	});
	await set.reaches(2);
	await set.rests(2);
	assert.is((await set.pod(working))?.metadata.uid, workingUid, 'the job goes on');
	await eventually('an Event says why', async () => {
		const { items } = await rig.kube.get<{ items: { reason: string }[] }>(
			`/api/v1/namespaces/${set.namespace}/events`,
		);
		return items.some(({ reason }) => reason === 'PodsNotInjected');
	});
	await set.finish(working);
	// Restarted in place it has no token to register with, and the kubelet soon waits before it tries again.
	await rig.kube.patch(`/api/v1/namespaces/${set.namespace}/pods/${working}/status`, {
		status: {
			containerStatuses: (await set.pod(working))?.status?.containerStatuses?.map((status) => ({
				...status,
				state: { waiting: { reason: 'CrashLoopBackOff' } },
			})),
		},
	});
	await eventually('then it is replaced too', async () => (await unfit(set)).length === 0, {
		withinMs: 60_000,
	});
	await set.online(2);
	assert.equal(set.journal('job-killed'), []);
});

test.run();

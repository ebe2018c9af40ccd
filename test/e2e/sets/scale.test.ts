/** Groups C and G8: what a scale-down takes, in which order, and what it never takes. */
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

const test = suite<Context>('scale-down of sets');

test.before(async (context) => {
	context.rig = await startRig({ sets: true, agents: { registrationDelayMs: 700 } });
	context.history = await startHistory(context.rig);
	context.sets = [];
});
test.after(async ({ rig, history, sets }) => {
	for (const set of sets ?? []) set.stop();
	history?.stop();
	await rig?.stop();
});
test.after.each(async ({ history, rig }) => {
	assert.equal(await history.violationsAtRest(), []);
	assert.equal(
		rig.logs(({ level }) => level === 'error'),
		[],
	);
});

const names = (list: readonly string[]) => [...list].sort();

for (const kind of kinds) {
	const make = async ({ rig, sets }: Context, options: Parameters<typeof SetUnderTest.make>[2]) => {
		const set = await SetUnderTest.make(rig, kind, options);
		sets.push(set);
		return set;
	};

	test(`${kind} 5 -> 3, three of five busy: exactly the two idle ones go, within 3 s, and no pod comes later (C1)`, async (context) => {
		const set = await make(context, { replicas: 5 });
		const busy = set.known().slice(0, 3);
		await set.busy(...busy);
		await set.scale(3);
		const tookMs = await set.reaches(3);
		assert.ok(tookMs < 3_000, `${tookMs} ms`);
		assert.equal(names(set.live()), names(busy));
		assert.equal(set.removals(), [204, 204]);
		await set.stays(3);
		assert.is(set.uids.size, 5);
	});

	test(`${kind} 5 -> 3, all busy: none is touched; as jobs end no replacement comes before 3 remain (C2)`, async (context) => {
		const set = await make(context, { replicas: 5 });
		const all = set.known();
		await set.busy(...all);
		await set.scale(3);
		await set.stays(5);
		assert.ok(set.removals().length <= 5, `${set.removals().length} DELETE calls`);
		assert.match((await set.conditionIs('Draining', 'True')).message ?? '', /2 go when their jobs are done/);
		for (const name of all.slice(0, 2)) await set.endJob(name);
		await set.reaches(3);
		await set.stays(3);
		assert.is(set.uids.size, 5, 'no pod was made');
		await set.endJob(all[2] ?? '');
		await eventually(
			'the third is replaced, since 3 are wanted',
			() => set.uids.size === 6 && set.live().length === 3,
		);
	});

	test(`${kind} 5 -> 3 -> 5 with all busy: pending removals are cancelled, no extra pod is made (C3)`, async (context) => {
		const set = await make(context, { replicas: 5 });
		const all = set.known();
		await set.busy(...all);
		await set.scale(3);
		await set.stays(5, 1_500);
		await set.scale(5);
		await set.stays(5, 1_500);
		await set.endJob(all[0] ?? '');
		await eventually('the completed one is replaced', () => set.uids.size === 6 && set.live().length === 5);
		assert.is(set.most, 5);
	});

	test(`${kind} scaled to 0 while runners register: none is killed between start and registration (C4)`, async (context) => {
		const set = await make(context, {});
		await set.scale(3);
		await eventually(
			'all containers run',
			async () => {
				const pods = await context.rig.pods(set.namespace);
				return pods.length === 3 && pods.every((pod) => pod.status?.phase === 'Running');
			},
			{ everyMs: 20 },
		);
		await set.scale(0);
		await set.reaches(0, 30_000);
		for (const name of set.uids.keys()) {
			assert.ok(
				set.journal('registered').includes(name),
				`${name} was told to stop before it had registered`,
			);
			assert.ok(set.journal('removed-by-github').includes(name), `${name} was not unregistered first`);
		}
	});

	test(`${kind} with runners that have not started: they go first (C5)`, async (context) => {
		const set = await make(context, { replicas: 2 });
		const started = set.known();
		await context.rig.ok(['cordon', 'node-1', 'node-2']);
		try {
			await set.scale(4);
			await set.reaches(4);
			await set.scale(2);
			await set.reaches(2);
			assert.equal(names(set.live()), names(started));
			assert.equal(set.removals(), [], 'what never started was never at GitHub');
			await set.stays(2, 1_500);
		} finally {
			await context.rig.ok(['uncordon', 'node-1', 'node-2']);
		}
	});

	test(`${kind}: of idle runners those on cordoned nodes go first`, async (context) => {
		const set = await make(context, { replicas: 6 });
		const nodeOf = async (name: string) => (await set.pod(name))?.spec?.nodeName;
		const cordoned = await nodeOf(set.known().at(-1) ?? '');
		const there: string[] = [];
		for (const name of set.known()) if ((await nodeOf(name)) === cordoned) there.push(name);
		await context.rig.ok(['cordon', cordoned ?? '']);
		try {
			await eventually(
				'the leader has seen it',
				() => new Promise((resolve) => setTimeout(() => resolve(true), 300)),
			);
			await set.scale(6 - there.length);
			await set.reaches(6 - there.length);
			assert.equal(
				set.live().filter((name) => there.includes(name)),
				[],
			);
		} finally {
			await context.rig.ok(['uncordon', cordoned ?? '']);
		}
	});

	test(`a static ${kind} scaled to 0: its busy runner works on, and goes when it is idle (C7)`, async (context) => {
		const set = await make(context, { replicas: 2, config: { ephemeral: false } });
		const [busy = ''] = set.known();
		await set.busy(busy);
		await set.scale(0);
		await set.reaches(1);
		await set.stays(1, 5_000);
		assert.equal(set.live(), [busy]);
		assert.equal(set.removals(), [204], 'the busy one is known to be busy: GitHub is not asked');
		await set.endJob(busy);
		await set.reaches(0, 20_000);
		assert.equal(set.journal('job-killed'), []);
	});

	test(`${kind}: one whose job nobody knew of answers 422 once; another one goes in its place (C8)`, async (context) => {
		const set = await make(context, { replicas: 3 });
		const all = set.known();
		const stale = context.rig.github.fault({
			fault: {
				kind: 'answer',
				status: 200,
				body: {
					total_count: 3,
					runners: all.map((name) => ({
						id: context.rig.agents.runnerId(set.namespace, name),
						name,
						os: 'linux',
						status: 'online',
						busy: false,
						labels: [],
					})),
				},
			},
			endpoint: 'list',
			scope: set.scope,
		});
		// Whichever is chosen first is busy in truth: all but one are.
		for (const name of all.slice(0, 2)) await context.rig.agents.runJob(set.namespace, name);
		await set.scale(2);
		await set.reaches(2);
		stale.clear();
		assert.equal(names(set.live()), names(all.slice(0, 2)));
		const removals = set.removals();
		assert.is(removals.filter((status) => status === 204).length, 1);
		assert.ok(removals.filter((status) => status === 422).length <= 2, `${removals}`);
		await set.stays(2);
		assert.is(set.uids.size, 3, 'the busy ones are still counted');
	});

	test(`${kind} at 0: idle ones go, busy ones finish, and it stays at 0 (G8)`, async (context) => {
		const set = await make(context, { replicas: 3 });
		const [busy = ''] = set.known();
		await set.busy(busy);
		await set.scale(0);
		await set.reaches(1);
		await set.endJob(busy);
		await set.reaches(0);
		await set.stays(0);
		await eventually(
			'its owners are gone',
			async () =>
				!(await context.rig.ok(['-n', set.namespace, 'get', 'statefulsets,runners', '-o', 'name'])).trim(),
		);
		assert.equal((await set.object()).status?.replicas, 0);
	});
}

test.run();

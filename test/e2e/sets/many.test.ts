/** Groups C, D and E with many runners at once, and one thing many times over. */
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

/** Completions that come while a pass removes wait for the next one; each pass takes what there is. */
const mostPasses = 8;

const test = suite<Context>('many runners of sets');

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
	for (const set of sets) assert.equal(set.reused(), [], 'a pod name was used twice (invariant 6)');
});

for (const kind of kinds) {
	test(`${kind}: 200 completions in a second: all owners go in a few passes, no name comes again, the count is right (E1, E2)`, async ({
		rig,
		sets,
	}) => {
		const set = await SetUnderTest.make(rig, kind, { replicas: 0 });
		sets.push(set);
		await set.scale(200);
		await set.registered(200, 120_000);
		const first = set.known();
		await set.busy(...first);
		// None is wanted in their places: the StatefulSet controller alone would take 40 s to make 200 more.
		await set.scale(20);
		await set.conditionIs('Draining', 'True');
		const lines = rig.servers[0]?.log.length ?? 0;
		const fromMs = Date.now();
		await Promise.all(first.map((name) => set.endJob(name)));
		const endedMs = Date.now() - fromMs;
		await eventually('all are gone', () => first.every((name) => !set.all().includes(name)), {
			everyMs: 20,
			withinMs: 60_000,
		});
		const passes = (rig.servers[0]?.log.slice(lines) ?? []).filter(
			({ msg, remove }) => msg === 'reconciled' && Number(remove) > 0,
		);
		console.log(
			`${kind}: 200 completed within ${endedMs} ms are gone after ${Date.now() - fromMs} ms, in passes of ${passes.map(({ remove }) => remove).join(', ')}`,
		);
		assert.ok(passes.length <= mostPasses, `${passes.length} passes`);
		await set.reaches(20, 60_000);
		await set.stays(20);
		assert.is(set.uids.size, 220);
		assert.is(set.most, 200);
		await set.scale(0);
	});
}

test('20 times 6 busy to 0, RunnerSet and RunnerDeployment side by side: no job is killed, no runner is left (C2, E1)', async ({
	rig,
	sets,
}) => {
	const both = await Promise.all(kinds.map((kind) => SetUnderTest.make(rig, kind)));
	sets.push(...both);
	const tookMs: number[] = [];
	for (let time = 0; time < 20; time++) {
		await Promise.all(both.map((set) => set.scale(6)));
		for (const set of both) await set.registered(6);
		for (const set of both) for (const name of set.known()) await rig.agents.runJob(set.namespace, name);
		await Promise.all(both.map((set) => set.scale(0)));
		await Promise.all(both.map((set) => set.stays(6, 1_000)));
		await rig.agents.endAllJobs();
		const endedMs = Date.now();
		for (const set of both)
			await eventually(`${set.kind} is empty, time ${time + 1}`, () => set.all().length === 0, {
				everyMs: 20,
			});
		tookMs.push(Date.now() - endedMs);
		for (const set of both) {
			assert.equal(rig.github.runners(set.scope), [], 'registrations are left');
			assert.equal(set.journal('job-killed'), []);
		}
	}
	console.log(`last job end to last pod gone: at most ${Math.max(...tookMs)} ms`);
	for (const set of both) assert.is(set.uids.size, 120, 'a runner came that was not asked for');
});

test.run();

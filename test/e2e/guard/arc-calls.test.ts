/** GitHub calls of ARC and the guard together, while ARC scales down runners that run jobs: hardly more than ARC alone makes. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { requestScaleDown } from '../../rig/arc.ts';
import { arcKeys, arcUserAgent, startArc } from '../../rig/arc-controller.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { stage } from '../../rig/stage.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';
import { end, Space, says } from '../support/space.ts';

const test = suite<{ rig: Rig; spaces: Space[] }>('calls beside ARC');

/** ARC asks again after a minute, and looks at every pod again each minute: once before the jobs end, and once after. */
const watchedMs = 30_000;
const runners = {
	/** Known to be busy before ARC scales down, and somebody deletes them as well; nobody; its job is a second old. */
	static: ['static-asked', 'static-asked-too', 'static', 'static-new', 'static-new-asked'],
	ephemeral: ['ephemeral-asked', 'ephemeral', 'ephemeral-new'],
};
const all = [...runners.static, ...runners.ephemeral];

test.before(async (context) => {
	context.rig = await stage('replicas');
	context.spaces = [];
});
test.after(({ rig }) => end(rig));
test.after.each(async ({ rig, spaces }) => {
	while (rig.servers.length < 2) await rig.addServer();
	await rig.guarded();
	for (const space of spaces.splice(0)) await space.clear();
});

/** DELETE calls about each runner until a minute has passed, and then until its job has ended and it is unregistered. */
async function scaleDown(rig: Rig, space: Space, guarded: boolean): Promise<Map<string, [number, number]>> {
	const arc = await startArc(rig);
	try {
		await rig.apply(
			...all.map((name) =>
				runnerSetPod(space.options(name, { ephemeral: name.startsWith('ephemeral'), arcFinalizers: true })),
			),
		);
		await space.registered(all);
		if (guarded) await space.listed(all);
		const ids = new Map(all.map((name) => [rig.agents.runnerId(space.name, name), name]));
		await eventually('ARC knows their ids', async () =>
			(await rig.pods(space.name)).every(({ metadata }) => metadata.annotations?.[arcKeys.id]),
		);
		const known = all.filter((name) => !name.includes('new'));
		for (const name of known) await space.runJob(name, { known: guarded });
		for (const name of all.filter((name) => !known.includes(name))) await space.runJob(name);
		const fromMs = Date.now();
		await Promise.all(all.map((name) => requestScaleDown(rig, space.name, name)));
		const asked = all.filter((name) => name.includes('asked'));
		if (guarded)
			await Promise.all(
				asked.map(async (name) => says(await space.refused(name, '--wait=false'), /is busy/)),
			);
		await sleep(watchedMs - (Date.now() - fromMs));
		const inAMinute = space.calls('delete').length;
		for (const name of all) await space.endJob(name);
		await eventually(
			'ARC is done with each',
			async () =>
				(await rig.pods(space.name)).every(
					({ metadata, status }) =>
						metadata.annotations?.[arcKeys.complete] ||
						status?.containerStatuses?.some(({ state }) => state?.terminated),
				),
			{ withinMs: 90_000 },
		);
		if (guarded) for (const name of asked) await space.gone(name);
		assert.equal(space.killedJobs(), []);
		console.log(`${guarded ? 'together' : 'alone'}: ${inAMinute} DELETE within ${watchedMs / 1000} s`);
		const counts = new Map<string, [number, number]>(all.map((name) => [name, [0, 0]]));
		for (const { runnerId, userAgent } of space.calls('delete')) {
			const count = counts.get(ids.get(runnerId) ?? '');
			if (count) count[userAgent === arcUserAgent ? 0 : 1]++;
		}
		return counts;
	} finally {
		arc.stop();
	}
}

const total = (counts: Map<string, [number, number]>, names: string[]) =>
	names.reduce((sum, name) => sum + (counts.get(name) ?? [0, 0]).reduce((a, b) => a + b), 0);

test('busy runners that ARC scales down, with recorded deletions: for each of our writes at most one DELETE more than ARC alone sends (invariant 5)', async ({
	rig,
	spaces,
}) => {
	const [beside, without] = [await Space.make(rig), await Space.make(rig)];
	spaces.push(beside, without);
	const together = await scaleDown(rig, beside, true);
	await Promise.all([...rig.servers].map((server) => rig.terminate(server)));
	const alone = await scaleDown(rig, without, false);
	for (const name of all)
		console.log(
			`${name}: ARC alone ${alone.get(name)?.[0]}; together ${together.get(name)?.join(' + ')} of ours`,
		);
	// ARC looks at a pod, and asks GitHub, whenever somebody writes on it. While ARC is at it we write the record of a
	// deletion, that we ask GitHub ourselves, the mark of a job that is new, and take the mark away: each costs one call at
	// most, and only once.
	for (const names of Object.values(runners)) {
		const writes = names.flatMap((name) => [
			'mark taken away',
			...(name.includes('new') ? ['mark'] : []),
			...(name.includes('asked') ? ['record', 'attempt before our own DELETE'] : []),
		]);
		const most = total(alone, names) + writes.length;
		assert.ok(total(together, names) <= most, names.join(', '));
	}
});

test.run();

/** Groups C and E with many runners at once, and one thing many times over. With 200 runners: test/bench/sets. */
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import { kinds } from '../../rig/runner-sets.ts';
import { stage } from '../../rig/stage.ts';
import { setTests } from '../support/set-tests.ts';

const test = setTests('many runners of sets', { prepare: () => stage('sets') });

/** Completions that come while a pass removes wait for the next one; each pass takes what there is. */
const mostPasses = 8;

for (const kind of kinds) {
	test(`${kind}: 40 completions in a second: all owners go in a few passes, no name comes again, the count is right (E1, E2)`, async ({
		rig,
		make,
	}) => {
		// None is wanted in their places before effectiveTime moves.
		const set = await make(kind, { replicas: 40, annotations: { 'actions-runner/recreation-delay': '10m' } });
		const first = set.live();
		await set.work(...first);
		const lines = rig.servers[0]?.log.length ?? 0;
		await set.finish(...first);
		await eventually('all are gone', () => set.all().length === 0, { withinMs: 120_000 });
		await set.rests(0);
		const passes = (rig.servers[0]?.log.slice(lines) ?? []).filter(
			(line) =>
				line.msg === 'reconciled' &&
				line[kind.toLowerCase()] === `${set.namespace}/${set.name}` &&
				Number(line.remove) > 0,
		);
		const removed = passes.map(({ remove }) => remove).join(', ');
		assert.ok(passes.length <= mostPasses, `${passes.length} passes, of ${removed}`);
		assert.equal([set.uids.size, set.most], [40, 40]);
	});

	test(`${kind}: 5 times 4 busy to 0: no job is killed, no runner is left (C2, E1)`, async ({
		rig,
		make,
	}) => {
		const set = await make(kind);
		for (let time = 1; time <= 5; time++) {
			await set.scale(4);
			await set.online(4);
			await set.work(...set.live());
			await set.scale(0);
			await set.rests(4);
			await set.finish(...set.live());
			await eventually(`it is empty, time ${time}`, () => set.all().length === 0, { withinMs: 60_000 });
			assert.equal(rig.github.runners(set.scope), [], 'registrations are left');
		}
		assert.equal(set.journal('job-killed'), []);
		assert.is(set.uids.size, 20, 'a runner came that was not asked for');
	});
}

test.run();

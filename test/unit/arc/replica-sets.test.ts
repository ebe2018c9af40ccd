/** ARC's RunnerReplicaSets, in simulated time: which of them are deleted, and when. */
import * as assert from 'uvu/assert';
import { apiVersion } from '../../../admission/api/sets.ts';
import { ArcReplicaSets } from '../../../admission/arc/replica-sets.ts';
import { suite } from '../../support/suite.ts';
import { paths, World } from '../support/world.ts';

const test = suite('RunnerReplicaSets of ARC');

const ownedBy = (kind: string, name: string, uid = `uid-${name}`) => [
	{ apiVersion, kind, name, uid, controller: true },
];
const named = (name: string, ownerReferences?: ReturnType<typeof ownedBy>) => ({
	metadata: { name, namespace: 'ci', uid: `uid-${name}`, ...(ownerReferences && { ownerReferences }) },
});

/** The RunnerDeployment `moved` and its RunnerReplicaSet `made-by-arc`, with a Runner or without. */
async function moved({ withRunner }: { withRunner: boolean }) {
	const world = new World();
	world.api.put(paths.runnerDeployments, named('moved'));
	world.api.put(paths.replicaSets, named('made-by-arc', ownedBy('RunnerDeployment', 'moved')));
	if (withRunner) world.api.put(paths.runners, named('runner', ownedBy('RunnerReplicaSet', 'made-by-arc')));
	const loop = new ArcReplicaSets(world.parts);
	await world.start();
	return {
		world,
		isThere: (name = 'made-by-arc') => world.api.find(paths.replicaSets, name, 'ci') !== undefined,
		end: () => world.stop(loop),
	};
}

test('one that is left empty goes a minute after it was made, not sooner (I4)', async () => {
	const { world, isThere, end } = await moved({ withRunner: false });
	await world.clock.pass(58_000);
	assert.ok(isThere());
	await world.clock.pass(4_000);
	assert.not.ok(isThere());
	await end();
});

test('one that has a Runner stays, and goes with it', async () => {
	const { world, isThere, end } = await moved({ withRunner: true });
	await world.clock.pass(10 * 60_000);
	assert.ok(isThere());
	world.api.drop(paths.runners, 'runner', 'ci');
	await world.clock.pass(1_000);
	assert.not.ok(isThere());
	await end();
});

test("a person's own, and one of a RunnerDeployment that is gone, are not ours to delete", async () => {
	const { world, isThere, end } = await moved({ withRunner: false });
	world.api.put(paths.replicaSets, named('own'));
	world.api.put(
		paths.replicaSets,
		named('old', ownedBy('RunnerDeployment', 'moved', 'uid-of-an-earlier-one')),
	);
	await world.clock.pass(10 * 60_000);
	assert.equal([isThere('own'), isThere('old')], [true, true]);
	await end();
});

test.run();

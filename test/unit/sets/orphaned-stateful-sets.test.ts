/** What `kubectl delete runnerset --cascade=orphan` leaves: no ended ephemeral runner is made again under its name. */
import * as assert from 'uvu/assert';
import { arc } from '../../../admission/api/keys.ts';
import { apiVersion, setKeys } from '../../../admission/api/sets.ts';
import { OrphanedStatefulSets } from '../../../admission/sets/orphaned-stateful-sets.ts';
import { suite } from '../../support/suite.ts';
import { statefulSetController } from '../support/controllers.ts';
import { paths, World } from '../support/world.ts';

const test = suite('StatefulSets without a RunnerSet');
const name = 'example-abcde';
const set = { apiVersion, kind: 'RunnerSet', name: 'example', uid: 'set-1', controller: true };
const labels = { [arc.runnerSet]: 'example', [setKeys.templateHash]: 'h1' };
const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name, uid: 'sts-1', controller: true };

/** Pod example-abcde-0 of a StatefulSet, and its controller, which makes it again. */
function setUp(change: { ofSet?: boolean; static?: boolean; labels?: Record<string, string> } = {}) {
	const world = new World();
	const ownerReferences = change.ofSet ? [set] : [];
	const metadata = { name, namespace: 'ci', uid: 'sts-1', labels, ...change, ownerReferences };
	world.api.put(paths.statefulSets, { metadata });
	const env = { RUNNER_EPHEMERAL: change.static ? 'false' : 'true' };
	const podLabels = { 'actions-runner': '', [arc.runnerSet]: 'example' };
	const made = { env, metadata: { labels: podLabels, ownerReferences: [owner] } };
	const first = world.runner(`${name}-0`, made);
	statefulSetController(world, () => ({ ...first, metadata: { ...first.metadata, uid: 'uid-2' } }) as never);
	return {
		world,
		orphans: new OrphanedStatefulSets(world.parts),
		exists: () => [paths.statefulSets, paths.pods].map((path) => [...world.api.each(path)].length === 1),
	};
}

test('its ephemeral runner ends: the StatefulSet is deleted, then the pod, and none is made again (invariant 6)', async () => {
	const { world, orphans, exists } = setUp();
	await world.start();
	await world.clock.pass(60_000);
	assert.equal(exists(), [true, true], 'it may finish');
	world.exit(`${name}-0`);
	await world.clock.pass(60_000);
	assert.equal(exists(), [false, false]);
	const deleted = world.api.calls.filter(({ method }) => method === 'DELETE');
	assert.equal(
		deleted.map(({ name, body }) => [name, (body as { preconditions: object }).preconditions]),
		[
			[name, { uid: 'sts-1' }],
			[`${name}-0`, { uid: `uid-${name}-0` }],
		],
	);
	await world.stop(orphans);
});

test('it ended before there was a leader, or before its set was gone', async () => {
	const { world, orphans, exists } = setUp({ ofSet: true });
	world.exit(`${name}-0`);
	await world.start();
	await world.clock.pass(60_000);
	assert.equal(exists(), [true, true], 'a set removes its own');
	world.api.update(paths.statefulSets, name, 'ci', ({ metadata }) => {
		metadata.ownerReferences = [];
	});
	await world.clock.pass(60_000);
	assert.equal(exists(), [false, false]);
	await world.stop(orphans);
});

for (const [what, change] of [
	['a static runner is made again, as by any StatefulSet', { static: true }],
	["somebody's StatefulSet that no set of ours made", { labels: { [setKeys.templateHash]: 'h1' } }],
] as const)
	test(`${what}: it is left alone`, async () => {
		const { world, orphans, exists } = setUp(change);
		await world.start();
		world.exit(`${name}-0`);
		await world.clock.pass(60_000);
		assert.equal(exists(), [true, true]);
		await world.stop(orphans);
	});

test.run();

/** Writes onto runner pods: what came of each is returned as it is. */
import * as assert from 'uvu/assert';
import { KubeError } from '../../../admission/kube/client.ts';
import { suite } from '../../support/suite.ts';
import { paths, World } from '../support/world.ts';

const test = suite('writes onto runner pods');
const conflict = () =>
	new KubeError(409, 'Conflict', 'the object has been modified; please apply your changes');
const change = { annotations: { note: 'x' } };

function setUp() {
	const world = new World();
	world.api.latencyMs = 0;
	world.runner('r1');
	return { ...world, world, pod: { namespace: 'ci', name: 'r1', uid: 'uid-r1' } };
}

test('a patch that the API server gives up, because others write all the time, is sent again', async () => {
	const { world, api, pods, pod } = setUp();
	api.fail('PATCH', /pods\/r1$/, conflict(), 2);
	assert.not(['gone', 'conflict'].includes((await pods.patch(pod, change)) as string));
	assert.is(world.annotations('r1').note, 'x');
});
test('... and fails if that goes on: it is never taken for a pod that is gone', async () => {
	const { world, api, pods, pod } = setUp();
	api.fail('PATCH', /pods\/r1$/, conflict(), 3);
	const failed = await pods.patch(pod, change).catch((error: KubeError) => error.code);
	assert.equal([failed, world.annotations('r1').note], [409, undefined]);
});
test('gone: no pod of that name, or one of another UID', async () => {
	const { api, pods, pod } = setUp();
	assert.is(await pods.patch({ ...pod, uid: 'another' }, change), 'gone');
	api.drop(paths.pods, 'r1', 'ci');
	assert.is(await pods.patch(pod, change), 'gone');
});
test('with a version: a conflict where the pod has changed, and gone where it is another one', async () => {
	const { world, pods, pod } = setUp();
	const version = world.pod('r1')?.metadata.resourceVersion;
	world.edit('r1', { labels: { team: 'a' } });
	assert.is(await pods.patch(pod, change, version), 'conflict');
	assert.is(await pods.patch({ ...pod, uid: 'another' }, change, version), 'gone');
});
test('pods whose names begin so: none in a namespace without pods, of which the API server lists null', async () => {
	const { pods, pod } = setUp();
	assert.equal(await pods.beginningWith('empty', 'r', 5), []);
	const [found] = (await pods.beginningWith(pod.namespace, 'r', 5)) as { metadata: { name: string } }[];
	assert.is(found?.metadata.name, 'r1');
});

test.run();

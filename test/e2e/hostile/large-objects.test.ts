/** Pods as large as etcd takes them, which anybody who may create pods can have: the leader lives on, and carries out what is recorded. */
import * as assert from 'uvu/assert';
import type { Pod } from '../../../admission/api/kinds.ts';
import { type ApiCall, apiCalls, judged, remove } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { leads } from '../../rig/server-process.ts';
import { plainPod } from '../../rig/spaces.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';
import { end, Space } from '../support/space.ts';

interface Context {
	rig: Rig;
	space: Space;
	call: ApiCall;
	stop(): void;
}

const test = suite<Context>('large objects');
test.before(async (context) => {
	context.rig = await startRig();
	context.space = await Space.make(context.rig);
	Object.assign(context, apiCalls(readKubeconfig(context.rig.cluster.kubeconfig)));
});
test.after(async ({ rig, stop }) => {
	stop?.();
	await end(rig);
});

/** In JSON each of them is 6 bytes. */
const filler = (signs: number) => ({ name: 'FILLER', value: '<'.repeat(signs) });
const names = Array.from({ length: 10 }, (_, index) => `large-${index}`);
/** The container's limit is 256 MiB; without a large object the leader needs less than 110. */
const mostMiB = 200;

test('ten pods of 1.4 MB of "<", listed by a new leader and changed under it: it needs less than 200 MiB, and a recorded deletion of a runner of 1.8 MB of JSON is carried out (invariant 4)', async ({
	rig,
	space,
	call,
}) => {
	const collection = `/api/v1/namespaces/${space.name}/pods`;
	const create = async (pod: object, signs: number) => {
		const { containers } = (pod as Pod).spec as { containers: { env?: object[] }[] };
		for (const container of containers.slice(0, 1)) container.env = [...(container.env ?? []), filler(signs)];
		const { status, message } = await call('POST', collection, { body: pod });
		assert.is(status, 201, message);
	};
	const patch = async (name: string, labels: object) => {
		const { status, message } = await call('PATCH', `${collection}/${name}`, {
			body: { metadata: { labels } },
			type: 'application/merge-patch+json',
		});
		assert.is(status, 200, message);
	};
	await create(runnerSetPod(space.options('runner')), 300_000);
	await space.registered(['runner']);
	await space.runJob('runner', { known: true });
	const pending = { nodeSelector: { nowhere: '' } };
	for (const name of names) await create(plainPod(name, space.name, pending), 1_400_000);

	const [before] = rig.servers;
	const leader = await rig.addServer();
	await before?.stop();
	await rig.guarded();
	await eventually('the new one leads', () => leads(leader));
	const counted = async (state: string, count: number) =>
		(await leader.metrics()).includes(`runners_large_objects{state="${state}"} ${count}`);
	await eventually('all are listed', async () => (await counted('left-out', 10)) && counted('read-alone', 1));

	const refused = await judged(() => remove(call, space.name, 'runner'));
	assert.is(refused.status, 409, refused.message);
	for (const name of names.slice(0, 3)) await patch(name, { changed: '' });
	await space.endJob('runner');
	await rig.gone('runner', space.name);

	const peakMiB = await leader.peakMiB();
	console.log(`the leader's peak: ${peakMiB.toFixed(0)} MiB`);
	assert.ok(peakMiB < mostMiB, `${peakMiB} MiB`);
	assert.is(
		leader.log.filter(({ msg }) => msg === 'an object is too large for lists and watches').length,
		11,
	);
});

test.run();

/** A record is written on any version of a pod, and never over another record: what the real API server makes of that patch. */
import * as assert from 'uvu/assert';
import { record } from '../../../admission/api/keys.ts';
import { RunnerPods } from '../../../admission/cluster/runner-pods.ts';
import { Signer } from '../../../admission/cluster/signer.ts';
import { createKubeClient, loadKubeConfig } from '../../../admission/kube/client.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import type { Rig } from '../../rig/rig.ts';
import { stage } from '../../rig/stage.ts';
import { suite } from '../../support/suite.ts';
import { end, Space } from '../support/space.ts';

const test = suite<{ rig: Rig; space: Space; pods: RunnerPods }>('records');

test.before(async (context) => {
	context.rig = await stage('guard');
	context.space = await Space.make(context.rig);
	const client = createKubeClient(loadKubeConfig(context.rig.cluster.kubeconfig, {}), 'test', systemClock);
	context.pods = new RunnerPods(client, new Signer(Buffer.from('key')), 'github.com', systemClock.now);
});
test.after(async ({ rig, space }) => {
	await space?.clear();
	await end(rig);
});

/** A pod without a runner: no webhook sees it. */
async function plainPod({ rig, name: namespace }: Space, name: string) {
	await rig.apply({
		apiVersion: 'v1',
		kind: 'Pod',
		metadata: { name, namespace },
		spec: { containers: [{ name: 'web', image: 'web' }] },
	});
	return (await rig.pod(name, namespace))!.metadata as { namespace: string; name: string; uid: string };
}

const recordOf = (asker: string) => ({ [record.requestedBy]: asker, [record.proof]: `signed ${asker}` });

test('twenty at once, while others write on the pod all the time: one is recorded', async ({
	space,
	pods,
}) => {
	const pod = await plainPod(space, 'contested');
	let done = false;
	const others = Array.from({ length: 4 }, async (_, line) => {
		for (let time = 0; !done; time++) await space.annotate(pod.name, { [`other-${line}`]: String(time) });
	});
	const askers = Array.from({ length: 20 }, (_, index) => `asker-${index}`);
	const written = await Promise.all(
		askers.map((asker) => pods.annotateWhile(pod, [record.proof, undefined], recordOf(asker))),
	).finally(() => {
		done = true;
	});
	await Promise.all(others);
	const winners = askers.filter((_, index) => typeof written[index] !== 'string');
	assert.is(winners.length, 1, JSON.stringify(written));
	assert.is((await space.pod(pod.name))?.metadata.annotations?.[record.requestedBy], winners[0]);
	assert.is(written.filter((outcome) => outcome === 'conflict').length, 19);
});
test('with annotations and without; another one in its place; another pod', async ({ space, pods }) => {
	const pod = await plainPod(space, 'plain');
	assert.not.type(await pods.annotateWhile(pod, [record.proof, undefined], recordOf('alice')), 'string');
	assert.is(await pods.annotateWhile(pod, [record.proof, 'x'], recordOf('bob')), 'conflict');
	assert.not.type(await pods.annotateWhile(pod, [record.proof, 'signed alice'], recordOf('bob')), 'string');
	assert.is((await space.pod(pod.name))?.metadata.annotations?.[record.requestedBy], 'bob');
	const [another, nobody] = [
		{ ...pod, uid: 'another' },
		{ ...pod, name: 'nobody' },
	];
	assert.is(await pods.annotateWhile(another, [record.proof, undefined], recordOf('eve')), 'gone');
	assert.is(await pods.annotateWhile(nobody, [record.proof, undefined], recordOf('eve')), 'gone');
});
test('what the API server does not accept is an error, and no conflict', async ({ space, pods }) => {
	const pod = await plainPod(space, 'full');
	const tooLong = { [record.requestedBy]: 'x'.repeat(300 * 1024) };
	const message = await pods
		.annotateWhile(pod, [record.proof, undefined], tooLong)
		.catch((error: Error) => error.message);
	assert.match(String(message), /Too long/);
});

test.run();

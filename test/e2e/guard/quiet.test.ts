/** Retries change nothing and say nothing: log lines, Events and writes follow changes of state (F9). */
import { Agent, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';
import { end, Space } from '../support/space.ts';

const test = suite<{ rig: Rig; space: Space }>('quiet');

test.before(async (context) => {
	context.rig = await startRig();
	context.space = await Space.make(context.rig);
});
test.after(({ rig }) => end(rig));

/** As a controller that does not back off: DELETE after DELETE, eight at a time. Answers the statuses with their number. */
async function deleteManyTimes(space: Space, name: string, times: number): Promise<Record<number, number>> {
	const { server, ca, cert, key } = readKubeconfig(space.rig.cluster.kubeconfig);
	const agent = new Agent({
		keepAlive: true,
		maxSockets: 8,
		...(ca && cert && key ? { ca, cert, key } : {}),
	});
	const url = `${server}/api/v1/namespaces/${space.name}/pods/${name}`;
	const statuses: Record<number, number> = {};
	const once = () =>
		new Promise<void>((resolve, reject) => {
			const call = request(url, { method: 'DELETE', agent }, (answer) => {
				statuses[answer.statusCode ?? 0] = (statuses[answer.statusCode ?? 0] ?? 0) + 1;
				answer.resume().once('end', resolve);
			});
			call.once('error', reject).end();
		});
	try {
		await Promise.all(
			Array.from({ length: 8 }, async (_, line) => {
				for (let time = line; time < times; time += 8) await once();
			}),
		);
	} finally {
		agent.destroy();
	}
	return statuses;
}

test('1,000 deletes of a busy runner: 1,000 refusals, no log line above debug, no write, no Event, no GitHub call (F9)', async ({
	rig,
	space,
}) => {
	await space.runners(['a']);
	await space.runJob('a');
	await space.refused('a');
	await space.busy('a');
	await sleep(2_000);
	const before = {
		lines: space.log().length,
		events: await space.events('a'),
		version: (await space.pod('a'))?.metadata.resourceVersion,
	};

	assert.equal(await deleteManyTimes(space, 'a', 1_000), { 409: 1_000 });

	assert.is(space.log().length, before.lines);
	assert.equal(await space.events('a'), before.events);
	assert.is((await space.pod('a'))?.metadata.resourceVersion, before.version);
	assert.equal(space.removals(), [422]);
	assert.equal(
		rig.logs((line) => ['warn', 'error', 'fatal'].includes(line.level)),
		[],
	);
	assert.equal(space.killedJobs(), []);
});

test('one busy runner’s whole life is told in five log lines and two Events at most (F9)', async ({
	space,
}) => {
	await space.endJob('a');
	await space.gone('a');
	await sleep(1_000);
	const lines = space.log().map((line) => line.msg);
	assert.is(new Set(lines).size, lines.length, lines.join(', '));
	assert.ok(lines.length <= 5, lines.join(', '));
	const reasons = (await space.events('a')).map((event) => event.reason).sort();
	assert.equal(reasons, ['DeletionCompleted', 'DeletionRecorded']);
});

test('a controller that retries without end during an outage is told once; the log stays short (F9)', async ({
	rig,
	space,
}) => {
	await space.runners(['b', 'c']);
	const down = rig.github.fault({ fault: { kind: 'server-error', status: 502 }, scope: space.scope });
	await space.refused('b');
	await space.refused('c');
	await sleep(1_000);
	const before = rig.logs((line) => line.level !== 'debug').length;
	assert.equal(await deleteManyTimes(space, 'b', 400), { 409: 400 });
	await sleep(8_000);
	const after = rig.logs((line) => line.level !== 'debug');
	assert.is(after.length, before, JSON.stringify(after.slice(before)));
	const reasons = (await space.events('b')).map((event) => event.reason);
	assert.is(new Set(reasons).size, reasons.length, reasons.join());
	down.clear();
	await Promise.all([space.gone('b'), space.gone('c')]);
});

test('a recorded deletion that waits for a registration is no loop: few lists, hardly a write (F9)', async ({
	rig,
	space,
}) => {
	const annotations = { 'test.runners/no-register': 'true' };
	await rig.apply(runnerSetPod(space.options('d', { annotations })));
	await eventually('runs', async () => (await space.pod('d'))?.status?.phase === 'Running');
	await space.refused('d');
	await sleep(1_000);
	const version = async () => Number((await space.pod('d'))?.metadata.resourceVersion);
	const [before, lists] = [await version(), space.calls('list').length];
	await sleep(8_000);
	assert.ok(space.calls('list').length - lists <= 8, `${space.calls('list').length - lists} lists in 8 s`);
	assert.ok((await version()) - before < 100, `${(await version()) - before} writes in the cluster in 8 s`);
	assert.is(space.log().filter((line) => String(line.pod).endsWith('/d')).length, 2);
});

test.run();

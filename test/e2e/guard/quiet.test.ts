/**
 * Retries change nothing and say nothing: log lines, Events and writes follow changes of state (F9). That a recorded deletion
 * which waits for a registration is no loop is tested with a fake clock in test/unit/guard/deletion-loop.test.ts.
 */
import * as assert from 'uvu/assert';
import { apiCalls, remove } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { stage } from '../../rig/stage.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { suite } from '../../support/suite.ts';
import { end, Space } from '../support/space.ts';

const test = suite<{ rig: Rig; space: Space }>('quiet');

test.before(async (context) => {
	context.rig = await stage('guard');
	// The outage is an outage of its credentials alone.
	context.space = await Space.make(context.rig, { ownCredentials: true });
});
test.after(async ({ rig, space }) => {
	await space?.clear();
	await end(rig);
});

/** As a controller that does not back off: DELETE after DELETE, eight at a time. Answers the statuses with their number. */
async function deleteManyTimes(space: Space, name: string, times: number): Promise<Record<number, number>> {
	const { call, stop } = apiCalls(readKubeconfig(space.rig.cluster.kubeconfig));
	const statuses: Record<number, number> = {};
	try {
		await Promise.all(
			Array.from({ length: 8 }, async (_, line) => {
				for (let time = line; time < times; time += 8) {
					const { status } = await remove(call, space.name, name);
					statuses[status] = (statuses[status] ?? 0) + 1;
				}
			}),
		);
	} finally {
		stop();
	}
	return statuses;
}

/** The log lines about this test's own pods and credentials, above debug. */
const linesOf = ({ rig, name }: Space) =>
	rig.logs((line) => line.level !== 'debug' && JSON.stringify(line).includes(name));

/** All has been written that follows from a refusal: the Event, the DeletionPending condition, with `busy` that of the job too. */
async function written(space: Space, name: string, { busy }: { busy: boolean }): Promise<void> {
	await eventually(`${name}: Event and conditions`, async () => {
		const pod = await space.pod(name);
		const conditions = ['DeletionPending', ...(busy ? ['Busy'] : [])];
		return (
			conditions.every((type) => space.condition(pod, type)?.status === 'True') &&
			(await space.events(name)).some(({ reason }) => reason === 'DeletionRecorded')
		);
	});
}

test('1,000 deletes of a busy runner: 1,000 refusals, no log line above debug, no write, no Event, no GitHub call (F9)', async ({
	space,
}) => {
	await space.runners(['a']);
	await space.runJob('a');
	await space.refused('a');
	await space.busy('a');
	await written(space, 'a', { busy: true });
	const before = {
		lines: linesOf(space).length,
		events: await space.events('a'),
		version: (await space.pod('a'))?.metadata.resourceVersion,
	};

	assert.equal(await deleteManyTimes(space, 'a', 1_000), { 409: 1_000 });

	assert.is(linesOf(space).length, before.lines);
	assert.equal(await space.events('a'), before.events);
	assert.is((await space.pod('a'))?.metadata.resourceVersion, before.version);
	assert.equal(space.removals(), []);
	assert.equal(
		linesOf(space).filter((line) => line.level !== 'info'),
		[],
	);
	assert.equal(space.killedJobs(), []);
});

test('one busy runner’s whole life takes five log lines and two Events at most (F9)', async ({ space }) => {
	await space.endJob('a');
	await space.gone('a');
	const reasons = async () => (await space.events('a')).map((event) => event.reason).sort();
	await eventually('the Event of its end', async () => (await reasons()).includes('DeletionCompleted'));
	assert.equal(await reasons(), ['DeletionCompleted', 'DeletionRecorded']);
	const lines = space.log().map((line) => line.msg);
	assert.is(new Set(lines).size, lines.length, lines.join(', '));
	assert.ok(lines.length <= 5, lines.join(', '));
});

test('a controller that retries without end during an outage is reported once; the log stays short (F9)', async ({
	rig,
	space,
}) => {
	await space.runners(['b', 'c']);
	const down = rig.github.fault({ fault: { kind: 'server-error', status: 502 }, scope: space.scope });
	await space.refused('b');
	await space.refused('c');
	for (const name of ['b', 'c']) await written(space, name, { busy: false });
	const before = linesOf(space).length;
	const failed = () => space.calls(undefined, 502).length;
	const failedBefore = failed();
	assert.equal(await deleteManyTimes(space, 'b', 200), { 409: 200 });
	await eventually('GitHub has been tried twice more', () => failed() >= failedBefore + 2);
	const after = linesOf(space);
	assert.is(after.length, before, JSON.stringify(after.slice(before)));
	const reasons = (await space.events('b')).map((event) => event.reason);
	assert.is(new Set(reasons).size, reasons.length, reasons.join());
	down.clear();
	await Promise.all([space.gone('b'), space.gone('c')]);
});

test.run();

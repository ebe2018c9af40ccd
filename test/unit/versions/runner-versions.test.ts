/** What is read of which runners' logs, and who is informed: with sets of ours, of ARC's, and scale sets. */
import * as assert from 'uvu/assert';
import type { SetController } from '../../../admission/api/controllers.ts';
import { collectionPath, resources } from '../../../admission/api/paths.ts';
import { versionsCapability } from '../../../admission/versions/capability.ts';
import { suite } from '../../support/suite.ts';
import { paths, World } from '../support/world.ts';

const test = suite('runner versions');
const minute = 60_000;

const refused = `Current runner version: '2.320.0'
An error occurred: Runner version v2.320.0 is deprecated and cannot receive messages.
`;
const scaleSet = {
	'actions-ephemeral-runner': 'True',
	'actions.github.com/scale-set-name': 'arc',
	'actions.github.com/scale-set-namespace': 'other',
};

interface SentEvent {
	reason: string;
	message: string;
	involvedObject: Record<string, string>;
}

const scaleSets = collectionPath(resources.autoscalingRunnerSets);
const arc = { metadata: { name: 'arc', namespace: 'ci', uid: 'ars-1' } };

async function started(controllers: SetController[] = []) {
	const world = new World();
	const { api: client, cache, pods, logs, events, metrics, clock } = world;
	const part = versionsCapability({ controllers, logs, events, metrics, clock }).lead({
		client,
		cache,
		pods,
	} as unknown as Parameters<ReturnType<typeof versionsCapability>['lead']>[0]);
	await world.start(...(part.loops ?? []));
	const end = () => world.stop(...((part.controllers ?? []) as { stop(): Promise<void> }[]));
	const reads = () => world.api.callsTo('GET', /\/log$/).length;
	const outdated = () =>
		([...world.api.each(paths.events)] as unknown as SentEvent[]).filter(
			({ reason }) => reason === 'RunnerOutdated',
		);
	const metric = async () => {
		const text = await metrics.registry.getSingleMetricAsString('runners_runner_version_info');
		return text.split('\n').filter((line) => line.startsWith('runners_runner_version_info'));
	};
	return { world, versions: part.versions, end, reads, metric, outdated };
}

test("a scale set's runner that GitHub refuses: an Event on the AutoscalingRunnerSet of its own namespace, and the metric", async () => {
	const { world, versions, end, metric, outdated } = await started();
	world.api.put(scaleSets, arc);
	world.api.logs.set('ci/r1', refused);
	world.runner('r1', { metadata: { labels: scaleSet } });
	await world.clock.pass(1_000);
	world.exit('r1', 7);
	await world.clock.pass(2_000);
	const [said] = versions.sets();
	assert.equal([said?.kind, said?.namespace, said?.version], ['AutoscalingRunnerSet', 'ci', '2.320.0']);
	assert.ok(said?.refusedSinceMs);
	const sent = outdated();
	assert.is(sent.length, 1);
	const { kind, name, namespace, uid } = sent[0]?.involvedObject ?? {};
	assert.equal([kind, name, namespace, uid], ['AutoscalingRunnerSet', 'arc', 'ci', 'ars-1']);
	assert.match(sent[0]?.message ?? '', /refuses runner version 2\.320\.0/);
	assert.equal(await metric(), [
		'runners_runner_version_info{kind="AutoscalingRunnerSet",namespace="ci",set="arc",version="2.320.0",outdated="true"} 1',
	]);
	await end();
	assert.equal(await metric(), [], 'who no longer leads says nothing');
});

test('the Event comes again each hour while GitHub refuses the runners, and no more often', async () => {
	const { world, end, outdated } = await started();
	world.api.put(scaleSets, arc);
	for (let index = 0; index < 180; index++) {
		const name = `r${index}`;
		world.api.logs.set(`ci/${name}`, refused);
		world.runner(name, { metadata: { labels: scaleSet } });
		await world.clock.pass(1_000);
		world.exit(name);
		await world.clock.pass(minute - 1_000);
	}
	assert.is(outdated().length, 3);
	assert.is(new Set(outdated().map(({ message }) => message)).size, 1);
	await end();
});

test('the clock is set back by a day: the Event comes again all the same', async () => {
	const { world, end, outdated } = await started();
	world.api.put(scaleSets, arc);
	for (const name of ['r1', 'r2']) {
		world.api.logs.set(`ci/${name}`, refused);
		world.runner(name, { metadata: { labels: scaleSet } });
		await world.clock.pass(1_000);
		world.exit(name);
		await world.clock.pass(2 * minute);
		if (name === 'r1') world.clock.set(-24 * 60 * minute);
	}
	assert.is(outdated().length, 2);
	await end();
});

test('a set that pods name and that is not there gets no Event; one that cannot be read now gets one without its UID', async () => {
	for (const [fails, expected] of [
		[false, []],
		[true, [undefined]],
	] as const) {
		const { world, end, outdated } = await started();
		if (fails) world.api.fail('GET', /autoscalingrunnersets/, 'no answer');
		world.api.logs.set('ci/r1', refused);
		world.runner('r1', { metadata: { labels: scaleSet } });
		await world.clock.pass(1_000);
		world.exit('r1');
		await world.clock.pass(20_000);
		assert.equal(
			outdated().map(({ involvedObject: { uid } }) => uid),
			expected,
		);
		await end();
	}
});

test('a RunnerDeployment has an Event where its controller is off, and a condition where it is on', async () => {
	for (const [controllers, expected] of [
		[[], 1],
		[['runnerdeployment'], 0],
	] as const) {
		const { world, end } = await started([...controllers]);
		world.api.put(paths.runnerDeployments, { metadata: { name: 'linux', namespace: 'ci', uid: 'rd-1' } });
		world.api.logs.set('ci/r1', refused);
		world.runner('r1', { metadata: { labels: { 'runner-deployment-name': 'linux' } } });
		await world.clock.pass(1_000);
		world.exit('r1');
		await world.clock.pass(2_000);
		assert.is(world.eventsOn('linux').length, expected);
		await end();
	}
});

test('a running runner tells its version once, and one of its set is read again after ten minutes', async () => {
	const { world, versions, end, reads } = await started();
	for (const name of ['r1', 'r2', 'r3']) {
		world.api.logs.set(`ci/${name}`, "Current runner version: '2.336.0'\n");
		world.runner(name, { metadata: { labels: { 'runnerset-name': 'linux' } } });
	}
	await world.clock.pass(minute);
	assert.equal([[...versions.sets()].map(({ version }) => version), reads()], [['2.336.0'], 1]);
	await world.clock.pass(60 * minute);
	assert.ok(reads() >= 6 && reads() <= 7, `${reads()} reads in an hour`);
	await end();
});

test('logs that tell nothing are read once a minute and set, however many runners end', async () => {
	const { world, versions, end, reads } = await started();
	for (let index = 0; index < 50; index++) {
		const name = `r${index}`;
		world.api.logs.set(`ci/${name}`, 'nothing\n');
		world.runner(name, { metadata: { labels: { 'runnerset-name': 'linux' } } });
	}
	await world.clock.pass(1_000);
	for (let index = 0; index < 50; index++) world.exit(`r${index}`);
	await world.clock.pass(4_000);
	assert.equal([reads(), [...versions.sets()]], [1, []]);
	await end();
});

test('a runner that had a job and ended with 0, or whose pod is being deleted, is not asked', async () => {
	const { world, end, reads } = await started();
	world.runner('r1', { metadata: { labels: { 'runnerset-name': 'linux', 'actions-runner/busy': 'true' } } });
	await world.clock.pass(1_000);
	world.exit('r1');
	await world.clock.pass(4_000);
	assert.is(reads(), 0);
	await end();
});

test('a script of the image that ends with 7 is no refusal, where the log can be read', async () => {
	const { world, versions, end } = await started();
	world.api.logs.set('ci/r1', 'curl: (7) Failed to connect\n');
	world.runner('r1', { metadata: { labels: { 'runnerset-name': 'linux' } } });
	await world.clock.pass(1_000);
	world.exit('r1', 7);
	await world.clock.pass(4_000);
	assert.is(versions.refusalOf('uid-r1'), undefined);
	await end();
});

test.run();

/** Each way in which a runner dies is named right, at once and a day later, and nothing is said of those that end with their job. */
import * as assert from 'uvu/assert';
import { type EndedRunner, endedRunners, readEnded } from '../../../admission/api/ended-runners.ts';
import { arc, breakGlass, breakGlassBy } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { collectionPath, resources } from '../../../admission/api/paths.ts';
import { KubeError } from '../../../admission/kube/client.ts';
import { EndedLists } from '../../../admission/post-mortems/ended-lists.ts';
import { PostMortems } from '../../../admission/post-mortems/post-mortems.ts';
import { endLogs } from '../../../admission/post-mortems/read-end-log.ts';
import { deletedBy } from '../../../admission/runner/statements.ts';
import { suite } from '../../support/suite.ts';
import { running, signer } from '../runner/pods.ts';
import type { Stored } from '../support/api-server.ts';
import { paths, World } from '../support/world.ts';
import { shapes } from './shapes.ts';

const test = suite('post-mortems');

const configMaps = collectionPath(resources.configMaps);
const scaleSets = collectionPath(resources.autoscalingRunnerSets);
const inSet = { 'actions-runner': '', [arc.runnerSet]: 'linux' };
const listName = 'runnerset.linux.ended-runners';

/** A leader that tells why runners end, and the RunnerSet `linux`. */
async function leading({ keepLogs = false, before }: { keepLogs?: boolean; before?: World } = {}) {
	const world = new World(before);
	const { api, parts } = world;
	const lists = new EndedLists(parts);
	const verify = signer.verifyStatement;
	const ends = new PostMortems({ ...parts, lists, readLog: endLogs(api), keepLogs, verify });
	if (!before)
		api.put(paths.runnerSets, {
			apiVersion: 'actions.summerwind.dev/v1alpha1',
			kind: 'RunnerSet',
			metadata: { name: 'linux', namespace: 'ci', uid: 'set-1' },
		});
	await world.start();
	const listed = (name = listName, nowMs = world.clock.now()): EndedRunner[] =>
		readEnded(api.find(configMaps, name, 'ci')?.data?.[endedRunners.key], nowMs);
	return { ...parts, world, api, listed, stop: () => world.stop(ends, lists) };
}

type Leading = Awaited<ReturnType<typeof leading>>;

async function die(
	{ world, api, clock }: Leading,
	name: string,
	status: Pod['status'],
	log?: string,
): Promise<void> {
	api.logs.set(`ci/${name}`, log ?? '2026-11-23 12:00:05Z: Listening for Jobs\n');
	world.shows(name, status);
	await clock.pass(500);
}

test(`${shapes.length} ways to die are named right, and still are a day later`, async () => {
	const lead = await leading();
	const { world, api, clock, listed } = lead;
	for (const [index, shape] of shapes.entries()) {
		const name = `r${index}`;
		const by = `${signer.signStatement(deletedBy(`uid-${name}`, 'alice'))} alice`;
		const annotations: Record<string, string> = shape.breakGlass
			? { [breakGlass]: shape.breakGlass, [breakGlassBy]: by }
			: {};
		world.runner(name, { metadata: { uid: `uid-${name}`, labels: inSet, annotations } }, 'unknown');
		await clock.pass(100);
		if (shape.deleted)
			api.update<Pod>(paths.pods, name, 'ci', (pod) => {
				pod.metadata.deletionTimestamp = '2026-11-23T12:05:00Z';
			});
		await die(lead, name, shape.status, shape.log);
		if (shape.deleted) api.drop(paths.pods, name, 'ci');
		await clock.pass(2_000);
	}
	const wrong = () => {
		const found = listed();
		return shapes.flatMap((shape, index) => {
			const entry = found.find(({ pod }) => pod === `r${index}`);
			const right =
				entry?.reason === shape.reason && (shape.says?.test(Object.values(entry).join('; ')) ?? true);
			return right ? [] : [`${shape.name}: ${JSON.stringify(entry)}`];
		});
	};
	assert.equal(wrong(), []);
	const glass = listed().find(({ reason }) => reason === 'break-glass');
	assert.is(glass?.by, 'alice');
	for (const { metadata } of api.all(paths.pods)) api.drop(paths.pods, metadata.name, 'ci');
	await clock.pass(24 * 3_600_000);
	assert.equal(wrong(), [], 'a day later');
	await clock.pass(2 * 3_600_000);
	assert.equal(api.find(configMaps, listName, 'ci')?.data?.[endedRunners.key], '[]', 'and then no longer');
	await lead.stop();
});

test('a runner that ends with its job, or is removed while it has none, is not spoken of', async () => {
	const lead = await leading();
	const { world, api, clock, listed } = lead;
	const done: Pod['status'] = {
		phase: 'Succeeded',
		containerStatuses: [{ name: 'runner', restartCount: 0, state: { terminated: { exitCode: 0 } } }],
	};
	world.runner('marked', { metadata: { labels: { ...inSet, 'actions-runner/busy': 'true' } } }, 'unknown');
	world.runner('logged', { metadata: { labels: inSet } }, 'unknown');
	world.runner('unread', { metadata: { labels: inSet } }, 'unknown');
	world.runner(
		'pending',
		{ metadata: { labels: inSet }, unbound: true, status: { phase: 'Pending' } },
		'unknown',
	);
	await clock.pass(100);
	await die(lead, 'marked', done);
	await die(
		lead,
		'logged',
		done,
		'2026-11-23 12:00:05Z: Running job: build\n2026-11-23 12:00:40Z: Job build completed with result: Failed\n',
	);
	api.fail('GET', /unread\/log$/, new KubeError(500, '', 'no kubelet'));
	await die(lead, 'unread', done);
	for (const { metadata } of api.all(paths.pods)) api.drop(paths.pods, metadata.name, 'ci');
	await clock.pass(5_000);
	assert.equal(listed(), []);
	assert.is(api.find(configMaps, listName, 'ci'), undefined);
	await lead.stop();
});

test('the list goes with its set, and Events are on the pod and on the set', async () => {
	const lead = await leading();
	const { world, api, clock, listed } = lead;
	world.runner('r1', { metadata: { labels: inSet } }, 'unknown');
	await clock.pass(100);
	await die(lead, 'r1', shapes[0]?.status);
	await clock.pass(2_000);
	const stored = api.find(configMaps, listName, 'ci');
	assert.equal(stored?.metadata.ownerReferences, [
		{ apiVersion: 'actions.summerwind.dev/v1alpha1', kind: 'RunnerSet', name: 'linux', uid: 'set-1' },
	]);
	assert.is(stored?.metadata.labels?.[endedRunners.label], 'true');
	assert.equal(world.eventsOn('r1'), ['Warning OutOfMemory']);
	assert.equal(world.eventsOn('linux'), ['Warning OutOfMemory']);
	assert.is(listed()[0]?.node, 'node-1');
	const { values } = await lead.metrics.registry.getSingleMetric('runners_ended_total')!.get();
	assert.equal(
		values.filter(({ value }) => value > 0).map(({ labels, value }) => [labels.reason, value]),
		[['out-of-memory', 1]],
	);
	await lead.stop();
});

test("a scale set's runner is listed with its AutoscalingRunnerSet, and its job has a link", async () => {
	const lead = await leading();
	const { world, api, clock, listed } = lead;
	api.put(scaleSets, { metadata: { name: 'arm', namespace: 'ci', uid: 'ars-1' } });
	const status = {
		jobId: '9',
		jobDisplayName: 'build',
		jobRepositoryName: 'octo-org/app',
		workflowRunId: 42,
	};
	const spec = { githubConfigUrl: 'https://github.com/octo-org' };
	api.put(paths.ephemeralRunners, { metadata: { name: 's1', namespace: 'ci', uid: 'er-1' }, spec, status });
	const owner = {
		apiVersion: 'actions.github.com/v1alpha1',
		kind: 'EphemeralRunner',
		name: 's1',
		uid: 'er-1',
	};
	world.scaleSetRunner('s1', { metadata: { ownerReferences: [owner] } }, 'unknown');
	api.update<Pod>(paths.pods, 's1', 'ci', ({ metadata }) => {
		metadata.labels = { ...metadata.labels, [arc.scaleSetName]: 'arm' };
	});
	await clock.pass(1_000);
	await die(lead, 's1', shapes[0]?.status);
	await clock.pass(2_000);
	const [entry] = listed('autoscalingrunnerset.arm.ended-runners');
	assert.is(entry?.reason, 'out-of-memory');
	assert.match(entry?.job?.name ?? '', 'build (octo-org/app, run 42)');
	assert.is(entry?.job?.url, 'https://github.com/octo-org/app/actions/runs/42');
	await lead.stop();
});

test('logs are kept only where they are asked for: 100 lines at most, without control characters', async () => {
	for (const keepLogs of [false, true]) {
		const lead = await leading({ keepLogs });
		const { world, clock, listed } = lead;
		world.runner('r1', { metadata: { labels: inSet } }, 'unknown');
		await clock.pass(100);
		const log = Array.from({ length: 300 }, (_, index) => `line ${index} \u001b[2Jx`).join('\n');
		await die(lead, 'r1', shapes[0]?.status, `${log}\n`);
		await clock.pass(2_000);
		const kept = listed()[0]?.log;
		if (!keepLogs) {
			assert.is(kept, undefined);
			// A log that is read for its reason is not kept either.
			world.runner('r2', { metadata: { uid: 'r2', labels: inSet } }, 'unknown');
			await clock.pass(100);
			const refused = shapes.find(({ reason, log: said }) => said && reason === 'session-conflict');
			await die(lead, 'r2', refused?.status, refused?.log);
			await clock.pass(2_000);
			assert.equal([listed()[0]?.reason, listed()[0]?.log], ['session-conflict', undefined]);
		} else {
			assert.is(kept?.length, 100);
			assert.is(kept?.at(-1), 'line 299 ?[2Jx');
		}
		await lead.stop();
	}
});

test('others write the list at the same time: nothing is lost, and nothing of theirs either', async () => {
	const lead = await leading();
	const { world, api, clock, listed } = lead;
	for (const name of ['r1', 'r2']) world.runner(name, { metadata: { uid: name, labels: inSet } }, 'unknown');
	await clock.pass(100);
	await die(lead, 'r1', shapes[0]?.status);
	await clock.pass(2_000);
	const other = { ...listed()[0], pod: 'r9', uid: 'r9' };
	api.update(configMaps, listName, 'ci', ({ data = {} }) => {
		data[endedRunners.key] = JSON.stringify([other, ...listed()]);
	});
	api.fail('PUT', /configmaps/, new KubeError(409, 'Conflict', 'the object has been modified'), 2);
	await die(lead, 'r2', shapes[0]?.status);
	await clock.pass(5_000);
	const writes = api.callsTo('PUT', /configmaps/);
	assert.is(writes.length, 3);
	assert.ok(
		writes.every(({ body }) => (body as Stored).metadata.resourceVersion !== undefined),
		'each on the version that was read',
	);
	assert.equal(
		listed()
			.map(({ pod }) => pod)
			.sort(),
		['r1', 'r2', 'r9'],
	);
	await lead.stop();
});

test('the next leader reports nothing twice, and reports what ended before it led', async () => {
	const first = await leading();
	for (const name of ['r1', 'r2'])
		first.world.runner(name, { metadata: { uid: name, labels: inSet } }, 'unknown');
	await first.clock.pass(100);
	await die(first, 'r1', shapes[0]?.status);
	await first.clock.pass(2_000);
	await first.stop();
	first.world.shows('r2', shapes[0]?.status);
	const next = await leading({ before: first.world });
	await next.clock.pass(5_000);
	assert.equal(
		next
			.listed()
			.map(({ pod }) => pod)
			.sort(),
		['r1', 'r2'],
	);
	const { values } = await next.metrics.registry.getSingleMetric('runners_ended_total')!.get();
	assert.is(
		values.reduce((sum, { value }) => sum + value, 0),
		1,
	);
	await next.stop();
});

test("somebody's own ConfigMap of that name stays as it is, and runners whose set is gone are in the namespace's list", async () => {
	const lead = await leading();
	const { world, api, clock, listed } = lead;
	api.put(configMaps, { metadata: { name: listName, namespace: 'ci' }, data: { mine: 'x' } });
	world.runner('r1', { metadata: { uid: 'r1', labels: inSet } }, 'unknown');
	world.runner('r2', { metadata: { uid: 'r2', labels: { ...inSet, [arc.runnerSet]: 'gone' } } }, 'unknown');
	await clock.pass(100);
	await die(lead, 'r1', shapes[0]?.status);
	await die(lead, 'r2', shapes[0]?.status);
	await clock.pass(10_000);
	assert.equal(api.find(configMaps, listName, 'ci')?.data, { mine: 'x' });
	assert.equal(
		listed('ended-runners').map(({ pod }) => pod),
		['r2'],
	);
	assert.is(api.all(configMaps).length, 2);
	assert.equal(world.eventsOn('r2'), ['Warning OutOfMemory'], 'the Event on the pod is there all the same');
	await lead.stop();
});

test('restarted in place: the run that ended is reported, and the next one as well', async () => {
	const lead = await leading();
	const { world, clock, listed } = lead;
	const dead = { terminated: { exitCode: 137, reason: 'OOMKilled' } };
	world.runner('r1', { metadata: { uid: 'r1', labels: inSet } }, 'unknown');
	await clock.pass(100);
	for (const restartCount of [1, 2]) {
		const status = running();
		for (const one of status?.containerStatuses ?? []) Object.assign(one, { restartCount, lastState: dead });
		await die(lead, 'r1', status);
		await clock.pass(2_000);
	}
	assert.equal(
		listed()
			.map(({ restarts, reason }) => `${restarts} ${reason}`)
			.sort(),
		['0 out-of-memory', '1 out-of-memory'],
	);
	await lead.stop();
});

test.run();

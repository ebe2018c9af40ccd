/** E7: runner pods that were made while the configuration of the pod webhook was missing. */
import * as assert from 'uvu/assert';
import { lacksInjection } from '../../../admission/sets/pod/injection.ts';
import { eventually } from '../../rig/eventually.ts';
import { type History, startHistory } from '../../rig/history.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { kinds, SetUnderTest } from '../../rig/runner-sets.ts';
import { suite } from '../../support/suite.ts';

interface Context {
	rig: Rig;
	history: History;
	sets: SetUnderTest[];
	/** What was taken away, to be put back. */
	configuration: string;
}

const test = suite<Context>('pods made without the pod webhook');
const webhooks = 'mutatingwebhookconfiguration/runners-admission';

test.before(async (context) => {
	context.rig = await startRig({ sets: true });
	context.history = await startHistory(context.rig);
	context.sets = [];
	const { metadata, ...rest } = JSON.parse(await context.rig.ok(['get', webhooks, '-o', 'json']));
	context.configuration = JSON.stringify({
		...rest,
		metadata: { name: metadata.name, labels: metadata.labels },
	});
});
test.after(async ({ rig, history, sets }) => {
	for (const set of sets ?? []) set.stop();
	history?.stop();
	await rig?.stop();
});
test.after.each(async ({ rig, history, configuration }) => {
	await rig.ok(['apply', '-f', '-'], configuration);
	assert.equal(await history.violationsAtRest(), []);
	assert.equal(
		rig.logs(({ level }) => level === 'error'),
		[],
	);
});

const unfit = async (set: SetUnderTest) =>
	(await set.rig.pods(set.namespace))
		.filter((pod) => lacksInjection(pod))
		.map(({ metadata }) => metadata.name);

for (const kind of kinds) {
	test(`${kind}: they are replaced before they are used, slowly while the configuration is missing; the set says so (E7)`, async (context) => {
		const { rig, sets, configuration } = context;
		const set = await SetUnderTest.make(rig, kind);
		sets.push(set);
		await rig.ok(['delete', webhooks]);
		await set.scale(3);
		await eventually('three came without name and token', () => set.uids.size >= 3, { everyMs: 20 });
		const first = [...set.uids.keys()];
		await set.conditionIs('StartsFailing', 'True');
		await eventually('they are gone', () => first.every((name) => !set.all().includes(name)));
		await set.stays(0, 4_000);
		const events = [
			'-n',
			set.namespace,
			'get',
			'events',
			'--field-selector',
			'reason=PodsNotInjected',
			'-o',
			'name',
		];
		assert.is((await rig.ok(events)).trim().split('\n').length, 1, 'one Event says why');

		await rig.ok(['apply', '-f', '-'], configuration);
		await set.registered(3, 60_000);
		assert.equal(await unfit(set), []);
		// One more round where the configuration came back after the first pause of 10 s.
		assert.ok(set.uids.size <= 9, `${set.uids.size}: no more than were wanted were tried again`);
		await set.conditionIs('StartsFailing', 'False');
	});
}

test('RunnerSet: of those that were made while we were away, an idle one is replaced at once, a busy one when its job is done (E7)', async (context) => {
	const { rig, sets, configuration } = context;
	const set = await SetUnderTest.make(rig, 'RunnerSet', { replicas: 2 });
	sets.push(set);
	const [busy = '', idle = ''] = set.known();
	for (const server of [...rig.servers]) await server.stop();
	await rig.ok(['delete', webhooks]);
	for (const name of [busy, idle]) {
		const uid = (await set.pod(name))?.metadata.uid;
		await rig.ok(['-n', set.namespace, 'annotate', 'pod', name, 'actions-runner/break-glass=a test']);
		await rig.ok(['-n', set.namespace, 'delete', 'pod', name, '--wait=false']);
		await eventually(
			'its StatefulSet has made it anew',
			async () => (await set.pod(name))?.metadata.uid !== uid && set.live().includes(name),
		);
	}
	assert.equal((await unfit(set)).sort(), [busy, idle].sort());
	await eventually('both are registered', () => rig.agents.runnerId(set.namespace, busy) !== undefined);
	await eventually('both are online', () =>
		rig.agents.runJob(set.namespace, busy).then(
			() => true,
			() => false, // not registered yet
		),
	);
	const uid = (await set.pod(busy))?.metadata.uid;

	await rig.ok(['apply', '-f', '-'], configuration);
	await rig.addServer();
	await rig.guarded();
	await eventually('the idle one is replaced', async () => !(await unfit(set)).includes(idle), {
		withinMs: 30_000,
	});
	await set.reaches(2);
	await set.stays(2, 3_000);
	assert.is((await set.pod(busy))?.metadata.uid, uid, 'the job goes on');
	await set.endJob(busy);
	await eventually('then it is replaced too', async () => (await unfit(set)).length === 0, {
		withinMs: 40_000,
	});
	await set.registered(2);
	assert.equal(set.journal('job-killed'), []);
});

test.run();

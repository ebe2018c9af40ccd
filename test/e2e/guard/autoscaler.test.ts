/** Group B: what autoscalers read on a runner pod, and what the scheduler's and the API server's budgets read. */

import * as assert from 'uvu/assert';
import { autoscalerMarks, busy, names } from '../../../admission/api/keys.ts';
import { eventually } from '../../rig/eventually.ts';
import { type History, startHistory } from '../../rig/history.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { runnerNamespace } from '../../rig/spaces.ts';
import { runnerSetPod, staticRunnerPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';

interface Context {
	rig: Rig;
	history: History;
}

/** "Within seconds": a list of one page is read each 10 s, a scale set's status is watched. */
const legacyWithinMs = 12_000;
const scaleSetWithinMs = 2_000;
const namespace = 'b5';
const [doNotDisrupt = '', safeToEvict = ''] = Object.keys(autoscalerMarks);

const test = suite<Context>('autoscaler marks');

test.before(async (context) => {
	context.rig = await startRig({ nodes: ['node-1'] });
	context.history = await startHistory(context.rig);
	await runnerNamespace(context.rig, namespace);
});
test.after(async ({ rig, history }) => {
	if (rig) console.log(`\n${rig.github.callsTable()}`);
	history?.stop();
	await rig?.stop();
});
test.after.each(async ({ history }) => {
	assert.equal(await history.violationsAtRest(), []);
});

async function marksOf(rig: Rig, name: string) {
	const { metadata, status } = (await rig.pod(name, namespace)) ?? { metadata: { name } };
	return {
		label: metadata.labels?.[busy.label],
		doNotDisrupt: metadata.annotations?.[doNotDisrupt],
		safeToEvict: metadata.annotations?.[safeToEvict],
		since: metadata.annotations?.[busy.since],
		condition: status?.conditions?.find((condition) => condition.type === busy.condition)?.status,
	};
}

async function marked(rig: Rig, name: string, withinMs: number): Promise<number> {
	const fromMs = Date.now();
	await eventually(
		`${name} is marked busy`,
		async () => {
			const marks = await marksOf(rig, name);
			return (
				marks.label === 'true' &&
				marks.doNotDisrupt === 'true' &&
				marks.safeToEvict === 'false' &&
				marks.condition === 'True' &&
				marks.since
			);
		},
		{ withinMs },
	);
	return Date.now() - fromMs;
}

async function unmarked(rig: Rig, name: string, withinMs: number): Promise<number> {
	const fromMs = Date.now();
	await eventually(
		`${name} has no marks left`,
		async () => {
			const { condition, ...marks } = await marksOf(rig, name);
			return condition === 'False' && Object.values(marks).every((mark) => mark === undefined);
		},
		{ withinMs },
	);
	return Date.now() - fromMs;
}

test('busy runners carry do-not-disrupt, safe-to-evict=false, label and condition within seconds, and lose them when idle (B5)', async ({
	rig,
}) => {
	await rig.apply(
		runnerSetPod({ name: 'ephemeral', namespace }),
		runnerSetPod({ name: 'sidecar', namespace, dockerSidecar: true }),
		staticRunnerPod({ name: 'static', namespace }),
		runnerSetPod({ name: 'idle', namespace }),
	);
	await rig.scaleSetRunners([{ name: 'scale-set', namespace }]);
	await rig.agents.waitRegistered(['ephemeral', 'sidecar', 'static', 'idle'], 20_000);
	const legacy = ['ephemeral', 'sidecar', 'static'];
	for (const name of [...legacy, 'scale-set']) await rig.agents.runJob(namespace, name);
	const scaleSetMs = await marked(rig, 'scale-set', scaleSetWithinMs);
	const legacyMs = Math.max(...(await Promise.all(legacy.map((name) => marked(rig, name, legacyWithinMs)))));
	console.log(`marked: scale set after ${scaleSetMs} ms, ARC runners after ${scaleSetMs + legacyMs} ms`);
	assert.equal(await marksOf(rig, 'idle'), {
		label: undefined,
		doNotDisrupt: undefined,
		safeToEvict: undefined,
		since: undefined,
		condition: undefined,
	});

	const job = (await rig.pod('scale-set', namespace))?.metadata.annotations?.[busy.job];
	assert.match(job ?? '', /build \(octo-org\/app, run \d+\)/);

	for (const name of [...legacy, 'scale-set']) await rig.agents.endJob(namespace, name);
	// A container that has stopped is seen at once; that a static runner is idle, by the next list.
	for (const name of ['ephemeral', 'sidecar', 'scale-set']) await unmarked(rig, name, scaleSetWithinMs);
	console.log(`static runner unmarked after ${await unmarked(rig, 'static', legacyWithinMs)} ms`);
});

test("a user's own marks stay as they are when the job ends (B5)", async ({ rig }) => {
	const own = { [doNotDisrupt]: 'true' };
	const other = { [safeToEvict]: 'true' };
	await rig.apply(
		runnerSetPod({ name: 'own-mark', namespace, annotations: own }),
		runnerSetPod({ name: 'other-mark', namespace, annotations: other }),
	);
	await rig.agents.waitRegistered(['own-mark', 'other-mark'], 20_000);
	for (const name of ['own-mark', 'other-mark']) await rig.agents.runJob(namespace, name);
	for (const name of ['own-mark', 'other-mark']) {
		await eventually(`${name} busy`, async () => (await marksOf(rig, name)).label === 'true', {
			withinMs: legacyWithinMs,
		});
	}
	assert.is((await marksOf(rig, 'own-mark')).safeToEvict, 'false');
	assert.is((await marksOf(rig, 'other-mark')).safeToEvict, 'true', "the user's word is not overruled");
	for (const name of ['own-mark', 'other-mark']) await rig.agents.endJob(namespace, name);
	for (const name of ['own-mark', 'other-mark']) {
		await eventually(`${name} idle`, async () => (await marksOf(rig, name)).label === undefined, {
			withinMs: scaleSetWithinMs,
		});
	}
	assert.equal(
		[await marksOf(rig, 'own-mark'), await marksOf(rig, 'other-mark')].map((marks) => [
			marks.doNotDisrupt,
			marks.safeToEvict,
		]),
		[
			['true', undefined],
			[undefined, 'true'],
		],
	);
});

test('the back-stop PodDisruptionBudget is in a namespace as soon as it has a runner (B5)', async ({
	rig,
}) => {
	const budget = async () =>
		JSON.parse(await rig.ok(['-n', namespace, 'get', 'pdb', names.backstop, '-o', 'json']));
	assert.equal((await budget()).spec, {
		minAvailable: 1_000_000,
		selector: { matchLabels: { [busy.label]: 'true' } },
	});
});

test.run();

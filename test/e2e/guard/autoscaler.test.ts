/** Group B: what autoscalers read on a runner pod, and what the scheduler's and the API server's budgets read. */
import * as assert from 'uvu/assert';
import { autoscalerMarks, busy, names } from '../../../admission/api/keys.ts';
import { eventually } from '../../rig/eventually.ts';
import { type History, startHistory } from '../../rig/history.ts';
import type { Rig } from '../../rig/rig.ts';
import { stage } from '../../rig/stage.ts';
import { runnerSetPod, staticRunnerPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';
import { end, Space } from '../support/space.ts';

interface Context {
	rig: Rig;
	history: History;
	space: Space;
	/** Lists of this organization's runners until all jobs had begun. */
	lists: number;
}

const [doNotDisrupt = '', safeToEvict = ''] = Object.keys(autoscalerMarks);
const legacy = ['ephemeral', 'sidecar', 'static'];
/** They carry one of the autoscalers' marks of their user's own. */
const withOwnMarks = ['own-mark', 'other-mark'];

const test = suite<Context>('autoscaler marks');

test.before(async (context) => {
	context.rig = await stage('guard');
	context.history = await startHistory(context.rig);
	context.space = await Space.make(context.rig);
	const { rig, space } = context;
	await rig.apply(
		runnerSetPod(space.options('ephemeral')),
		runnerSetPod(space.options('sidecar', { dockerSidecar: true })),
		staticRunnerPod(space.options('static')),
		runnerSetPod(space.options('idle')),
		runnerSetPod(space.options('own-mark', { annotations: { [doNotDisrupt]: 'true' } })),
		runnerSetPod(space.options('other-mark', { annotations: { [safeToEvict]: 'true' } })),
	);
	await space.scaleSetRunners(['scale-set']);
	await space.registered([...legacy, 'idle', ...withOwnMarks]);
	// New runners are looked for more often: what is counted here is how often known ones are.
	await space.listed([...legacy, 'idle', ...withOwnMarks]);
	for (const name of [...legacy, ...withOwnMarks, 'scale-set']) await space.runJob(name);
	context.lists = space.calls('list').length;
});
test.after(async ({ rig, history, space }) => {
	history?.stop();
	await space?.clear();
	await end(rig);
});
test.after.each(async ({ history }) => {
	assert.equal(await history.violationsAtRest(), []);
});

async function marksOf(space: Space, name: string) {
	const { metadata, status } = (await space.pod(name)) ?? { metadata: { name } };
	return {
		label: metadata.labels?.[busy.label],
		doNotDisrupt: metadata.annotations?.[doNotDisrupt],
		safeToEvict: metadata.annotations?.[safeToEvict],
		since: metadata.annotations?.[busy.since],
		condition: status?.conditions?.find((condition) => condition.type === busy.condition)?.status,
	};
}

const marked = (space: Space, name: string) =>
	eventually(`${name} is marked busy`, async () => {
		const { since, ...marks } = await marksOf(space, name);
		return since && Object.values(marks).join() === 'true,true,false,True';
	});

const unmarked = (space: Space, name: string) =>
	eventually(`${name} has no marks left`, async () => {
		const { condition, ...marks } = await marksOf(space, name);
		return condition === 'False' && Object.values(marks).every((mark) => mark === undefined);
	});

test('busy runners carry do-not-disrupt, safe-to-evict=false, label and condition after the next list, and lose them when idle (B5)', async ({
	space,
	lists,
}) => {
	// That a scale set's needs no list is shown by test/unit/guard/busy-polling.test.ts.
	for (const name of ['scale-set', ...legacy]) await marked(space, name);
	const needed = space.calls('list').length - lists;
	// The first may have been begun before the last job.
	assert.ok(needed <= 2, `${needed} lists`);
	assert.equal(await marksOf(space, 'idle'), {
		label: undefined,
		doNotDisrupt: undefined,
		safeToEvict: undefined,
		since: undefined,
		condition: undefined,
	});

	const job = (await space.pod('scale-set'))?.metadata.annotations?.[busy.job];
	assert.match(job ?? '', new RegExp(`build \\(${space.name}/app, run \\d+\\)`));

	for (const name of [...legacy, 'scale-set']) await space.endJob(name);
	// A container that has stopped is seen at once; that a static runner is idle, by the next list.
	for (const name of ['ephemeral', 'sidecar', 'scale-set', 'static']) await unmarked(space, name);
});

test("a user's own marks stay as they are when the job ends (B5)", async ({ space }) => {
	const label = async (name: string) => (await marksOf(space, name)).label;
	for (const name of withOwnMarks)
		await eventually(`${name} busy`, async () => (await label(name)) === 'true');
	assert.is((await marksOf(space, 'own-mark')).safeToEvict, 'false');
	assert.is((await marksOf(space, 'other-mark')).safeToEvict, 'true', "the user's word is not overruled");
	for (const name of withOwnMarks) await space.endJob(name);
	for (const name of withOwnMarks)
		await eventually(`${name} idle`, async () => (await label(name)) === undefined);
	const marks = await Promise.all(withOwnMarks.map((name) => marksOf(space, name)));
	assert.equal(
		marks.map(({ doNotDisrupt, safeToEvict }) => [doNotDisrupt, safeToEvict]),
		[
			['true', undefined],
			[undefined, 'true'],
		],
	);
});

test('the back-stop PodDisruptionBudget is in a namespace as soon as it has a runner (B5)', async ({
	rig,
	space,
}) => {
	for (const [value, name] of Object.entries(names.backstops)) {
		const budget = await rig.kube.get<{ spec: unknown }>(
			`/apis/policy/v1/namespaces/${space.name}/poddisruptionbudgets/${name}`,
		);
		const selector = { matchLabels: { [busy.label]: value } };
		assert.equal(budget.spec, { minAvailable: 1_000_000, selector });
	}
});

test.run();

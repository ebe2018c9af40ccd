/** The mass promise, what people do: over 50 busy runners and one command that would kill them all. */

import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import {
	allMarked,
	allRecorded,
	endJobs,
	type Fleet,
	startFleet,
	startJobs,
	summary,
} from '../../rig/fleet.ts';
import { type History, startHistory } from '../../rig/history.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { suite } from '../../support/suite.ts';

interface Context {
	rig: Rig;
	history: History;
	fleets: Record<'all' | 'drain' | 'space' | 'sets', Fleet>;
}

const test = suite<Context>('fifty busy runners');

test.before(async (context) => {
	context.rig = await startRig({ nodes: [] });
	const { rig } = context;
	context.history = await startHistory(rig);
	const fleets: Partial<Context['fleets']> = {};
	for (const name of ['all', 'drain', 'space', 'sets'] as const) {
		fleets[name] = await startFleet(rig, name, { statefulSets: name === 'sets' });
	}
	context.fleets = fleets as Context['fleets'];
	const { drain, space, sets } = context.fleets;
	for (const fleet of [drain, space, sets]) await startJobs(rig, fleet);
});
test.after(async ({ rig, history }) => {
	if (rig) console.log(`\n${rig.github.callsTable()}`);
	history?.stop();
	await rig?.stop();
});

/** All are refused and recorded; none is told to stop. Then the jobs end, and all go without being asked for again. */
async function allWait({ rig, history }: Context, fleet: Fleet, how: string): Promise<void> {
	await allRecorded(history, fleet);
	const untouched = await rig.pods(fleet.namespace);
	assert.is(untouched.filter((pod) => !pod.metadata.deletionTimestamp).length, fleet.names.length);
	const { medianMs, maxMs } = summary(await endJobs(rig, fleet, fleet.names));
	console.log(
		`${how}: ${fleet.names.length} runners released ${medianMs} ms after their job (median; longest ${maxMs} ms)`,
	);
	assert.ok(medianMs <= 2_000, `median ${medianMs} ms`);
	assert.equal(history.violations(), []);
}

const deletesOf = (rig: Rig, { scopes }: Fleet) =>
	scopes.reduce((sum, scope) => sum + rig.github.count({ endpoint: 'delete', scope }), 0);

test('kubectl delete pod --all right after 52 jobs began: no job dies, at most one 422 each, all go when their job ends', async (context) => {
	const { rig, fleets } = context;
	await startJobs(rig, fleets.all);
	const deleted = await rig.kubectl(['-n', fleets.all.namespace, 'delete', 'pod', '--all', '--wait=false']);
	assert.is(deleted.code, 1);
	assert.is(deleted.stderr.match(/running a job/g)?.length, fleets.all.names.length);
	await allWait(context, fleets.all, 'delete pod --all');
	assert.ok(
		deletesOf(rig, fleets.all) <= fleets.all.names.length,
		`${deletesOf(rig, fleets.all)} DELETE calls`,
	);
});

test('kubectl drain of a node with 52 busy runners: no job dies, no GitHub DELETE, drain ends with the last job', async (context) => {
	const { rig, fleets } = context;
	await allMarked(rig, fleets.drain);
	const draining = rig.kubectl(['drain', ...fleets.drain.nodes, '--force', '--ignore-daemonsets']);
	await allWait(context, fleets.drain, 'drain');
	const drained = await draining;
	assert.is(drained.code, 0, drained.stderr);
	assert.is(deletesOf(rig, fleets.drain), 0);
});

test('kubectl delete namespace with 52 busy runners: no job dies, the namespace goes after the last job', async (context) => {
	const { rig, fleets } = context;
	await allMarked(rig, fleets.space);
	await rig.ok(['delete', 'namespace', fleets.space.namespace, '--wait=false']);
	await allWait(context, fleets.space, 'delete namespace');
	assert.is(deletesOf(rig, fleets.space), 0);
	const fromMs = Date.now();
	await eventually(
		'the namespace is gone',
		async () => {
			const found = await rig.kubectl([
				'get',
				'namespace',
				fleets.space.namespace,
				'--ignore-not-found',
				'-o',
				'name',
			]);
			return found.code === 0 && found.stdout === '';
		},
		{ withinMs: 60_000, everyMs: 500 },
	);
	console.log(`namespace gone ${Date.now() - fromMs} ms after its last runner`);
});

test('the 42 StatefulSets and 10 EphemeralRunners that own busy runners are deleted: the garbage collector kills no job', async (context) => {
	const { rig, fleets } = context;
	const { namespace } = fleets.sets;
	await allMarked(rig, fleets.sets);
	await rig.ok(['-n', namespace, 'delete', 'statefulset', '--all']);
	await rig.ok(['-n', namespace, 'delete', 'ephemeralrunner', '--all']);
	await allWait(context, fleets.sets, 'owners deleted');
	assert.is(deletesOf(rig, fleets.sets), 0);
});

test.run();

/** What users of actions-runner-controller have in their repositories works as it is. */
import { readFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import type { Pod } from '../../../admission/api/kinds.ts';
import { eventually } from '../../rig/eventually.ts';
import { type History, startHistory } from '../../rig/history.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { suite } from '../../support/suite.ts';

interface Context {
	rig: Rig;
	history: History;
}

const namespace = 'arc';
const examples = new URL('../../fixtures/arc-examples.yaml', import.meta.url);
/** RunnerSets 1 and 1, RunnerDeployments 2 and 1, a Runner. */
const wanted = 6;

const test = suite<Context>("ARC's documented examples");

test.before(async (context) => {
	context.rig = await startRig({
		sets: true,
		agents: { checkTokens: true },
		github: { scopes: ['repos/mumoshu/actions-runner-controller-ci', 'repos/example/myrepo'] },
	});
	context.history = await startHistory(context.rig);
});
test.after(async ({ rig, history }) => {
	history?.stop();
	await rig?.stop();
});

const live = async (rig: Rig): Promise<Pod[]> =>
	(await rig.pods(namespace)).filter(
		({ metadata, status }) =>
			!metadata.deletionTimestamp &&
			!status?.containerStatuses?.some(({ name, state }) => name === 'runner' && state?.terminated),
	);

/** Exactly as many as wanted, each known by GitHub's id. */
function settled(rig: Rig): Promise<Pod[]> {
	return eventually(
		`${wanted} runners of the examples are registered`,
		async () => {
			const pods = await live(rig);
			const known = pods.filter(({ metadata }) => metadata.annotations?.['actions-runner/id']);
			return pods.length === wanted && known.length === wanted ? pods : undefined;
		},
		{ withinMs: 40_000 },
	);
}

test('applied unchanged they register, run jobs, are replaced, and go with kubectl delete', async ({
	rig,
	history,
}) => {
	const yaml = await readFile(examples, 'utf8');
	await rig.cluster.createNamespace(namespace);
	// What the Runner's manifest takes for granted in its cluster.
	await rig.ok(['-n', namespace, 'create', 'serviceaccount', 'my-service-account']);
	for (const name of ['work-1', 'work-2']) await rig.apply(volume(name));
	await rig.ok(['-n', namespace, 'apply', '-f', '-'], yaml);

	const first = await settled(rig);
	const ofSets = first.filter(({ metadata }) => metadata.name !== 'example-runner');
	assert.is(ofSets.length, wanted - 1);
	for (const { metadata } of first) await rig.agents.runJob(namespace, metadata.name);
	const refused = await rig.kubectl(['-n', namespace, 'delete', 'pod', '--all', '--wait=false']);
	assert.is(refused.code, 1, 'all run a job');
	assert.equal(rig.agents.killedJobs(), []);
	await rig.agents.endAllJobs();

	const uids = new Set(first.map(({ metadata }) => metadata.uid));
	await eventually('all have been replaced', async () =>
		(await live(rig)).every(({ metadata }) => !uids.has(metadata.uid)),
	);
	await settled(rig);

	await rig.ok(['-n', namespace, 'delete', '--wait=false', '-f', '-'], yaml);
	// The Runner's pod is the garbage collector's, which looks for kinds that are new in the cluster each 30 s.
	await eventually('no pod is left', async () => (await rig.pods(namespace)).length === 0, {
		withinMs: 90_000,
	});
	const left = ['runnersets,runnerdeployments,runners,statefulsets', '-o', 'name'];
	await eventually(
		'no object is left',
		async () => (await rig.ok(['-n', namespace, 'get', ...left])).trim() === '',
	);
	assert.equal(rig.github.runners(), []);
	assert.equal(await history.violationsAtRest(), []);
	assert.equal(
		rig.logs(({ level }) => level === 'error'),
		[],
	);
});

const volume = (name: string) => ({
	apiVersion: 'v1',
	kind: 'PersistentVolume',
	metadata: { name },
	spec: {
		capacity: { storage: '10Gi' },
		accessModes: ['ReadWriteOnce'],
		storageClassName: 'my-dynamic-storage-class',
		persistentVolumeReclaimPolicy: 'Retain',
		hostPath: { path: `/var/lib/${name}` },
	},
});

test.run();

/** What users of actions-runner-controller have in their repositories works as it is. */
import { readFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import type { Pod } from '../../../admission/api/kinds.ts';
import { eventually } from '../../rig/eventually.ts';
import { failures, type History, startHistory } from '../../rig/history.ts';
import type { Rig } from '../../rig/rig.ts';
import { stage } from '../../rig/stage.ts';
import type { KubeItem } from '../../sim/kube.ts';
import { suite } from '../../support/suite.ts';
import { end } from '../support/space.ts';

interface Context {
	rig: Rig;
	history: History;
}

const namespace = 'arc-examples';
const examples = new URL('../../fixtures/arc-examples.yaml', import.meta.url);
const scopes = ['repos/mumoshu/actions-runner-controller-ci', 'repos/example/myrepo'] as const;
/** RunnerSets 1 and 1, RunnerDeployments 2 and 1, a Runner. */
const wanted = 6;

const test = suite<Context>("ARC's documented examples");

test.before(async (context) => {
	context.rig = await stage('sets');
	context.rig.agents.set(namespace, { checkTokens: true });
	for (const scope of scopes) context.rig.github.addScope(scope);
	context.history = await startHistory(context.rig);
});
test.after(async ({ rig, history }) => {
	history?.stop();
	await end(rig);
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
			const known = pods.filter(({ metadata }) => metadata.annotations?.['actions-runner/runner-id']);
			return pods.length === wanted && known.length === wanted ? pods : undefined;
		},
		{ withinMs: 120_000 },
	);
}

test('applied unchanged they register, run jobs, are replaced, and go with kubectl delete', async ({
	rig,
	history,
}) => {
	const yaml = await readFile(examples, 'utf8');
	await rig.cluster.createNamespace(namespace);
	// What the Runner's manifest takes for granted in its cluster.
	await rig.apply(
		{ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'my-service-account', namespace } },
		volume('arc-examples-1'),
		volume('arc-examples-2'),
	);
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
	await eventually(
		'all have been replaced',
		async () => (await live(rig)).every(({ metadata }) => !uids.has(metadata.uid)),
		{ withinMs: 60_000 },
	);
	await settled(rig);

	await rig.ok(['-n', namespace, 'delete', '--wait=false', '-f', '-'], yaml);
	const runners = '/apis/actions.summerwind.dev/v1alpha1';
	const resources = ['/api/v1 pods', '/apis/apps/v1 statefulsets'].concat(
		['runnersets', 'runnerdeployments', 'runners'].map((resource) => `${runners} ${resource}`),
	);
	const left = async () => {
		const found = await Promise.all(
			resources.map((each) => {
				const [root, resource] = each.split(' ');
				return rig.kube.get<{ items: KubeItem[] }>(`${root}/namespaces/${namespace}/${resource}`);
			}),
		);
		return found.flatMap(({ items }) => items.map(({ metadata }) => metadata.name));
	};
	// The Runner's pod is the garbage collector's, which looks for kinds that are new in the cluster each 30 s.
	await eventually('nothing is left', async () => (await left()).length === 0, { withinMs: 120_000 });
	for (const scope of scopes) assert.equal(rig.github.runners(scope), []);
	assert.equal(await failures(rig, history), []);
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

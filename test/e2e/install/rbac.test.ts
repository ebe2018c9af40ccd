/**
 * The server's rights: a scenario that drives all of it under an audit log, then every verb that its roles grant is
 * held against what the API server was asked.
 */
import * as assert from 'uvu/assert';
import { autoscaleKinds, type WorkflowJob } from '../../../admission/api/autoscale.ts';
import { endedRunners } from '../../../admission/api/ended-runners.ts';
import { breakGlass } from '../../../admission/api/keys.ts';
import { collectionPath } from '../../../admission/api/paths.ts';
import { type AuditEvent, readAudit } from '../../cluster/audit.ts';
import { type ApiCall, apiCalls, evict } from '../../rig/api-call.ts';
import { installArcCrds, runnersOfArc } from '../../rig/arc.ts';
import { Autoscaled } from '../../rig/autoscaled.ts';
import { eventually } from '../../rig/eventually.ts';
import { describeGrant, grantFor, grantsOf, usesOf } from '../../rig/grants.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { kinds, SetUnderTest } from '../../rig/runner-sets.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { jobPod } from '../../sim/job-pods.ts';
import { suite } from '../../support/suite.ts';
import { end, Space, serverUser } from '../support/space.ts';

/** Granted, and not in the audit log of this scenario; why it is needed all the same. */
const neverSeen: Record<string, string> = Object.fromEntries([
	...['get', 'patch'].map((verb) => [
		`runners-admission-sets: ${verb} persistentvolumes`,
		'for sets without a policy for their volume claims: the next runner gets the volume of one that has ended (e2e/sets/lifecycle)',
	]),
	...[
		...['runnersets', 'runnerdeployments', 'runners'].map((kind) => `${kind}.actions.summerwind.dev`),
		'statefulsets.apps',
	].map((resource) => [
		`runners-admission-sets: update ${resource}/finalizers`,
		'asked for by the admission plugin OwnerReferencesPermissionEnforcement, which is on here, within other requests',
	]),
]);

/** Used or not, as the cluster's own controllers are slower or quicker; unit/sets/stateful-set shows that they are needed. */
const atTimes = [
	'runners-admission-sets: delete controllerrevisions.apps',
	'runners-admission-sets: delete persistentvolumeclaims',
	'runners-admission-sets: patch persistentvolumeclaims',
];

/** What each authenticated user may ask; granted by the cluster itself. */
const everybodys = ['create selfsubjectreviews.authentication.k8s.io'];

interface Context {
	rig: Rig;
	call: ApiCall;
	stopCalls: () => void;
	nodeLost: Promise<void>;
	takenOver: Promise<void>;
	sets: SetUnderTest[];
}

const test = suite<Context>('rights of the server');

test.before(async (context) => {
	context.sets = [];
	context.rig = await startRig({
		sets: true,
		replicas: 2,
		server: { eventsSecret: 'the secret of the webhook' },
		nodes: ['node-1', 'node-2', 'n-gone'],
		cluster: {
			audit: { users: [serverUser] },
			args: { 'kube-apiserver': ['--enable-admission-plugins=OwnerReferencesPermissionEnforcement'] },
		},
	});
	const { call, stop } = apiCalls(readKubeconfig(context.rig.cluster.kubeconfig));
	Object.assign(context, { call, stopCalls: stop });
	context.nodeLost = loseNode(context.rig);
	context.takenOver = takeOver(context);
	for (const slow of [context.nodeLost, context.takenOver]) slow.catch(() => {}); // its test reports it
});
test.after(async ({ rig, sets, stopCalls }) => {
	for (const set of sets ?? []) set.stop();
	stopCalls?.();
	await end(rig);
});

/** A RunnerDeployment's runner that ARC made goes, with ARC's finalizers; the RunnerReplicaSet a minute later. */
async function takeOver({ rig, sets }: Context): Promise<void> {
	await installArcCrds(rig, { common: false });
	const set = await SetUnderTest.make(rig, 'RunnerDeployment');
	sets.push(set);
	const { metadata } = await set.object();
	await runnersOfArc(rig, { namespace: set.namespace, name: set.name, uid: metadata.uid ?? '' }, 1);
	const left = (kind: string) =>
		rig.kube.get<{ items: unknown[] }>(
			`/apis/actions.summerwind.dev/v1alpha1/namespaces/${set.namespace}/${kind}`,
		);
	await eventually(
		'nothing of it is left',
		async () => {
			const lists = await Promise.all([left('runners'), left('runnerreplicasets')]);
			return lists.every(({ items }) => items.length === 0) && (await rig.pods(set.namespace)).length === 0;
		},
		{ withinMs: 240_000, everyMs: 500 },
	);
}

/** A busy runner's deletion is recorded, then its Node object goes: the guard lets the pod go a minute later. */
async function loseNode(rig: Rig): Promise<void> {
	const space = await Space.make(rig);
	await space.runners(['lost-0'], { nodeName: 'n-gone' });
	await space.runJob('lost-0', { known: true });
	await space.refused('lost-0', '--wait=false');
	await rig.ok(['delete', 'node', 'n-gone']);
	await eventually(
		'the pod of the lost node is released',
		async () => {
			const pod = await space.pod('lost-0');
			return !pod || pod.metadata.deletionTimestamp !== undefined;
		},
		{ withinMs: 240_000, everyMs: 500 },
	);
}

test('deletions and evictions, busy and idle, recorded and carried out; break-glass', async ({
	rig,
	call,
}) => {
	const space = await Space.make(rig, { ownCredentials: true });
	// The list of the runners that died is made for the first, and changed for the second.
	const glass = ['glass-0', 'glass-1'];
	await space.runners(['busy-0', 'evicted-0', 'idle-0', ...glass], { nodeName: 'node-1' });
	for (const name of ['busy-0', 'evicted-0', ...glass]) await space.runJob(name);
	for (const name of ['busy-0', 'evicted-0', ...glass]) await space.busy(name);
	await space.refused('busy-0', '--wait=false');
	assert.is((await evict(call, space.name, 'evicted-0')).status, 429);
	await space.deleted('idle-0');
	for (const name of glass) {
		await space.ok('annotate', 'pod', name, `${breakGlass}=it hangs`);
		await space.deleted(name);
		const list = `/api/v1/namespaces/${space.name}/configmaps`;
		await eventually('it is listed', async () => {
			const { items } = await rig.kube.get<{ items: { data?: Record<string, string> }[] }>(list);
			return items.some(({ data = {} }) => data[endedRunners.key]?.includes(name));
		});
	}
	for (const name of ['busy-0', 'evicted-0']) {
		await space.endJob(name);
		await space.gone(name);
	}
});

test('an idle scale-set runner', async ({ rig }) => {
	const space = await Space.make(rig);
	await space.scaleSetRunners(['scale-0']);
	await space.delete('scale-0', '--wait=false');
	await space.gone('scale-0');
});

test('a job pod that an idle runner has left over', async ({ rig }) => {
	const space = await Space.make(rig);
	await space.runners(['runner-0']);
	await rig.apply(jobPod({ namespace: space.name, runner: 'runner-0' }));
	await space.deleted('runner-0-workflow');
});

test('a RunnerSet with volume claims, which go with its runners', async ({ rig, sets }) => {
	const signal = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
	const set = await SetUnderTest.make(rig, 'RunnerSet', {
		spec: {
			volumeClaimTemplates: [{ metadata: { name: 'work' }, spec: signal }],
			persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Retain' },
		},
	});
	sets.push(set);
	// They stay pending: nobody provides volumes here.
	await set.scale(3);
	await set.reaches(3);
	await set.scale(0);
	const signals = `/api/v1/namespaces/${set.namespace}/persistentvolumeclaims`;
	await eventually(
		'all of it is gone',
		async () => set.all().length + (await rig.kube.get<{ items: [] }>(signals)).items.length === 0,
		{ withinMs: 60_000 },
	);
});

for (const kind of kinds) {
	test(`${kind}: up, a job, a rollout, down, another organization, deleted with a busy runner`, async ({
		rig,
		sets,
	}) => {
		const set = await SetUnderTest.make(rig, kind, { replicas: 4 });
		sets.push(set);
		const [first = ''] = set.known();
		await rig.agents.runJob(set.namespace, first);
		await set.endJob(first);
		await eventually('it is replaced', () => !set.all().includes(first) && set.live().length === 4, {
			withinMs: 60_000,
		});
		await set.changeTemplate('second');
		await eventually('all are new', () => set.templates().size === 1 && set.known().length === 4, {
			withinMs: 120_000,
		});
		await set.scale(2);
		await set.reaches(2);

		const moved = `${set.namespace}-moved`;
		rig.github.addScope(`orgs/${moved}`);
		const config = { organization: moved };
		await set.patch({ spec: kind === 'RunnerSet' ? config : { template: { spec: config } } });
		const tokens =
			`/api/v1/namespaces/${set.namespace}/secrets` +
			'?labelSelector=actions-runner%2Fregistration-token%3Dtrue';
		await eventually(
			'the first organization’s token is removed',
			async () => {
				const { items } = await rig.kube.get<{ items: unknown[] }>(tokens);
				return items.length === 1 && set.templates().size === 1 && set.known().length === 2;
			},
			{ withinMs: 120_000 },
		);

		const [busy = ''] = set.known();
		await set.busy(busy);
		await rig.ok(['-n', set.namespace, 'delete', set.resource, set.name, '--wait=false']);
		await set.reaches(1);
		await set.endJob(busy);
		await set.gone();
	});
}

for (const kind of kinds) {
	test(`${kind}: an autoscaler drives it, a job comes and goes, and somebody else scales it as well`, async ({
		rig,
		sets,
	}) => {
		const set = await SetUnderTest.make(rig, kind);
		sets.push(set);
		const autoscaled = await Autoscaled.make(set);
		const job = autoscaled.queue();
		await eventually('it runs', () => job.status === 'in_progress', { withinMs: 60_000 });
		// What is scaled while the autoscaler's own write is under way is overwritten by it, unnoticed.
		await eventually('its replicas are written', async () => (await set.object()).spec.replicas === 1);
		await set.scale(5);
		await autoscaled.says('that somebody else scales it', ({ conditions = [] }) =>
			conditions.some(({ type, status }) => type === 'ReplicasContested' && status === 'True'),
		);
		await set.endJob(job.runnerName ?? '');
		await set.reaches(0);
	});
}

test('the record of a job that ended long ago is removed', async ({ rig }) => {
	const old = {
		apiVersion: 'actions.summerwind.dev/v1alpha1',
		kind: 'WorkflowJob',
		metadata: { name: 'old', namespace: 'runners-system' },
		spec: {
			host: 'github.com',
			id: 1,
			repository: 'octo-old/app',
			labels: ['self-hosted'],
			state: 'completed',
			createdAt: '2026-01-01T00:00:00Z',
			stateSince: '2026-01-01T00:01:00Z',
		},
	};
	await rig.ok(['create', `--as=${serverUser}`, '-f', '-'], JSON.stringify(old));
	await eventually('it is gone', async () => {
		const path = collectionPath(autoscaleKinds.workflowJob, 'runners-system');
		const { items } = await rig.kube.get<{ items: WorkflowJob[] }>(path);
		return items.every(({ metadata }) => metadata.name !== 'old');
	});
});

test('a Runner that a person made', async ({ rig }) => {
	const space = await Space.make(rig);
	await rig.apply({
		apiVersion: 'actions.summerwind.dev/v1alpha1',
		kind: 'Runner',
		metadata: { name: 'single', namespace: space.name },
		spec: { organization: space.name, dockerEnabled: false },
	});
	await space.registered(['single']);
	await space.ok('delete', 'runner', 'single');
	await space.gone('single');
});

test('a namespace with a busy runner is deleted', async ({ rig }) => {
	const space = await Space.make(rig);
	await space.runners(['last-0']);
	await space.runJob('last-0', { known: true });
	await rig.ok(['delete', 'namespace', space.name, '--wait=false']);
	await space.endJob('last-0');
	const namespaces = () => rig.kube.get<{ items: { metadata: { name: string } }[] }>('/api/v1/namespaces');
	const isGone = async () => (await namespaces()).items.every(({ metadata }) => metadata.name !== space.name);
	await eventually('the namespace is gone', isGone, { withinMs: 120_000, everyMs: 500 });
});

test('a node that is gone', ({ nodeLost }) => nodeLost);

test('another leader; a certificate that has to be made anew', async ({ rig }) => {
	const leader = rig.servers.find((server) => server.log.some(({ msg }) => msg === 'leading'));
	await leader?.stop();
	await rig.guarded();
	await Promise.all([...rig.servers].map((server) => server.stop()));
	await rig.kube.patch('/api/v1/namespaces/runners-system/secrets/runners-admission-tls', {
		data: { 'tls.key': 'bm9uZQ==' },
	});
	await rig.addServer();
	await rig.guarded();
});

test('what ARC left of a RunnerDeployment is taken over (I4)', async ({ takenOver }) => {
	await takenOver;
});

test('the roles grant nothing that is not used, and the server asks for nothing that they do not grant', async ({
	rig,
}) => {
	const [grants, events] = await Promise.all([
		grantsOf(rig.kube, 'runners-system', 'runners-admission'),
		readAudit(rig.cluster.folder),
	]);
	const uses = events.flatMap(usesOf);
	assert.ok(grants.length > 40 && uses.length > 200, `${grants.length} grants, ${uses.length} uses`);

	const used = new Set(uses.map((use) => grantFor(use, grants)));
	const unused = grants
		.filter((grant) => !used.has(grant))
		.map(describeGrant)
		.filter((text) => !atTimes.includes(text));
	assert.equal(unused.sort(), Object.keys(neverSeen).sort(), 'granted and never used');

	const notOurs = uses
		.filter((use) => !grantFor(use, grants))
		.map(({ verb, resource }) => `${verb} ${resource}`);
	assert.equal([...new Set(notOurs)], everybodys, 'done by rights of somebody else');
	assert.equal(
		events.filter(isRefused).map(({ requestURI }) => requestURI),
		[],
		'refused',
	);
});

/** 403 is also what a namespace that is being deleted answers to creations, to whoever asks. */
function isRefused({ responseStatus }: AuditEvent): boolean {
	return responseStatus?.code === 403 && !responseStatus.message?.includes('being terminated');
}

test.run();

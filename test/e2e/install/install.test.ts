/** `kubectl runners install` and `uninstall` with a server, runners and jobs: to the first guarded delete, and back. */
import * as assert from 'uvu/assert';
import { busy, record } from '../../../admission/api/keys.ts';
import { apiVersion, type RunnerSet } from '../../../admission/api/sets.ts';
import { freePort } from '../../cluster/free-port.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { difference, type Snapshot, snapshot } from '../../rig/snapshot.ts';
import { stage } from '../../rig/stage.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';
import { type Finished, type Installed, installPlugin } from '../support/plugin-process.ts';
import { end, Space, says } from '../support/space.ts';

interface Context {
	rig: Rig;
	space: Space;
	plugin: Installed;
	port: number;
	/** The whole cluster before the first install. */
	before: Snapshot;
	runners: (...args: string[]) => Promise<Finished>;
}

const test = suite<Context>('install and uninstall, with a server outside of the cluster');

const names = ['busy-0', 'idle-0'];

/** A cluster with busy and idle runners as ARC leaves them, and nothing of ours. */
test.before(async (context) => {
	const [rig, plugin] = await Promise.all([stage('bare'), installPlugin()]);
	Object.assign(context, { rig, plugin, port: await freePort() });
	context.space = await Space.make(rig);
	await rig.apply(...names.map((name) => runnerSetPod(context.space.options(name))));
	await context.space.registered(names);
	await rig.agents.runJob(context.space.name, 'busy-0');
	const env = { KUBECONFIG: rig.cluster.kubeconfig };
	context.runners = (...args) => plugin.run(args, env);
	context.before = await snapshot(rig.kube);
});
test.after(async ({ rig, plugin }) => {
	await Promise.all([end(rig), plugin?.remove()]);
});

function ok({ code, stdout, stderr }: Finished): string {
	assert.is(code, 0, `exit code ${code}: ${stdout}${stderr}`);
	return stdout;
}

/** What `install` and `uninstall` did, by what they said: { unchanged: 19 }. */
function outcomes(stdout: string): Record<string, number> {
	const counts: Record<string, number> = {};
	for (const [, outcome = ''] of stdout.matchAll(/^\S+\/\S+ (\w+)/gm))
		counts[outcome] = (counts[outcome] ?? 0) + 1;
	return counts;
}

test('from an empty cluster to the first guarded delete: one command', async (context) => {
	const { rig, space, plugin, port } = context;
	const installing = plugin.start(['install', '--external', `localhost:${port}`], {
		KUBECONFIG: rig.cluster.kubeconfig,
	});
	await installing.prints(/^Start the server at localhost/m);
	says(
		installing.stdout,
		`Start the server at localhost:${port}: runners-admission --kubeconfig FILE --port ${port}\n`,
	);
	const kubeconfig = await rig.cluster.serviceAccountKubeconfig('runners-system', 'runners-admission');
	await rig.addServer({ kubeconfig, controllers: '*', args: ['--port', `${port}`] });
	const installed = await installing.end();
	says(await space.refused('busy-0'), /is busy/);
	assert.equal(Object.keys(outcomes(ok(installed))), ['created']);
	assert.match(installed.stdout, /^the guard answers \(\d+s\)$/m);
	// The credentials are in this server's environment, which install cannot see.
	says(installed.stderr, 'kubectl create secret generic runners-github -n runners-system');
	assert.equal(space.killedJobs(), []);
});

test('a second run: everything is unchanged, and caBundle and path that the server wrote stay', async (context) => {
	const { rig, runners, port } = context;
	const path = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/runners-admission';
	const read = () =>
		rig.kube.get<{
			metadata: { resourceVersion: string };
			webhooks: { clientConfig: { caBundle?: string; service: { path?: string } } }[];
		}>(path);
	const before = await read();
	const again = await runners('install', '--external', `localhost:${port}`);
	assert.equal(Object.keys(outcomes(ok(again))), ['unchanged']);
	const after = await read();
	assert.ok(after.webhooks.every(({ clientConfig }) => clientConfig.caBundle && clientConfig.service.path));
	assert.is(after.metadata.resourceVersion, before.metadata.resourceVersion);
});

test('default to guard-only and back: what the mode lacks is removed, sets are let go and taken again', async (context) => {
	const { rig, runners, space, port } = context;
	await rig.apply(runnerSet(space));
	await eventually('the set is ours', async () => finalizers(context).then((list) => list.length > 0));
	const external = ['--external', `localhost:${port}`];
	const dry = ok(await runners('install', '--mode', 'guard-only', ...external, '--dry-run=server'));
	says(
		dry,
		'mutatingwebhookconfiguration.admissionregistration.k8s.io/runners-admission configured (server dry run)\n',
	);

	const down = ok(await runners('install', '--mode', 'guard-only', ...external));
	says(down, 'mutatingwebhookconfiguration.admissionregistration.k8s.io/runners-admission configured\n');
	says(down, 'clusterrolebinding.rbac.authorization.k8s.io/runners-admission-sets removed\n');
	says(down, `runnerset.actions.summerwind.dev/example released (namespace ${space.name})\n`);
	assert.equal(await finalizers(context), []);
	assert.not.match(down, /customresourcedefinition/);
	says(await space.refused('busy-0'), /job/);

	const up = ok(await runners('install', ...external));
	says(up, 'mutatingwebhookconfiguration.admissionregistration.k8s.io/runners-admission configured\n');
	await eventually('the set is ours again', async () => finalizers(context).then((list) => list.length > 0), {
		withinMs: 60_000,
	});
});

test('uninstall is refused while sets would be deleted with their definitions, naming sets and busy runners', async (context) => {
	const { runners, space } = context;
	const refused = await runners('uninstall', '--yes');
	assert.is(refused.code, 1);
	says(refused.stderr, `runnerset/example -n ${space.name}`);
	says(refused.stderr, '--keep-crds');
	assert.is(refused.stderr.trim().split('\n').length, 3);
	says(await space.refused('busy-0'), /job/);
});

test('uninstall leaves the cluster as it was, the server still running: marks, records, finalizers (H5)', async (context) => {
	const { rig, runners, space, before } = context;
	await space.busy('busy-0');
	const recorded = (await space.annotations('busy-0'))[record.requestedBy];
	assert.ok(recorded, 'the refused deletion is recorded');
	await rig.ok(['create', '-f', '-', ...asServer], JSON.stringify(workflowJob));
	const installed = await snapshot(rig.kube);
	const dry = ok(await runners('uninstall', '--keep-crds', '--dry-run=server'));
	ok(await runners('uninstall', '--keep-crds', '--dry-run=client'));
	assert.equal(difference(installed, await snapshot(rig.kube)), [], 'a dry run changes nothing');
	says(dry, `pod/busy-0 released (namespace ${space.name}) (server dry run)\n`);
	assert.is((await space.pod('busy-0'))?.metadata.labels?.[busy.label], 'true');

	const done = await runners('uninstall', '--keep-crds', '--yes');
	const stdout = ok(done);
	says(
		done.stderr,
		`Warning: 1 recorded deletion will no longer be carried out: pod/busy-0 -n ${space.name}\n`,
	);
	says(done.stderr, 'a server still runs outside of the cluster');
	says(stdout, 'workflowjobs removed (namespace runners-system)\n');
	const order = ['validatingwebhookconfiguration', 'pod/busy-0 released', 'serviceaccount/', 'namespace/'];
	const places = order.map((text) => stdout.indexOf(text));
	assert.equal(
		places,
		[...places].sort((a, b) => a - b),
		stdout,
	);
	assert.ok(
		places.every((place) => place >= 0),
		stdout,
	);

	// What is left is what was asked for: the definitions and the set. The server still runs, but can no longer write.
	const kept = /^\+ (CustomResourceDefinition|APIService|RunnerSet) /;
	await nothingLeft(rig, before, kept);
	assert.equal(await finalizers(context), []);
	assert.equal(space.killedJobs(), []);
	assert.is(ok(await runners('uninstall', '--keep-crds', '--yes')), 'nothing to uninstall\n');
});

test('after that nothing blocks anything: the set goes at once, pods too, and the definitions (H5)', async (context) => {
	const { rig, runners, space, before } = context;
	await space.ok('delete', 'runnerset', 'example', '--timeout=90s');
	await rig.apply({
		apiVersion,
		kind: 'HorizontalRunnerAutoscaler',
		metadata: { name: 'example', namespace: space.name },
		spec: { scaleTargetRef: { kind: 'RunnerSet', name: 'example' } },
	});
	const done = await runners('uninstall', '--yes');
	assert.equal(outcomes(ok(done)), { removed: 5 });
	says(
		done.stderr,
		`Warning: 1 autoscaler would be deleted with their definition: horizontalrunnerautoscaler/example -n ${space.name}`,
	);
	await nothingLeft(rig, before);
	assert.is(ok(await runners('uninstall', '--yes')), 'nothing to uninstall\n');
	await space.deleted('idle-0', '--timeout=90s');
	await rig.apply(runnerSetPod(space.options('new-0')));
});

/** Nobody but the server's account may write jobs. */
const asServer = ['--as=system:serviceaccount:runners-system:runners-admission', '--as-group=system:masters'];

/** What the server remembers of a job. */
const workflowJob = {
	apiVersion,
	kind: 'WorkflowJob',
	metadata: { name: 'some-job', namespace: 'runners-system' },
	spec: { host: 'github.com', id: 1, repository: 'nobody/app', labels: ['self-hosted'], state: 'queued' },
};

/** The cluster is as it was before, but for what may be kept. */
async function nothingLeft(rig: Rig, before: Snapshot, kept?: RegExp): Promise<void> {
	let left: string[] = [];
	const asBefore = async () => {
		left = difference(before, await snapshot(rig.kube)).filter((line) => !kept?.test(line));
		return left.length === 0;
	};
	await eventually('the cluster is as before', asBefore, { withinMs: 60_000, everyMs: 1_000 }).catch(
		(error: unknown) => {
			throw new Error(`${error}:\n${left.join('\n')}`);
		},
	);
}

function runnerSet(space: Space): object {
	return {
		apiVersion: 'actions.summerwind.dev/v1alpha1',
		kind: 'RunnerSet',
		metadata: { name: 'example', namespace: space.name },
		spec: {
			replicas: 0,
			organization: space.name,
			dockerEnabled: false,
			selector: { matchLabels: { app: 'example' } },
			serviceName: 'example',
			template: { metadata: { labels: { app: 'example' } } },
		},
	};
}

async function finalizers({ rig, space }: Context): Promise<string[]> {
	const path = `/apis/actions.summerwind.dev/v1alpha1/namespaces/${space.name}/runnersets/example`;
	return (await rig.kube.get<RunnerSet>(path)).metadata.finalizers ?? [];
}

test.run();

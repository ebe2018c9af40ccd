/** What `kubectl runners install` applies, refuses and removes, beside real kubectl; no server runs here. */
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { busy, progress } from '../../../admission/api/keys.ts';
import { overlayFolder } from '../../../scripts/manifests/overlays.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { difference, type Snapshot, snapshot } from '../../rig/snapshot.ts';
import { stage } from '../../rig/stage.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';
import { type Finished, type Installed, installPlugin } from '../support/plugin-process.ts';
import { end, says } from '../support/space.ts';

interface Context {
	rig: Rig;
	plugin: Installed;
	/** The plugin, as an admin; never waits for a guard. */
	runners: (...args: string[]) => Promise<Finished>;
	/** kubectl that must succeed. */
	kubectl: (args: string[], input?: string) => Promise<string>;
}

const test = suite<Context>('install beside kubectl');

test.before(async (context) => {
	[context.rig, context.plugin] = await Promise.all([stage('bare'), installPlugin()]);
	const { rig, plugin } = context;
	context.runners = (...args) => plugin.run(args, { KUBECONFIG: rig.cluster.kubeconfig });
	context.kubectl = (args, input) => rig.ok(args, input);
	await cordon(rig, true); // no pod of a Deployment starts
});
test.after(async ({ rig, plugin, runners }) => {
	if (rig) {
		await rig.ok(['delete', 'validatingwebhookconfiguration', 'runners-admission']);
		await rig.ok(['delete', 'runnerdeployment', 'linux', '-n', 'ci']);
		await rig.ok(['delete', 'namespace', 'ci', 'arc-systems']);
		ok(await runners('uninstall', '--yes'));
		await cordon(rig, false);
	}
	await Promise.all([end(rig), plugin?.remove()]);
});

async function cordon(rig: Rig, unschedulable: boolean): Promise<void> {
	for (const node of ['node-1', 'node-2'])
		await rig.kube.patch(`/api/v1/nodes/${node}`, { spec: { unschedulable } });
}

function ok({ code, stdout, stderr }: Finished): string {
	assert.is(code, 0, `exit code ${code}: ${stdout}${stderr}`);
	return stdout;
}

/** Ours alone, without what differs between two objects of the same content. */
async function ours({ rig }: Context): Promise<Snapshot> {
	const all = [...(await snapshot(rig.kube))].filter(([, content]) => content.includes('"kubectl-runners"'));
	const bare = (content: string) => {
		const { metadata, spec, conditions: _0, ...rest } = JSON.parse(content);
		const { uid: _1, creationTimestamp: _2, annotations = {}, ...kept } = metadata;
		const others = Object.entries(annotations).filter(
			([key]) => !/last-applied|deployment.kubernetes.io/.test(key),
		);
		const { clusterIP: _4, clusterIPs: _5, ...fields } = spec ?? {};
		return JSON.stringify({
			...rest,
			metadata: { ...kept, annotations: Object.fromEntries(others) },
			spec: fields,
		});
	};
	const controllers = /^(Pod|ReplicaSet|IPAddress) /;
	return new Map(all.filter(([key]) => !controllers.test(key)).map(([key, content]) => [key, bare(content)]));
}

for (const mode of ['default', 'guard-only']) {
	test(`${mode}: kubectl apply -k, install, and kubectl apply of what -o yaml prints give the same`, async (context) => {
		const { runners, kubectl } = context;
		await kubectl(['apply', '-k', overlayFolder(mode)]);
		const byKustomize = await ours(context);
		ok(await runners('uninstall', '--yes'));
		assert.equal([...(await ours(context)).keys()], []);

		ok(await runners('install', '--mode', mode, '--wait=false'));
		// install adds the component that kustomize leaves to the user: whether it is served, only the API server can say.
		assert.equal(
			difference(byKustomize, await ours(context)).filter(
				(line) => !/^\+ MutatingAdmissionPolicy(Binding)? /.test(line),
			),
			[],
		);
		const yaml = ok(await runners('install', '--mode', mode, '--dry-run=client', '-o', 'yaml'));
		const diff = await context.rig.kubectl(
			['diff', '--server-side', '--field-manager=kubectl-runners', '-f', '-'],
			yaml,
		);
		assert.equal([diff.code, diff.stdout], [0, ''], diff.stderr);
		ok(await runners('uninstall', '--yes'));
	});
}

test('after kubectl apply -k an install changes the mode: what kubectl wrote is handed over, arguments too', async (context) => {
	const { runners, kubectl } = context;
	await kubectl(['apply', '-k', overlayFolder('guard-only')]);
	await kubectl(['apply', '--server-side', '-k', overlayFolder('guard-only'), '--force-conflicts']);
	const args = () =>
		kubectl([
			...['get', 'deployment', 'runners-admission', '-n', 'runners-system'],
			...['-o', 'jsonpath={.spec.template.spec.containers[0].args}'],
		]);
	assert.is(await args(), '["--controllers=deletion"]');
	// A part that is added beside the overlays: it has our label, stays with an install, and goes with an uninstall.
	const added = 'service/runners-admission-metrics';
	await kubectl(['apply', '-f', join(overlayFolder('default'), '../../components/monitoring/service.yaml')]);
	const installed = ok(await runners('install', '--wait=false'));
	assert.not.ok(installed.includes(added));
	await kubectl(['get', added, '-n', 'runners-system']);
	says(installed, 'deployment.apps/runners-admission configured\n');
	assert.is(await args(), '');
	says(ok(await runners('uninstall', '--yes')), `${added} removed\n`);
});

test('fields that others own are refused before anything is changed; --force-conflicts takes them', async (context) => {
	const { runners, kubectl } = context;
	ok(await runners('install', '--mode', 'guard-only', '--wait=false'));
	await kubectl(['scale', 'deployment', 'runners-admission', '-n', 'runners-system', '--replicas=3']);
	const refused = await runners('install', '--wait=false');
	assert.is(refused.code, 1);
	assert.match(refused.stderr, /^error: deployment.apps\/runners-admission: "kubectl" owns .spec.replicas, /);
	says(refused.stderr, 'Nothing was changed. To take these fields over, use --force-conflicts\n');
	assert.is(refused.stdout, '');
	const forced = ok(await runners('install', '--wait=false', '--replicas=4', '--force-conflicts'));
	says(forced, 'deployment.apps/runners-admission configured\n');
	const replicas = [
		'get',
		'deployment',
		'runners-admission',
		'-n',
		'runners-system',
		'-o',
		'jsonpath={.spec.replicas}',
	];
	assert.is(await kubectl(replicas), '4');
});

test('the wait says what is missing, and the command that makes the credentials', async ({
	runners,
	kubectl,
}) => {
	const waited = await runners('install', '--timeout=1s', '--force-conflicts');
	assert.is(waited.code, 2);
	assert.match(
		waited.stderr,
		/^error: timed out waiting for the guard: deployment.apps\/runners-admission: 0 of 2 /m,
	);
	says(
		waited.stderr,
		'kubectl create secret generic runners-github -n runners-system --from-literal=github_token=',
	);
	// What people made is theirs: the namespace stays with it, and goes when it is empty.
	await kubectl([
		'create',
		'secret',
		'generic',
		'runners-github',
		'-n',
		'runners-system',
		'--from-literal=github_token=t',
	]);
	const first = ok(await runners('uninstall', '--yes'));
	says(
		first,
		'namespace/runners-system stays: it contains secret/runners-github, not created by this installation\n',
	);
	await kubectl(['delete', 'secret', 'runners-github', '-n', 'runners-system']);
	says(ok(await runners('uninstall', '--yes')), 'namespace/runners-system removed\n');
});

test('another namespace, which was there before: named everywhere, and left as it is', async (context) => {
	const { rig, runners, kubectl } = context;
	await rig.cluster.createNamespace('tools');
	const before = await snapshot(rig.kube);
	const installed = ok(await runners('install', '-n', 'tools', '--github-secret=gh', '--wait=false'));
	says(installed, 'namespace/tools existed before: left unchanged\n');
	const found = [...(await ours(context))].filter(([, content]) => content.includes('runners-system'));
	assert.equal(found, []);
	const deployment = await kubectl(['get', 'deployment', 'runners-admission', '-n', 'tools', '-o', 'json']);
	const { env } = JSON.parse(deployment).spec.template.spec.containers[0];
	assert.equal(env, [
		{ name: 'NAMESPACE', value: 'tools' },
		{ name: 'GITHUB_SECRET', value: 'gh' },
	]);
	const second = await runners('install', '--wait=false');
	says(
		second.stderr,
		'error: runners-admission is already installed in namespace tools, and a cluster can have only one guard\n',
	);
	const wrong = await runners('uninstall', '--yes');
	says(wrong.stderr, 'kubectl runners uninstall -n tools');
	assert.not.match(ok(await runners('uninstall', '-n', 'tools', '--yes')), /namespace\/tools/);
	const asBefore = async () => difference(before, await snapshot(rig.kube)).length === 0;
	await eventually('all is as before', asBefore, { withinMs: 60_000, everyMs: 500 });
});

test("beside ARC's own controllers only guard-only is installed; scale sets are no obstacle", async ({
	rig,
	runners,
	kubectl,
}) => {
	await rig.cluster.createNamespace('arc-systems');
	const controller = (name: string, image: string, command: string[] = []) => ({
		apiVersion: 'apps/v1',
		kind: 'Deployment',
		metadata: { name, namespace: 'arc-systems', labels: { 'app.kubernetes.io/name': name } },
		spec: {
			replicas: 1,
			selector: { matchLabels: { app: name } },
			template: {
				metadata: { labels: { app: name } },
				spec: { containers: [{ name: 'manager', image, command }] },
			},
		},
	});
	const webhook = {
		apiVersion: 'admissionregistration.k8s.io/v1',
		kind: 'MutatingWebhookConfiguration',
		metadata: { name: 'arc-actions-runner-controller-mutating-webhook-configuration' },
		webhooks: [
			{
				name: 'mutate.runner.actions.summerwind.dev',
				admissionReviewVersions: ['v1'],
				sideEffects: 'None',
				clientConfig: { service: { namespace: 'arc-systems', name: 'webhook', path: '/m' } },
			},
		],
	};
	const create = (...items: object[]) =>
		kubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
	await create(controller('scale-sets', 'ghcr.io/actions/gha-runner-scale-set-controller:0.12.1'));
	ok(await runners('install', '--dry-run=server'));

	await create(controller('arc', 'summerwind/actions-runner-controller:v0.27.6', ['/manager']), webhook);
	for (const args of [
		['install', '--wait=false'],
		['install', '--dry-run=server'],
	]) {
		const { code, stdout, stderr } = await runners(...args);
		assert.equal([code, stdout], [1, '']);
		says(stderr, 'error: deployment/arc (namespace arc-systems) runs actions-runner-controller (and 1 more)');
		says(stderr, 'kubectl runners install --mode guard-only\n');
		says(
			stderr,
			'kubectl scale deployment arc -n arc-systems --replicas=0; kubectl delete mutatingwebhookconfiguration arc-',
		);
	}
	assert.not.match(await kubectl(['get', 'namespaces']), /runners-system/);
	const shown = await runners('install', '--dry-run=client', '-o', 'json');
	assert.is(JSON.parse(ok(shown)).kind, 'List');
	says(shown.stderr, /^Warning: deployment\/arc /);
	says(
		ok(await runners('install', '--mode', 'guard-only', '--wait=false')),
		'namespace/runners-system created\n',
	);

	await kubectl(['scale', 'deployment', 'arc', '-n', 'arc-systems', '--replicas=0']);
	await kubectl(['delete', 'mutatingwebhookconfiguration', webhook.metadata.name]);
	says(ok(await runners('install', '--wait=false')), 'deployment.apps/runners-admission configured\n');
});

test('the plan: sets that another controller made, and what becomes of their runners (I4)', async ({
	rig,
	runners,
	kubectl,
}) => {
	await rig.cluster.createNamespace('ci');
	const set = {
		apiVersion: 'actions.summerwind.dev/v1alpha1',
		kind: 'RunnerDeployment',
		metadata: { name: 'linux', namespace: 'ci' },
		spec: { replicas: 3, template: { spec: { organization: 'octo-org' } } },
	};
	const pods = ['a', 'b', 'c'].map((name) => {
		const started = name === 'c' ? {} : { nodeName: 'somewhere' };
		const pod = runnerSetPod({ name, namespace: 'ci', set: 'linux', ...started });
		const { 'runnerset-name': _, ...labels } = pod.metadata.labels;
		return {
			...pod,
			metadata: { ...pod.metadata, labels: { ...labels, 'runner-deployment-name': 'linux' } },
		};
	});
	// As the sets' kinds are there, so are their webhooks: nobody answers them here.
	await kubectl(['delete', 'mutatingwebhookconfiguration', 'runners-admission']);
	await rig.apply(set, ...pods);
	const patch = (pod: string, body: object) => rig.kube.patch(`/api/v1/namespaces/ci/pods/${pod}`, body);
	await patch('a', { metadata: { labels: { [busy.label]: 'true' } } });
	await patch('b', { metadata: { annotations: { [progress.runnerId]: '7' } } });
	for (const pod of ['a', 'b'])
		await patch(`${pod}/status`, { status: { phase: 'Running', containerStatuses: [running] } });
	for (const dryRun of ['client', 'server']) {
		const { stderr } = await runners('install', `--dry-run=${dryRun}`);
		assert.match(stderr, /^Plan: 1 set is taken over; no job is stopped\n/);
		says(
			stderr,
			'runnerdeployment/linux -n ci: 3 runners: 1 busy (finish their jobs), 1 idle (are replaced, a surge at a time), 1 pending',
		);
	}
});

const running = {
	name: 'runner',
	image: 'i',
	imageID: '',
	ready: true,
	restartCount: 0,
	state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
};

test("somebody without the rights: kubectl's error, and nothing is changed", async ({ plugin, rig }) => {
	const env = { KUBECONFIG: await rig.cluster.kubeconfigFor('developer', []) };
	for (const [args, resource] of [
		[
			['install', '--wait=false'],
			/^Error from server \(Forbidden\): .* is forbidden: User "developer" cannot \w+ resource /,
		],
		[
			['uninstall', '--yes'],
			/^Error from server \(Forbidden\): .* is forbidden: User "developer" cannot \w+ resource /,
		],
	] as const) {
		const { code, stdout, stderr } = await plugin.run([...args], env);
		assert.equal([code, stdout], [1, '']);
		assert.match(stderr, resource);
		assert.is(stderr.trim().split('\n').length, 1);
	}
});

test.run();

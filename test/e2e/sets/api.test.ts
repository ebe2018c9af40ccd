import { readFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import type { Pod } from '../../../admission/api/kinds.ts';
import type { RunnerSet } from '../../../admission/api/sets.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { stage } from '../../rig/stage.ts';
import { KubeError } from '../../sim/kube.ts';
import { suite } from '../../support/suite.ts';
import { end } from '../support/space.ts';

const test = suite('RunnerSet and RunnerDeployment: API and webhooks');

const namespace = 'octo-api';
const sets = `/apis/actions.summerwind.dev/v1alpha1/namespaces/${namespace}/runnersets`;

let rig: Rig;
test.before(async () => {
	rig = await stage('sets');
	rig.agents.set(namespace, { checkTokens: true });
	rig.github.addScope(`orgs/${namespace}`);
	await rig.cluster.createNamespace(namespace);
});
test.after(() => end(rig));

const example = (name: string, spec: object = {}, metadata: object = {}) => ({
	apiVersion: 'actions.summerwind.dev/v1alpha1',
	kind: 'RunnerSet',
	metadata: { name, ...metadata },
	spec: {
		replicas: 0,
		organization: namespace,
		selector: { matchLabels: { app: name } },
		serviceName: name,
		template: { metadata: { labels: { app: name } } },
		...spec,
	},
});

const kubectl = (...args: string[]) => rig.kubectl(['-n', namespace, ...args]);
const apply = (object: object, ...flags: string[]) =>
	rig.kubectl(['-n', namespace, 'apply', ...flags, '-f', '-'], JSON.stringify(object));
const applied = async (object: object, ...flags: string[]) => {
	const { code, stdout, stderr } = await apply(object, ...flags);
	assert.is(code, 0, stderr);
	return stdout;
};

const stored = (name: string) => rig.kube.get<RunnerSet>(`${sets}/${name}`);

test("ARC's documented RunnerSets, RunnerDeployments and Runners apply unchanged, without a warning", async () => {
	const file = new URL('../../fixtures/arc-examples.yaml', import.meta.url);
	const args = ['-n', namespace, 'apply', '--dry-run=server', '-f', '-'];
	const { code, stdout, stderr } = await rig.kubectl(args, await readFile(file, 'utf8'));
	assert.is(code, 0, stderr);
	assert.is(stdout.trim().split('\n').length, 5);
	assert.match(stderr, /docker is ignored/); // the complex example has a container that cannot run
	assert.is(stderr.trim().split('\n').length, 1, stderr);
});

test('a spec that cannot be carried out is refused at apply, with a message that names the field', async () => {
	const refused = await apply(example('refused', { replicas: -1 }), '--dry-run=server');
	assert.is(refused.code, 1, refused.stdout);
	assert.match(refused.stderr, /spec\.replicas/);
});

const refusals: [what: string, name: string, spec: object, message: RegExp][] = [
	['fractional replicas', 'refused', { replicas: 1.5 }, /spec\.replicas/],
	[
		'no scope',
		'refused',
		{ organization: undefined },
		/exactly one of repository, organization and enterprise/,
	],
	[
		'two scopes',
		'refused',
		{ repository: 'octo-org/app' },
		/exactly one of repository, organization and enterprise/,
	],
	[
		'a repository without owner',
		'refused',
		{ organization: undefined, repository: 'app' },
		/spec\.repository/,
	],
	[
		'a selector that does not match',
		'refused',
		{ selector: { matchLabels: { app: 'other' } } },
		/spec\.selector/,
	],
	['an unknown containerMode', 'refused', { containerMode: 'dind' }, /spec\.containerMode/],
	[
		'containerMode kubernetes without a work volume',
		'refused',
		{ containerMode: 'kubernetes' },
		/workVolumeClaimTemplate/,
	],
	[
		'an effectiveTime that cannot be read as a time',
		'refused',
		{ effectiveTime: 'yesterday' },
		/spec\.effectiveTime/,
	],
	['a field nobody knows', 'refused', { replicaz: 1 }, /spec\.replicaz/],
	[
		'a name that is too long for a label',
		'x'.repeat(64),
		{ selector: undefined, template: {} },
		/metadata\.name may have at most 63/,
	],
];
for (const [what, name, spec, message] of refusals) {
	test(`${what}: refused, with a message that names the field`, async () => {
		const asked = rig.kube.create(`${sets}?dryRun=All&fieldValidation=Strict`, example(name, spec));
		const answer = await asked.then(
			() => undefined,
			(error: unknown) => error,
		);
		if (!(answer instanceof KubeError)) return assert.unreachable(`accepted, or ${answer}`);
		assert.ok(answer.status === 400 || answer.status === 422, answer.message);
		assert.match(answer.message, message);
	});
}

test('a field that we ignore is answered with a warning', async () => {
	const spec = { updateStrategy: { type: 'OnDelete' }, minReadySeconds: 5 };
	const { code, stderr } = await apply(example('warned', spec), '--dry-run=server');
	assert.is(code, 0, stderr);
	assert.match(stderr, /Warning: spec\.updateStrategy is ignored/);
	assert.match(stderr, /Warning: spec\.minReadySeconds is ignored/);
});

test('replicas changed by hand: effectiveTime is stamped, and stays at a no-op apply (D6, D7)', async () => {
	const startedMs = Date.now();
	await applied(example('stamped'));
	const first = (await stored('stamped')).spec.effectiveTime ?? '';
	assert.ok(Date.parse(first) >= startedMs && Date.parse(first) <= Date.now(), first);

	await applied(example('stamped', {}, { labels: { a: 'b' } }));
	assert.is((await stored('stamped')).spec.effectiveTime, first);

	await rig.kube.patch(`${sets}/stamped`, { spec: { replicas: 1 } });
	const second = (await stored('stamped')).spec.effectiveTime ?? '';
	assert.ok(Date.parse(second) > Date.parse(first), `${second} after ${first}`);
	await rig.kube.delete(`${sets}/stamped`);
});

test('an older effectiveTime is not taken, one in the future is clamped (D7, D8)', async () => {
	await rig.kube.create(sets, example('clamped'));
	const effectiveTime = async () => (await stored('clamped')).spec.effectiveTime ?? '';
	const first = await effectiveTime();
	const patch = (body: object) =>
		kubectl('patch', 'runnerset', 'clamped', '--type=merge', '-p', JSON.stringify(body));
	const older = await patch({ spec: { effectiveTime: '2020-01-01T00:00:00Z' } });
	assert.match(older.stderr, /is older than/);
	assert.is(await effectiveTime(), first);

	const future = await patch({ spec: { effectiveTime: '2120-01-01T00:00:00Z' } });
	assert.match(future.stderr, /ahead of the server's clock/);
	const clampedMs = Date.parse(await effectiveTime());
	assert.ok(clampedMs <= Date.now() && clampedMs > Date.parse(first));

	await rig.kube.patch(`${sets}/clamped`, { spec: { replicas: 0, effectiveTime: null } });
	assert.is(Date.parse(await effectiveTime()), clampedMs);
});

for (const [how, flags] of [
	['server-side', ['--server-side', '--field-manager=gitops']],
	['client-side', []],
] as const) {
	test(`a GitOps tool that applies (${how}) replicas without effectiveTime: the stamp survives, no diff loop (D14)`, async () => {
		const name = `gitops-${how}`;
		const manifest = example(name, { replicas: 0 });
		await applied(manifest, ...flags);
		await eventually(
			'the reconciler has put its finalizer on',
			async () => (await stored(name)).metadata.finalizers,
			{ withinMs: 60_000 },
		);
		const first = await stored(name);
		assert.ok(first.spec.effectiveTime);
		for (let sync = 0; sync < 2; sync++) await applied(manifest, ...flags);
		const later = await stored(name);
		assert.is(later.spec.effectiveTime, first.spec.effectiveTime);
		assert.is(later.metadata.generation, first.metadata.generation);
		const diff = await rig.kubectl(['-n', namespace, 'diff', ...flags, '-f', '-'], JSON.stringify(manifest));
		assert.is(diff.code, 0, diff.stdout);
	});
}

test('a dry-run shows the stamp and writes nothing (invariant 8)', async () => {
	const shown = await applied(example('dry'), '--dry-run=server', '-o', 'jsonpath={.spec.effectiveTime}');
	assert.ok(Date.parse(shown) > 0, shown);
	assert.match((await kubectl('get', 'runnerset', 'dry')).stderr, /not found/);
});

test("a RunnerSet's runner: name, token by reference, never restarted in place, registered with that token", async () => {
	await rig.kube.create(sets, example('first', { replicas: 1 }));
	const pod = await eventually(
		'the pod is there',
		async () =>
			(await rig.pods(namespace)).find(({ metadata }) => metadata.labels?.['runnerset-name'] === 'first'),
		{ withinMs: 60_000 },
	);
	const runner = pod.spec?.containers?.find(({ name }) => name === 'runner');
	const env = (name: string) => runner?.env?.find((variable) => variable.name === name);
	assert.is(env('RUNNER_NAME')?.value, pod.metadata.name);
	assert.is(pod.spec?.restartPolicy, 'Never');
	assert.is(env('RUNNER_TOKEN')?.value, undefined, 'no credential in the pod');
	const { secretKeyRef } = (env('RUNNER_TOKEN')?.valueFrom ?? {}) as {
		secretKeyRef?: { name: string; key: string };
	};
	if (!secretKeyRef) return assert.unreachable('RUNNER_TOKEN is not from a Secret');
	await rig.agents.waitRegistered([pod.metadata.name], 60_000);

	// The other sets of the namespace have the same Secret: this one may become its owner a moment after its pod exists.
	const secret = await eventually('the Secret is the set’s', async () => {
		const held = await rig.kube.get<{ data: Record<string, string>; metadata: Pod['metadata'] }>(
			`/api/v1/namespaces/${namespace}/secrets/${secretKeyRef.name}`,
		);
		return held.metadata.ownerReferences?.some(({ name }) => name === 'first') ? held : undefined;
	});
	const token = Buffer.from(secret.data[secretKeyRef.key] ?? '', 'base64').toString();
	assert.ok(rig.github.registrationTokenWorks(token, `orgs/${namespace}`));
	assert.equal(
		rig.logs((line) => line.level === 'error'),
		[],
	);
});

test('a pod that an older server makes, with a name of its template’s own, is reviewed: it gets its token', async () => {
	const pod = {
		apiVersion: 'v1',
		kind: 'Pod',
		metadata: { name: 'older', labels: { 'actions-runner-controller/inject-registration-token': 'true' } },
		spec: {
			containers: [
				{
					name: 'runner',
					image: 'runner',
					env: [
						{ name: 'RUNNER_NAME', value: 'own' },
						{ name: 'RUNNER_ORG', value: namespace },
					],
				},
			],
		},
	};
	const asServer = ['--as=system:serviceaccount:runners-system:runners-admission', '--dry-run=server'];
	const { code, stdout, stderr } = await rig.kubectl(
		['-n', namespace, 'create', ...asServer, '-o', 'json', '-f', '-'],
		JSON.stringify(pod),
	);
	assert.is(code, 0, stderr);
	const made = JSON.parse(stdout) as Pod;
	assert.equal(
		made.spec?.containers?.[0]?.env?.map(({ name }) => name),
		['RUNNER_NAME', 'RUNNER_ORG', 'RUNNER_TOKEN', 'ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE'],
	);
	assert.is(made.spec?.restartPolicy, 'Never');
});

test('the last set that used a token is gone: so is its Secret', async () => {
	await rig.kube.delete(sets);
	const withTokens = `/api/v1/namespaces/${namespace}/secrets?labelSelector=actions-runner/registration-token=true`;
	await eventually(
		'no Secret with a token is left',
		async () => (await rig.kube.get<{ items: object[] }>(withTokens)).items.length === 0,
		{ withinMs: 90_000 },
	);
});

test.run();

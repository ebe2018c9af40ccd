import { readFile } from 'node:fs/promises';
import { dump } from 'js-yaml';
import * as assert from 'uvu/assert';
import type { Pod } from '../../../admission/api/kinds.ts';
import type { RunnerSet } from '../../../admission/api/sets.ts';
import { eventually } from '../../rig/eventually.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { suite } from '../../support/suite.ts';

const test = suite('RunnerSet and RunnerDeployment: API and webhooks');

let rig: Rig;
test.before(async () => {
	rig = await startRig({ sets: true, agents: { checkTokens: true } });
});
test.after(() => rig?.stop());

const example = (name: string, spec: object = {}, metadata: object = {}) => ({
	apiVersion: 'actions.summerwind.dev/v1alpha1',
	kind: 'RunnerSet',
	metadata: { name, ...metadata },
	spec: {
		replicas: 0,
		organization: 'octo-org',
		selector: { matchLabels: { app: name } },
		serviceName: name,
		template: { metadata: { labels: { app: name } } },
		...spec,
	},
});

const apply = (object: object, ...flags: string[]) =>
	rig.kubectl(['apply', ...flags, '-f', '-'], JSON.stringify(object));

const stored = (name: string) =>
	rig.kube.get<RunnerSet>(`/apis/actions.summerwind.dev/v1alpha1/namespaces/default/runnersets/${name}`);

test("ARC's documented RunnerSets, RunnerDeployments and Runners apply unchanged, without a warning", async () => {
	const file = new URL('../../fixtures/arc-examples.yaml', import.meta.url);
	await rig.cluster.createNamespace('arc');
	const applied = await rig.kubectl(
		['apply', '--dry-run=server', '-n', 'arc', '-f', '-'],
		await readFile(file, 'utf8'),
	);
	assert.is(applied.code, 0, applied.stderr);
	assert.is(applied.stdout.trim().split('\n').length, 5);
	assert.match(applied.stderr, /docker is ignored/); // the complex example has a container that can not run
	assert.is(applied.stderr.trim().split('\n').length, 1, applied.stderr);
});

const refusals: [what: string, spec: object, field: RegExp][] = [
	['negative replicas', { replicas: -1 }, /spec\.replicas/],
	['fractional replicas', { replicas: 1.5 }, /spec\.replicas/],
	['no scope', { organization: undefined }, /exactly one of repository, organization and enterprise/],
	['two scopes', { repository: 'octo-org/app' }, /exactly one of repository, organization and enterprise/],
	['a repository without owner', { organization: undefined, repository: 'app' }, /spec\.repository/],
	['a selector that does not match', { selector: { matchLabels: { app: 'other' } } }, /spec\.selector/],
	['an unknown containerMode', { containerMode: 'dind' }, /spec\.containerMode/],
	[
		'containerMode kubernetes without a work volume',
		{ containerMode: 'kubernetes' },
		/workVolumeClaimTemplate/,
	],
	['an effectiveTime that is no time', { effectiveTime: 'yesterday' }, /spec\.effectiveTime/],
	['a field nobody knows', { replicaz: 1 }, /spec\.replicaz/],
];
for (const [what, spec, field] of refusals) {
	test(`${what}: refused at apply, with a message that names the field`, async () => {
		const refused = await apply(example('refused', spec), '--dry-run=server');
		assert.is(refused.code, 1, refused.stdout);
		assert.match(refused.stderr, field);
	});
}

test('a name that is too long for a label: refused at apply', async () => {
	const refused = await apply(
		example('x'.repeat(64), { selector: undefined, template: {} }),
		'--dry-run=server',
	);
	assert.is(refused.code, 1, refused.stdout);
	assert.match(refused.stderr, /metadata\.name may have at most 63/);
});

test('a field that we ignore is answered with a warning', async () => {
	const spec = { updateStrategy: { type: 'OnDelete' }, minReadySeconds: 5 };
	const applied = await apply(example('warned', spec), '--dry-run=server');
	assert.is(applied.code, 0, applied.stderr);
	assert.match(applied.stderr, /Warning: spec\.updateStrategy is ignored/);
	assert.match(applied.stderr, /Warning: spec\.minReadySeconds is ignored/);
});

test('replicas changed by hand: effectiveTime is stamped, and stays at a no-op apply (D6, D7)', async () => {
	const startedMs = Date.now();
	await rig.ok(['apply', '-f', '-'], JSON.stringify(example('stamped')));
	const first = (await stored('stamped')).spec.effectiveTime ?? '';
	assert.ok(Date.parse(first) >= startedMs && Date.parse(first) <= Date.now(), first);

	await rig.ok(['apply', '-f', '-'], JSON.stringify(example('stamped', {}, { labels: { a: 'b' } })));
	assert.is((await stored('stamped')).spec.effectiveTime, first);

	await rig.ok(['patch', 'runnerset', 'stamped', '--type=merge', '-p', '{"spec":{"replicas":1}}']);
	const second = (await stored('stamped')).spec.effectiveTime ?? '';
	assert.ok(Date.parse(second) > Date.parse(first), `${second} after ${first}`);
	await rig.ok(['delete', 'runnerset', 'stamped']);
});

test('an older effectiveTime is not taken, one in the future is clamped (D7, D8)', async () => {
	await rig.ok(['apply', '-f', '-'], JSON.stringify(example('clamped')));
	const first = (await stored('clamped')).spec.effectiveTime;
	const older = '{"spec":{"effectiveTime":"2020-01-01T00:00:00Z"}}';
	const patch = ['patch', 'runnerset', 'clamped', '--type=merge', '-p'];
	const told = await rig.kubectl([...patch, older]);
	assert.match(told.stderr, /is older than/);
	assert.is((await stored('clamped')).spec.effectiveTime, first);

	const future = await rig.kubectl([...patch, '{"spec":{"effectiveTime":"2120-01-01T00:00:00Z"}}']);
	assert.match(future.stderr, /ahead of the server's clock/);
	const clampedMs = Date.parse((await stored('clamped')).spec.effectiveTime ?? '');
	assert.ok(clampedMs <= Date.now() && clampedMs > Date.parse(first ?? ''));

	const older2 = '{"spec":{"replicas":0,"effectiveTime":null}}';
	await rig.ok([...patch, older2]);
	assert.is(Date.parse((await stored('clamped')).spec.effectiveTime ?? ''), clampedMs);
});

test('a GitOps tool that applies replicas without effectiveTime: the stamp survives, no diff loop (D14)', async () => {
	for (const flags of [['--server-side', '--field-manager=gitops'], []]) {
		const name = flags.length > 0 ? 'gitops-server-side' : 'gitops-client-side';
		const manifest = example(name, { replicas: 0 });
		await rig.ok(['apply', ...flags, '-f', '-'], JSON.stringify(manifest));
		await eventually('the reconciler has had its say', async () => (await stored(name)).metadata.finalizers);
		const first = await stored(name);
		assert.ok(first.spec.effectiveTime);
		for (let sync = 0; sync < 3; sync++)
			await rig.ok(['apply', ...flags, '-f', '-'], JSON.stringify(manifest));
		const later = await stored(name);
		assert.is(later.spec.effectiveTime, first.spec.effectiveTime);
		assert.is(later.metadata.generation, first.metadata.generation);
		const diff = await rig.kubectl(['diff', ...flags, '-f', '-'], JSON.stringify(manifest));
		assert.is(diff.code, 0, diff.stdout);
	}
});

test('a dry-run shows the stamp and writes nothing (invariant 8)', async () => {
	const shown = await rig.ok(
		['apply', '--dry-run=server', '-o', 'jsonpath={.spec.effectiveTime}', '-f', '-'],
		JSON.stringify(example('dry')),
	);
	assert.ok(Date.parse(shown) > 0, shown);
	assert.match((await rig.kubectl(['get', 'runnerset', 'dry'])).stderr, /not found/);
});

test("a RunnerSet's runner: name, token by reference, never restarted in place, registered with that token", async () => {
	const template = { metadata: { labels: { app: 'first' } } };
	await rig.ok(['apply', '-f', '-'], dump(example('first', { replicas: 1, template })));
	const pod = await eventually('the pod is there', async () =>
		(await rig.pods()).find(({ metadata }) => metadata.labels?.['runnerset-name'] === 'first'),
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
	await rig.agents.waitRegistered([pod.metadata.name], 30_000);

	const secret = await rig.kube.get<{ data: Record<string, string>; metadata: Pod['metadata'] }>(
		`/api/v1/namespaces/default/secrets/${secretKeyRef.name}`,
	);
	const token = Buffer.from(secret.data[secretKeyRef.key] ?? '', 'base64').toString();
	assert.ok(rig.github.registrationTokenWorks(token, 'orgs/octo-org'));
	assert.ok(secret.metadata.ownerReferences?.some(({ name }) => name === 'first'));
	assert.is(rig.logs((line) => line.level === 'error').length, 0);
});

test('the last set that used a token is gone: so is its Secret', async () => {
	const secrets = ['get', 'secrets', '-l', 'actions-runner/registration-token=true', '-o', 'name'];
	await rig.ok(['delete', 'runnersets', '--all', '--wait=false']);
	await eventually('no Secret with a token is left', async () => (await rig.ok(secrets)).trim() === '', {
		withinMs: 30_000,
	});
});

test.run();

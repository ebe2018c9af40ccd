/**
 * Objects that are larger than our definitions allow, made before these were installed: they can be changed in other fields
 * (CRD validation ratcheting, GA in Kubernetes 1.33), and what is too large is refused from then on.
 */
import { readFile } from 'node:fs/promises';
import { load } from 'js-yaml';
import * as assert from 'uvu/assert';
import { crdFiles } from '../../../scripts/crds/generate.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { stage } from '../../rig/stage.ts';
import { suite } from '../../support/suite.ts';
import { end } from '../support/space.ts';

const test = suite('limits of specs: objects that are older');

const namespace = 'octo-limits';
const definitions = Object.values(crdFiles()).map((text) => load(text) as { metadata: { name: string } });
const limits = new Set(['maxItems', 'maxProperties', 'maxLength', 'x-kubernetes-validations']);
/** As they were before there were limits. */
const unlimited = (definition: object): object =>
	JSON.parse(JSON.stringify(definition, (key, value) => (limits.has(key) ? undefined : value)));

let rig: Rig;
test.before(async () => {
	rig = await stage('bare');
	await rig.cluster.createNamespace(namespace);
	await applied(...definitions.map(unlimited));
	const names = definitions.map(({ metadata }) => `crd/${metadata.name}`);
	await rig.ok(['wait', '--for=condition=Established', ...names]);
});
test.after(async () => {
	await rig.kubectl(['delete', 'crd', ...definitions.map(({ metadata }) => metadata.name)]);
	await end(rig);
});

const applied = (...objects: object[]) =>
	rig.ok(['apply', '--server-side', '--force-conflicts', '-f', '-'], JSON.stringify(listOf(objects)));
const listOf = (items: object[]) => ({ apiVersion: 'v1', kind: 'List', items });

const repeated = <T>(count: number, of: (index: number) => T): T[] =>
	Array.from({ length: count }, (_, index) => of(index));
const labels = repeated(10_000, (index) => `label-${index}`);
const env = repeated(1_500, (index) => ({ name: `V${index}`, value: 'x' }));
const runner = {
	organization: 'octo',
	labels,
	env,
	nodeSelector: Object.fromEntries(labels.map((one) => [one, ''])),
};

const object = (kind: string, spec: object) => ({
	apiVersion: 'actions.summerwind.dev/v1alpha1',
	kind,
	metadata: { name: 'large', namespace },
	spec,
});
const large = [
	object('RunnerSet', {
		organization: 'octo',
		labels,
		template: { spec: { containers: [{ name: 'runner', env }] } },
	}),
	object('RunnerDeployment', { template: { spec: runner } }),
	object('Runner', runner),
	object('HorizontalRunnerAutoscaler', {
		scaleTargetRef: { name: 'large' },
		capacityReservations: repeated(3_000, (index) => ({ replicas: index })),
		scaleUpTriggers: repeated(500, () => ({ githubEvent: { workflowJob: {} } })),
	}),
];
/** What is changed beside the large fields, and what makes one of these larger still. */
const changes: Record<string, { other: object; larger: object }> = {
	RunnerSet: {
		other: { replicas: 3, effectiveTime: '2026-12-01T12:00:00Z' },
		larger: { labels: [...labels, 'x'] },
	},
	RunnerDeployment: { other: { replicas: 3 }, larger: { template: { spec: { labels: [...labels, 'x'] } } } },
	Runner: { other: { image: 'example.com/runner:2' }, larger: { env: [...env, { name: 'X', value: 'x' }] } },
	HorizontalRunnerAutoscaler: {
		other: { minReplicas: 2, maxReplicas: 9 },
		larger: { scaleUpTriggers: repeated(501, () => ({ githubEvent: { workflowJob: {} } })) },
	},
};

test('they are made while nothing limits them, and then our definitions are installed', async () => {
	await applied(...large);
	await applied(...definitions);
	for (const one of large)
		await eventually(`a new ${one.kind} of this size is refused`, async () => {
			const fresh = { ...one, metadata: { ...one.metadata, name: 'fresh' } };
			const { code, stderr } = await rig.kubectl(
				['create', '--dry-run=server', '-f', '-'],
				JSON.stringify(fresh),
			);
			return code !== 0 && /Too many|too long|must have at most/i.test(stderr);
		});
});

const patch = (kind: string, body: object, ...more: string[]) =>
	rig.kubectl([
		...['-n', namespace, 'patch', kind, 'large', '--type=merge', ...more, '-p', JSON.stringify(body)],
	]);

for (const { kind } of large)
	test(`${kind}: other fields, finalizers and the status can still be changed; what is too large, only to what is allowed`, async () => {
		const { other, larger } = changes[kind] as { other: object; larger: object };
		for (const [what, body, ...more] of [
			['other fields', { spec: other }],
			['a finalizer', { metadata: { finalizers: ['example.com/a'] } }],
			['no finalizer', { metadata: { finalizers: null } }],
			['the status', { status: {} }, '--subresource=status'],
		] as [string, object, ...string[]][]) {
			const { code, stderr } = await patch(kind, body, ...more);
			assert.is(code, 0, `${what}: ${stderr}`);
		}
		if (kind === 'RunnerSet' || kind === 'RunnerDeployment')
			await rig.ok(['-n', namespace, 'scale', kind, 'large', '--replicas=1']);
		const refused = await patch(kind, { spec: larger });
		assert.is(refused.code, 1, refused.stdout);
		assert.match(refused.stderr, /is invalid|Invalid value|Too many/);
	});

test('the variables of a container are merged as one list, and limited', async () => {
	const set = (name: string, variables: object) => ({
		...object('RunnerSet', {
			organization: 'octo',
			template: { spec: { containers: [{ name: 'runner', env: variables }] } },
		}),
		metadata: { name, namespace },
	});
	await applied(set('small', env.slice(0, 1_000)));
	await applied(set('small', [{ name: 'A', value: 'b' }]));
	const path = `/apis/actions.summerwind.dev/v1alpha1/namespaces/${namespace}/runnersets/small`;
	const { spec } = await rig.kube.get<{ spec: { template: { spec: { containers: object[] } } } }>(path);
	assert.equal(spec.template.spec.containers, [{ name: 'runner', env: [{ name: 'A', value: 'b' }] }]);
	await applied(set('odd', { A: 'b' })); // of another type: the set says so (sets/pod/field-types.ts)
	const { code, stderr } = await rig.kubectl(
		['create', '--dry-run=server', '-f', '-'],
		JSON.stringify(set('more', env)),
	);
	assert.is(code, 1);
	assert.match(stderr, /containers\[0\]\.env: Too many/);
});

test("ARC's documented RunnerSets, RunnerDeployments and Runners are within the limits", async () => {
	const file = new URL('../../fixtures/arc-examples.yaml', import.meta.url);
	await rig.ok(['-n', namespace, 'create', '--dry-run=server', '-f', '-'], await readFile(file, 'utf8'));
});

test.run();

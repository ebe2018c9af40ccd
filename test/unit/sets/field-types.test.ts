/** Templates that the API server stores as they are written: fields of another type than a pod has. */
import * as assert from 'uvu/assert';
import type { Pod } from '../../../admission/api/kinds.ts';
import type { RunnerDeployment, RunnerSet, RunnerSpec } from '../../../admission/api/sets.ts';
import { injectHooks } from '../../../admission/jobs/hooks/rules/inject.ts';
import { injected } from '../../../admission/sets/inject-pods.ts';
import { oddField } from '../../../admission/sets/pod/field-types.ts';
import { type Layout, runnerSetTemplate, runnerTemplate } from '../../../admission/sets/pod/template.ts';
import { suite } from '../../support/suite.ts';
import { templateDefaults } from '../support/sets-world.ts';

const test = suite('types of the fields in templates');

/** Every field of a container that is read here. */
const container = (name: string) => ({
	name,
	image: 'own:1',
	imagePullPolicy: 'Always',
	args: ['--mtu=1400'],
	env: [
		{ name: 'A', value: 'a' },
		{ name: 'B', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
	],
	envFrom: [{ prefix: 'P_', configMapRef: { name: 'c' } }],
	volumeMounts: [{ name: 'cache', mountPath: '/cache' }],
	securityContext: { runAsUser: 1_000 },
});

const podSpec = () => ({
	containers: [container('runner'), container('docker'), container('other')],
	initContainers: [container('init')],
	volumes: [{ name: 'cache', emptyDir: {} }],
	securityContext: { seLinuxOptions: { level: 's0' } },
	nodeSelector: { disk: 'ssd' },
	dnsPolicy: 'ClusterFirst',
});

const runnerSet = (spec: object): RunnerSet =>
	({ kind: 'RunnerSet', metadata: { name: 'example' }, spec }) as unknown as RunnerSet;

const fullSet = () => ({
	organization: 'octo-org',
	template: {
		spec: { ...podSpec(), hostNetwork: false, os: { name: 'linux' }, serviceAccountName: 'jobs' },
	},
	volumeClaimTemplates: [{ metadata: { name: 'claim' }, spec: {} }],
});

const fullRunner = () => ({
	organization: 'octo-org',
	...podSpec(),
	sidecarContainers: [container('side')],
	env: container('').env,
	envFrom: container('').envFrom,
	volumeMounts: container('').volumeMounts,
	dockerEnv: container('').env,
	dockerVolumeMounts: container('').volumeMounts,
});

const server = { url: 'https://runners.system.svc:9444', authorities: '', address: '10.0.0.1' };

/** Each kind: its full spec, and its way to a pod as far as the server itself goes it. */
const kinds = {
	RunnerSet: {
		full: fullSet as () => object,
		layOut: (spec: object) => runnerSetTemplate(runnerSet(spec), templateDefaults),
	},
	RunnerDeployment: {
		full: fullRunner as () => object,
		layOut: (spec: object) =>
			runnerTemplate(
				{ metadata: { name: 'r' }, spec: spec as RunnerSpec },
				templateDefaults,
				'spec.template.spec',
			),
	},
};

/** What becomes of the template afterwards, before the API server sees it. */
function inject(layout: Layout): void {
	if (layout.kind === 'invalid') return;
	const pod = { ...layout.template, metadata: { ...layout.template.metadata, name: 'r', namespace: 'ci' } };
	injected(pod as unknown as Pod, (made) => injectHooks(made, server));
}

type Node = Record<string, unknown>;

/** The path to each value within, lists and objects included. */
function* placesIn(value: unknown, path: string[] = []): Generator<string[]> {
	if (path.length > 0) yield path;
	if (typeof value !== 'object' || value === null) return;
	for (const [key, inner] of Object.entries(value)) yield* placesIn(inner, [...path, key]);
}

function replaced(spec: object, path: string[], odd: unknown): object {
	const copy = structuredClone(spec);
	const last = path.at(-1) ?? '';
	const parent = path.slice(0, -1).reduce((node, key) => node[key] as Node, copy as Node);
	if (odd === undefined) delete parent[last];
	else parent[last] = odd;
	return copy;
}

const written = (path: string[]) => path.map((key) => (/^\d+$/.test(key) ? `[${key}]` : `.${key}`)).join('');

const oddValues: unknown[] = [
	20,
	true,
	'text',
	'',
	{},
	{ FOO: 'bar' },
	[],
	[null],
	[20],
	['text'],
	null,
	undefined,
];

/** Kubernetes takes a value of the same kind in its place. */
const kindOf = (value: unknown) => (Array.isArray(value) ? 'list' : value === null ? 'null' : typeof value);

for (const [kind, { full, layOut }] of Object.entries(kinds)) {
	test(`${kind}: a full template is in order`, () => {
		const layout = layOut(full());
		assert.is(layout.kind, 'template', JSON.stringify(layout));
		inject(layout);
	});

	test(`${kind}: whatever stands in the place of a field never throws, and another type is refused by the field's name`, () => {
		let refused = 0;
		for (const path of placesIn(full())) {
			if (path[0] === 'organization') continue; // of the kind's own fields, which the API server knows
			const right = path.reduce((node, key) => (node as Node)[key], full() as unknown);
			for (const odd of oddValues) {
				const what = `${written(path)} = ${JSON.stringify(odd)}`;
				let layout: Layout;
				try {
					layout = layOut(replaced(full(), path, odd));
					inject(layout);
				} catch (error) {
					throw new Error(`${what}: ${String(error)}`);
				}
				const unread = /emptyDir|configMapRef|runAsUser|level|laimTemplates\[\d\]\.spec/.test(what);
				if (unread || odd === undefined || odd === null || kindOf(odd) === kindOf(right)) continue;
				if (layout.kind === 'template') return assert.unreachable(`${what} is taken`);
				refused += 1;
				const prefix = kind === 'RunnerSet' ? 'spec' : 'spec.template.spec';
				assert.is(layout.field, `${prefix}${written(path)}`, what);
				assert.ok(layout.message.startsWith(`${layout.field} `), layout.message);
			}
		}
		assert.ok(refused > 500, `${refused} were refused`);
	});

	for (const list of ['containers', 'env', 'envFrom', 'volumeMounts', 'volumes'])
		test(`${kind}: null as an item of ${list}, which would be one without a name`, () => {
			const path = [...placesIn(full())].find((one) => one.at(-2) === list && one.at(-1) === '0');
			const layout = layOut(replaced(full(), path ?? [], null));
			assert.match(layout.kind === 'invalid' ? layout.message : '', /\[0\] must be an object, not null$/);
		});

	test(`${kind}: null in the place of a field is no field, as in Kubernetes`, () => {
		for (const field of ['env', 'image', 'args', 'volumeMounts', 'securityContext']) {
			const path = [...placesIn(full())].find((one) => one.at(-1) === field) ?? [];
			assert.is(layOut(replaced(full(), path, null)).kind, 'template', written(path));
		}
	});
}

for (const [value, message] of [
	[8080, 'must be a string: quote it ("8080")'],
	[true, 'must be a string: quote it ("true")'],
	[['a'], 'must be a string, not a list'],
	[{}, 'must be a string, not an object'],
] as const)
	test(`the message names the field and what it must be: env value ${JSON.stringify(value)}`, () => {
		const env = [
			{ name: 'A', value: 'a' },
			{ name: 'PORT', value },
		];
		const set = runnerSet({
			organization: 'o',
			template: { spec: { containers: [{ name: 'runner', env }] } },
		});
		assert.equal(oddField(set), {
			field: 'spec.template.spec.containers[0].env[1].value',
			message: `spec.template.spec.containers[0].env[1].value ${message}`,
		});
	});

for (const [what, spec, message] of [
	['a map of variables', { env: { FOO: 'bar' } }, 'env must be a list, not an object'],
	['a mount without a path', { volumeMounts: [{ name: 'cache' }] }, 'volumeMounts[0].mountPath is missing'],
	[
		'arguments in one text',
		{ containers: [{ name: 'docker', args: '--mtu=1' }] },
		'containers[0].args must be a list, not a string',
	],
	[
		'a selector of a number',
		{ nodeSelector: { gpu: 1 } },
		'nodeSelector.gpu must be a string: quote it ("1")',
	],
] as const)
	test(`a RunnerDeployment with ${what}`, () => {
		const set = { kind: 'RunnerDeployment', metadata: { name: 'd' }, spec: { template: { spec } } };
		assert.is(oddField(set as unknown as RunnerDeployment)?.message, `spec.template.spec.${message}`);
	});

test('a key that is no name is cut in the message', () => {
	const set = runnerSet({ template: { spec: { nodeSelector: { ['k'.repeat(5_000)]: 1 } } } });
	assert.ok((oddField(set)?.message.length ?? 0) < 300);
});

const repeated = <T>(count: number, value: T): T[] => new Array(count).fill(value);
const tooLong: [what: string, spec: object, message: string][] = [
	['labels', { labels: repeated(100_000, 'gpu') }, 'labels has 100000 entries: at most 100 are supported'],
	[
		'labels in one text',
		{ labels: ['a', repeated(100_000, 'b').join()] },
		'labels has more than 100 labels: no more are supported',
	],
	[
		'a label of a megabyte',
		{ labels: ['x'.repeat(2 ** 20)] },
		'labels[0] has a label of more than 256 characters: longer ones are not supported',
	],
	[
		'volumes',
		{ volumes: repeated(1_001, { name: 'v' }) },
		'volumes has 1001 entries: at most 1000 are supported',
	],
	[
		'containers',
		{ containers: repeated(101, container('c')) },
		'containers has 101 entries: at most 100 are supported',
	],
	[
		'variables of a container',
		{ containers: [{ name: 'runner', env: repeated(1_001, { name: 'A' }) }] },
		'containers[0].env has 1001 entries: at most 1000 are supported',
	],
	[
		'labels of nodes',
		{ nodeSelector: Object.fromEntries(repeated(257, 'n').map((name, index) => [name + index, ''])) },
		'nodeSelector has 257 entries: at most 256 are supported',
	],
];
for (const [what, fields, message] of tooLong)
	test(`a list that is longer than the schema allows, and may be older: ${what}`, () => {
		const odd = oddField({
			kind: 'RunnerDeployment',
			metadata: { name: 'example' },
			spec: { template: { spec: { ...fullRunner(), ...fields } } },
		} as unknown as RunnerDeployment);
		assert.is(odd?.message, `spec.template.spec.${message}`);
		const ofPod = 'labels' in fields ? fields : { template: { spec: { ...podSpec(), ...fields } } };
		const path = 'labels' in fields ? 'spec' : 'spec.template.spec';
		assert.is(oddField(runnerSet({ ...fullSet(), ...ofPod }))?.message, `${path}.${message}`);
	});

test('lists as long as they may be are in order', () => {
	const full = {
		labels: Array.from({ length: 100 }, (_, index) => `${index}`),
		volumes: repeated(1_000, { name: 'v' }),
		env: repeated(1_000, { name: 'A', value: 'a' }),
		containers: repeated(100, { name: 'c' }),
	};
	const spec = { template: { spec: { ...fullRunner(), ...full } } };
	assert.is(
		oddField({ kind: 'RunnerDeployment', metadata: {}, spec } as unknown as RunnerDeployment),
		undefined,
	);
});

test.run();

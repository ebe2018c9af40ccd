import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { load } from 'js-yaml';
import * as assert from 'uvu/assert';
import { toYaml } from '../../../../plugin/print/yaml.ts';
import { renderKustomization } from '../../../../scripts/kustomize.ts';
import { strategicMerge } from '../../../../scripts/strategic-merge.ts';
import { suite } from '../../../support/suite.ts';

const test = suite<{ folder: string }>('scripts/kustomize.ts');

test.before.each((context) => {
	context.folder = mkdtempSync(join(tmpdir(), 'kustomize-'));
});
test.after.each(({ folder }) => rmSync(folder, { recursive: true, force: true }));

const object = (kind: string, name: string, more: object = {}) => ({
	apiVersion: 'v1',
	kind,
	metadata: { name },
	...more,
});

/** Writes files and renders the kustomization at the top. */
function render(folder: string, files: Record<string, unknown>) {
	for (const [path, content] of Object.entries(files)) {
		mkdirSync(dirname(join(folder, path)), { recursive: true });
		const text = Array.isArray(content)
			? content.map((one) => JSON.stringify(one)).join('\n---\n')
			: JSON.stringify(content);
		writeFileSync(join(folder, path), text);
	}
	return renderKustomization(folder);
}

test('resources of files and folders, a component over all of them, patches before labels', ({ folder }) => {
	const found = render(folder, {
		'kustomization.yaml': {
			resources: ['base', 'more.yaml'],
			components: ['component'],
			labels: [{ pairs: { 'part-of': 'us' } }],
		},
		'base/kustomization.yaml': { resources: ['a.yaml'], labels: [{ pairs: { name: 'a' } }] },
		'base/a.yaml': object('Service', 'a', { spec: { port: 1 } }),
		'more.yaml': [object('ConfigMap', 'b'), object('ConfigMap', 'c')],
		'component/kustomization.yaml': {
			kind: 'Component',
			patches: [
				{ target: { kind: 'Service', name: 'a' }, patch: '[{"op":"replace","path":"/spec/port","value":2}]' },
				{ patch: JSON.stringify(object('ConfigMap', 'b', { data: { key: 'value' } })) },
				{ target: { kind: 'Service', name: 'nobody' }, patch: '{"spec":{"port":3}}' },
			],
		},
	});
	const labels = { 'part-of': 'us' };
	assert.equal(found, [
		{
			apiVersion: 'v1',
			kind: 'Service',
			metadata: { name: 'a', labels: { name: 'a', ...labels } },
			spec: { port: 2 },
		},
		{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'b', labels }, data: { key: 'value' } },
		{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', labels } },
	]);
});

for (const [what, kustomization, message] of [
	['a field', { namePrefix: 'x-' }, /kustomization.yaml: namePrefix not understood/],
	[
		'selectors in labels',
		{ labels: [{ pairs: {}, includeSelectors: true }] },
		/includeSelectors not understood/,
	],
	['a patch from a file', { patches: [{ path: 'x.yaml' }] }, /path not understood/],
	[
		'another target',
		{ patches: [{ target: { labelSelector: 'a=b' }, patch: '[]' }] },
		/labelSelector not understood/,
	],
	[
		'a patch of nobody',
		{ patches: [{ patch: '{"kind":"A","metadata":{"name":"b"}}' }] },
		/there is no A b to patch/,
	],
	['a JSON patch without a target', { patches: [{ patch: '[]' }] }, /needs a target/],
	['a file that is not there', { resources: ['nothing.yaml'] }, /ENOENT/],
] as const) {
	test(`what it does not understand is an error: ${what}`, ({ folder }) => {
		assert.throws(() => render(folder, { 'kustomization.yaml': kustomization }), message);
	});
}

test('the same object twice is an error', ({ folder }) => {
	const files = {
		'kustomization.yaml': { resources: ['a.yaml'] },
		'a.yaml': [object('A', 'a'), object('A', 'a')],
	};
	assert.throws(() => render(folder, files), /\/A\/\/a is there twice/);
});

test('strategic merge: maps merge, lists merge by key with new items first, null removes, the rest is refused', () => {
	const container = { name: 'server', image: 'i', env: [{ name: 'A', value: '1' }] };
	const pod = { spec: { containers: [container], dnsPolicy: 'None' } };
	const patch = {
		spec: {
			dnsPolicy: null,
			volumes: [{ name: 'v' }],
			containers: [
				{
					name: 'server',
					env: [
						{ name: 'B', value: '2' },
						{ name: 'A', value: '3' },
					],
				},
				{ name: 'new' },
			],
		},
	};
	assert.equal(strategicMerge(pod, patch), {
		spec: {
			volumes: [{ name: 'v' }],
			containers: [
				{ name: 'new' },
				{
					name: 'server',
					image: 'i',
					env: [
						{ name: 'B', value: '2' },
						{ name: 'A', value: '3' },
					],
				},
			],
		},
	});
	assert.is(pod.spec.dnsPolicy, 'None');
	assert.throws(() => strategicMerge({ rules: [1] }, { rules: [2] }), /"rules" is not known/);
	assert.throws(() => strategicMerge({}, { $patch: 'delete' }), /\$patch is not understood/);
});

const overlays = join(import.meta.dirname, '../../../../manifests/overlays');

for (const name of readdirSync(overlays)) {
	test(`overlay ${name}: renders, and what -o yaml prints reads back as the same`, () => {
		const objects = renderKustomization(join(overlays, name));
		assert.ok(objects.length > 10);
		assert.equal(load(toYaml(objects)), objects);
	});
}

test.run();

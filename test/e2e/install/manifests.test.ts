/** manifests/ as people apply it: built by kubectl, judged by a real API server. */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { loadAll } from 'js-yaml';
import * as assert from 'uvu/assert';
import type { Manifest } from '../../../plugin/installation/manifest.ts';
import { overlayNames, readOverlay, renderedFile } from '../../../scripts/manifests/overlays.ts';
import { kustomize, renderOverlay } from '../../../scripts/manifests/render.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { stage } from '../../rig/stage.ts';
import { suite } from '../../support/suite.ts';
import { end } from '../support/space.ts';

const manifests = join(import.meta.dirname, '../../../manifests');

const test = suite<{ rig: Rig }>('manifests');
/** Whose kinds are in a cluster only where they are installed. */
const foreignKinds = /^(cert-manager\.io|monitoring\.coreos\.com)\//;
/** What the others live in, or are defined by, has to be there even for a dry run. */
const grounds = [
	...readOverlay('default').filter(({ kind }) => kind === 'Namespace' || kind === 'CustomResourceDefinition'),
	// ARC's, in which the component arc-webhook-server has a Service.
	{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'actions-runner-system' } },
];

test.before(async (context) => {
	context.rig = await stage('bare');
	await apply(context.rig, grounds);
	await allListed(context.rig);
});
test.after(async ({ rig }) => {
	if (rig) await rig.ok(['delete', '--ignore-not-found', '-f', '-'], listOf(grounds));
	await end(rig);
});

/**
 * The API server opens the storage of a kind at the first request for it. Where that is the deletion of its definition, it
 * sometimes says `could not list instances: storage is (re)initializing` for minutes (seen 3 times of 9).
 */
async function allListed(rig: Rig): Promise<void> {
	const defined = grounds.filter(({ kind }) => kind === 'CustomResourceDefinition');
	const list = ['get', defined.map(({ metadata }) => metadata.name).join(','), '--all-namespaces'];
	await eventually('all kinds are listed', async () => (await rig.kubectl(list)).code === 0);
}

for (const name of overlayNames) {
	test(`overlay ${name}: the committed file is what kubectl kustomize makes of it now ("make manifests")`, async () => {
		assert.fixture(readFileSync(renderedFile(name), 'utf8'), await renderOverlay(name));
	});

	test(`overlay ${name}: every field is known, nothing is warned of`, ({ rig }) =>
		judge(rig, readOverlay(name)));
}

/** The objects of guard-only with a component. */
async function withComponent(rig: Rig, component: string): Promise<Manifest[]> {
	const folder = join(rig.cluster.folder, 'kustomize', component);
	await mkdir(folder, { recursive: true });
	const from = (name: string) => relative(folder, join(manifests, name));
	const kustomization = {
		resources: [from('overlays/guard-only')],
		components: [from(`components/${component}`)],
	};
	await writeFile(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization));
	return loadAll(await kustomize(folder)) as Manifest[];
}

for (const component of readdirSync(join(manifests, 'components'))) {
	test(`component ${component}, added to guard-only: the same, all of it is labelled as ours`, async ({
		rig,
	}) => {
		const objects = await withComponent(rig, component);
		for (const { kind, metadata } of objects) {
			const { name, labels = {} } = metadata;
			assert.is(labels['app.kubernetes.io/name'], 'runners-admission', `${kind} ${name}`);
			assert.is(labels['app.kubernetes.io/part-of'], 'kubectl-runners', `${kind} ${name}`);
		}
		await judge(rig, objects);
	});
}

test('component monitoring adds its four objects, all in the namespace of the server, and changes none', async ({
	rig,
}) => {
	const monitored = await withComponent(rig, 'monitoring');
	const keys = new Set(readOverlay('guard-only').map((object) => JSON.stringify(object)));
	const added = monitored.filter((object) => !keys.has(JSON.stringify(object)));
	assert.equal(added.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`).sort(), [
		'ConfigMap runners-system/runners-admission-dashboard',
		'PrometheusRule runners-system/runners-admission',
		'Service runners-system/runners-admission-metrics',
		'ServiceMonitor runners-system/runners-admission',
	]);
	assert.is(monitored.length, keys.size + added.length);

	const dashboard = added.find(({ kind }) => kind === 'ConfigMap') as
		| (Manifest & { data?: Record<string, string> })
		| undefined;
	assert.is(dashboard?.metadata.labels?.grafana_dashboard, '1', "how Grafana's sidecar finds it");
	assert.equal(
		JSON.parse(dashboard?.data?.['runners-admission.json'] ?? ''),
		JSON.parse(await readFile(join(manifests, 'components/monitoring/dashboard.json'), 'utf8')),
	);
});

async function judge(rig: Rig, objects: Manifest[]): Promise<void> {
	const known = objects.filter(({ apiVersion = '' }) => !foreignKinds.test(apiVersion));
	const applied = await apply(rig, known, '--dry-run=server');
	assert.is(applied.trim().split('\n').length, known.length);
}

/** Server-side, with every field checked, and without a warning: Pod Security warns here too, the namespace asks for it. */
async function apply(rig: Rig, objects: Manifest[], ...more: string[]): Promise<string> {
	const args = ['apply', '--server-side', '--validate=strict', ...more, '-f', '-'];
	const { code, stdout, stderr } = await rig.kubectl(args, listOf(objects));
	assert.is(`${code} ${stderr}`, '0 ', `kubectl ${args.join(' ')}`);
	return stdout;
}

function listOf(items: Manifest[]): string {
	return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}

test.run();

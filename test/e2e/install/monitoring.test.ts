/** The monitoring component as kubectl builds it on an overlay. Needs kubectl, and no cluster. */
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadAll } from 'js-yaml';
import * as assert from 'uvu/assert';
import { kustomize } from '../../../scripts/manifests/render.ts';
import { suite } from '../../support/suite.ts';

const manifests = fileURLToPath(new URL('../../../manifests', import.meta.url));

interface Manifest {
	apiVersion: string;
	kind: string;
	metadata: { name: string; namespace?: string; labels?: Record<string, string> };
	data?: Record<string, string>;
}

const test = suite<{ folder: string; build: (kustomization: object) => Promise<Manifest[]> }>(
	'monitoring component',
);

test.before(async (context) => {
	// kustomize resolves links itself and then finds other relative paths.
	const folder = await realpath(await mkdtemp(join(tmpdir(), 'monitoring-')));
	context.folder = folder;
	context.build = async (kustomization) => {
		await writeFile(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization));
		return loadAll(await kustomize(folder)) as Manifest[];
	};
});
test.after(({ folder }) => rm(folder, { recursive: true, force: true }));

test('adds its four objects to an overlay, all in the namespace of the server, and changes none', async ({
	folder,
	build,
}) => {
	const at = (path: string) => relative(folder, join(manifests, path));
	const resources = [at('overlays/guard-only')];
	const plain = await build({ resources });
	const monitored = await build({ resources, components: [at('components/monitoring')] });
	const keys = new Set(plain.map((object) => JSON.stringify(object)));
	const added = monitored.filter((object) => !keys.has(JSON.stringify(object)));
	assert.equal(added.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`).sort(), [
		'ConfigMap runners-system/runners-admission-dashboard',
		'PrometheusRule runners-system/runners-admission',
		'Service runners-system/runners-admission-metrics',
		'ServiceMonitor runners-system/runners-admission',
	]);
	assert.is(monitored.length, plain.length + added.length);

	const dashboard = added.find(({ kind }) => kind === 'ConfigMap');
	assert.is(dashboard?.metadata.labels?.grafana_dashboard, '1', "how Grafana's sidecar finds it");
	assert.equal(
		JSON.parse(dashboard?.data?.['runners-admission.json'] ?? ''),
		JSON.parse(await readFile(join(manifests, 'components/monitoring/dashboard.json'), 'utf8')),
	);
});

test.run();

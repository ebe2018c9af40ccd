/** manifests/ as people apply it: built by kubectl, judged by a real API server. */
import { readdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { loadAll } from 'js-yaml';
import * as assert from 'uvu/assert';
import type { KubeObject } from '../../../admission/api/kinds.ts';
import { type Cluster, startCluster } from '../../cluster/cluster.ts';
import { suite } from '../../support/suite.ts';

const manifests = join(import.meta.dirname, '../../../manifests');
/** Whose kinds are in a cluster only where they are installed. */
const foreignKinds = /^(cert-manager\.io|monitoring\.coreos\.com)\//;

const test = suite<{ cluster: Cluster }>('manifests');

test.before(async (context) => {
	context.cluster = await startCluster();
});
test.after(async ({ cluster }) => {
	await cluster?.stop();
});

for (const overlay of readdirSync(join(manifests, 'overlays'))) {
	test(`overlay ${overlay}: every field is known, nothing is warned of, all of it is labelled as ours`, ({
		cluster,
	}) => judge(cluster, join(manifests, 'overlays', overlay)));
}

for (const component of readdirSync(join(manifests, 'components'))) {
	test(`component ${component}, added to guard-only: the same`, async ({ cluster }) => {
		const folder = join(cluster.folder, 'kustomize', component);
		await mkdir(folder, { recursive: true });
		const from = (name: string) => relative(folder, join(manifests, name));
		const kustomization = {
			resources: [from('overlays/guard-only')],
			components: [from(`components/${component}`)],
		};
		await writeFile(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization));
		await judge(cluster, folder);
	});
}

async function judge(cluster: Cluster, folder: string): Promise<void> {
	const objects = loadAll(await ok(cluster, ['kustomize', folder])) as KubeObject[];
	for (const { kind, metadata } of objects) {
		const { name, labels = {} } = metadata;
		assert.is(labels['app.kubernetes.io/name'], 'runners-admission', `${kind} ${name}`);
		assert.is(labels['app.kubernetes.io/part-of'], 'kubectl-runners', `${kind} ${name}`);
	}

	const versions = (await ok(cluster, ['api-versions'])).split('\n');
	const known = objects.filter(
		({ apiVersion = '' }) => versions.includes(apiVersion) || !foreignKinds.test(apiVersion),
	);
	// What the others live in, or are defined by, has to be there even for a dry run.
	await apply(
		cluster,
		known.filter(({ kind }) => kind === 'Namespace' || kind === 'CustomResourceDefinition'),
	);
	const applied = await apply(cluster, known, '--dry-run=server');
	assert.is(applied.trim().split('\n').length, known.length);
}

/** Server-side, with every field checked. */
function apply(cluster: Cluster, objects: KubeObject[], ...more: string[]): Promise<string> {
	const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
	return ok(cluster, ['apply', '--server-side', '--validate=strict', ...more, '-f', '-'], list);
}

/** kubectl that must succeed, and without a warning: Pod Security warns here too, the namespace asks for it. */
async function ok(cluster: Cluster, args: string[], input?: string): Promise<string> {
	const done = await cluster.kubectl(args, input === undefined ? {} : { input });
	assert.is(`${done.code} ${done.stderr}`, '0 ', `kubectl ${args.join(' ')}`);
	return done.stdout;
}

test.run();

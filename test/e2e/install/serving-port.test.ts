/** The patch of docs/operations.md for a control plane that reaches the nodes on few ports only. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { load, loadAll } from 'js-yaml';
import * as assert from 'uvu/assert';
import { freePort } from '../../cluster/free-port.ts';
import type { Rig } from '../../rig/rig.ts';
import { stage } from '../../rig/stage.ts';
import { suite } from '../../support/suite.ts';
import { end, Space } from '../support/space.ts';
import { deletion, knownPath, post, review } from '../support/webhook-post.ts';

const project = join(import.meta.dirname, '../../..');

const test = suite<{ rig: Rig }>('another serving port');

test.before(async (context) => {
	context.rig = await stage('guard');
});
test.after(({ rig }) => end(rig));

interface Deployment {
	spec: {
		template: {
			spec: {
				containers: {
					env?: { name: string; value: string }[];
					ports: { name: string; containerPort: number }[];
				}[];
			};
		};
	};
}
interface Service {
	spec: { ports: { port: number; targetPort: string }[] };
}
interface NetworkPolicy {
	spec: { ingress: { ports: { port: string }[] }[] };
}

/** Built by kubectl from the documented kustomization, with a port that is free here instead of 10250. */
async function documented(rig: Rig, port: number): Promise<{ kind: string }[]> {
	const docs = await readFile(join(project, 'docs/operations.md'), 'utf8');
	const [, yaml = ''] = /```yaml\n(# kustomization\.yaml\n[^`]*10250[^`]*)```/.exec(docs) ?? [];
	assert.match(yaml, 'containerPort');
	const folder = join(rig.cluster.folder, 'another-port');
	const kustomization = load(yaml.replaceAll('10250', `${port}`)) as { resources: string[] };
	kustomization.resources = kustomization.resources.map((one) => relative(folder, join(project, one)));
	await mkdir(folder, { recursive: true });
	await writeFile(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization));
	return loadAll(await rig.ok(['kustomize', folder])) as { kind: string }[];
}

test('as documented: Service and NetworkPolicy follow the pod, and the server guards from there (H9)', async ({
	rig,
}) => {
	const port = await freePort();
	const objects = await documented(rig, port);
	const of = <T>(kind: string) => objects.find((object) => object.kind === kind) as T & { kind: string };
	const [container] = of<Deployment>('Deployment').spec.template.spec.containers;
	const named = container?.ports.find(({ containerPort }) => containerPort === port)?.name;
	assert.is(named, 'https');
	assert.equal(
		of<Service>('Service').spec.ports.map(({ targetPort }) => targetPort),
		[named, 'jobs'],
	);
	assert.equal(of<NetworkPolicy>('NetworkPolicy').spec.ingress[0]?.ports[0]?.port, named);

	const env = Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value]));
	const space = await Space.make(rig);
	await space.runners(['busy-0']);
	await space.runJob('busy-0', { known: true });
	const server = await rig.startStandby({ env: { ...env, GITHUB_TOKEN: 'test-token' } });
	try {
		assert.is(server.port, port);
		const request = { ...deletion(await space.pod('busy-0')), name: 'busy-0', namespace: space.name };
		const { text } = await post(port, await knownPath(rig, '/pods/delete'), review(request));
		assert.match(JSON.parse(text).response.status.message, 'is busy');
	} finally {
		await server.stop();
		await space.clear();
	}
});

test.run();

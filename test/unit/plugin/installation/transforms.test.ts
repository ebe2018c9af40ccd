/** What the flags of `install` make of the manifests as they are. */
import * as assert from 'uvu/assert';
import { type Choice, chosenObjects } from '../../../../plugin/installation/install-options.ts';
import { keyOf, type Manifest, nameOf } from '../../../../plugin/installation/manifest.ts';
import { inOrder } from '../../../../plugin/installation/order.ts';
import { inNamespace, isServer, withGithubSecret } from '../../../../plugin/installation/transforms.ts';
import { readOverlay } from '../../../../scripts/manifests/overlays.ts';
import { suite } from '../../../support/suite.ts';

const test = suite('install: transforms');

const overlays = Object.fromEntries(
	['default', 'guard-only', 'local'].map((name) => [name, readOverlay(name)]),
);
const usual: Choice = {
	mode: 'default',
	namespace: 'runners-system',
	githubSecret: 'runners-github',
	certManager: false,
};
const chosen = (choice: Partial<Choice> = {}) => chosenObjects(overlays, { ...usual, ...choice });
const server = (objects: Manifest[]) => objects.find(isServer);
const names = (objects: readonly Manifest[]) => objects.map(nameOf).sort();

test('without flags the objects are those of the overlay', () => {
	assert.equal(chosen(), overlays.default);
	assert.equal(chosen({ mode: 'guard-only' }), overlays['guard-only']);
});

test('--namespace: no object names the namespace of the manifests any more, and the server gets the new one', () => {
	const objects = chosen({ namespace: 'tools' });
	assert.not.match(JSON.stringify(objects), 'runners-system');
	assert.equal(server(objects)?.spec.template.spec.containers[0]?.env?.at(-1), {
		name: 'NAMESPACE',
		value: 'tools',
	});
	assert.ok(objects.some(({ kind, metadata }) => kind === 'Namespace' && metadata.name === 'tools'));
	assert.match(JSON.stringify(overlays.default), 'runners-system', 'the rendered manifests stay as they are');
});

test('names are replaced as a whole, wherever they stand', () => {
	const object = {
		apiVersion: 'v1',
		kind: 'ConfigMap',
		metadata: { name: 'runners-system-2', namespace: 'runners-system' },
		data: {
			a: 'x.runners-system.svc',
			b: 'my-runners-system',
			c: 'system:serviceaccount:runners-system:x',
			d: 1,
		},
	};
	assert.equal(inNamespace([object], 'n'), [
		{
			...object,
			metadata: { name: 'runners-system-2', namespace: 'n' },
			data: { a: 'x.n.svc', b: 'my-runners-system', c: 'system:serviceaccount:n:x', d: 1 },
		},
	]);
	const secret = { ...object, data: { name: 'runners-github', other: 'runners-github-2' } };
	assert.equal(withGithubSecret([secret], 'gh')[0]?.data, { name: 'gh', other: 'runners-github-2' });
});

test('--replicas, --image and --github-secret change the server and nothing else', () => {
	const objects = chosen({ replicas: 5, image: 'registry.example/server:2', githubSecret: 'gh' });
	const { replicas, template } = server(objects)?.spec ?? {};
	const [container] = template?.spec.containers ?? [];
	assert.equal([replicas, container?.image], [5, 'registry.example/server:2']);
	assert.equal(container?.env?.at(-1), { name: 'GITHUB_SECRET', value: 'gh' });
	const others = (list: readonly Manifest[]) => list.filter((object) => !isServer(object));
	assert.equal(others(objects), others(overlays.default ?? []));
});

test('--external: there is no Deployment, the Service points to HOST, and every webhook to PORT', () => {
	const objects = chosen({ external: { host: 'build.example', port: 8443 } });
	assert.is(server(objects), undefined);
	const service = objects.find(({ kind }) => kind === 'Service');
	assert.equal(service?.spec, { type: 'ExternalName', externalName: 'build.example' });
	const ports = JSON.stringify(objects).match(/"port":\d+/g) ?? [];
	assert.equal(new Set(ports), new Set(['"port":8443']));
});

test('--external with guard-only has the objects of guard-only, without those that run in the cluster', () => {
	const guard = chosen({ mode: 'guard-only', external: { host: 'h', port: 1 } });
	const local = new Set((overlays.local ?? []).map(keyOf));
	const expected = (overlays['guard-only'] ?? []).filter((object) => local.has(keyOf(object)));
	assert.equal(names(guard), names(expected));
	const webhooks = (objects: readonly Manifest[]) =>
		objects.flatMap((one) => (one as Manifest & { webhooks?: { name: string }[] }).webhooks ?? []);
	assert.equal(
		webhooks(guard).map(({ name }) => name),
		webhooks(expected).map(({ name }) => name),
		'and its webhooks',
	);
});

test('cert-manager with guard-only: its own objects stay, those of sets are left out, and the server gets --controllers', () => {
	const issuer = {
		apiVersion: 'cert-manager.io/v1',
		kind: 'Issuer',
		metadata: { name: 'ca', namespace: 'runners-system' },
	};
	const withIssuer = { ...overlays, 'cert-manager': [...(overlays.default ?? []), issuer] };
	const objects = chosenObjects(withIssuer, { ...usual, mode: 'guard-only', certManager: true });
	assert.equal(names(objects), names([...(overlays['guard-only'] ?? []), issuer]));
	assert.equal(server(objects)?.spec.template.spec.containers[0]?.args, ['--controllers=deletion']);
});

test('an overlay that this build does not have is named in the error', () => {
	assert.throws(() => chosenObjects({}, usual), /manifests\/overlays\/default/);
});

test('the order: namespace, definitions, rights, what runs, and webhook configurations last', () => {
	const kinds = inOrder(chosen()).map(({ kind }) => kind);
	const first = (kind: string) => kinds.indexOf(kind);
	const order = [
		'Namespace',
		'CustomResourceDefinition',
		'ServiceAccount',
		'ClusterRole',
		'Service',
		'Deployment',
	];
	const places = [...order.map(first), first('ValidatingWebhookConfiguration')];
	assert.equal(
		places,
		[...places].sort((a, b) => a - b),
	);
	assert.ok(kinds.slice(-2).every((kind) => kind.endsWith('WebhookConfiguration')));
});

test.run();

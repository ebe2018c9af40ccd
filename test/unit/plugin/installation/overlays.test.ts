/** What is true of every overlay as it is committed; that kubectl renders the same is an end-to-end test. */
import { readdirSync } from 'node:fs';
import { load } from 'js-yaml';
import * as assert from 'uvu/assert';
import packageJson from '../../../../package.json' with { type: 'json' };
import { keyOf } from '../../../../plugin/installation/manifest.ts';
import { isServer } from '../../../../plugin/installation/transforms.ts';
import { toYaml } from '../../../../plugin/print/data.ts';
import { overlayNames, readOverlay, renderedFile } from '../../../../scripts/manifests/overlays.ts';
import { suite } from '../../../support/suite.ts';

const test = suite('overlays');

test('each overlay has a rendered file, and there is no other', () => {
	const files = readdirSync(new URL('../../../../manifests/rendered', import.meta.url)).sort();
	assert.equal(
		files,
		overlayNames.map((name) => `${name}.yaml`),
	);
	assert.ok(renderedFile('default').endsWith('/manifests/rendered/default.yaml'));
});

for (const name of overlayNames) {
	const objects = readOverlay(name);

	test(`overlay ${name}: no object is there twice, each has our labels`, () => {
		assert.ok(objects.length > 10);
		const keys = objects.map(keyOf);
		assert.equal([...new Set(keys)], keys);
		const withoutLabels = objects.filter(
			({ metadata: { labels } }) =>
				labels?.['app.kubernetes.io/name'] !== 'runners-admission' ||
				labels['app.kubernetes.io/part-of'] !== 'kubectl-runners',
		);
		assert.equal(withoutLabels.map(keyOf), []);
	});

	test(`overlay ${name}: what -o yaml prints reads back as the same`, () => {
		assert.equal(load(toYaml(objects)), objects);
	});

	test(`overlay ${name}: the server's image is that of this version`, () => {
		const images = objects.filter(isServer).map(({ spec }) => spec.template.spec.containers[0]?.image);
		assert.equal(images, name === 'local' ? [] : [`runners-admission:${packageJson.version}`]);
	});
}

test('overlay cert-manager: certificate for the Service, caBundle injected, files mounted where the server looks', () => {
	const objects = readOverlay('cert-manager');
	const find = (kind: string, name = 'runners-admission') => {
		const found = objects.find((one) => one.kind === kind && one.metadata.name === name);
		assert.ok(found, `${kind} ${name}`);
		return found;
	};
	type Certificate = {
		spec: {
			dnsNames: string[];
			secretName: string;
			isCA?: boolean;
			issuerRef: { kind: string; name: string };
		};
	};
	const { spec } = find('Certificate') as unknown as Certificate;
	assert.equal(spec.dnsNames, ['runners-admission.runners-system.svc']);
	const issuer = find(spec.issuerRef.kind, spec.issuerRef.name) as unknown as {
		spec: { ca: { secretName: string } };
	};
	const authority = find('Certificate', 'runners-admission-ca') as unknown as Certificate;
	assert.is(authority.spec.isCA, true);
	assert.is(issuer.spec.ca.secretName, authority.spec.secretName);
	find(authority.spec.issuerRef.kind, authority.spec.issuerRef.name);
	for (const kind of ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration']) {
		const annotation = find(kind).metadata.annotations?.['cert-manager.io/inject-ca-from'];
		assert.is(annotation, 'runners-system/runners-admission');
	}

	type Deployment = {
		spec: {
			template: {
				spec: {
					containers: {
						name: string;
						env: { name: string; value: string }[];
						volumeMounts: { name: string; mountPath: string }[];
					}[];
					volumes: { name: string; secret?: { secretName: string } }[];
				};
			};
		};
	};
	const pod = (find('Deployment') as unknown as Deployment).spec.template.spec;
	const server = pod.containers.find((one) => one.name === 'server');
	const mounted = server?.volumeMounts.find((one) => one.name === 'certificates')?.mountPath;
	const env = Object.fromEntries((server?.env ?? []).map(({ name, value }) => [name, value]));
	assert.is(env.TLS_CERT_FILE, `${mounted}/tls.crt`);
	assert.is(env.TLS_PRIVATE_KEY_FILE, `${mounted}/tls.key`);
	const volume = pod.volumes.find((one) => one.name === 'certificates');
	assert.is(volume?.secret?.secretName, spec.secretName);
});

test.run();

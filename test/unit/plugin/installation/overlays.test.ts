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

test.run();

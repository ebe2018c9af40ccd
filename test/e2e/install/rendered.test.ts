/** manifests/rendered, which the plugin and the release are made from, beside kubectl's own kustomize. */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { overlayNames, renderedFile } from '../../../scripts/manifests/overlays.ts';
import { renderOverlay } from '../../../scripts/manifests/render.ts';
import { suite } from '../../support/suite.ts';

const test = suite('rendered manifests');

for (const name of overlayNames) {
	test(`overlay ${name}: the committed file is what kubectl kustomize makes of it now ("make manifests")`, async () => {
		assert.fixture(readFileSync(renderedFile(name), 'utf8'), await renderOverlay(name));
	});
}

test.run();

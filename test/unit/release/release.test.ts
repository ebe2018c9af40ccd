/** What `make release` makes, from the built dist/. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { load, loadAll } from 'js-yaml';
import * as assert from 'uvu/assert';
import manifest from '../../../package.json' with { type: 'json' };
import { withImage } from '../../../plugin/installation/transforms.ts';
import { buildAdmission } from '../../../scripts/build.ts';
import { overlayNames, readOverlay } from '../../../scripts/manifests/overlays.ts';
import { installFile } from '../../../scripts/release/install-file.ts';
import { krewManifest } from '../../../scripts/release/krew.ts';
import { suite } from '../../support/suite.ts';

const test = suite<{ folder: string }>('release');

const archive = `kubectl-runners-v${manifest.version}.tgz`;

test.before((context) => {
	context.folder = mkdtempSync(join(tmpdir(), 'kubectl-runners-release-'));
	for (const twice of ['one', 'two']) release(join(context.folder, twice));
});
test.after(({ folder }) => rmSync(folder, { recursive: true, force: true }));

test('the same sources give the same archive', ({ folder }) => {
	assert.is(sha256(join(folder, 'one', archive)), sha256(join(folder, 'two', archive)));
});

test("the same sources give the same server: what the image's two files are", async ({ folder }) => {
	const bundles = ['server-1', 'server-2'].map((name) => join(folder, name));
	for (const bundle of bundles) await buildAdmission(bundle);
	for (const file of ['runners-admission.mjs', 'runners-admission-certificates.mjs']) {
		const [one, two] = bundles.map((bundle) => sha256(join(bundle, file)));
		assert.is(one, two, file);
	}
});

test('the archive holds the plugin, its companions, completion and licence; what krew takes is there', ({
	folder,
}) => {
	const names = filesOf(join(folder, 'one', archive));
	for (const needed of [
		'package/dist/kubectl-runners',
		'package/dist/kubectl-runners-list.cjs',
		'package/dist/kubectl-runners-verbs.cjs',
		'package/dist/kubectl-runners-auth.cjs',
		'package/dist/kubectl-runners-yaml.cjs',
		'package/dist/kubectl_complete-runners',
		'package/LICENSE',
	])
		assert.ok(names.includes(needed), `${needed} is not in ${names.join(', ')}`);
	assert.is(
		names.find((name) => /test|node_modules|\.ts$/.test(name)),
		undefined,
	);
});

test('the krew manifest names this archive and its checksum', ({ folder }) => {
	const plugin = load(readFileSync(join(folder, 'one', 'runners.yaml'), 'utf8')) as {
		metadata: { name: string };
		spec: {
			version: string;
			shortDescription: string;
			platforms: { uri: string; sha256: string; bin: string }[];
		};
	};
	const [platform] = plugin.spec.platforms;
	assert.is(plugin.metadata.name, 'runners');
	assert.is(plugin.spec.version, `v${manifest.version}`);
	assert.ok(platform?.uri.endsWith(`/${archive}`), platform?.uri);
	assert.is(platform?.sha256, sha256(join(folder, 'one', archive)));
	assert.is(platform?.bin, 'kubectl-runners');
	assert.ok(plugin.spec.shortDescription.length <= 50, 'krew-index wants a few words');
});

test('the list of packages has every runtime dependency with its version and licence', ({ folder }) => {
	const sbom = JSON.parse(readFileSync(join(folder, 'one', 'sbom.spdx.json'), 'utf8')) as {
		packages: { name: string; versionInfo: string; licenseDeclared?: string }[];
	};
	for (const [name, version] of Object.entries(manifest.dependencies)) {
		const found = sbom.packages.find((one) => one.name === name);
		assert.is(found?.versionInfo, version, name);
		assert.ok(found?.licenseDeclared && found.licenseDeclared !== 'NOASSERTION', `${name} has no licence`);
	}
});

for (const overlay of overlayNames) {
	test(`install-${overlay}.yaml: the objects of the overlay, the server's image at this version, a checksum`, ({
		folder,
	}) => {
		const file = join(folder, 'one', `install-${overlay}.yaml`);
		const text = readFileSync(file, 'utf8');
		const ofOverlay = readOverlay(overlay);
		assert.equal(loadAll(text), withImage(ofOverlay, `registry.example/guard:${manifest.version}`));
		assert.is(text.includes('image: registry.example/guard:'), overlay !== 'local', 'local has no server');
		const sums = readFileSync(join(folder, 'one', 'SHA256SUMS'), 'utf8');
		assert.ok(sums.includes(`${sha256(file)}  install-${overlay}.yaml\n`), sums);
	});
}

test('an overlay whose Deployment runs another image is an error', () => {
	const deployment = 'kind: Deployment\nspec:\n  image: other:1\n';
	assert.throws(() => installFile(deployment, 'guard', '1'), /1 Deployments, but 0 images of the server/);
});

test('a template with a word that nobody fills in is an error', () => {
	assert.throws(() => krewManifest('version: "{version}"', {}), /\{version\} has no value/);
	assert.is(krewManifest('# ours\na: "{b}" $' + '{C}\n', { b: '1' }), 'a: "1" $' + '{C}\n');
});

function release(folder: string): void {
	const script = new URL('../../../scripts/release/release.ts', import.meta.url).pathname;
	const env = { ...process.env, IMAGE: 'registry.example/guard' };
	execFileSync(process.execPath, [script, folder], { timeout: 120_000, env });
}

const sha256 = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

/** Names in a tar file: blocks of 512 bytes, a header with name and size (octal) before each file. */
function filesOf(file: string): string[] {
	const tar = gunzipSync(readFileSync(file));
	const text = (from: number, to: number) => tar.toString('utf8', from, to).replace(/\0.*$/s, '');
	const names: string[] = [];
	for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
		names.push(text(at, at + 100));
		at += 512 + Math.ceil(Number.parseInt(text(at + 124, at + 136), 8) / 512) * 512;
	}
	return names;
}

test.run();

/**
 * Builds the files of a release in dist/release: the plugin's archive, its krew manifest, one file per overlay to
 * install with, the list of packages (SBOM) and checksums. `node scripts/release/release.ts [FOLDER]`; dist/ must have
 * been built. IMAGE in the environment is the repository of the server's image, `registry.example/runners-admission`.
 * The same sources give the same archive, because npm gives all files in it one fixed time.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { overlayNames, renderedFile } from '../manifests/overlays.ts';
import { installFile } from './install-file.ts';
import { krewManifest } from './krew.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = process.argv[2] ?? join(root, 'dist/release');
const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
	name: string;
	version: string;
};
const npm = (...args: string[]) =>
	execFileSync('npm', args, { cwd: root, encoding: 'utf8', timeout: 120_000, maxBuffer: 64 * 1024 * 1024 });
const sha256 = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

mkdirSync(folder, { recursive: true });
const archive = `${name}-v${version}.tgz`;
// With --ignore-scripts npm packs what was built, and builds nothing itself.
npm('pack', '--ignore-scripts', '--silent', '--pack-destination', folder);
renameSync(join(folder, `${name}-${version}.tgz`), join(folder, archive));

const template = readFileSync(join(root, 'plugin/krew/runners.yaml'), 'utf8');
const values = { version: `v${version}`, archive, sha256: sha256(join(folder, archive)) };
writeFileSync(join(folder, 'runners.yaml'), krewManifest(template, values));
writeFileSync(join(folder, 'sbom.spdx.json'), npm('sbom', '--sbom-format=spdx', '--omit=dev'));

const image = process.env.IMAGE || 'runners-admission';
const installs = overlayNames.map((overlay) => {
	const file = `install-${overlay}.yaml`;
	const rendered = readFileSync(renderedFile(overlay), 'utf8');
	writeFileSync(join(folder, file), installFile(rendered, image, version));
	return file;
});

const files = [archive, 'runners.yaml', 'sbom.spdx.json', ...installs];
writeFileSync(
	join(folder, 'SHA256SUMS'),
	files.map((file) => `${sha256(join(folder, file))}  ${file}\n`).join(''),
);
for (const file of [...files, 'SHA256SUMS']) console.log(join(folder, file));

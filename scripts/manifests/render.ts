/**
 * Writes what is generated in manifests/: `node scripts/manifests/render.ts`, or `make manifests`. First the custom
 * resource definitions, then one file per overlay in manifests/rendered, as the kustomize of kubectl renders it.
 * The plugin's bundle and the release are made from the rendered files, so that neither needs kubectl.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBuilt } from '../../test/cluster/build.ts';
import { runKubectl } from '../../test/cluster/kubectl.ts';
import { writeCrds } from '../crds/generate.ts';
import { overlayFolder, overlayNames, renderedFile } from './overlays.ts';

/** What kubectl makes of the kustomization in `folder`. The kubectl is that of the control plane which the tests run. */
export async function kustomize(folder: string): Promise<string> {
	const { controlplane } = await ensureBuilt((line) => console.error(line));
	const kubectl = join(dirname(controlplane), 'kubectl');
	const { code, stdout, stderr } = await runKubectl(kubectl, ['kustomize', folder], process.env, {});
	if (code !== 0) throw new Error(`kubectl kustomize ${folder}: ${stderr}`);
	return stdout;
}

/** The content of an overlay's rendered file. */
export async function renderOverlay(name: string): Promise<string> {
	const header = `# Made by "make manifests" from manifests/overlays/${name}: change that instead.\n`;
	return header + (await kustomize(overlayFolder(name)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	writeCrds();
	const folder = dirname(renderedFile(''));
	rmSync(folder, { recursive: true, force: true }); // so that nothing of a removed overlay stays
	mkdirSync(folder);
	for (const name of overlayNames) writeFileSync(renderedFile(name), await renderOverlay(name));
}

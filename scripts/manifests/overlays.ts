/** The overlays of manifests/, as they are committed: their sources, and what kubectl's kustomize made of each. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadAll } from 'js-yaml';
import type { Manifest } from '../../plugin/installation/manifest.ts';

const manifests = join(import.meta.dirname, '../../manifests');

export const overlayNames: readonly string[] = readdirSync(join(manifests, 'overlays')).sort();

/** The folder with the kustomization, for `kubectl apply -k`. */
export const overlayFolder = (name: string): string => join(manifests, 'overlays', name);

/** The file that scripts/manifests/render.ts writes. */
export const renderedFile = (name: string): string => join(manifests, 'rendered', `${name}.yaml`);

/** The objects of an overlay, from its rendered file. */
export function readOverlay(name: string): Manifest[] {
	return loadAll(readFileSync(renderedFile(name), 'utf8')) as Manifest[];
}

/** The objects of a component that is one file, for whoever adds them without kustomize. */
export function readComponent(name: string): Manifest[] {
	return loadAll(readFileSync(join(manifests, 'components', name, 'policy.yaml'), 'utf8')) as Manifest[];
}

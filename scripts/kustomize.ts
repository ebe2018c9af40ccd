/**
 * Renders the kustomizations of manifests/ as `kubectl kustomize` does, so that the plugin carries what it installs.
 * Understands exactly what is used there and throws on the rest; a test compares every overlay with kubectl's own
 * rendering (test/e2e/install/install-apply.test.ts).
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { load, loadAll } from 'js-yaml';
import jsonpatch from 'jsonpatch';
import { keyOf, type Manifest } from '../plugin/installation/manifest.ts';
import { strategicMerge } from './strategic-merge.ts';

interface Kustomization {
	apiVersion: string;
	kind: string;
	resources?: string[];
	components?: string[];
	labels?: { pairs: Record<string, string> }[];
	patches?: Patch[];
}

interface Patch {
	target?: { kind: string; name: string };
	/** YAML. */
	patch: string;
}

type JsonPatch = { op: string; path: string; value?: unknown }[];
type Fail = (what: string) => never;

const known: Record<keyof Kustomization, true> = {
	apiVersion: true,
	kind: true,
	resources: true,
	components: true,
	labels: true,
	patches: true,
};

/** The objects of the kustomization in this folder. Throws, naming the file, on what is not understood. */
export function renderKustomization(folder: string): Manifest[] {
	return accumulate(folder, []);
}

/** What a folder makes of what was there before it: nothing for a kustomization, everything for a component. */
function accumulate(folder: string, before: Manifest[]): Manifest[] {
	const file = join(folder, 'kustomization.yaml');
	const kustomization = load(readFileSync(file, 'utf8')) as Kustomization;
	const fail: Fail = (what) => {
		throw new Error(`${file}: ${what}`);
	};
	onlyFields(kustomization, known, fail);

	// kustomize's own order: resources, components, then patches, then labels.
	let objects = [...before];
	for (const path of kustomization.resources ?? []) objects.push(...resource(join(folder, path)));
	for (const path of kustomization.components ?? []) objects = accumulate(join(folder, path), objects);
	const twice = objects.map(keyOf).find((key, index, keys) => keys.indexOf(key) < index);
	if (twice) fail(`${twice} is there twice`);

	for (const one of kustomization.patches ?? []) objects = patched(objects, one, fail);
	for (const { pairs, ...more } of kustomization.labels ?? []) {
		onlyFields(more, {}, fail); // includeSelectors and includeTemplates are not understood
		objects = objects.map((object) => labelled(object, pairs));
	}
	return objects;
}

/** A list is a JSON patch; a part of an object is merged with the one that it names, or that `target` names. */
function patched(objects: readonly Manifest[], patch: Patch, fail: Fail): Manifest[] {
	onlyFields(patch, { target: true, patch: true }, fail);
	onlyFields(patch.target ?? {}, { kind: true, name: true }, fail);
	const content = load(patch.patch) as Manifest | JsonPatch;
	const named = patch.target ?? nameIn(content, fail);
	const isNamed = ({ kind, metadata }: Manifest) => kind === named.kind && metadata.name === named.name;
	// As kustomize has it: a target may match nothing, a patch that names its object must find it.
	if (!patch.target && !objects.some(isNamed)) fail(`there is no ${named.kind} ${named.name} to patch`);
	return objects.map((object) => {
		if (!isNamed(object)) return object;
		if (Array.isArray(content)) return jsonpatch.apply_patch(object, content);
		return strategicMerge(object, content);
	});
}

function nameIn(content: Manifest | JsonPatch, fail: Fail): { kind: string; name: string } {
	if (Array.isArray(content)) return fail('a JSON patch needs a target');
	return { kind: content.kind, name: content.metadata.name };
}

function resource(path: string): Manifest[] {
	if (statSync(path).isDirectory()) return accumulate(path, []);
	const documents = loadAll(readFileSync(path, 'utf8')) as (Manifest | null)[];
	return documents.filter((document) => document !== null);
}

function labelled(object: Manifest, pairs: Record<string, string>): Manifest {
	const { metadata } = object;
	return { ...object, metadata: { ...metadata, labels: { ...metadata.labels, ...pairs } } };
}

function onlyFields(value: object, allowed: Record<string, true>, fail: Fail): void {
	const unknown = Object.keys(value).filter((field) => !Object.hasOwn(allowed, field));
	if (unknown.length > 0) fail(`${unknown.join(', ')} not understood by scripts/kustomize.ts`);
}

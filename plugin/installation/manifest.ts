import type { KubeObject } from '../../admission/api/kinds.ts';
import { group as ourGroup } from '../../admission/api/sets.ts';

/** An object to apply or from the cluster, with fields of any kind. */
export interface Manifest extends KubeObject {
	apiVersion: string;
	kind: string;
	[field: string]: unknown;
}

/** Identifies an object, whatever it contains and in whichever version of its API it is. */
export function keyOf({ apiVersion, kind, metadata }: Manifest): string {
	return [groupOf(apiVersion), kind, metadata.namespace ?? '', metadata.name].join('/');
}

/** `apps` of `apps/v1`; '' for the core group. */
export function groupOf(apiVersion: string): string {
	return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
}

/** As kubectl names objects in what it prints: `deployment.apps/runners-admission`. */
export function nameOf({ apiVersion, kind, metadata }: Manifest): string {
	const group = groupOf(apiVersion);
	return `${kind.toLowerCase()}${group ? `.${group}` : ''}/${metadata.name}`;
}

export function isCrd({ kind }: Manifest): boolean {
	return kind === 'CustomResourceDefinition';
}

/** One of ARC's kinds that we serve in its place. */
export function isOurCrd(object: Manifest): boolean {
	return isCrd(object) && object.metadata.name.endsWith(`.${ourGroup}`);
}

export function isWebhookConfiguration({ kind }: Manifest): boolean {
	return kind === 'ValidatingWebhookConfiguration' || kind === 'MutatingWebhookConfiguration';
}

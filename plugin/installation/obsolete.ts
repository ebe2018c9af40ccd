import { partOf } from '../../admission/api/keys.ts';
import { mapLimited } from '../kube/limited.ts';
import { isCrd, isWebhookConfiguration, keyOf, type Manifest } from './manifest.ts';
import type { Objects, ServedResource } from './objects.ts';
import type { Overlays } from './overlays.ts';
import { isApplied } from './ownership.ts';

const ourLabel = `${partOf.key}=${partOf.value}`;

/**
 * What an earlier installation left and this one does not have: it is removed, webhook configurations first. That
 * includes what `install` applied and what is in any of the overlays; a component that somebody added besides
 * (monitoring) stays. Custom resource definitions are never removed, because their objects would be deleted with them,
 * nor are namespaces.
 */
export function obsolete(
	existing: readonly Manifest[],
	wanted: readonly Manifest[],
	ofOverlays: readonly Manifest[],
): Manifest[] {
	const kept = new Set(wanted.map(keyOf));
	const known = new Set(ofOverlays.map(keyOf));
	const gone = existing.filter(
		(object) =>
			!kept.has(keyOf(object)) &&
			(known.has(keyOf(object)) || isApplied(object)) &&
			!isCrd(object) &&
			object.kind !== 'Namespace',
	);
	return webhooksFirst(gone);
}

/** Webhooks go first, so that no request waits for a server that is being removed. */
function webhooksFirst(objects: readonly Manifest[]): Manifest[] {
	return [
		...objects.filter(isWebhookConfiguration),
		...objects.filter((object) => !isWebhookConfiguration(object)),
	];
}

/** Objects with our label, of the kinds that any overlay has: cluster-scoped ones, and those in this namespace. */
export async function findOurs(api: Objects, overlays: Overlays, namespace: string): Promise<Manifest[]> {
	const kinds = new Map<string, Manifest>();
	for (const object of Object.values(overlays).flat())
		kinds.set(`${object.apiVersion} ${object.kind}`, object);
	const served = await Promise.all([...kinds.values()].map((object) => api.resourceOf(object)));
	return labelled(
		api,
		served.filter((resource) => resource !== undefined),
		namespace,
	);
}

/** Objects with our label, of these kinds. */
export async function labelled(
	api: Objects,
	resources: readonly ServedResource[],
	namespace: string,
): Promise<Manifest[]> {
	const found = await mapLimited(resources, (resource) =>
		api.list(resource, { namespace, labelSelector: ourLabel }),
	);
	// Listing namespaces returns all of them; only this one is ours.
	return found.flat().filter(({ kind, metadata }) => kind !== 'Namespace' || metadata.name === namespace);
}

import { collectionPath, groupPath, objectPath, type Resource } from '../../admission/api/paths.ts';
import type { DryRun } from '../cli/flag-types.ts';
import { usageError } from '../errors.ts';
import { type KubeClient, mergePatch } from '../kube/client.ts';
import { unlessNotFound } from '../kube/failure.ts';
import type { Manifest } from './manifest.ts';

/** Owner of the fields that `install` writes. */
export const fieldManager = 'kubectl-runners';

const applyPatch = 'application/apply-patch+yaml';
export const strategicMergePatch = 'application/strategic-merge-patch+json';

/** A kind as the API server serves it. */
export interface ServedResource extends Resource {
	kind: string;
	namespaced: boolean;
	verbs: readonly string[];
}

interface ResourceList {
	resources?: { name: string; kind: string; namespaced: boolean; verbs?: string[] }[];
}

/**
 * Reads and writes objects of any kind that the API server serves. With --dry-run=server the API server checks writes
 * without doing them; with --dry-run=client removals and patches are not sent.
 */
export class Objects {
	readonly client: KubeClient;
	readonly dryRun: DryRun;
	/** By apiVersion; undefined: not served. */
	readonly #served = new Map<string, Promise<ServedResource[] | undefined>>();

	constructor(client: KubeClient, dryRun: DryRun = 'none') {
		this.client = client;
		this.dryRun = dryRun;
	}

	/** The kinds of a group and version; undefined if the API server does not serve it. */
	resources(apiVersion: string): Promise<ServedResource[] | undefined> {
		const known = this.#served.get(apiVersion) ?? this.#discover(apiVersion);
		this.#served.set(apiVersion, known);
		return known;
	}

	async #discover(apiVersion: string): Promise<ServedResource[] | undefined> {
		const { resources = [] } = (await unlessNotFound(
			this.client.json<ResourceList>('GET', groupPath(apiVersion)),
		)) ?? { resources: undefined };
		if (resources.length === 0) return undefined;
		return resources
			.filter(({ name }) => !name.includes('/'))
			.map(({ name: resource, kind, namespaced, verbs = [] }) => ({
				apiVersion,
				resource,
				kind,
				namespaced,
				verbs,
			}));
	}

	/** Every kind that objects of a namespace can have, in the version that the API server prefers. */
	async namespacedResources(): Promise<ServedResource[]> {
		const { groups } = await this.client.json<{ groups: { preferredVersion: { groupVersion: string } }[] }>(
			'GET',
			'/apis',
		);
		const versions = ['v1', ...groups.map(({ preferredVersion }) => preferredVersion.groupVersion)];
		const lists = await Promise.all(versions.map((version) => this.resources(version)));
		return lists
			.flatMap((list) => list ?? [])
			.filter(({ namespaced, verbs }) => namespaced && verbs.includes('list'));
	}

	/** undefined: the API server does not serve this kind. */
	async resourceOf({
		apiVersion,
		kind,
	}: Pick<Manifest, 'apiVersion' | 'kind'>): Promise<ServedResource | undefined> {
		return (await this.resources(apiVersion))?.find((resource) => resource.kind === kind);
	}

	/** undefined: there is no such object, or no such kind. */
	async get(object: Manifest): Promise<Manifest | undefined> {
		const resource = await this.resourceOf(object);
		return resource && unlessNotFound(this.client.json<Manifest>('GET', pathOf(resource, object)));
	}

	/**
	 * Server-side apply; with `check` a dry run. Throws ApiError, with code 409 if others own fields that would be
	 * changed.
	 */
	async apply(object: Manifest, { check = false, force = false } = {}): Promise<Manifest> {
		const resource = await this.resourceOf(object);
		if (!resource) {
			throw usageError(
				`no matches for kind "${object.kind}" in version "${object.apiVersion}": ensure CRDs are installed first`,
			);
		}
		return this.client.json<Manifest>('PATCH', pathOf(resource, object), {
			contentType: applyPatch,
			body: object,
			query: { fieldManager, force: String(force), dryRun: check ? 'All' : this.#dryRunQuery },
		});
	}

	/** Deletes this object, and not a later one of the same name. False: it was not there. */
	async remove(object: Manifest): Promise<boolean> {
		if (this.dryRun === 'client') return true;
		const resource = await this.resourceOf(object);
		if (!resource) return false;
		const { uid } = object.metadata;
		const removed = await unlessNotFound(
			this.client.call('DELETE', pathOf(resource, object), {
				// With a body, the API server reads all options from the body and none from the query.
				body: {
					apiVersion: 'v1',
					kind: 'DeleteOptions',
					propagationPolicy: 'Background',
					...(uid ? { preconditions: { uid } } : {}),
					...(this.dryRun === 'server' ? { dryRun: ['All'] } : {}),
				},
			}),
		);
		return removed !== undefined;
	}

	/** A merge patch, unless `contentType` says otherwise. False: it no longer exists. */
	async patch(
		object: Manifest,
		body: object,
		{ subresource, contentType = mergePatch }: { subresource?: string; contentType?: string } = {},
	): Promise<boolean> {
		if (this.dryRun === 'client') return true;
		const resource = await this.resourceOf(object);
		if (!resource) return false;
		const path = pathOf(resource, object, subresource);
		const query = { dryRun: this.#dryRunQuery };
		const answer = this.client.call('PATCH', path, { contentType, body, query });
		return (await unlessNotFound(answer)) !== undefined;
	}

	get #dryRunQuery(): 'All' | undefined {
		return this.dryRun === 'server' ? 'All' : undefined;
	}

	/** All objects of a kind in a namespace, or in all of them. */
	async list(
		resource: ServedResource,
		{ namespace, labelSelector }: { namespace?: string; labelSelector?: string } = {},
	): Promise<Manifest[]> {
		const { items = [] } = (await unlessNotFound(
			this.client.json<{ items?: Manifest[] }>(
				'GET',
				collectionPath(resource, resource.namespaced ? namespace : undefined),
				{
					query: { labelSelector },
				},
			),
		)) ?? { items: [] };
		// Only the list itself carries these two, not its items.
		return items.map((item) => ({ ...item, apiVersion: resource.apiVersion, kind: resource.kind }));
	}
}

function pathOf(resource: ServedResource, { metadata }: Manifest, subresource?: string): string {
	const { name, namespace } = metadata;
	return objectPath(resource, { name, namespace: resource.namespaced ? namespace : undefined }, subresource);
}

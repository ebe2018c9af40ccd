import type { KubeObject, ObjectMeta } from '../api/kinds.ts';
import {
	isConflict,
	isNotFound,
	type KubeClient,
	KubeError,
	patchType,
	type RequestOptions,
} from './client.ts';

/**
 * The Kubernetes verbs, typed, over a KubeClient. Paths come from api/paths.ts. Unless a function says otherwise, it
 * rejects with the KubeError of the API server's answer; `timeoutMs` is 10 s where it is not given.
 */
export type CallLimits = Pick<RequestOptions, 'timeoutMs' | 'signal'>;

/** The write happens only if the object still has this UID and, where given, this resourceVersion; otherwise: 409. */
type Preconditions = Pick<ObjectMeta, 'uid' | 'resourceVersion'>;

interface DeleteOptions {
	preconditions?: Preconditions;
	gracePeriodSeconds?: number;
	propagationPolicy?: string;
}

/** The object; undefined where there is none of this name (404). */
export function getObject<T = KubeObject>(
	client: KubeClient,
	path: string,
	limits: CallLimits = {},
): Promise<T | undefined> {
	return unlessGone(client.request<T>('GET', path, limits));
}

/** The items of a collection, in one answer (no paging: for a few objects, or one chosen by a field selector). */
export async function listObjects<T = KubeObject>(
	client: KubeClient,
	path: string,
	query: Record<string, string>,
	limits: CallLimits = {},
): Promise<T[]> {
	const { items } = await client.request<{ items: T[] }>('GET', path, { ...limits, query });
	return items;
}

/**
 * Creates the object, which may be JSON text, in the collection at `path`. Rejects with 409 where one of its name exists; also,
 * after a few tries, where isQuotaConflict.
 */
export async function createObject<T = KubeObject>(
	client: KubeClient,
	path: string,
	object: object | string,
	limits: CallLimits = {},
): Promise<T> {
	for (let tries = 1; ; tries++) {
		try {
			return await client.request<T>('POST', path, { ...limits, body: object });
		} catch (error) {
			if (!isQuotaConflict(error) || tries >= quotaTries) throw error;
		}
	}
}

/** How often an object is created whose quota others change at the same moment: the API server has tried 3 times before it answers so. */
const quotaTries = 3;

/**
 * The object was not created, because others have changed the count of its quota at the same moment (409, with the name of the
 * quota in place of that of the object: k8s.io/apiserver, its admission plugin ResourceQuota). None of its name need exist.
 */
export const isQuotaConflict = (error: unknown): boolean =>
	error instanceof KubeError && error.code === 409 && error.message.includes(' on resourcequotas ');

/** Creates the object, and tells whether it did: false where one of its name exists already (409). */
export async function createUnlessPresent(
	client: KubeClient,
	path: string,
	object: object | string,
	limits: CallLimits = {},
): Promise<boolean> {
	try {
		await createObject(client, path, object, limits);
		return true;
	} catch (error) {
		if (isConflict(error) && !isQuotaConflict(error)) return false;
		throw error;
	}
}

/** Replaces the object at `path`. Rejects with 409 where its resourceVersion is no longer the newest. */
export async function replaceObject(
	client: KubeClient,
	path: string,
	object: object,
	limits: CallLimits = {},
): Promise<void> {
	await client.request('PUT', path, { ...limits, body: object });
}

/**
 * Merges `change` into the object (RFC 7396): null removes a field, and a list is replaced as a whole. So a change of a
 * list needs the resourceVersion as a precondition; for all else the UID is enough.
 */
export function mergePatch<T = KubeObject>(
	client: KubeClient,
	path: string,
	change: { metadata?: object | undefined; [field: string]: unknown },
	preconditions: Preconditions,
	limits: CallLimits = {},
): Promise<T> {
	// Preconditions of a patch are fields of its metadata.
	const body = { ...change, metadata: { ...change.metadata, ...preconditions } };
	return client.request<T>('PATCH', path, { ...limits, body, contentType: patchType.merge });
}

/** Server-side apply: creates the object or makes it have these fields, whoever set them before. */
export async function applyObject(
	client: KubeClient,
	path: string,
	object: object,
	fieldManager: string,
	limits: CallLimits = {},
): Promise<void> {
	const query = { fieldManager, force: true };
	await client.request('PATCH', path, { ...limits, query, body: object, contentType: patchType.apply });
}

/** Asks for the deletion of the object. Rejects with 404 where it is gone, with 409 where the precondition fails. */
export async function deleteObject(
	client: KubeClient,
	path: string,
	options: DeleteOptions,
	limits: CallLimits = {},
): Promise<void> {
	await client.request('DELETE', path, {
		...limits,
		body: { apiVersion: 'v1', kind: 'DeleteOptions', ...options },
	});
}

/** Asks for the deletion, and tells whether that counts: false where the object is gone or a precondition fails. */
export async function deleteUnlessChanged(
	client: KubeClient,
	path: string,
	options: DeleteOptions,
	limits: CallLimits = {},
): Promise<boolean> {
	const asked = deleteObject(client, path, options, limits).then(() => true);
	return (await unlessChanged(asked)) ?? false;
}

/** Does the API server serve this resource, whose CRD may be installed later? False also where it gives no answer. */
export async function servesResource(
	client: KubeClient,
	groupVersionPath: string,
	resource: string,
): Promise<boolean> {
	try {
		const list = await client.request<{ resources: { name: string }[] }>('GET', groupVersionPath);
		return list.resources.some(({ name }) => name === resource);
	} catch {
		return false;
	}
}

/** The same, where no answer and a refusal are not taken for a no: undefined is unknown. */
export async function knownToServe(
	client: KubeClient,
	groupVersionPath: string,
	resource: string,
): Promise<boolean | undefined> {
	try {
		const list = await client.request<{ resources: { name: string }[] }>('GET', groupVersionPath);
		return list.resources.some(({ name }) => name === resource);
	} catch (error) {
		return isNotFound(error) ? false : undefined;
	}
}

/** The answer of a call, or undefined where the object does not exist (404). */
export async function unlessGone<T>(call: Promise<T>): Promise<T | undefined> {
	try {
		return await call;
	} catch (error) {
		if (isNotFound(error)) return undefined;
		throw error;
	}
}

/**
 * The answer of a call with preconditions, or undefined where they no longer hold: the object is gone (404), or it was
 * replaced or changed meanwhile (409).
 */
export async function unlessChanged<T>(call: Promise<T>): Promise<T | undefined> {
	try {
		return await call;
	} catch (error) {
		if (isNotFound(error) || isConflict(error)) return undefined;
		throw error;
	}
}

/** Asks for a list of objects without their spec and status (kubernetes.io/docs/reference/using-api/api-concepts/). */
export const metadataOnly = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';

/** The objects of such a list. Of one without any the API server writes `items: null` (measured, 1.36). */
export const itemsOf = <T>({ items }: { items?: T[] | null }): T[] => items ?? [];

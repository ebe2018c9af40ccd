import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '../../../admission/api/kinds.ts';
import { KubeError } from '../../../admission/kube/client.ts';

/** What a path names: `/api/v1/namespaces/ci/pods/r1/status` is of the collection `/api/v1/pods`. */
export interface Address {
	collection: string;
	namespace: string | undefined;
	name: string | undefined;
	subresource: string | undefined;
}

export function addressOf(path: string): Address {
	const found = /^(\/api\/v1|\/apis\/[^/]+\/[^/]+)(?:\/(.*))?$/.exec(path);
	if (!found) throw new Error(`${path} is no path of the API`);
	const [, prefix = '', rest = ''] = found;
	const parts = rest.split('/').filter(Boolean);
	const inNamespace = parts[0] === 'namespaces' && parts.length > 2;
	const [resource = '', name, subresource] = inNamespace ? parts.slice(2) : parts;
	return {
		collection: `${prefix}/${resource}`,
		namespace: inNamespace ? parts[1] : undefined,
		name,
		subresource,
	};
}

/** Is the object in this namespace, and of these selectors? Only the forms that this project uses. */
export function matches(
	{ metadata, ...rest }: KubeObject,
	namespace: string | undefined,
	query: Record<string, unknown>,
): boolean {
	if (namespace !== undefined && metadata.namespace !== namespace) return false;
	for (const label of split(query.labelSelector)) {
		const [key = '', value] = label.replace(/^!/, '').split('=');
		const has = metadata.labels?.[key];
		if (label.startsWith('!')) {
			if (has !== undefined) return false;
		} else if (value === undefined ? has === undefined : has !== value) return false;
	}
	for (const field of split(query.fieldSelector)) {
		const [path = '', value] = field.split('=');
		const found = path
			.split('.')
			.reduce<unknown>((part, key) => isObject(part) && part[key], { metadata, ...rest });
		if (found !== value) return false;
	}
	return true;
}

const split = (selector: unknown) =>
	String(selector ?? '')
		.split(',')
		.filter(Boolean);

const isObject = (value: unknown): value is Record<string, unknown> =>
	typeof value === 'object' && value !== null && !Array.isArray(value);

/** RFC 7386: null takes away, objects are merged, all else is replaced. */
export function mergePatch(target: unknown, patch: unknown): unknown {
	if (!isObject(patch)) return patch;
	const merged: Record<string, unknown> = isObject(target) ? { ...target } : {};
	for (const [key, value] of Object.entries(patch)) {
		if (value === null) delete merged[key];
		else merged[key] = mergePatch(merged[key], value);
	}
	return merged;
}

/** As a merge patch, but conditions are merged by their type. */
export function strategicPatch(target: object, patch: object): unknown {
	const { status, ...rest } = patch as { status?: { conditions?: { type: string }[] } };
	const merged = mergePatch(target, rest) as { status?: { conditions?: { type: string }[] } };
	if (!status) return merged;
	const { conditions = [], ...others } = status;
	const kept = (merged.status?.conditions ?? []).filter(
		({ type }) => !conditions.some((one) => one.type === type),
	);
	return {
		...merged,
		status: { ...(mergePatch(merged.status, others) as object), conditions: [...kept, ...conditions] },
	};
}

/** `add`, `replace`, `remove` and `test` on fields and list indexes. */
export function applyJsonPatch<T extends object>(target: T, patch: unknown): T {
	const changed = structuredClone(target);
	for (const { op, path, value } of patch as { op: string; path: string; value?: unknown }[]) {
		const keys = path
			.split('/')
			.slice(1)
			.map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
		const last = keys.pop() ?? '';
		const parent = keys.reduce<Record<string, unknown>>(
			(part, key) => part[key] as Record<string, unknown>,
			changed as Record<string, unknown>,
		);
		if (op === 'test') {
			if (!isDeepStrictEqual(parent[last], value))
				throw new KubeError(422, 'Invalid', `the test of ${path} failed`);
		} else if (op === 'remove') delete parent[last];
		else if (op === 'add' || op === 'replace') parent[last] = value;
		else throw new Error(`a JSON patch with ${op} is not known here`);
	}
	return changed;
}

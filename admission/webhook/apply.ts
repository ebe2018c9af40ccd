import type { PatchOperation } from './review.ts';

/**
 * The object with these operations applied, as the API server applies a webhook's patch. For those that we make: they add to
 * the end of a list, never before another item. What they change is copied, and all else is the object's own.
 */
export function applied<T extends object>(object: T, operations: readonly PatchOperation[]): T {
	const copies = new Set<object>();
	const copied = <Value>(value: Value): Value => {
		if (typeof value !== 'object' || value === null || copies.has(value)) return value;
		const copy = (Array.isArray(value) ? [...value] : { ...value }) as Value & object;
		copies.add(copy);
		return copy;
	};
	const changed = copied(object);
	// Copied, because a list that one operation makes is filled by the next.
	for (const operation of structuredClone(operations)) {
		const path = operation.path.split('/').slice(1).map(unescaped);
		const last = path.pop() ?? '';
		let parent = changed as Record<string, unknown>;
		for (const part of path) {
			parent[part] = copied(parent[part]);
			parent = parent[part] as Record<string, unknown>;
		}
		if (Array.isArray(parent) && operation.op === 'add') parent.push(operation.value);
		else if (operation.op === 'remove') delete parent[last];
		else parent[last] = operation.value;
	}
	return changed;
}

const unescaped = (part: string): string => part.replaceAll('~1', '/').replaceAll('~0', '~');

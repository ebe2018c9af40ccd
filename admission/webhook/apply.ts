import type { PatchOperation } from './review.ts';

/**
 * A copy of the object with these operations applied, as the API server applies a webhook's patch. For those that we make:
 * they add to the end of a list, never before another item.
 */
export function applied<T extends object>(object: T, operations: readonly PatchOperation[]): T {
	const copy = structuredClone(object);
	// Copied, because a list that one operation makes is filled by the next.
	for (const operation of structuredClone(operations)) {
		const path = operation.path.split('/').slice(1).map(unescaped);
		const last = path.pop() ?? '';
		let parent: unknown = copy;
		for (const part of path) parent = (parent as Record<string, unknown>)[part];
		if (Array.isArray(parent) && operation.op === 'add') parent.push(operation.value);
		else if (operation.op === 'remove') delete (parent as Record<string, unknown>)[last];
		else (parent as Record<string, unknown>)[last] = operation.value;
	}
	return copy;
}

const unescaped = (part: string): string => part.replaceAll('~1', '/').replaceAll('~0', '~');

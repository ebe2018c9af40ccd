import type { KubeObject } from '../../admission/api/kinds.ts';

/** Objects as kubectl prints them: one as it is, several in a List, and no managedFields. */
export function shownObjects(objects: readonly KubeObject[], single: boolean): object | undefined {
	const shown = objects.map(withoutManagedFields);
	if (single) return shown[0];
	return { apiVersion: 'v1', items: shown, kind: 'List', metadata: { resourceVersion: '' } };
}

function withoutManagedFields(object: KubeObject): KubeObject {
	const { managedFields: _, ...metadata } = object.metadata as KubeObject['metadata'] & {
		managedFields?: unknown;
	};
	return { ...object, metadata };
}

/** Data as `-o json` shows it. */
export function toJson(value: unknown): string {
	return `${JSON.stringify(value, undefined, 4)}\n`;
}

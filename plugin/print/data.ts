import { dump } from 'js-yaml';
import type { KubeObject } from '../../admission/api/kinds.ts';

/** `-o json` and `-o yaml`. The entry does not import this: js-yaml's writer would slow down every start. */
export type DataFormat = 'json' | 'yaml';

export function formatData(value: unknown, format: DataFormat): string {
	return format === 'json' ? toJson(value) : toYaml(value);
}

export function formatObjects(objects: readonly KubeObject[], format: DataFormat, single: boolean): string {
	return formatData(shownObjects(objects, single), format);
}

/** Objects as kubectl prints them: one as it is, several in a List, and no managedFields. */
function shownObjects(objects: readonly KubeObject[], single: boolean): object | undefined {
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

/** Data as `-o json` prints it. */
function toJson(value: unknown): string {
	return `${JSON.stringify(value, undefined, 4)}\n`;
}

/**
 * As kubectl writes it: keys are sorted, long lines are not folded, and the items of a list are not indented further
 * than their key.
 */
export function toYaml(value: unknown): string {
	return dump(value, {
		lineWidth: -1,
		noRefs: true,
		quoteStyle: 'double',
		seqNoIndent: true,
		sortKeys: true,
	});
}

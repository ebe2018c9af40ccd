import type { KubeObject } from '../../admission/api/kinds.ts';
import { usageError } from '../errors.ts';
import { toYaml } from './yaml.ts';

export type DataFormat = 'json' | 'yaml';

/** Data as `-o json` or `-o yaml` show it. */
export function formatData(value: unknown, format: DataFormat): string {
	return format === 'json' ? `${JSON.stringify(value, undefined, 4)}\n` : toYaml(value);
}

/** Objects as kubectl prints them: one as it is, several in a List, and no managedFields. */
export function formatObjects(objects: readonly KubeObject[], format: DataFormat, single: boolean): string {
	const shown = objects.map(withoutManagedFields);
	if (single) return formatData(shown[0], format);
	return formatData(
		{ apiVersion: 'v1', items: shown, kind: 'List', metadata: { resourceVersion: '' } },
		format,
	);
}

function withoutManagedFields(object: KubeObject): KubeObject {
	const { managedFields: _, ...metadata } = object.metadata as KubeObject['metadata'] & {
		managedFields?: unknown;
	};
	return { ...object, metadata };
}

/** Checks a value of `-o` against what the verb can print. */
export function outputFormat<T extends string>(
	value: string | undefined,
	allowed: readonly T[],
): T | undefined {
	if (value === undefined || value === '') return undefined;
	const known = allowed.find((format) => format === value);
	if (known) return known;
	throw usageError(
		`unable to match a printer suitable for the output format ${JSON.stringify(value)}, allowed formats are: ${allowed.join(',')}`,
	);
}

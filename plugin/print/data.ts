import { dump } from 'js-yaml';
import type { KubeObject } from '../../admission/api/kinds.ts';
import { shownObjects, toJson } from './objects.ts';

/**
 * `-o json` and `-o yaml`. Not for the entry, which prints the JSON of lists alone: js-yaml's writer would make every
 * start slower.
 */
export type DataFormat = 'json' | 'yaml';

export function formatData(value: unknown, format: DataFormat): string {
	return format === 'json' ? toJson(value) : toYaml(value);
}

export function formatObjects(objects: readonly KubeObject[], format: DataFormat, single: boolean): string {
	return formatData(shownObjects(objects, single), format);
}

/** As kubectl writes it: sorted keys, long lines left whole, the items of a list below their key and not further in. */
export function toYaml(value: unknown): string {
	return dump(value, {
		lineWidth: -1,
		noRefs: true,
		quoteStyle: 'double',
		seqNoIndent: true,
		sortKeys: true,
	});
}

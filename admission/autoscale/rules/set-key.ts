import type { KubeObject } from '../../api/kinds.ts';
import { type ObjectKey, objectKey, splitKey } from '../../api/object-key.ts';

/** A set as one value, which people can read: `RunnerSet ci/linux`. It is put together and taken apart in this file only. */
export type SetKey = `${string} ${ObjectKey}`;

interface SetParts {
	kind: string;
	namespace: string;
	name: string;
}

export const setKey = ({ kind, namespace, name }: SetParts): SetKey =>
	`${kind} ${objectKey({ namespace, name })}`;

/** The key of a set object, which names its kind. */
export const setKeyOf = ({ kind = '', metadata: { namespace = '', name } }: KubeObject): SetKey =>
	setKey({ kind, namespace, name });

export function splitSetKey(key: SetKey): SetParts {
	const space = key.indexOf(' ');
	return { kind: key.slice(0, space), ...splitKey(key.slice(space + 1) as ObjectKey) };
}

/** Its key among the sets of its kind. */
export const objectKeyOf = (key: SetKey): ObjectKey => objectKey(splitSetKey(key));

/** How a metric names it. */
export function metricLabelsOf(key: SetKey): { namespace: string; set: string } {
	const { namespace, name } = splitSetKey(key);
	return { namespace, set: name };
}

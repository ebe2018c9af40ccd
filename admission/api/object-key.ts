/** Which object of its kind: `namespace/name`, as kubectl and logs write it. No name in Kubernetes contains a slash. */
export type ObjectKey = `${string}/${string}`;

/** The key of an object, by its metadata or anything else that has its name. */
export const objectKey = ({ namespace, name }: { namespace?: string | undefined; name: string }): ObjectKey =>
	`${namespace ?? ''}/${name}`;

export function splitKey(key: ObjectKey): { namespace: string; name: string } {
	const slash = key.indexOf('/');
	return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

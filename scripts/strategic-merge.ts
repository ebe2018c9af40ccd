/**
 * Strategic merge patches (Kubernetes' way to patch an object with a part of itself), as far as manifests/ uses them:
 * maps are merged, lists of these fields by their key, new items first as kustomize puts them; the rest throws.
 */
const listKeys: Record<string, string> = {
	containers: 'name',
	env: 'name',
	volumes: 'name',
	volumeMounts: 'mountPath',
};

type Fields = Record<string, unknown>;

/** `target` with what `patch` says. Throws on directives ($patch) and on lists that it can not merge. */
export function strategicMerge<T extends object>(target: T, patch: object): T {
	const merged = { ...target } as Fields;
	for (const [field, value] of Object.entries(patch)) {
		if (field.startsWith('$')) throw new Error(`the directive ${field} is not understood`);
		const before = merged[field];
		if (value === null) delete merged[field];
		else if (Array.isArray(value) && Array.isArray(before)) merged[field] = mergeLists(field, before, value);
		else if (isMap(value) && isMap(before)) merged[field] = strategicMerge(before, value);
		else merged[field] = value;
	}
	return merged as T;
}

function mergeLists(field: string, before: Fields[], patch: Fields[]): Fields[] {
	const key = listKeys[field];
	if (key === undefined) throw new Error(`how to merge the list "${field}" is not known`);
	const patchOf = (item: Fields) => patch.find((one) => one[key] === item[key]);
	const added = patch.filter((item) => !before.some((one) => one[key] === item[key]));
	return [...added, ...before.map((item) => strategicMerge(item, patchOf(item) ?? {}))];
}

function isMap(value: unknown): value is Fields {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

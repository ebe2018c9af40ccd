/**
 * A short part of `items`, in their order, for which `fails` still holds: halves, then smaller and smaller pieces are left
 * out while it fails without them. What fails only now and then may come back longer than need be.
 *
 * @param mostTries how often `fails` is called at most: each try may set up a world of its own
 */
export async function shortest<T>(
	items: readonly T[],
	fails: (part: readonly T[]) => Promise<boolean>,
	mostTries = 30,
): Promise<readonly T[]> {
	let left = items;
	let tries = 0;
	for (let size = Math.ceil(left.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
		for (let from = 0; from < left.length && left.length > 1; ) {
			if (tries++ === mostTries) return left;
			const without = [...left.slice(0, from), ...left.slice(from + size)];
			if (without.length > 0 && (await fails(without))) left = without;
			else from += size;
		}
	}
	return left;
}

/** Maps with at most `width` at once, so that 500 pods are not 500 requests in one moment. Keeps the order. */
export async function mapLimited<T, R>(
	items: readonly T[],
	width: number,
	map: (item: T) => Promise<R>,
): Promise<R[]> {
	const results: R[] = new Array(items.length);
	const queue = [...items.entries()];
	const worker = async () => {
		for (let next = queue.shift(); next; next = queue.shift()) results[next[0]] = await map(next[1]);
	};
	await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
	return results;
}

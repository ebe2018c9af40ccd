/** How many requests run at the same time: 500 pods must not mean 500 requests at once. */
const requestsAtOnce = 10;

/** Maps items with requests to the API server, ten at a time. The results are in the order of the items. */
export async function mapLimited<T, R>(items: readonly T[], map: (item: T) => Promise<R>): Promise<R[]> {
	const results: R[] = new Array(items.length);
	const queue = [...items.entries()];
	const worker = async () => {
		for (let next = queue.shift(); next; next = queue.shift()) results[next[0]] = await map(next[1]);
	};
	await Promise.all(Array.from({ length: Math.min(requestsAtOnce, items.length) }, worker));
	return results;
}

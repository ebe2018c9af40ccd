/** A list in pages, as from GitHub. */

export const defaultPerPage = 30;
export const maxPerPage = 100;

/** @param url of the list, without its query */
export function cut<Item>(
	all: readonly Item[],
	query: URLSearchParams,
	url: string,
): { items: Item[]; headers: Record<string, string> } {
	const perPage = Math.min(whole(query.get('per_page'), defaultPerPage), maxPerPage);
	const page = whole(query.get('page'), 1);
	const last = Math.max(1, Math.ceil(all.length / perPage));
	const to = (target: number, rel: string) => {
		const parameters = new URLSearchParams(query);
		parameters.set('page', String(target));
		return `<${url}?${parameters}>; rel="${rel}"`;
	};
	const headers: Record<string, string> = {};
	if (page < last) headers.link = `${to(page + 1, 'next')}, ${to(last, 'last')}`;
	return { items: all.slice((page - 1) * perPage, page * perPage), headers };
}

/** A whole number above 0, or GitHub's default for anything else. */
export function whole(text: string | null, otherwise: number): number {
	const value = text !== null && /^\d+$/.test(text) ? Number(text) : 0;
	return value > 0 ? value : otherwise;
}

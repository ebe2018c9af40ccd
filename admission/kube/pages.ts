import type { KubeObject } from '../api/kinds.ts';
import { isTooLarge, type KubeClient } from './client.ts';
import type { ShortObject } from './large-objects.ts';
import { PageLimit } from './page-limit.ts';
import { largeBytes } from './policy.ts';
import type { Kept, Skimmed } from './skim.ts';

/** A part of a list: objects, or one that is too large. */
interface Page<T extends KubeObject> {
	items: T[];
	/** At most one: an object of more than `largeBytes`, without all fields that are not kept. */
	large: Skimmed<ShortObject<T>>[];
	/** That of the whole list. */
	resourceVersion: string;
}

interface ListAnswer<T> {
	metadata: { resourceVersion: string; continue?: string };
	items: T[];
}

interface ListOptions {
	query: Record<string, string>;
	/** What is kept of an object that is too large. */
	kept: Kept;
	signal: AbortSignal;
}

/** One page may take so long, ms. */
const timeoutMs = 30_000;

/**
 * Lists a collection in pages of at most `largeBytes`: one that is longer is broken off and asked for again with fewer
 * objects, and of a single object that is longer only `kept` is read. Rejects with the KubeError of the API server's answer.
 */
export async function* listPages<T extends KubeObject>(
	client: KubeClient,
	path: string,
	{ query, kept, signal }: ListOptions,
): AsyncGenerator<Page<T>> {
	const limit = new PageLimit();
	const keep = { metadata: { resourceVersion: true, continue: true }, items: { '*': kept } } as const;
	let next: string | undefined;
	for (;;) {
		const ask = { query: { ...query, limit: limit.objects, continue: next }, signal, timeoutMs };
		const answer = await unlessTooLarge(
			client.request<ListAnswer<T>>('GET', path, { ...ask, mostBytes: largeBytes }),
		);
		if (!answer && limit.shrink()) continue;
		limit.read();
		if (answer) {
			yield { items: answer.items, large: [], resourceVersion: answer.metadata.resourceVersion };
			next = answer.metadata.continue;
		} else {
			const request = client.request<Skimmed<ListAnswer<ShortObject<T>>>>('GET', path, { ...ask, keep });
			const { value, whole } = await request;
			const large = value.items.map((item) => ({ value: item, whole }));
			yield { items: [], large, resourceVersion: value.metadata.resourceVersion };
			next = value.metadata.continue;
		}
		if (!next) return;
	}
}

async function unlessTooLarge<Answer>(request: Promise<Answer>): Promise<Answer | undefined> {
	try {
		return await request;
	} catch (error) {
		if (isTooLarge(error)) return undefined;
		throw error;
	}
}

import type { Pod } from '../../admission/api/kinds.ts';
import { podPath, podsPath } from '../../admission/api/paths.ts';
import type { KubeClient } from './client.ts';
import { ApiError } from './failure.ts';
import { type PodPage, readContinueToken, readPodList } from './pod-protobuf.ts';
import { protobuf } from './protobuf.ts';

/** Selects pods; without a namespace, those of all namespaces. */
export interface PodQuery {
	namespace?: string;
	labelSelector?: string;
	fieldSelector?: string;
}

/**
 * Ten times kubectl's --chunk-size, because each further page costs the server as much as the whole list (5,000 pods
 * take 0.8 s in pages of 500, and 0.3 s in one page). It bounds one answer to about 25 MB.
 */
const pageSize = 5_000;

interface PodList {
	pods: Pod[];
	/** Where a watch continues. */
	resourceVersion: string;
}

/** All pods of the query, page by page in protobuf: only the fields that the plugin shows (see pod-protobuf.ts). */
export function listPods(client: KubeClient, query: PodQuery, signal?: AbortSignal): Promise<PodList> {
	return fromStart(async (list) => {
		const fetchPage = (token: string) =>
			client.call('GET', podsPath(query.namespace), {
				query: pageQuery(query, token),
				// A proxy in between that does not support protobuf may make the server answer in JSON.
				accept: `${protobuf}, application/json`,
				signal,
			});
		let next: ReturnType<typeof fetchPage> | undefined = fetchPage('');
		while (next) {
			const { body, contentType } = await next;
			const binary = contentType.startsWith(protobuf);
			const page: PodPage | undefined = binary ? undefined : readJsonPage(body);
			const token: string = page ? page.continue : readContinueToken(body);
			next = token === '' ? undefined : fetchPage(token);
			// A failure is reported when the promise is awaited; until then it must not count as an unhandled
			// rejection.
			next?.catch(() => undefined);
			const { pods, resourceVersion } = page ?? readPodList(body);
			list.pods.push(...pods);
			list.resourceVersion = resourceVersion;
		}
	});
}

/** The pods of the query that `keep` accepts, with every field: for `-o json` and `-o yaml`. */
export function listWholePods(
	client: KubeClient,
	query: PodQuery,
	keep: (pod: Pod) => boolean = () => true,
	signal?: AbortSignal,
): Promise<PodList> {
	return fromStart(async (list) => {
		let token = '';
		do {
			const { body } = await client.call('GET', podsPath(query.namespace), {
				query: pageQuery(query, token),
				signal,
			});
			const page = readJsonPage(body);
			list.pods.push(...page.pods.filter(keep));
			list.resourceVersion = page.resourceVersion;
			token = page.continue;
		} while (token !== '');
	});
}

export function getPod(client: KubeClient, namespace: string, name: string): Promise<Pod> {
	return client.json<Pod>('GET', podPath(namespace, name));
}

function pageQuery(query: PodQuery, token: string): Record<string, string | undefined> {
	return {
		labelSelector: query.labelSelector,
		fieldSelector: query.fieldSelector,
		limit: String(pageSize),
		continue: token || undefined,
	};
}

function readJsonPage(body: Buffer): PodPage {
	const list = JSON.parse(body.toString()) as {
		metadata?: { continue?: string; resourceVersion?: string };
		items?: Pod[];
	};
	return {
		// Only the list itself carries these two, not its items.
		pods: (list.items ?? []).map((pod) => ({ ...pod, apiVersion: 'v1', kind: 'Pod' })),
		continue: list.metadata?.continue ?? '',
		resourceVersion: list.metadata?.resourceVersion ?? '',
	};
}

/** All pages show the same moment. If the server no longer has that state (410), the list starts over, once. */
async function fromStart(fill: (list: PodList) => Promise<void>): Promise<PodList> {
	const attempt = async () => {
		const list: PodList = { pods: [], resourceVersion: '' };
		await fill(list);
		return list;
	};
	try {
		return await attempt();
	} catch (error) {
		if (error instanceof ApiError && error.code === 410) return attempt();
		throw error;
	}
}

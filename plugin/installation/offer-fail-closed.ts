import type { KubeObject } from '../../admission/api/kinds.ts';
import { collectionPath, resources } from '../../admission/api/paths.ts';
import { failClosedLabel, labelNamespace } from '../evictions/label.ts';
import { occupantsOf, runnersOnly, someOf } from '../evictions/occupants.ts';
import { ApiError, UnreachableError } from '../kube/failure.ts';
import { listPods } from '../kube/pods.ts';
import type { Objects } from './objects.ts';

/** Number of namespaces that the offer names. */
const mostNamed = 10;

/**
 * Says which namespaces contain only runners, and so could have the label for evictions that fail closed; or, with `set`,
 * sets it on them. Without `set` a failure is only a warning: the installation itself is done.
 *
 * @throws ApiError or UnreachableError, with `set` only
 */
export async function offerFailClosed(
	{ client, dryRun }: Objects,
	{ serverNamespace, set }: { serverNamespace: string; set: boolean },
	{ say, warn }: { say: (line: string) => void; warn: (line: string) => void },
): Promise<void> {
	try {
		const [{ pods }, { items }] = await Promise.all([
			listPods(client, {}),
			client.json<{ items: KubeObject[] }>('GET', collectionPath(resources.namespaces)),
		]);
		const found = runnersOnly(occupantsOf(pods), items, serverNamespace);
		if (!set) {
			if (found.length > 0) say(offer(found));
			return;
		}
		for (const name of found) {
			if (dryRun !== 'client') await labelNamespace(client, name, { dryRun: dryRun === 'server' });
			const suffix = { none: '', client: ' (dry run)', server: ' (server dry run)' }[dryRun];
			say(`namespace/${name} labeled ${failClosedLabel}${suffix}`);
		}
	} catch (error) {
		const known = error instanceof ApiError || error instanceof UnreachableError;
		if (set || !known) throw error;
		warn(`Warning: not checked which namespaces contain only runners: ${error.message}`);
	}
}

function offer(found: readonly string[]): string {
	const what =
		found.length === 1
			? `Namespace ${found[0]} contains only runners`
			: `${found.length} namespaces contain only runners: ${someOf(found, mostNamed)}`;
	const named = found.slice(0, mostNamed).join(' ');
	return `${what}. To refuse evictions there while no replica answers: kubectl runners protect ${named}`;
}

/** Which objects of a set's runners exist anywhere, and whether exactly the wanted ones do. */
import { eventually } from '../../rig/eventually.ts';
import type { SetUnderTest } from '../../rig/runner-sets.ts';
import type { KubeItem } from '../../sim/kube.ts';

interface Remains {
	statefulSets: number;
	pods: number;
	signals: number;
	revisions: number;
	registrations: number;
}

const collections = {
	statefulSets: ['/apis/apps/v1', 'statefulsets'],
	pods: ['/api/v1', 'pods'],
	signals: ['/api/v1', 'persistentvolumeclaims'],
	revisions: ['/apis/apps/v1', 'controllerrevisions'],
} as const;

async function remainsOf({ rig, namespace, scope }: SetUnderTest): Promise<Remains> {
	const counts = Object.entries(collections).map(async ([what, [api, resource]]) => {
		const { items } = await rig.kube.get<{ items: KubeItem[] }>(`${api}/namespaces/${namespace}/${resource}`);
		return [what, items.length] as const;
	});
	const registrations = rig.github.runners(scope).length;
	return { ...Object.fromEntries(await Promise.all(counts)), registrations } as unknown as Remains;
}

/**
 * Resolves when there are exactly so many of each, and the set's watch has shown as many pods: the API server's list is
 * ahead of it. What is not named there is none of.
 */
export async function comesTo(set: SetUnderTest, wanted: Partial<Remains>): Promise<void> {
	const all: Remains = {
		...{ statefulSets: 0, pods: 0, signals: 0, revisions: 0, registrations: 0 },
		...wanted,
	};
	let last = '';
	const reached = async () => {
		last = JSON.stringify(await remainsOf(set));
		return last === JSON.stringify(all) && set.all().length === all.pods;
	};
	try {
		await eventually('', reached, { withinMs: 90_000 });
	} catch {
		throw new Error(
			`${set.namespace} does not come to ${JSON.stringify(all)}: ${last}, and the watch shows ${set.all().length} pods`,
		);
	}
}

/** Everything of this number of registered runners. */
export const runners = (count: number): Partial<Remains> => ({
	statefulSets: count,
	pods: count,
	revisions: count,
	registrations: count,
});

/** Everything of this number of runners whose pods wait for their claims. */
export const waiting = (count: number): Partial<Remains> => ({
	...runners(count),
	signals: count,
	registrations: 0,
});

/** Pod names under which more than one runner has registered or had a job. */
export function usedTwice({ rig, namespace }: SetUnderTest): string[] {
	const uids = new Map<string, Set<string>>();
	for (const { namespace: at, what, pod, uid } of rig.agents.journal)
		if (at === namespace && (what === 'registered' || what === 'job-ended'))
			uids.set(pod, (uids.get(pod) ?? new Set()).add(uid));
	return [...uids].filter(([, { size }]) => size > 1).map(([pod]) => pod);
}

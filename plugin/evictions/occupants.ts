import { evictions } from '../../admission/api/keys.ts';
import type { KubeObject, Pod } from '../../admission/api/kinds.ts';
import { isJobPod } from '../../admission/runner/job-pod.ts';
import { isRunnerPod } from '../../admission/runner/runner-pod.ts';

/** Whose pods a namespace contains. */
interface Occupants {
	/** There is a runner pod, live or ended. */
	runners: boolean;
	/** Names of the live pods that are neither runner pods nor job pods. */
	others: Set<string>;
}

/** By the name of the namespace. */
export type AllOccupants = Map<string, Occupants>;

/** A pod may be given more than once, as it is if its list starts over. */
export function addPod(all: AllOccupants, pod: Pod): void {
	const { namespace = '', name } = pod.metadata;
	const here = all.get(namespace) ?? { runners: false, others: new Set() };
	all.set(namespace, here);
	if (isRunnerPod(pod)) here.runners = true;
	else if (!isJobPod(pod) && !hasEnded(pod)) here.others.add(name);
}

export function occupantsOf(pods: Iterable<Pod>): AllOccupants {
	const all: AllOccupants = new Map();
	for (const pod of pods) addPod(all, pod);
	return all;
}

/** An eviction of a pod that has ended holds nobody up. */
const hasEnded = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';

/** Names of the namespaces that have the label, sorted. */
export function failClosedNamespaces(namespaces: readonly KubeObject[]): string[] {
	return namespaces
		.filter(({ metadata }) => metadata.labels?.[evictions.label] === evictions.failClosed)
		.map(({ metadata }) => metadata.name)
		.sort();
}

/**
 * Names of the namespaces that could have the label, sorted: they contain runner pods and no other live pods, and do not
 * have it yet. The namespace of the server is none of them: our webhooks leave it out.
 */
export function runnersOnly(
	all: AllOccupants,
	namespaces: readonly KubeObject[],
	serverNamespace: string,
): string[] {
	const labelled = new Set(failClosedNamespaces(namespaces));
	return namespaces
		.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
		.map(({ metadata }) => metadata.name)
		.filter((name) => {
			const here = all.get(name);
			return name !== serverNamespace && !labelled.has(name) && here?.runners && here.others.size === 0;
		})
		.sort();
}

/** At most `most` of the names, sorted, and how many more there are: `a, b, c and 4 more`. */
export function someOf(names: Iterable<string>, most: number, separator = ', '): string {
	const all = [...names].sort();
	const more = all.length - most;
	return all.slice(0, most).join(separator) + (more > 0 ? ` and ${more} more` : '');
}

/** How many other pods there are, and up to three of their names: `5 other pods (a, b, c and 2 more)`. */
export function othersText({ others }: Occupants): string {
	const pods = others.size === 1 ? '1 other pod' : `${others.size} other pods`;
	return `${pods} (${someOf(others, 3)})`;
}

import type { arc } from '../api/keys.ts';
import type { Resource } from '../api/paths.ts';
import { apiVersion, type RunnerConfig, type RunnerSet, type RunnersSet, setKinds } from '../api/sets.ts';
import type { OwnerObject } from '../cluster/sets-cache.ts';
import type { Watched } from '../cluster/watched.ts';

/** All that differs between the kinds of sets. */
export interface SetKind<S extends RunnersSet> {
	kind: S extends RunnerSet ? 'RunnerSet' : 'RunnerDeployment';
	/** As `--controllers` names it. */
	controller: 'runnerset' | 'runnerdeployment';
	/** The sets themselves. */
	resource: Resource;
	/** Label on a pod with the name of its set. */
	setLabel: typeof arc.runnerSet | typeof arc.runnerDeployment;
	sets: Watched<S>;
	owners: Watched<OwnerObject>;
	/** What may stand between a set and its owners (ARC's RunnerReplicaSets): whose those are, their set owns. */
	between?: Watched<OwnerObject>;
	/** What each of its runners is made by: StatefulSets or Runners. */
	ownerResource: Resource;
	podName(owner: string): string;
	/** Does an owner make its pod by itself, and again when it is gone? */
	makesItsPod: boolean;
	config(set: S): RunnerConfig;
	/** Creates one runner under this name, or says what is wrong with the spec. */
	creator(set: S): Creator | { field: string; message: string };
}

export type Creator = (name: string) => Promise<void>;

/** StatefulSets: the name, a dash and a hash of ten characters are a label of their pod, of at most 63 characters. */
const longestPrefix = 45;
const characters = 'bcdfghjklmnpqrstvwxz2456789';

/** `example-x7k2p`, as the API server's generateName makes them; chosen here so that it is known before the answer. */
export function newName(set: RunnersSet, random: () => number): string {
	const suffix = Array.from({ length: 5 }, () => characters[Math.floor(random() * characters.length)]).join(
		'',
	);
	return `${set.metadata.name.slice(0, longestPrefix)}-${suffix}`;
}

/** The set as the controller of what it makes. */
export const ownerReference = (set: RunnersSet, kind: keyof typeof setKinds) => ({
	apiVersion,
	kind: setKinds[kind].kind,
	name: set.metadata.name,
	uid: set.metadata.uid ?? '',
	controller: true,
	blockOwnerDeletion: true,
});

import type { arc } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import type { Resource } from '../api/paths.ts';
import { apiVersion, type RunnerConfig, type RunnerSet, type RunnersSet, setKinds } from '../api/sets.ts';
import type { OwnerObject, SetsCache } from '../cluster/sets-cache.ts';
import type { Watched } from '../cluster/watched.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../time/clock.ts';
import type { TemplateDefaults } from './pod/defaults.ts';

/** What both kinds need in order to create runners. */
export interface KindDependencies {
	client: KubeClient;
	setsCache: SetsCache;
	templateDefaults: TemplateDefaults;
	clock: Pick<Clock, 'now'>;
	/** Adds to a new pod what the pod webhook would. */
	inject: (pod: Pod) => Pod;
}

/** Everything in which the two kinds of sets differ. */
export interface SetKind<S extends RunnersSet> {
	kind: S extends RunnerSet ? 'RunnerSet' : 'RunnerDeployment';
	/** As `--controllers` names it. */
	controller: 'runnerset' | 'runnerdeployment';
	/** The sets themselves. */
	resource: Resource & { kind: string };
	/** Label on a pod that holds the name of its set. */
	setLabel: typeof arc.runnerSet | typeof arc.runnerDeployment;
	sets: Watched<S>;
	owners: Watched<OwnerObject>;
	/** ARC's RunnerReplicaSets, which may stand between a set and its Runners. Their Runners count as the set's. */
	between?: Watched<OwnerObject>;
	/** The resource of the owners: StatefulSets or Runners. */
	ownerResource: Resource;
	/** Name of the pod of an owner of this name. */
	podName(owner: string): string;
	/** Whether an owner creates its pod itself, and recreates it. */
	createsItsPod: boolean;
	/** Creates the pod of an owner that never had one. Rejects as Creator. */
	createMissingPod?(set: S, owner: { name: string; uid: string }): Promise<Made>;
	/** Deletes the dependents of a deleted owner that the garbage collector would delete later. */
	deleteDependents?(set: S, owner: { name: string; uid: string; pod: Pod | undefined }): Promise<unknown>;
	config(set: S): RunnerConfig;
	/** How to create one runner, made from a template of this hash; without `create`, `message` says what is wrong with the spec. */
	creator(
		set: S,
		hash: string,
	): { create: Creator; message?: undefined } | { create?: undefined; message: string };
}

/**
 * Creates one runner of this name. Rejects if that failed: with KubeError (409: the name is taken; 0: it may exist all the
 * same), or with an error of this program.
 */
export type Creator = (name: string) => Promise<Made>;

export interface Made {
	/** UID of the owner; undefined: it was not made now. */
	uid?: string | undefined;
	/** Follow-up work that can wait until all runners of the plan have been created, and may fail. */
	later?: (() => Promise<unknown>) | undefined;
	/** Why something could not be created here: it is left to the owner's controller. */
	failure?: unknown;
}

/** A StatefulSet's name, a dash and a hash of ten characters are a label value of its pod, which has at most 63 characters. */
const longestPrefix = 45;
const characters = 'bcdfghjklmnpqrstvwxz2456789';

/** A new name such as `example-x7k2p`, like those of generateName. It is chosen here so that it is known before the API server answers. */
export function newName(set: RunnersSet, random: () => number): string {
	const suffix = Array.from({ length: 5 }, () => characters[Math.floor(random() * characters.length)]).join(
		'',
	);
	return `${set.metadata.name.slice(0, longestPrefix)}-${suffix}`;
}

/** The owner reference that makes the set the controller of an object. */
export const ownerReference = (set: RunnersSet, kind: keyof typeof setKinds) => ({
	apiVersion,
	kind: setKinds[kind].kind,
	name: set.metadata.name,
	uid: set.metadata.uid ?? '',
	controller: true,
	blockOwnerDeletion: true,
});

import type { KubeObject } from '../../admission/api/kinds.ts';
import { collectionPath, objectPath } from '../../admission/api/paths.ts';
import type { RunnerDeployment, RunnerSet } from '../../admission/api/sets.ts';
import { CliError, usageError } from '../errors.ts';
import { type KubeClient, mergePatch } from '../kube/client.ts';
import { ApiError, isNotFound } from '../kube/failure.ts';
import { kinds, type SetArgument, type SetKind, type SetRef, servedAs, shortName } from './names.ts';

export type RunnersSet = (RunnerSet | RunnerDeployment) & { kind: SetKind };

export function setsPath(kind: SetKind, namespace: string | undefined): string {
	return collectionPath(servedAs(kind), namespace);
}

function setPath({ kind, name }: SetRef, namespace: string, subresource?: string): string {
	return objectPath(servedAs(kind), { namespace, name }, subresource);
}

export function refOf(set: RunnersSet): SetRef {
	return { kind: set.kind, name: set.metadata.name };
}

/** The number of runners wanted; 1 if the spec does not say. */
export function wantedOf(set: RunnersSet): number {
	return set.spec.replicas ?? 1;
}

export async function getSet(client: KubeClient, ref: SetRef): Promise<RunnersSet> {
	return knownKind(ref.kind, async () => {
		const set = await client.json<RunnersSet>('GET', setPath(ref, client.namespace));
		return { ...set, kind: ref.kind };
	});
}

interface SetList {
	sets: RunnersSet[];
	/** Where a watch continues. */
	resourceVersion: string;
}

/** All sets of one kind in a namespace, or in all of them. */
export function listSets(
	client: KubeClient,
	kind: SetKind,
	query: { namespace?: string; labelSelector?: string; fieldSelector?: string },
	signal?: AbortSignal,
): Promise<SetList> {
	const { namespace, labelSelector, fieldSelector } = query;
	return knownKind(kind, async () => {
		const { items = [], metadata } = await client.json<{
			items?: RunnersSet[];
			metadata?: { resourceVersion?: string };
		}>('GET', setsPath(kind, namespace), { query: { labelSelector, fieldSelector }, signal });
		return {
			sets: items.map((set) => ({ ...set, kind })),
			resourceVersion: metadata?.resourceVersion ?? '',
		};
	});
}

/** All sets of these kinds, sorted; one kind may be installed without the other. */
export async function allSets(
	client: KubeClient,
	wanted: readonly SetKind[],
	query: { namespace?: string; labelSelector?: string },
): Promise<RunnersSet[]> {
	let unknown = 0;
	const lists = await Promise.all(
		wanted.map(async (kind) => {
			try {
				return (await listSets(client, kind, query)).sets;
			} catch (error) {
				if (!(error instanceof UnknownKindError)) throw error;
				unknown++;
				return [];
			}
		}),
	);
	// Sorted, so that the text does not depend on which answer came first.
	if (unknown === wanted.length && wanted[0]) throw new UnknownKindError(wanted[0]);
	return lists.flat().sort(byName);
}

/** By namespace, name and kind, as lists are sorted. */
export function byName(left: KubeObject, right: KubeObject): number {
	const key = ({ kind = '', metadata }: KubeObject) => [metadata.namespace, metadata.name, kind].join('\0');
	return key(left) < key(right) ? -1 : 1;
}

/** The set with this name. Without a kind it may be of either kind, but there must not be one of each. */
export async function findSet(client: KubeClient, { kind, name }: SetArgument): Promise<RunnersSet> {
	if (kind !== undefined) return getSet(client, { kind, name });
	const answers = await Promise.allSettled(kinds.map((each) => getSet(client, { kind: each, name })));
	const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
	const [set, other] = found;
	if (set && other) {
		throw usageError(`there are ${shortName(refOf(set))} and ${shortName(refOf(other))}: specify the kind`);
	}
	if (set) return set;
	const failures = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []));
	// A failed connection, a missing right or a missing kind says more than the other kind's "not found".
	throw failures.find((error) => !isNoSuchSet(error)) ?? failures[0];
}

/** The answer of the scale subresource. */
interface Scale {
	metadata: { resourceVersion?: string };
	spec?: { replicas?: number };
}

/** Sets the number of runners wanted. With a resource version, it fails with Conflict if the set was written since. */
export async function patchScale(
	client: KubeClient,
	ref: SetRef,
	replicas: number,
	{ resourceVersion, dryRun }: { resourceVersion?: string; dryRun?: boolean },
): Promise<number> {
	const scale = await client.json<Scale>('PATCH', setPath(ref, client.namespace, 'scale'), {
		contentType: mergePatch,
		body: { ...(resourceVersion === undefined ? {} : { metadata: { resourceVersion } }), spec: { replicas } },
		query: { dryRun: dryRun ? 'All' : undefined },
	});
	return scale.spec?.replicas ?? replicas;
}

/** The kind is served, but there is no such object. */
function isNoSuchSet(error: unknown): boolean {
	return error instanceof ApiError && isNotFound(error) && error.status.reason === 'NotFound';
}

/** The cluster does not have our custom resources. */
export class UnknownKindError extends CliError {
	constructor(kind: SetKind) {
		super(
			`error: the server doesn't have a resource type "${servedAs(kind).resource}"\n` +
				'The custom resources come with the server (manifests/crds); runner pods are listed without them: kubectl runners list',
		);
	}
}

/** The API server answers 404 for an unknown kind as well, but then without an object's name. */
async function knownKind<T>(kind: SetKind, ask: () => Promise<T>): Promise<T> {
	try {
		return await ask();
	} catch (error) {
		const unknown = error instanceof ApiError && isNotFound(error) && !error.status.details?.name;
		throw unknown ? new UnknownKindError(kind) : error;
	}
}

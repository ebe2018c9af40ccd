import { setTimeout as sleep } from 'node:timers/promises';
import {
	autoscalerMarks,
	breakGlass,
	breakGlassBy,
	busy,
	deletionPendingCondition,
	identityProof,
	progress,
	record,
} from '../../admission/api/keys.ts';
import type { Pod } from '../../admission/api/kinds.ts';
import { apiVersion, drainFinalizer, setKinds } from '../../admission/api/sets.ts';
import { isDeniedByGuard } from '../guard/denial.ts';
import { ApiError } from '../kube/failure.ts';
import { despiteOtherWriters } from '../kube/other-writers.ts';
import { groupOf, type Manifest } from './manifest.ts';
import { type Objects, strategicMergePatch } from './objects.ts';

/** Annotations that only this project writes. */
const ours: readonly string[] = [
	...Object.values(record),
	...Object.values(progress),
	identityProof,
	busy.since,
	busy.job,
	busy.signals,
	busy.marks,
	breakGlass,
	breakGlassBy,
];
const conditions: readonly string[] = [busy.condition, deletionPendingCondition];

/** What has to be removed from a pod: keys of annotations and labels, types of conditions. */
interface Traces {
	annotations: string[];
	labels: string[];
	conditions: string[];
}

/** Everything that this project wrote on a pod, and nothing of ARC's or the user's. */
export function tracesOn(pod: Pod): Traces {
	const { annotations = {}, labels = {} } = pod.metadata;
	const marks = (annotations[busy.marks] ?? '').split(',').filter((key) => key in autoscalerMarks);
	return {
		annotations: [...ours, ...marks].filter((key) => key in annotations),
		labels: [busy.label].filter((key) => key in labels),
		conditions: (pod.status?.conditions ?? [])
			.map(({ type }) => type)
			.filter((type) => conditions.includes(type)),
	};
}

export function isEmpty({ annotations, labels, conditions: types }: Traces): boolean {
	return annotations.length + labels.length + types.length === 0;
}

/** Removes the traces. False: there were none, or the pod is gone. */
export async function releasePod(api: Objects, { metadata }: Pod): Promise<boolean> {
	const pod = await api.get({ apiVersion: 'v1', kind: 'Pod', metadata });
	if (!pod || pod.metadata.uid !== metadata.uid) return false;
	const traces = tracesOn(pod as Pod);
	if (isEmpty(traces)) return false;
	// In a dry run the guard is still installed, and would refuse the patch.
	if (api.dryRun !== 'none') return true;
	await afterTheGuard(() => takeOff(api, pod, traces));
	return true;
}

async function takeOff(api: Objects, pod: Manifest, traces: Traces): Promise<void> {
	const { uid } = pod.metadata;
	if (traces.annotations.length + traces.labels.length > 0) {
		const without = (keys: string[]) => Object.fromEntries(keys.map((key) => [key, null]));
		const change = { uid, annotations: without(traces.annotations), labels: without(traces.labels) };
		await api.patch(pod, { metadata: change });
	}
	if (traces.conditions.length > 0) {
		const removed = traces.conditions.map((type) => ({ type, $patch: 'delete' }));
		const body = { metadata: { uid }, status: { conditions: removed } };
		await api.patch(pod, body, { subresource: 'status', contentType: strategicMergePatch });
	}
}

/**
 * Within this time an API server notices that a webhook configuration was deleted; until then the guard still refuses.
 */
const unnoticedMs = 15_000;
const retryMs = 200;

async function afterTheGuard(write: () => Promise<void>): Promise<void> {
	const deadlineMs = Date.now() + unnoticedMs;
	for (;;) {
		try {
			return await write();
		} catch (error) {
			const byGuard = error instanceof ApiError && isDeniedByGuard(error);
			if (!byGuard || Date.now() > deadlineMs) throw error;
			await sleep(retryMs);
		}
	}
}

/** Objects of the kinds that carry our finalizer. */
export async function finalizedObjects(api: Objects): Promise<Manifest[]> {
	const kinds = Object.values(setKinds).map(({ kind }) => kind);
	const resources = await Promise.all(kinds.map((kind) => api.resourceOf({ apiVersion, kind })));
	const lists = await Promise.all(
		resources.filter((resource) => resource !== undefined).map((resource) => api.list(resource)),
	);
	return lists.flat().filter(({ metadata }) => finalizersOf(metadata).includes(drainFinalizer));
}

/** Removes our finalizer from sets and Runners: without the server, nobody else would. */
export async function releaseSets(api: Objects, say: (line: string) => void): Promise<void> {
	for (const object of await finalizedObjects(api)) {
		if (await withoutFinalizer(api, object)) {
			const { namespace, name } = object.metadata;
			say(
				`${object.kind.toLowerCase()}.${groupOf(object.apiVersion)}/${name} released (namespace ${namespace})`,
			);
		}
	}
}

/** False: it is gone; another object of the same name may exist instead. */
function withoutFinalizer(api: Objects, seen: Manifest): Promise<boolean> {
	return despiteOtherWriters<Manifest | undefined, boolean>(
		seen,
		async (object) => {
			if (!object || object.metadata.uid !== seen.metadata.uid) return false;
			const { resourceVersion, uid } = object.metadata;
			const finalizers = finalizersOf(object.metadata).filter((one) => one !== drainFinalizer);
			return api.patch(object, { metadata: { uid, resourceVersion, finalizers } });
		},
		() => api.get(seen),
	);
}

function finalizersOf(metadata: Manifest['metadata']): string[] {
	return (metadata as { finalizers?: string[] }).finalizers ?? [];
}

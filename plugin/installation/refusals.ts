import type { KubeObject, Pod } from '../../admission/api/kinds.ts';
import { printable } from '../../admission/api/printable.ts';
import { stateOf } from '../runners/state.ts';
import { type RunnersSet, refOf } from '../sets/api.ts';
import { shortName } from '../sets/names.ts';
import type { Manifest } from './manifest.ts';
import type { Remains } from './survey.ts';
import { keyOf, setKeyOf } from './takeover.ts';
import { isServer } from './transforms.ts';

const most = 3;

/**
 * Why uninstall must not continue, in at most three lines; undefined: it may. Deleting a custom resource definition
 * deletes its objects, and with them their runners and jobs. A set that is being deleted, and that our finalizer keeps
 * until its last job is done, would lose its jobs as well.
 */
export function uninstallRefusal(
	sets: readonly RunnersSet[],
	finalized: readonly Manifest[],
	pods: readonly Pod[],
	keepCrds: boolean,
	nowMs: number,
): string | undefined {
	const busyPods = pods.filter((pod) => stateOf(pod, nowMs) === 'busy');
	const busyOf = (set: RunnersSet) => busyPods.filter((pod) => setKeyOf(pod) === keyOf(set)).length;
	if (sets.length > 0 && !keepCrds) {
		const named = sets.map((set) => {
			const busy = busyOf(set);
			return `${shortName(refOf(set))} -n ${set.metadata.namespace}${busy > 0 ? ` (${busy} busy)` : ''}`;
		});
		return [
			`error: ${count(sets, 'set')} would be deleted with the custom resource definitions, and their runners with them: ${some(named)}`,
			'Drain and delete each first: kubectl runners drain runnerset/NAME -n NAMESPACE, then kubectl delete runnerset NAME',
			'Or keep sets, runners and definitions with --keep-crds',
		].join('\n');
	}
	const leaving = finalized.filter(({ metadata }) => metadata.deletionTimestamp !== undefined);
	const held = leaving.filter((object) => busyPods.some((pod) => belongsTo(pod, object)));
	if (held.length === 0) return undefined;
	const named = held.map(
		({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name} -n ${metadata.namespace}`,
	);
	return [
		`error: ${some(named)} ${held.length === 1 ? 'is' : 'are'} being deleted and waiting for the last job: uninstalling now would kill it`,
		'Wait for it (kubectl runners status -A), then uninstall',
	].join('\n');
}

/** A Runner and its pod have the same name; a pod of a set carries the set's label. */
function belongsTo(pod: Pod, { kind, metadata }: Manifest): boolean {
	if (kind === 'Runner')
		return pod.metadata.name === metadata.name && pod.metadata.namespace === metadata.namespace;
	return setKeyOf(pod) === `${kind}/${metadata.namespace}/${metadata.name}`;
}

/** Recorded deletions that would never be carried out; undefined: there are none. */
export function recordedWarning(recorded: readonly Pod[]): string | undefined {
	if (recorded.length === 0) return undefined;
	const named = recorded.map(({ metadata }) => `pod/${metadata.name} -n ${metadata.namespace}`);
	return `Warning: ${count(recorded, 'recorded deletion')} will no longer be carried out: ${some(named)}`;
}

/** Autoscalers that are deleted with their definition; undefined: there are none. */
export function autoscalersWarning(autoscalers: readonly KubeObject[]): string | undefined {
	if (autoscalers.length === 0) return undefined;
	const named = autoscalers.map(
		({ metadata }) => `horizontalrunnerautoscaler/${metadata.name} -n ${metadata.namespace}`,
	);
	return `Warning: ${count(autoscalers, 'autoscaler')} would be deleted with their definition: ${some(named)}`;
}

/** A leader renews its Lease every 2 s: after a renewal within this time it still runs. */
const leaseMs = 15_000;

/** A server outside of the cluster keeps running. It loses its rights, unless it uses another account than ours. */
export function serverWarning({ own, powers }: Remains, nowMs: number): string | undefined {
	const lease = own.find(({ kind }) => kind === 'Lease');
	const { holderIdentity, renewTime = '' } = (lease?.spec ?? {}) as {
		holderIdentity?: string;
		renewTime?: string;
	};
	const lives = holderIdentity && nowMs - Date.parse(renewTime) < leaseMs;
	if (!lives || powers.some(isServer)) return undefined;
	return `Warning: a server still runs outside of the cluster (${printable(holderIdentity)}): stop it`;
}

function count(list: readonly unknown[], what: string): string {
	return `${list.length} ${what}${list.length === 1 ? '' : 's'}`;
}

function some(named: readonly string[]): string {
	const more = named.length - most;
	return [...named.slice(0, most), ...(more > 0 ? [`${more} more`] : [])].join(', ');
}

import { arc } from '../../api/keys.ts';
import { type PersistentVolume, type RunnerSet, setKeys, type VolumeClaim } from '../../api/sets.ts';

/**
 * Whether the volumes of a set's ended runners are reused by later ones, as with ARC. Somebody who has chosen a policy for the
 * volume claims gets what StatefulSets do by it.
 */
export const reusesVolumes = ({ metadata, spec }: RunnerSet): boolean =>
	metadata.deletionTimestamp === undefined && spec.persistentVolumeClaimRetentionPolicy === undefined;

/**
 * Names of the StatefulSets of this set for which the volume claim can have been made, by its name TEMPLATE-STATEFULSET-0; none
 * if it is not of this set.
 */
export function statefulSetsOf({ metadata, spec }: RunnerSet, claim: VolumeClaim): string[] {
	const { name, namespace, labels } = claim.metadata;
	if (namespace !== metadata.namespace || labels?.[arc.runnerSet] !== metadata.name) return [];
	return (spec.volumeClaimTemplates ?? []).flatMap((template) => {
		const prefix = `${template.metadata?.name}-`;
		return name.startsWith(prefix) && name.endsWith('-0') && name.length > prefix.length + 2
			? [name.slice(prefix.length, -2)]
			: [];
	});
}

/**
 * What is done about the volume claim of a runner that is gone. The volume is marked before the claim is deleted, so that a
 * crash in between leaves no volume behind that nobody makes available.
 *
 * @param volume that the claim names; undefined: it names none, or it is gone
 */
export function claimStep(
	claim: VolumeClaim,
	volume: PersistentVolume | undefined,
): 'mark-volume' | 'delete-claim' {
	const { uid } = claim.metadata;
	const isBound = uid !== undefined && volume?.spec?.claimRef?.uid === uid;
	// With the policy Delete the cluster deletes the volume together with its data.
	if (!isBound || volume?.spec?.persistentVolumeReclaimPolicy !== 'Retain') return 'delete-claim';
	return volume.metadata.labels?.[setKeys.reusedFrom] === uid ? 'delete-claim' : 'mark-volume';
}

/**
 * What is done about a marked volume. Only where Kubernetes says that it is released of that very claim is it made available:
 * before that, the claim may still be used by a pod.
 */
export function volumeStep({ metadata, spec, status }: PersistentVolume): 'release' | 'unmark' | 'wait' {
	const mark = metadata.labels?.[setKeys.reusedFrom];
	if (spec?.claimRef?.uid === undefined || spec.claimRef.uid !== mark) return 'unmark';
	if (spec.persistentVolumeReclaimPolicy !== 'Retain') return 'unmark';
	return status?.phase === 'Released' ? 'release' : 'wait';
}

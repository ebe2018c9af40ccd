import type { ObjectMeta, OwnerReference, Pod } from '../../api/kinds.ts';
import type { PersistentVolumeClaim, StatefulSet } from '../../api/sets.ts';

/** Name of the one pod of a StatefulSet. */
export const podName = (statefulSet: string): string => `${statefulSet}-0`;

/** Label of a pod that holds the name of the revision it was made from. For DaemonSets it is only the hash in that name. */
export const revisionLabel = 'controller-revision-hash';

/** The owner reference that makes a StatefulSet the controller of an object. */
export const controllerReference = ({ metadata }: StatefulSet): OwnerReference => ({
	apiVersion: 'apps/v1',
	kind: 'StatefulSet',
	name: metadata.name,
	uid: metadata.uid ?? '',
	controller: true,
	blockOwnerDeletion: true,
});

/**
 * The pod of a StatefulSet of one replica, as the StatefulSet controller would make it (newStatefulSetPod in
 * pkg/controller/statefulset): it takes this one for its own and writes nothing. Without the label pod-name it would update
 * the pod once; with another volume in the place of a claim's it would try to for ever.
 *
 * @param made as the API server has answered it, with its defaults
 * @param revision name of its revision, see revisionOf
 */
export function podOf(made: StatefulSet, revision: string): Pod {
	const { metadata, spec } = made;
	const name = podName(metadata.name);
	const claimed = (spec.volumeClaimTemplates ?? []).map((template) => ({
		name: template.metadata?.name ?? '',
		persistentVolumeClaim: { claimName: claimName(template, metadata.name) },
	}));
	const others = (spec.template.spec?.volumes ?? []).filter(
		(volume) => !claimed.some((one) => one.name === volume.name),
	);
	const podSpec = {
		...spec.template.spec,
		hostname: name,
		subdomain: spec.serviceName || undefined,
		volumes: [...claimed, ...others],
	};
	return {
		apiVersion: 'v1',
		kind: 'Pod',
		metadata: {
			...spec.template.metadata,
			name,
			namespace: metadata.namespace,
			labels: {
				...spec.template.metadata?.labels,
				'statefulset.kubernetes.io/pod-name': name,
				'apps.kubernetes.io/pod-index': '0',
				[revisionLabel]: revision,
			},
			ownerReferences: [controllerReference(made)],
		},
		spec: podSpec as Pod['spec'],
	};
}

export type Claim = PersistentVolumeClaim & { metadata: ObjectMeta };

/**
 * The volume claims of its pod. The controller creates missing ones only before it creates the pod, or while the pod is
 * pending. One that is deleted with the StatefulSet has it as its controller; another owner reference would be replaced.
 */
export function claimsOf(made: StatefulSet): Claim[] {
	const { metadata, spec } = made;
	const goes = spec.persistentVolumeClaimRetentionPolicy?.whenDeleted === 'Delete';
	return (spec.volumeClaimTemplates ?? []).map((template) => ({
		apiVersion: 'v1',
		kind: 'PersistentVolumeClaim',
		metadata: {
			...template.metadata,
			name: claimName(template, metadata.name),
			namespace: metadata.namespace ?? '',
			labels: { ...template.metadata?.labels, ...spec.selector.matchLabels },
			...(goes ? { ownerReferences: [controllerReference(made)] } : {}),
		},
		spec: template.spec,
	}));
}

/** Name of a StatefulSet's claim. */
export const claimName = (template: PersistentVolumeClaim, statefulSet: string): string =>
	`${template.metadata?.name}-${podName(statefulSet)}`;

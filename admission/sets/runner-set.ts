import { arc } from '../api/keys.ts';
import { collectionPath, resources } from '../api/paths.ts';
import { type RunnerSet, setKeys, setKinds } from '../api/sets.ts';
import type { SetsCache } from '../cluster/sets-cache.ts';
import type { KubeClient } from '../kube/client.ts';
import { createObject } from '../kube/objects.ts';
import { type Creator, ownerReference, type SetKind } from './kind.ts';
import { runnerSetTemplate, type TemplateDefaults, templateHash } from './pod/template.ts';

/** The kind RunnerSet: each runner is a StatefulSet of one replica, so that its volumes can outlive it. */
export function runnerSets(
	client: KubeClient,
	cache: SetsCache,
	defaults: TemplateDefaults,
	now: () => number,
): SetKind<RunnerSet> {
	return {
		kind: 'RunnerSet',
		controller: 'runnerset',
		resource: setKinds.runnerSet,
		setLabel: arc.runnerSet,
		sets: cache.runnerSets,
		owners: cache.statefulSets,
		ownerResource: resources.statefulSets,
		podName: (owner) => `${owner}-0`,
		makesItsPod: true,
		config: ({ spec }) => spec,
		creator(set) {
			const layout = runnerSetTemplate(set, defaults);
			if (layout.kind === 'invalid') return layout;
			const { metadata, spec } = set;
			const hash = templateHash(set);
			const labels = { [arc.runnerSet]: metadata.name, [setKeys.templateHash]: hash };
			const create: Creator = async (name) => {
				const statefulSet = {
					apiVersion: 'apps/v1',
					kind: 'StatefulSet',
					metadata: {
						name,
						labels: { ...metadata.labels, ...labels },
						annotations: { [setKeys.syncTime]: new Date(now()).toISOString() },
						ownerReferences: [ownerReference(set, 'runnerSet')],
					},
					spec: {
						replicas: 1,
						selector: {
							...spec.selector,
							matchLabels: { ...spec.selector?.matchLabels, ...labels, [setKeys.injectToken]: 'true' },
						},
						template: layout.template,
						serviceName: spec.serviceName,
						volumeClaimTemplates: spec.volumeClaimTemplates,
						persistentVolumeClaimRetentionPolicy: spec.persistentVolumeClaimRetentionPolicy,
						// It has one pod, which is never updated: there is no order to keep, and no older revision.
						podManagementPolicy: 'Parallel',
						updateStrategy: { type: 'OnDelete' },
						revisionHistoryLimit: 0,
					},
				};
				const path = collectionPath(resources.statefulSets, metadata.namespace ?? '');
				await createObject(client, path, statefulSet);
			};
			return { create };
		},
	};
}

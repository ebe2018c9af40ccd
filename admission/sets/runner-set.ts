import { arc } from '../api/keys.ts';
import { resources } from '../api/paths.ts';
import { type RunnerSet, setKeys, setKinds } from '../api/sets.ts';
import { type Creator, type KindDependencies, ownerReference, type SetKind } from './kind.ts';
import { runnerSetTemplate } from './pod/template.ts';
import { createMissingPod, createWithPod } from './stateful-set/create.ts';
import { deleteDependents } from './stateful-set/delete-dependents.ts';
import { podName } from './stateful-set/objects.ts';

/** The kind RunnerSet: each runner is a StatefulSet of one replica, so that its volumes can outlive it. */
export function runnerSets({
	client,
	setsCache,
	templateDefaults,
	clock,
	inject,
}: KindDependencies): SetKind<RunnerSet> {
	return {
		kind: 'RunnerSet',
		controller: 'runnerset',
		resource: setKinds.runnerSet,
		setLabel: arc.runnerSet,
		sets: setsCache.runnerSets,
		owners: setsCache.statefulSets,
		ownerResource: resources.statefulSets,
		podName,
		createMissingPod: ({ metadata }, owner) =>
			createMissingPod(client, owner, metadata.namespace ?? '', inject),
		deleteDependents: (set, owner) => deleteDependents(client, set, owner),
		createsItsPod: true,
		config: ({ spec }) => spec,
		creator(set, hash) {
			const layout = runnerSetTemplate(set, templateDefaults, hash);
			if (layout.kind === 'invalid') return layout;
			const { metadata, spec } = set;
			const labels = { [arc.runnerSet]: metadata.name, [setKeys.templateHash]: hash };
			const create: Creator = (name) => {
				const statefulSet = {
					apiVersion: 'apps/v1',
					kind: 'StatefulSet',
					metadata: {
						name,
						labels: { ...metadata.labels, ...labels },
						annotations: { [setKeys.syncTime]: new Date(clock.now()).toISOString() },
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
						// It has one pod, which is never updated: there is no order to keep, and no older revision. With
						// RollingUpdate the controller would replace a pod that it takes for one of another revision.
						podManagementPolicy: 'Parallel',
						updateStrategy: { type: 'OnDelete' },
						revisionHistoryLimit: 0,
					},
				};
				return createWithPod(client, statefulSet, metadata.namespace ?? '', inject);
			};
			return { create };
		},
	};
}

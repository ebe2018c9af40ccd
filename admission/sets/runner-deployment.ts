import { arc } from '../api/keys.ts';
import { collectionPath, objectPath, resources } from '../api/paths.ts';
import { apiVersion, type Runner, type RunnerDeployment, setKeys, setKinds } from '../api/sets.ts';
import type { KubeClient } from '../kube/client.ts';
import { createObject, deleteUnlessChanged } from '../kube/objects.ts';
import { type Creator, type KindDependencies, ownerReference, type SetKind } from './kind.ts';
import { runnerTemplate } from './pod/template.ts';

/** The kind RunnerDeployment: each runner is a Runner object and a pod of the same name. */
export function runnerDeployments({
	client,
	setsCache,
	templateDefaults,
	clock,
	inject,
}: KindDependencies): SetKind<RunnerDeployment> {
	return {
		kind: 'RunnerDeployment',
		controller: 'runnerdeployment',
		resource: setKinds.runnerDeployment,
		setLabel: arc.runnerDeployment,
		sets: setsCache.runnerDeployments,
		owners: setsCache.runners,
		between: setsCache.runnerReplicaSets,
		ownerResource: setKinds.runner,
		podName: (owner) => owner,
		createsItsPod: false,
		config: ({ spec }) => spec.template.spec,
		creator(set, hash) {
			const { metadata, spec } = set;
			const namespace = metadata.namespace ?? '';
			const runner = {
				apiVersion,
				kind: setKinds.runner.kind,
				metadata: {
					name: '',
					namespace,
					labels: {
						...spec.template.metadata?.labels,
						[arc.runnerDeployment]: metadata.name,
						[setKeys.templateHash]: hash,
					},
					annotations: { ...spec.template.metadata?.annotations },
					ownerReferences: [ownerReference(set, 'runnerDeployment')],
				},
				spec: spec.template.spec,
			};
			const layout = runnerTemplate(runner, templateDefaults, 'spec.template.spec');
			if (layout.kind === 'invalid') return layout;
			const create: Creator = async (name) => {
				const annotations = {
					...runner.metadata.annotations,
					[setKeys.syncTime]: new Date(clock.now()).toISOString(),
				};
				const made = await createObject<Runner>(client, collectionPath(setKinds.runner, namespace), {
					...runner,
					metadata: { ...runner.metadata, name, annotations },
				});
				try {
					await createPod(client, made, layout.template, inject);
				} catch (error) {
					// A Runner without a pod would count as one that is still starting.
					const path = objectPath(setKinds.runner, { namespace, name });
					await deleteUnlessChanged(client, path, { preconditions: { uid: made.metadata.uid } });
					throw error;
				}
				return {};
			};
			return { create };
		},
	};
}

/** Creates the pod of a Runner. */
export async function createPod(
	client: KubeClient,
	{ metadata }: Runner,
	template: object,
	inject: KindDependencies['inject'],
): Promise<void> {
	const { name, namespace = '', uid = '' } = metadata;
	const { metadata: written = {}, ...rest } = template as { metadata?: object };
	const owner = {
		apiVersion,
		kind: setKinds.runner.kind,
		name,
		uid,
		controller: true,
		blockOwnerDeletion: true,
	};
	const pod = {
		apiVersion: 'v1',
		kind: 'Pod',
		...rest,
		metadata: { ...written, name, namespace, ownerReferences: [owner] },
	};
	await createObject(client, collectionPath(resources.pods, namespace), inject(pod));
}

import type { KubeObject } from '../api/kinds.ts';
import { objectPath, type Resource, resources } from '../api/paths.ts';
import { setKinds } from '../api/sets.ts';
import type { KubeClient } from '../kube/client.ts';
import { getObject } from '../kube/objects.ts';

/** The set that a pod's labels name, in the pod's own namespace. */
interface SetReference {
	kind: 'RunnerSet' | 'RunnerDeployment' | 'AutoscalingRunnerSet';
	namespace: string;
	name: string;
}

/** The set itself, as the owner of objects or the subject of Events. */
export type SetObject = KubeObject & { apiVersion: string; kind: string };

const setResources: Record<SetReference['kind'], Resource & { kind: string }> = {
	RunnerSet: setKinds.runnerSet,
	RunnerDeployment: setKinds.runnerDeployment,
	AutoscalingRunnerSet: { ...resources.autoscalingRunnerSets, kind: 'AutoscalingRunnerSet' },
};

/** As it is at the API server now, which is asked; undefined: there is none, or it is being deleted. */
export async function readSet(
	client: KubeClient,
	{ kind, namespace, name }: SetReference,
): Promise<SetObject | undefined> {
	const { apiVersion, ...resource } = setResources[kind];
	const found = await getObject(client, objectPath({ apiVersion, ...resource }, { namespace, name }));
	return found && !found.metadata.deletionTimestamp ? { ...found, apiVersion, kind } : undefined;
}

/** What is known of a set by its name alone, for where the API server cannot be asked. */
export const namedSet = ({ kind, namespace, name }: SetReference): SetObject => ({
	apiVersion: setResources[kind].apiVersion,
	kind,
	metadata: { namespace, name },
});

import { setTimeout as sleep } from 'node:timers/promises';
import { names } from '../../admission/api/keys.ts';
import { objectPath, resources } from '../../admission/api/paths.ts';
import { printable } from '../../admission/api/printable.ts';
import { readPath } from '../../admission/webhook/rules/caller-path.ts';
import { guardAnswers } from '../guard/probe.ts';
import type { KubeClient } from '../kube/client.ts';
import { isForbidden, unlessNotFound } from '../kube/failure.ts';
import { isWebhookConfiguration, type Manifest, nameOf } from './manifest.ts';
import type { Objects } from './objects.ts';
import { isServer } from './transforms.ts';

const lookEveryMs = 300;

interface Webhooks extends Manifest {
	webhooks?: { clientConfig: { caBundle?: string; service?: { path?: string } } }[];
}

interface Rollout extends Manifest {
	metadata: Manifest['metadata'] & { generation?: number };
	spec?: { replicas?: number };
	status?: { observedGeneration?: number; updatedReplicas?: number; availableReplicas?: number };
}

/** Waits until the API server serves the kinds. Throws after `withinMs`. */
export async function untilEstablished(
	api: Objects,
	crds: readonly Manifest[],
	withinMs: number,
): Promise<void> {
	const deadlineMs = Date.now() + withinMs;
	for (const crd of crds) {
		while (!isEstablished(await api.get(crd))) {
			if (Date.now() > deadlineMs) throw new Error(`${nameOf(crd)} is not served after ${withinMs / 1000} s`);
			await sleep(lookEveryMs);
		}
	}
}

function isEstablished(crd: Manifest | undefined): boolean {
	// Just after creation the conditions are null.
	const { conditions } = (crd?.status ?? {}) as { conditions?: { type: string; status: string }[] | null };
	return (conditions ?? []).some(({ type, status }) => type === 'Established' && status === 'True');
}

/**
 * What the guard still lacks, as text; undefined: it answers. Checks the Deployment, caBundle and paths, and then sends
 * a dry-run eviction of a pod that does not exist through the API server, which only the guard answers with a warning.
 */
export async function whatIsMissing(api: Objects, objects: readonly Manifest[]): Promise<string | undefined> {
	const deployment = objects.find(isServer);
	const rollout = deployment && ((await api.get(deployment)) as Rollout | undefined);
	if (deployment) {
		const missing = rolloutMissing(deployment, rollout);
		if (missing) return [missing, await podFailure(api, deployment)].filter(Boolean).join(': ');
	}
	for (const object of objects.filter(isWebhookConfiguration)) {
		const { webhooks = [] } = ((await api.get(object)) ?? {}) as Webhooks;
		if (webhooks.length === 0 || webhooks.some(({ clientConfig }) => !clientConfig.caBundle)) {
			return `no server has set the caBundle of ${nameOf(object)} yet`;
		}
		if (
			webhooks.some(({ clientConfig }) => clientConfig.service && !readPath(clientConfig.service.path ?? ''))
		) {
			return `no server has set the paths of ${nameOf(object)} yet`;
		}
	}
	return (await guardAnswers(api.client)) ? undefined : 'the API server does not reach the guard yet';
}

function rolloutMissing(deployment: Manifest, rollout: Rollout | undefined): string | undefined {
	const { updatedReplicas = 0, availableReplicas = 0, observedGeneration = 0 } = rollout?.status ?? {};
	const { replicas = 1 } = rollout?.spec ?? {};
	const isSeen = observedGeneration >= (rollout?.metadata.generation ?? 1);
	const ready = Math.min(updatedReplicas, availableReplicas);
	if (rollout && isSeen && ready >= replicas) return undefined;
	return `${nameOf(deployment)}: ${isSeen ? ready : 0} of ${replicas} replicas are ready`;
}

interface ServerPod extends Manifest {
	status?: {
		conditions?: { type: string; status: string; message?: string }[];
		containerStatuses?: { state?: { waiting?: { reason?: string; message?: string } } }[];
	};
}

/** Why a replica does not run, as Kubernetes reports it; undefined: not reported. */
async function podFailure(api: Objects, { metadata }: Manifest): Promise<string | undefined> {
	const pods = await api.resourceOf({ apiVersion: 'v1', kind: 'Pod' });
	if (!pods) return undefined;
	const { namespace } = metadata;
	const found = await api.list(pods, { namespace, labelSelector: `app.kubernetes.io/name=${names.server}` });
	for (const { status } of found as ServerPod[]) {
		const unscheduled = status?.conditions?.find(
			(one) => one.type === 'PodScheduled' && one.status === 'False',
		);
		const waiting = status?.containerStatuses?.find(({ state }) => state?.waiting?.message)?.state?.waiting;
		const why = waiting ? `${waiting.reason}: ${waiting.message}` : unscheduled?.message;
		if (why) return printable(why);
	}
	return undefined;
}

/** How to create the credentials; undefined if they exist, or if the user may not read them. */
export async function credentialsHint(
	client: KubeClient,
	namespace: string,
	secret: string,
): Promise<string | undefined> {
	try {
		const path = objectPath(resources.secrets, { namespace, name: secret });
		if ((await unlessNotFound(client.call('GET', path))) !== undefined) return undefined;
	} catch (error) {
		if (isForbidden(error)) return undefined;
		throw error;
	}
	return `${names.server} has no GitHub credentials yet, and denies the deletion of every running runner: kubectl create secret generic ${secret} -n ${namespace} --from-literal=github_token=TOKEN (or ARC's github_app_* keys)`;
}

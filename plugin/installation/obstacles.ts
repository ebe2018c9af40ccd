import type { KubeObject } from '../../admission/api/kinds.ts';
import { collectionPath, type Resource, resources } from '../../admission/api/paths.ts';
import { group } from '../../admission/api/sets.ts';
import type { KubeClient } from '../kube/client.ts';

/** What keeps our reconcilers from taking ARC's place, and the command that ends it. */
export interface Obstacle {
	what: string;
	remedy: string;
}

export interface ArcDeployment extends KubeObject {
	spec: { replicas?: number; template: { spec: { containers: { image?: string; command?: string[] }[] } } };
}

export interface ArcWebhooks extends KubeObject {
	kind: 'ValidatingWebhookConfiguration' | 'MutatingWebhookConfiguration';
	webhooks?: { name: string }[];
}

/** Image of ARC's legacy controllers. gha-runner-scale-set-controller is another one, which does no harm. */
const arcImage = /(^|\/)actions-runner-controller(-canary)?([:@]|$)/;

export const webhookServerCommand = '/github-webhook-server';

/** The same image also runs these, which only forward events and figures. */
const harmless = [webhookServerCommand, '/actions-metrics-server'];

/**
 * Two reconcilers for the same sets would each create what the other deletes, and ARC's webhooks, once nobody answers
 * them, refuse every runner pod. ARC's chart 0.23: command /manager; webhooks like mutate.runner.actions.summerwind.dev.
 */
export function obstacles(
	deployments: readonly ArcDeployment[],
	webhooks: readonly ArcWebhooks[],
): Obstacle[] {
	const controllers = deployments.filter(
		({ spec }) => spec.replicas !== 0 && spec.template.spec.containers.some(isArcController),
	);
	const configurations = webhooks.filter((one) =>
		(one.webhooks ?? []).some(({ name }) => name.endsWith(`.${group}`)),
	);
	return [
		...controllers.map(({ metadata: { name, namespace } }) => ({
			what: `deployment/${name} (namespace ${namespace}) runs actions-runner-controller`,
			remedy: `kubectl scale deployment ${name} -n ${namespace} --replicas=0`,
		})),
		...configurations.map(({ kind, metadata: { name } }) => ({
			what: `${kind.toLowerCase()}/${name} is actions-runner-controller's`,
			remedy: `kubectl delete ${kind.toLowerCase()} ${name}`,
		})),
	];
}

function isArcController({ image = '', command = [] }: { image?: string; command?: string[] }): boolean {
	return arcImage.test(image) && !command.some((word) => harmless.includes(word));
}

export function listDeployments(client: KubeClient): Promise<ArcDeployment[]> {
	return list<ArcDeployment>(client, resources.deployments);
}

async function list<T>(client: KubeClient, resource: Resource): Promise<T[]> {
	return (await client.json<{ items: T[] }>('GET', collectionPath(resource))).items;
}

export async function findObstacles(
	client: KubeClient,
	deployments: readonly ArcDeployment[],
): Promise<Obstacle[]> {
	const [validating, mutating] = await Promise.all([
		list<ArcWebhooks>(client, resources.validatingWebhooks),
		list<ArcWebhooks>(client, resources.mutatingWebhooks),
	]);
	return obstacles(deployments, [
		...validating.map((one) => ({ ...one, kind: 'ValidatingWebhookConfiguration' as const })),
		...mutating.map((one) => ({ ...one, kind: 'MutatingWebhookConfiguration' as const })),
	]);
}

/** The refusal, in three lines: what is in the way, and the two ways to go on. */
export function refusal(found: readonly Obstacle[]): string {
	const [first, ...more] = found.map(({ what }) => what);
	return [
		`error: ${first}${more.length > 0 ? ` (and ${more.length} more)` : ''}: two controllers would manage the same runners`,
		`To guard beside it: kubectl runners install --mode guard-only`,
		`To take its place: ${found.map(({ remedy }) => remedy).join('; ')}`,
	].join('\n');
}

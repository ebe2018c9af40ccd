import type { KubeObject } from '../../admission/api/kinds.ts';
import { collectionPath, type Resource, resources } from '../../admission/api/paths.ts';
import { group } from '../../admission/api/sets.ts';
import type { KubeClient } from '../kube/client.ts';

/** What prevents our controllers from taking over from ARC, and the command that removes it. */
interface Obstacle {
	what: string;
	remedy: string;
}

export interface ArcDeployment extends KubeObject {
	spec: { replicas?: number; template: { spec: { containers: { image?: string; command?: string[] }[] } } };
}

interface ArcWebhooks extends KubeObject {
	kind: 'ValidatingWebhookConfiguration' | 'MutatingWebhookConfiguration';
	webhooks?: { name: string }[];
}

/** Image of ARC's legacy controllers. gha-runner-scale-set-controller is another image, and no obstacle. */
const arcImage = /(^|\/)actions-runner-controller(-canary)?([:@]|$)/;

export const webhookServerCommand = '/github-webhook-server';

/** The same image also runs these programs, which only forward events and metrics. */
const harmless = [webhookServerCommand, '/actions-metrics-server'];

/**
 * Two controllers for the same sets would each create what the other deletes, and ARC's webhooks refuse every runner
 * pod once ARC no longer answers them. ARC's chart 0.23: command /manager; webhooks like
 * mutate.runner.actions.summerwind.dev.
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
			what: `${kind.toLowerCase()}/${name} belongs to actions-runner-controller`,
			remedy: `kubectl delete ${kind.toLowerCase()} ${name}`,
		})),
	];
}

function isArcController({ image = '', command = [] }: { image?: string; command?: string[] }): boolean {
	return arcImage.test(image) && !command.some((arg) => harmless.includes(arg));
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

/** The error, in three lines: what is in the way, and the two ways to continue. */
export function refusal(found: readonly Obstacle[]): string {
	const [first, ...more] = found.map(({ what }) => what);
	return [
		`error: ${first}${more.length > 0 ? ` (and ${more.length} more)` : ''}: two controllers would manage the same runners`,
		`To guard alongside it: kubectl runners install --mode guard-only`,
		`To take its place: ${found.map(({ remedy }) => remedy).join('; ')}`,
	].join('\n');
}

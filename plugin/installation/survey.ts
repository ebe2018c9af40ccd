import { autoscaleKinds } from '../../admission/api/autoscale.ts';
import { names } from '../../admission/api/keys.ts';
import type { KubeObject, Pod } from '../../admission/api/kinds.ts';
import { group, setKeys } from '../../admission/api/sets.ts';
import { mapLimited } from '../kube/limited.ts';
import { listPods } from '../kube/pods.ts';
import { deletionRecord } from '../runners/state.ts';
import { allSets, type RunnersSet, UnknownKindError } from '../sets/api.ts';
import { kinds } from '../sets/names.ts';
import { groupOf, isOurCrd, isWebhookConfiguration, keyOf, type Manifest } from './manifest.ts';
import type { Objects, ServedResource } from './objects.ts';
import { findOurs, labelled } from './obsolete.ts';
import type { Overlays } from './overlays.ts';
import { findAutoscalers } from './takeover.ts';
import { isEmpty, tracesOn } from './traces.ts';

const backstops: readonly string[] = Object.values(names.backstops);

/** Everything that an installation has left in a cluster. */
export interface Remains {
	webhooks: Manifest[];
	/** Workloads, rights and bindings of policies. Removed first, so that nothing writes again, or keeps, what is being removed. */
	powers: Manifest[];
	others: Manifest[];
	crds: Manifest[];
	namespace: Manifest | undefined;
	/** Secrets, ConfigMaps and Leases that the server created for itself. */
	own: Manifest[];
	/** Runner pods on which the server may have written. */
	pods: Pod[];
	recorded: Pod[];
	/** All sets, if their kinds are ours. */
	sets: RunnersSet[];
	/** All HorizontalRunnerAutoscalers, if their kind is ours. */
	autoscalers: KubeObject[];
	/** In the runners' namespaces. */
	budgets: Manifest[];
	tokens: Manifest[];
}

const powerKinds = [
	'Deployment',
	'ClusterRoleBinding',
	'RoleBinding',
	'ValidatingAdmissionPolicyBinding',
	'MutatingAdmissionPolicyBinding',
];
const core = (kind: string) => ({ apiVersion: 'v1', kind });
const budget = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget' };
const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };

export async function survey(api: Objects, overlays: Overlays, namespace: string): Promise<Remains> {
	const [ofOverlays, webhooks, inNamespace, { pods }, budgets, tokens, own] = await Promise.all([
		findOurs(api, overlays, namespace),
		webhooksByName(api),
		api.namespacedResources().then((resources) => labelled(api, resources.filter(isWorthListing), namespace)),
		listPods(api.client, {}),
		list(api, budget, { labelSelector: `app.kubernetes.io/managed-by=${names.server}` }),
		list(api, core('Secret'), { labelSelector: `${setKeys.tokenSecretMark}=true` }),
		ownObjects(api, namespace),
	]);
	const unique = new Map(
		[...webhooks, ...ofOverlays, ...inNamespace].map((object) => [keyOf(object), object]),
	);
	// What controllers created for our objects (pods, slices) is deleted with them.
	const ours = [...unique.values()].filter(({ metadata }) => metadata.ownerReferences === undefined);
	const crds = ours.filter(isOurCrd);
	const isApart = (object: Manifest) =>
		isOurCrd(object) || object.kind === 'Namespace' || isWebhookConfiguration(object);
	const rest = ours.filter((object) => !isApart(object));
	return {
		webhooks: ours.filter(isWebhookConfiguration),
		powers: rest.filter(({ kind }) => powerKinds.includes(kind)),
		others: rest.filter(({ kind }) => !powerKinds.includes(kind)),
		crds,
		namespace: ours.find(({ kind }) => kind === 'Namespace'),
		own,
		pods: pods.filter((pod) => !isEmpty(tracesOn(pod))),
		recorded: pods.filter(deletionRecord),
		sets: crds.length > 0 ? await setsOf(api) : [],
		autoscalers: crds.length > 0 ? await findAutoscalers(api.client) : [],
		budgets: budgets.filter(({ metadata }) => backstops.includes(metadata.name)),
		tokens,
	};
}

/** Whether there is nothing to remove. Definitions that are to be kept do not count. */
export function isNothing(remains: Remains, keepCrds: boolean): boolean {
	const { webhooks, powers, others, own, crds, pods, budgets, tokens } = remains;
	const lists = [webhooks, powers, others, own, keepCrds ? [] : crds, pods, budgets, tokens];
	return remains.namespace === undefined && lists.every((objects) => objects.length === 0);
}

/** Found by name, in case their labels were changed: left behind, they would block evictions of other pods. */
async function webhooksByName(api: Objects): Promise<Manifest[]> {
	const found = await Promise.all(
		['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'].map((kind) =>
			api.get({ apiVersion: 'admissionregistration.k8s.io/v1', kind, metadata: { name: names.server } }),
		),
	);
	return found.filter((object) => object !== undefined);
}

async function setsOf(api: Objects): Promise<RunnersSet[]> {
	try {
		return await allSets(api.client, kinds, {});
	} catch (error) {
		if (error instanceof UnknownKindError) return [];
		throw error;
	}
}

/** What the server created for itself, found by name. The Secret with the credentials is the user's. */
async function ownObjects(api: Objects, namespace: string): Promise<Manifest[]> {
	const lists = await Promise.all(
		[core('Secret'), core('ConfigMap'), lease].map((kind) => list(api, kind, { namespace })),
	);
	return lists
		.flat()
		.filter(({ metadata: { name } }) => name === names.server || name.startsWith(`${names.server}-`));
}

async function list(
	api: Objects,
	kind: Pick<Manifest, 'apiVersion' | 'kind'>,
	query: { namespace?: string; labelSelector?: string },
): Promise<Manifest[]> {
	const resource = await api.resourceOf(kind);
	return resource ? api.list(resource, query) : [];
}

/** Events expire, Endpoints belong to their Service (and listing them is deprecated), and metrics are not stored. */
function isWorthListing({ apiVersion, kind }: ServedResource): boolean {
	return kind !== 'Event' && kind !== 'Endpoints' && !apiVersion.startsWith('metrics.k8s.io/');
}

/** What else is in the namespace, as `kind/name`. The namespace is deleted only if there is nothing else. */
export async function foreignObjects(api: Objects, namespace: string, remains: Remains): Promise<string[]> {
	const resources = (await api.namespacedResources()).filter(isWorthListing);
	const lists = await mapLimited(resources, (resource) => api.list(resource, { namespace }));
	const { powers, others, own, tokens, budgets } = remains;
	const ours = new Set([...powers, ...others, ...own, ...tokens, ...budgets].map(keyOf));
	return lists
		.flat()
		.filter((object) => !ours.has(keyOf(object)) && isForeign(object))
		.map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`);
}

/** Kubernetes creates these in every namespace. */
const everywhere = ['ConfigMap/kube-root-ca.crt', 'ServiceAccount/default'];

function isForeign({ apiVersion, kind, metadata }: Manifest): boolean {
	// WorkflowJobs of the server are deleted with the namespace.
	if (kind === autoscaleKinds.workflowJob.kind && groupOf(apiVersion) === group) return false;
	if (everywhere.includes(`${kind}/${metadata.name}`)) return false;
	// Already terminating: dependents of what was deleted, and pods that still have to stop.
	return metadata.ownerReferences === undefined && metadata.deletionTimestamp === undefined;
}

import type { AuditEvent } from '../cluster/audit.ts';
import type { Kube } from '../sim/kube.ts';

/** One verb on one resource, that a role gives. */
interface Grant {
	role: string;
	/** Of a Role; undefined: in every namespace. */
	namespace: string | undefined;
	verb: string;
	/** `pods`, `pods/status`, `statefulsets.apps`, `runnersets.actions.summerwind.dev/status`. */
	resource: string;
	/** Only objects of these names; undefined: all. */
	names: string[] | undefined;
}

/** One thing that was done with it. */
type Use = Pick<Grant, 'verb' | 'resource' | 'namespace'> & { name: string | undefined };

interface Binding {
	roleRef: { kind: 'ClusterRole' | 'Role'; name: string };
	subjects?: { kind: string; name: string; namespace?: string }[];
	metadata: { namespace?: string };
}

interface Rule {
	apiGroups?: string[];
	resources?: string[];
	resourceNames?: string[];
	verbs: string[];
}

const rbac = '/apis/rbac.authorization.k8s.io/v1';

/** Every grant that a service account has by its own name, one by one; not those of the groups it is in. */
export async function grantsOf(kube: Kube, namespace: string, name: string): Promise<Grant[]> {
	const isBound = ({ subjects = [] }: Binding) =>
		subjects.some((one) => one.kind === 'ServiceAccount' && one.name === name && one.namespace === namespace);
	const lists = await Promise.all(
		['clusterrolebindings', 'rolebindings'].map((list) => kube.get<{ items: Binding[] }>(`${rbac}/${list}`)),
	);
	const bindings = lists.flatMap(({ items }) => items.filter(isBound));
	const grants = bindings.map(async ({ roleRef, metadata }) => {
		const at = roleRef.kind === 'Role' ? `namespaces/${metadata.namespace}/roles` : 'clusterroles';
		const { rules } = await kube.get<{ rules: Rule[] }>(`${rbac}/${at}/${roleRef.name}`);
		return rules.flatMap((rule) =>
			expand(rule).map((grant) => ({ role: roleRef.name, namespace: metadata.namespace, ...grant })),
		);
	});
	return (await Promise.all(grants)).flat();
}

function expand({ apiGroups = [], resources = [], resourceNames, verbs }: Rule) {
	return apiGroups.flatMap((group) =>
		resources.flatMap((resource) =>
			verbs.map((verb) => ({ verb, resource: inGroup(resource, group), names: resourceNames })),
		),
	);
}

/** What a request needed; none for one about no resource. */
export function usesOf({ verb, objectRef, responseStatus }: AuditEvent): Use[] {
	if (!objectRef) return [];
	const { apiGroup, resource, subresource, namespace, name } = objectRef;
	const path = subresource ? `${resource}/${subresource}` : resource;
	const use = { verb, resource: inGroup(path, apiGroup ?? ''), namespace, name };
	// A server-side apply of what is not there yet is authorised as a creation too, and answered with 201.
	return verb === 'patch' && responseStatus?.code === 201 ? [use, { ...use, verb: 'create' }] : [use];
}

/** The most special grant that allows this: a Role before a ClusterRole. */
export function grantFor(use: Use, grants: Grant[]): Grant | undefined {
	const covers = ({ namespace, verb, resource, names }: Grant) =>
		(namespace === undefined || namespace === use.namespace) &&
		verb === use.verb &&
		resource === use.resource &&
		(names === undefined || (use.name !== undefined && names.includes(use.name)));
	const fitting = grants.filter(covers);
	return fitting.find(({ namespace }) => namespace) ?? fitting[0];
}

/** `runners-admission-leader: delete pods` */
export function describeGrant({ role, verb, resource, names }: Grant): string {
	return `${role}: ${verb} ${resource}${names ? ` ${names.join()}` : ''}`;
}

function inGroup(path: string, group: string): string {
	const [resource, ...sub] = path.split('/');
	return [group ? `${resource}.${group}` : resource, ...sub].join('/');
}

import { isCrd, isWebhookConfiguration, type Manifest } from './manifest.ts';

/** Objects are applied phase by phase; each needs what is in those before it. */
interface Phases {
	namespaces: Manifest[];
	/** After these, install waits until the API server serves them. */
	crds: Manifest[];
	others: Manifest[];
	/** Applied last, because from then on the API server asks the guard. */
	webhooks: Manifest[];
}

/** Kinds that others depend on come first, in this order; workloads come last. */
const early = ['ServiceAccount', 'ResourceQuota', 'ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding'];
const late = ['Deployment'];

export function inPhases(objects: readonly Manifest[]): Phases {
	const phases: Phases = { namespaces: [], crds: [], others: [], webhooks: [] };
	for (const object of objects) {
		if (object.kind === 'Namespace') phases.namespaces.push(object);
		else if (isCrd(object)) phases.crds.push(object);
		else if (isWebhookConfiguration(object)) phases.webhooks.push(object);
		else phases.others.push(object);
	}
	phases.others.sort((left, right) => rank(left) - rank(right));
	return phases;
}

/** All of them, in the order in which they are applied. */
export function inOrder(objects: readonly Manifest[]): Manifest[] {
	const { namespaces, crds, others, webhooks } = inPhases(objects);
	return [...namespaces, ...crds, ...others, ...webhooks];
}

function rank({ kind }: Manifest): number {
	if (early.includes(kind)) return early.indexOf(kind);
	return early.length + 1 + late.indexOf(kind);
}

import type { KubeObject } from '../../../admission/api/kinds.ts';
import type { Facts, LabelSelector, Webhook } from './facts.ts';

/**
 * Whether a label selector matches, by the API server's rules: all requirements must match, and an empty selector
 * matches everything.
 */
export function selects(selector: LabelSelector | undefined, labels: Record<string, string>): boolean {
	const pairs = Object.entries(selector?.matchLabels ?? {});
	if (pairs.some(([key, value]) => labels[key] !== value)) return false;
	return (selector?.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
		const value = labels[key];
		switch (operator) {
			case 'In':
				return value !== undefined && values.includes(value);
			case 'NotIn':
				return value === undefined || !values.includes(value);
			case 'Exists':
				return value !== undefined;
			case 'DoesNotExist':
				return value === undefined;
			default:
				return false; // the API server accepts no other operator
		}
	});
}

/** Whether the webhook reviews requests in the namespace. */
export function watches(webhook: Webhook, namespace: string, namespaces: Facts['namespaces']): boolean {
	// The API server puts this label on every namespace. It is all we know if namespaces may not be read.
	const named = { 'kubernetes.io/metadata.name': namespace };
	const found = namespaces.kind === 'found' ? namespaces.value.find(isNamed(namespace)) : undefined;
	return selects(webhook.namespaceSelector, { ...named, ...found?.metadata.labels });
}

const isNamed =
	(name: string) =>
	({ metadata }: KubeObject): boolean =>
		metadata.name === name;

import { evictions, names } from '../../../../admission/api/keys.ts';
import type { Check, Facts } from '../facts.ts';
import { count } from '../finding.ts';
import { layoutOf } from '../layouts.ts';
import { failClosedWebhook } from '../shipped.ts';

const label = `${evictions.label}=${evictions.failClosed}`;

/** Namespaces whose pods cannot be evicted while no replica answers, and those that could be labelled so. */
export const failClosed: Check = (facts) => {
	const check = 'fail-closed';
	const { pods, namespaces, validating, sharedNamespaces } = facts;
	if (pods.kind !== 'found' || namespaces.kind !== 'found') return undefined; // the check "runner-pods" says so
	const labelled = namespaces.value
		.filter(({ metadata }) => metadata.labels?.[evictions.label] === evictions.failClosed)
		.map(({ metadata }) => metadata.name);
	const webhooks = validating.kind === 'found' ? (validating.value.webhooks ?? []) : undefined;
	if (labelled.length > 0 && webhooks && !webhooks.some(({ name }) => name === failClosedWebhook)) {
		return {
			check,
			level: 'error',
			message: `the webhook ${failClosedWebhook} is missing: it does not review evictions in ${count(labelled.length, 'namespace')} with the label ${label}`,
			details: labelled,
			advice: ['kubectl runners install restores it'],
		};
	}
	const shared = labelled.filter((name) => sharedNamespaces.includes(name));
	if (shared.length > 0) {
		return {
			check,
			level: 'warning',
			message: `${count(shared.length, 'namespace')} with the label ${label} ${shared.length === 1 ? 'contains' : 'contain'} pods other than runners, which cannot be evicted while no replica answers`,
			details: shared,
			advice: ['move the runners to a namespace of their own, or remove the label: see docs/operations.md'],
		};
	}
	const candidates = runnersOnly(facts).filter((name) => !labelled.includes(name));
	const message = `evictions fail closed in ${count(labelled.length, 'namespace')}`;
	if (candidates.length === 0) return { check, level: 'ok', message };
	return {
		check,
		level: 'ok',
		message: `${message}; ${count(candidates.length, 'more contains', 'more contain')} only runners`,
		details: candidates,
		advice: [
			`to prevent evictions there while no replica answers: kubectl label namespace NAME ${label} (for the drawback, see docs/operations.md)`,
		],
	};
};

/** Namespaces in which every pod is a runner. */
function runnersOnly({ pods, sharedNamespaces }: Facts): string[] {
	if (pods.kind !== 'found') return [];
	const used = pods.value
		.filter((pod) => layoutOf(pod)?.kind !== 'unknown')
		.map(({ metadata }) => metadata.namespace ?? '');
	return [...new Set(used)]
		.filter((name) => name !== names.namespace && !sharedNamespaces.includes(name))
		.sort();
}

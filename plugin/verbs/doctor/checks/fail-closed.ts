import { evictions, names } from '../../../../admission/api/keys.ts';
import type { Check, Facts } from '../facts.ts';
import { count } from '../finding.ts';
import { layoutOf } from '../layouts.ts';
import { failClosedWebhook } from '../shipped.ts';

const label = `${evictions.label}=${evictions.failClosed}`;

/** Namespaces whose pods cannot be evicted while no replica answers, and those for which that would be right. */
export const failClosed: Check = (facts) => {
	const check = 'fail-closed';
	const { pods, namespaces, validating, sharedNamespaces } = facts;
	if (pods.kind !== 'found' || namespaces.kind !== 'found') return undefined; // told by "runner-pods"
	const labelled = namespaces.value
		.filter(({ metadata }) => metadata.labels?.[evictions.label] === evictions.failClosed)
		.map(({ metadata }) => metadata.name);
	const webhooks = validating.kind === 'found' ? (validating.value.webhooks ?? []) : undefined;
	if (labelled.length > 0 && webhooks && !webhooks.some(({ name }) => name === failClosedWebhook)) {
		return {
			check,
			level: 'error',
			message: `the webhook ${failClosedWebhook} is missing: evictions are not asked about in ${count(labelled.length, 'namespace')} with the label ${label}`,
			details: labelled,
			advice: ['kubectl runners install puts it back as shipped'],
		};
	}
	const shared = labelled.filter((name) => sharedNamespaces.includes(name));
	if (shared.length > 0) {
		return {
			check,
			level: 'warning',
			message: `${count(shared.length, 'namespace')} with the label ${label} ${shared.length === 1 ? 'holds' : 'hold'} other pods than runners: while no replica answers, none of them can be evicted`,
			details: shared,
			advice: ['move the runners to a namespace of their own, or take the label away: docs/operations.md'],
		};
	}
	const candidates = runnersOnly(facts).filter((name) => !labelled.includes(name));
	const message = `evictions fail closed in ${count(labelled.length, 'namespace')}`;
	if (candidates.length === 0) return { check, level: 'ok', message };
	return {
		check,
		level: 'ok',
		message: `${message}; ${count(candidates.length, 'more holds', 'more hold')} runners only`,
		details: candidates,
		advice: [
			`so that no job is evicted there while no replica answers: kubectl label namespace NAME ${label} (what it costs: docs/operations.md)`,
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

import { failClosedLabel } from '../../../evictions/label.ts';
import { failClosedNamespaces, othersText, runnersOnly, someOf } from '../../../evictions/occupants.ts';
import type { Check } from '../facts.ts';
import { count } from '../finding.ts';
import { failClosedWebhook } from '../shipped.ts';

/** Number of namespaces that are named, here and in the command to type. */
const mostNamed = 10;

/** Namespaces whose pods cannot be evicted while no replica answers, and those that could be labelled so. */
export const failClosed: Check = ({ namespace, pods, namespaces, validating, occupants }) => {
	const check = 'fail-closed';
	if (pods.kind !== 'found' || namespaces.kind !== 'found') return undefined; // the check "runner-pods" says so
	const labelled = failClosedNamespaces(namespaces.value);
	const webhooks = validating.kind === 'found' ? (validating.value.webhooks ?? []) : undefined;
	if (labelled.length > 0 && webhooks && !webhooks.some(({ name }) => name === failClosedWebhook)) {
		return {
			check,
			level: 'error',
			message: `the webhook ${failClosedWebhook} is missing: it does not review evictions in ${count(labelled.length, 'namespace')} with the label ${failClosedLabel}`,
			details: atMost(labelled),
			advice: ['kubectl runners install restores it'],
		};
	}
	const candidates = runnersOnly(occupants, namespaces.value, namespace);
	const offer =
		candidates.length > 0
			? [
					`to prevent evictions there while no replica answers: ${protect(candidates)} (for the drawback, see docs/operations.md)`,
				]
			: [];
	const shared = labelled.flatMap((name) => {
		const here = occupants.get(name);
		return here && here.others.size > 0 ? [{ name, text: `${name}: ${othersText(here)}` }] : [];
	});
	const more = count(candidates.length, 'more contains', 'more contain');
	if (shared.length > 0) {
		const names = shared.map(({ name }) => name);
		return {
			check,
			level: 'warning',
			message: `${count(shared.length, 'namespace')} with the label ${failClosedLabel} ${shared.length === 1 ? 'contains' : 'contain'} pods other than runners, which cannot be evicted while no replica answers`,
			details: [
				...atMost(shared.map(({ text }) => text)),
				...(candidates.length > 0 ? [`${more} only runners: ${someOf(candidates, mostNamed)}`] : []),
			],
			advice: [
				`move the runners to a namespace of their own, or remove the label: ${protect(names)} --off`,
				...offer,
			],
		};
	}
	const message = `evictions fail closed in ${count(labelled.length, 'namespace')}`;
	if (candidates.length === 0) return { check, level: 'ok', message };
	return {
		check,
		level: 'ok',
		message: `${message}; ${more} only runners`,
		details: atMost(candidates),
		advice: offer,
	};
};

const protect = (names: readonly string[]) =>
	`kubectl runners protect ${names.slice(0, mostNamed).join(' ')}`;

const atMost = (lines: readonly string[]): string[] =>
	lines.length <= mostNamed
		? [...lines]
		: [...lines.slice(0, mostNamed), `and ${lines.length - mostNamed} more`];

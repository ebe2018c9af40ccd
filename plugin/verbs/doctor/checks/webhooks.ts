import { guardWebhook } from '../../../../admission/api/keys.ts';
import { type Check, type Facts, notMade } from '../facts.ts';
import { count } from '../finding.ts';
import { consequences, hooksWebhook, shippedPolicies, unknownWebhook } from '../shipped.ts';

type Kind = keyof typeof shippedPolicies;

const install = 'kubectl runners install restores them';

/** Whether any part of the guard is installed. */
export function isInstalled({ validating, lease, report }: Facts): boolean {
	return [validating, lease, report].some(({ kind }) => kind !== 'not-found');
}

export const present: Check = (facts) => {
	const check = 'webhooks';
	const { validating, mutating } = facts;
	if (validating.kind === 'forbidden' || validating.kind === 'failed') return notMade(check, validating);
	if (validating.kind === 'not-found') {
		return {
			check,
			level: 'error',
			message: 'the ValidatingWebhookConfiguration runners-admission is missing: runner pods are unguarded',
			details: unguardedTime(facts),
			advice: [install],
		};
	}
	const missing = (['validating', 'mutating'] as const).flatMap((kind) => {
		const configuration = facts[kind];
		if (configuration.kind === 'forbidden' || configuration.kind === 'failed') return [];
		const has = new Set(namesIn(configuration));
		const wanted = kind === 'mutating' && !managesSets(facts) ? [unknownWebhook] : shipped(kind);
		return wanted.filter((name) => !has.has(name)).map((name) => `${name} (${kind})`);
	});
	if (missing.length > 0) {
		const isGuard = missing.includes(`${guardWebhook} (validating)`);
		return {
			check,
			level: isGuard ? 'error' : 'warning',
			message: isGuard
				? `the webhook ${guardWebhook} is missing: runner pods are unguarded`
				: `${count(missing.length, 'webhook')} missing`,
			details: missing,
			advice: [install],
		};
	}
	const all = [validating, mutating].flatMap((one) =>
		one.kind === 'found' ? (one.value.webhooks ?? []) : [],
	);
	return { check, level: 'ok', message: `${count(all.length, 'webhook')} registered` };
};

/** Whether the controllers of sets are installed, by the webhooks that only they have. */
export const managesSets = ({ mutating }: Pick<Facts, 'mutating'>): boolean =>
	namesIn(mutating).some((name) => name !== unknownWebhook && name !== hooksWebhook);

const namesIn = (configuration: Facts['validating']): string[] =>
	configuration.kind === 'found' ? (configuration.value.webhooks ?? []).map(({ name }) => name) : [];

const shipped = (kind: Kind): string[] => Object.keys(shippedPolicies[kind]);

/** A webhook that ignores failures protects nothing while no replica answers (H2). */
export const failurePolicies: Check = (facts) => {
	const check = 'failure-policy';
	const changed = (['validating', 'mutating'] as const).flatMap((kind) => differing(kind, facts[kind]));
	if (facts.validating.kind !== 'found') return undefined; // the check "webhooks" says so
	if (changed.length === 0) {
		const details = unguardedTime(facts);
		return { check, level: 'ok', message: `${guardWebhook}: Fail; the others are unchanged`, details };
	}
	const guard = changed.some(({ kind, name }) => kind === 'validating' && name === guardWebhook);
	return {
		check,
		level: guard ? 'error' : 'warning',
		message: guard
			? `${guardWebhook} has failurePolicy Ignore: runner pods are unguarded while no replica answers`
			: `${count(changed.length, 'webhook')} with a changed failurePolicy`,
		details: [
			...changed.map(({ kind, name, found, shipped }) => {
				const then = consequences[`${kind} ${name}`] ?? '';
				return `${kind} ${name} has ${found} in place of ${shipped}: ${then}`;
			}),
			...unguardedTime(facts),
		],
		advice: [install],
	};
};

function differing(kind: Kind, configuration: Facts['validating']) {
	if (configuration.kind !== 'found') return [];
	const policies: Record<string, string> = shippedPolicies[kind];
	return (configuration.value.webhooks ?? []).flatMap(({ name, failurePolicy: found = 'Fail' }) => {
		const shipped = policies[name];
		return shipped === undefined || shipped === found ? [] : [{ kind, name, found, shipped }];
	});
}

function unguardedTime({ report }: Facts): string[] {
	const seconds = report.kind === 'found' ? report.value.guard.unguardedSeconds : 0;
	return seconds > 0 ? [`runner pods have been unguarded for ${seconds} s in all`] : [];
}

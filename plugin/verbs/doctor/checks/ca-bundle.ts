import type { Check, WebhookConfiguration } from '../facts.ts';
import { count } from '../finding.ts';

/**
 * Whether it matches the serving certificate is not checked here (the doctor reads no Secret): `reachable` proves it.
 */
export const caBundle: Check = (facts) => {
	const check = 'ca-bundle';
	const configurations = [facts.validating, facts.mutating].flatMap((one) =>
		one.kind === 'found' ? [one.value] : [],
	);
	if (configurations.length === 0) return undefined;
	const without = configurations.flatMap(withoutBundle);
	if (without.length > 0) {
		return {
			check,
			level: 'error',
			message: `${count(without.length, 'webhook has', 'webhooks have')} no caBundle, so the API server trusts no answer`,
			details: without,
			advice: ['the server writes it within seconds of its start: check that one is running'],
		};
	}
	const ends = configurations.map((configuration) => latestEnd(configuration));
	if (ends.some((endMs) => endMs === undefined)) {
		const advice = [
			'the server writes its own within seconds of its start; with cert-manager, see the logs of cert-manager',
		];
		return { check, level: 'error', message: 'a caBundle contains no certificate', advice };
	}
	const endMs = Math.min(...ends.map((end) => end ?? 0));
	if (endMs > facts.nowMs) return { check, level: 'ok', message: `present, valid until ${day(endMs)}` };
	return {
		check,
		level: 'error',
		message: `the CA in the caBundle has expired on ${day(endMs)}`,
		advice: ['a server that manages its own CA renews it: check that one is running'],
	};
};

function withoutBundle({ webhooks = [] }: WebhookConfiguration): string[] {
	return webhooks.filter(({ clientConfig }) => !clientConfig?.caBundle).map(({ name }) => name);
}

/** A bundle contains two CAs while one replaces the other: the one that expires later counts. */
function latestEnd({ webhooks = [] }: WebhookConfiguration): number | undefined {
	const bundles = new Set(webhooks.map(({ clientConfig }) => clientConfig?.caBundle ?? ''));
	const ends = [...bundles].map((bundle) => {
		const text = Buffer.from(bundle, 'base64').toString();
		const pems = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
		return Math.max(0, ...pems.map(endOf));
	});
	const first = Math.min(...ends);
	return first > 0 ? first : undefined;
}

function endOf(pem: string): number {
	// Not imported, because every command of this bundle would load it.
	const { X509Certificate } = process.getBuiltinModule('node:crypto');
	try {
		return Date.parse(new X509Certificate(pem).validTo);
	} catch {
		return 0; // not a certificate
	}
}

const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);

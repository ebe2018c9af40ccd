import type { X509Certificate } from 'node:crypto';
import { signingAlgorithmOf } from './signing-algorithm.ts';
import {
	type Authority,
	isCurrent,
	type KeyPair,
	parseCertificates,
	parseKey,
	pemOf,
	rootOf,
} from './x509.ts';

/**
 * Keys of the Secret. The CA and certificate in use have the usual keys of a Secret of type kubernetes.io/tls. `next` is
 * the CA's announced successor, which is trusted and signs nothing yet; `previous` are CAs that are still trusted.
 * A CA whose key is missing is trusted until it expires.
 */
export const secretKeys = {
	authority: 'ca.crt',
	authorityKey: 'ca.key',
	serving: 'tls.crt',
	servingKey: 'tls.key',
	next: 'next-ca.crt',
	nextKey: 'next-ca.key',
	previous: 'previous-ca.crt',
} as const;

/** The usable parts of the Secret, whoever wrote it. */
export interface Found {
	/** A CA that has not expired. It signed `serving`, if there is one. */
	authority: Authority | undefined;
	serving: KeyPair | undefined;
	/** Always with its key. */
	next: Authority | undefined;
	/** Further CAs to trust, PEM. */
	previous: string[];
	/** What is wrong with the Secret, for people; undefined if nothing is. */
	fault: string | undefined;
}

/**
 * Checks the Secret's content: each part on its own, and whether the parts belong together. Pure.
 *
 * @param data base64, as in the Secret; undefined: there is no Secret.
 * @param hosts host names for which the serving certificate must be valid.
 */
export function judgeSecret(
	data: Record<string, string> | undefined,
	hosts: readonly string[],
	nowMs: number,
): Found {
	const text = (key: keyof typeof secretKeys) =>
		Buffer.from(data?.[secretKeys[key]] ?? '', 'base64').toString('utf8');
	const authoritiesIn = (key: 'authority' | 'next' | 'previous') =>
		parseCertificates(text(key)).filter((one) => one.ca && isCurrent(one, nowMs));

	const roots = authoritiesIn('authority');
	const rootKey = parseKey(text('authorityKey'));
	const signer = rootKey && roots.find((root) => root.checkPrivateKey(rootKey));
	const { root, fault } = judgeServing(parseCertificates(text('serving')), text('servingKey'));
	const used = root ?? signer;
	const keyFits = used !== undefined && used === signer;

	const nextKey = parseKey(text('nextKey'));
	const next = nextKey && authoritiesIn('next').find((one) => one.checkPrivateKey(nextKey));
	const others = [...roots.filter((one) => one !== used), ...authoritiesIn('previous')];
	return {
		// A CA whose key is of an unsupported type counts as one without a key: it is kept until it is replaced.
		authority: used && {
			cert: pemOf(used),
			key: keyFits && rootKey && signingAlgorithmOf(rootKey) ? text('authorityKey') : undefined,
		},
		serving: root && { cert: text('serving'), key: text('servingKey') },
		next: next && { cert: pemOf(next), key: text('nextKey') },
		previous: [...new Set(others.map(pemOf))],
		fault: !data
			? 'there is no Secret'
			: (fault ?? (text('authorityKey') && !keyFits ? keyIsOff : undefined)),
	};

	/** The CA that signed the certificate, or why the certificate can't be served. */
	function judgeServing(
		chain: X509Certificate[],
		keyText: string,
	): { root?: X509Certificate; fault?: string } {
		const [leaf] = chain;
		const key = parseKey(keyText);
		const name = secretKeys.serving;
		if (!leaf) return { fault: `${name} contains no certificate` };
		if (!key) return { fault: `${secretKeys.servingKey} contains no private key` };
		if (!leaf.checkPrivateKey(key)) return { fault: `${secretKeys.servingKey} does not belong to ${name}` };
		if (!isCurrent(leaf, nowMs))
			return { fault: `${name} is valid from ${leaf.validFrom} to ${leaf.validTo} only` };
		const missing = hosts.find((host) => !leaf.checkHost(host, { subject: 'never' }));
		if (missing) return { fault: `${name} is not valid for ${missing}` };
		if (roots.length === 0)
			return { fault: `${secretKeys.authority} contains no CA certificate that is valid now` };
		const root = rootOf(chain, roots);
		return root ? { root } : { fault: `${name} was not issued by ${secretKeys.authority}` };
	}
}

const keyIsOff = `${secretKeys.authorityKey} does not belong to the CA that issued ${secretKeys.serving}`;

/** The Secret's data for this content, base64. */
export function secretData(content: {
	authority: Authority;
	serving: KeyPair;
	next: Authority | undefined;
	previous: string[];
}): Record<string, string> {
	const { authority, serving, next, previous } = content;
	const texts: Record<keyof typeof secretKeys, string | undefined> = {
		authority: authority.cert,
		authorityKey: authority.key,
		serving: serving.cert,
		servingKey: serving.key,
		next: next?.cert,
		nextKey: next?.key,
		previous: previous.join(''),
	};
	return Object.fromEntries(
		Object.entries(texts).flatMap(([key, text]) =>
			text ? [[secretKeys[key as keyof typeof secretKeys], encode(text)]] : [],
		),
	);
}

/** Base64, as in a Secret's data or a caBundle. */
export const encode = (text: string) => Buffer.from(text, 'utf8').toString('base64');

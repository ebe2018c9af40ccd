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
 * Keys of the Secret. What is in use has the names that a Secret of type kubernetes.io/tls has anywhere; `next` is a CA
 * that is only trusted yet, `previous` are CAs that are still trusted. Without its key a CA is trusted until it ends.
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

/** What of the Secret can be used, whoever wrote it. */
export interface Found {
	/** A CA that has not ended. It vouches for `serving`, if there is one. */
	authority: Authority | undefined;
	serving: KeyPair | undefined;
	/** Always with its key. */
	next: Authority | undefined;
	/** Other CAs to trust, PEM. */
	previous: string[];
	/** What is wrong, for people; undefined when nothing is. */
	fault: string | undefined;
}

/**
 * Judges the Secret's content: each part on its own, and whether they belong together. Pure.
 *
 * @param data base64, as in the Secret; undefined: there is none.
 * @param hosts names that the serving certificate must be valid for.
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
		// With a key of a kind that can't be used here the CA is kept as it is until it is replaced.
		authority: used && {
			cert: pemOf(used),
			key: keyFits && rootKey && signingAlgorithmOf(rootKey) ? text('authorityKey') : undefined,
		},
		serving: root && { cert: text('serving'), key: text('servingKey') },
		next: next && { cert: pemOf(next), key: text('nextKey') },
		previous: [...new Set(others.map(pemOf))],
		fault: !data ? 'there is none' : (fault ?? (text('authorityKey') && !keyFits ? keyIsOff : undefined)),
	};

	/** The root that vouches for it, or why it can't be served. */
	function judgeServing(
		chain: X509Certificate[],
		keyText: string,
	): { root?: X509Certificate; fault?: string } {
		const [leaf] = chain;
		const key = parseKey(keyText);
		const name = secretKeys.serving;
		if (!leaf) return { fault: `${name} holds no certificate` };
		if (!key) return { fault: `${secretKeys.servingKey} holds no private key` };
		if (!leaf.checkPrivateKey(key)) return { fault: `${secretKeys.servingKey} does not belong to ${name}` };
		if (!isCurrent(leaf, nowMs))
			return { fault: `${name} is valid from ${leaf.validFrom} to ${leaf.validTo} only` };
		const missing = hosts.find((host) => !leaf.checkHost(host, { subject: 'never' }));
		if (missing) return { fault: `${name} is not valid for ${missing}` };
		if (roots.length === 0)
			return { fault: `${secretKeys.authority} holds no CA certificate that is valid now` };
		const root = rootOf(chain, roots);
		return root ? { root } : { fault: `${name} was not issued by ${secretKeys.authority}` };
	}
}

const keyIsOff = `${secretKeys.authorityKey} does not belong to the CA that issued ${secretKeys.serving}`;

/** The Secret's data for these, base64. */
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

export const encode = (text: string) => Buffer.from(text, 'utf8').toString('base64');

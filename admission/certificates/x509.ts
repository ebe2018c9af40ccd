import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { renewWithLeft } from './policy.ts';

/** A certificate with its private key, as PEM. */
export interface KeyPair {
	/** The certificate; intermediate ones may follow it. */
	cert: string;
	key: string;
}

/** A CA as PEM, its certificate in the form of `pemOf`. Without a key it can be trusted but can't sign. */
export interface Authority {
	cert: string;
	key: string | undefined;
}

const block = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates in a PEM text, in their order. Parts that can't be parsed are skipped. */
export function parseCertificates(pem: string): X509Certificate[] {
	return (pem.match(block) ?? []).flatMap((text) => {
		try {
			return [new X509Certificate(text)];
		} catch {
			return []; // edited by hand, perhaps: it counts as missing
		}
	});
}

/** The certificate as PEM in one canonical form, so that equal certificates are equal texts. */
export const pemOf = (certificate: X509Certificate) => certificate.toString();

/** The private key in a PEM text; undefined if it holds none. */
export function parseKey(pem: string): KeyObject | undefined {
	try {
		return createPrivateKey(pem);
	} catch {
		return undefined;
	}
}

/** When the first certificate of a PEM text expires, ms since the epoch. */
export const endsAtMs = (pem: string) => new X509Certificate(pem).validToDate.getTime();

/** When the certificate is due for renewal, ms since the epoch; see renewWithLeft in policy.ts. */
export function renewAtMs(pem: string): number {
	const { validFromDate, validToDate } = new X509Certificate(pem);
	return validToDate.getTime() - (validToDate.getTime() - validFromDate.getTime()) * renewWithLeft;
}

/** Whether the certificate is valid at this time. */
export function isCurrent(certificate: X509Certificate, nowMs: number): boolean {
	return certificate.validFromDate.getTime() <= nowMs && nowMs < certificate.validToDate.getTime();
}

/** The CA of `roots` that signed the first certificate of `chain`, directly or by way of the others in `chain`; undefined: none did. */
export function rootOf(chain: X509Certificate[], roots: X509Certificate[]): X509Certificate | undefined {
	let [below, ...intermediates] = chain;
	while (below) {
		const signed = below;
		const issued = (issuer: X509Certificate) => signed.checkIssued(issuer) && signed.verify(issuer.publicKey);
		const root = roots.find(issued);
		if (root) return root;
		below = intermediates.find(issued);
		intermediates = intermediates.filter((one) => one !== below);
	}
	return undefined;
}

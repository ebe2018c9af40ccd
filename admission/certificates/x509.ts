import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { renewWithLeft } from './policy.ts';

/** PEM texts. */
export interface KeyPair {
	/** The certificate, perhaps with intermediate ones after it. */
	cert: string;
	key: string;
}

/** A CA. Without a key it can be trusted, but signs nothing. PEM, the certificate as `pemOf` writes it. */
export interface Authority {
	cert: string;
	key: string | undefined;
}

const block = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates of a PEM text, in order; what is none is passed over. */
export function parseCertificates(pem: string): X509Certificate[] {
	return (pem.match(block) ?? []).flatMap((text) => {
		try {
			return [new X509Certificate(text)];
		} catch {
			return []; // a person's typing, to be treated like a missing one
		}
	});
}

/** One way to write a certificate, so that equal ones are equal texts. */
export const pemOf = (certificate: X509Certificate) => certificate.toString();

/** Undefined when the text is no private key. */
export function parseKey(pem: string): KeyObject | undefined {
	try {
		return createPrivateKey(pem);
	} catch {
		return undefined;
	}
}

export const endsAtMs = (pem: string) => new X509Certificate(pem).validToDate.getTime();

/** Two thirds of its life are over. */
export function renewAtMs(pem: string): number {
	const { validFromDate, validToDate } = new X509Certificate(pem);
	return validToDate.getTime() - (validToDate.getTime() - validFromDate.getTime()) * renewWithLeft;
}

export function isCurrent(certificate: X509Certificate, nowMs: number): boolean {
	return certificate.validFromDate.getTime() <= nowMs && nowMs < certificate.validToDate.getTime();
}

/** Which of `roots` vouches for the first certificate of `chain`, the others of it being intermediate ones. */
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

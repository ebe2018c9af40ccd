import type { KeyObject } from 'node:crypto';

const curves: Record<string, string> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' };

/** The WebCrypto algorithm with which this private key signs certificates; undefined if its type is not supported. */
export function signingAlgorithmOf(
	key: KeyObject,
): { name: string; namedCurve?: string; hash: string } | undefined {
	if (key.asymmetricKeyType === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
	const namedCurve = curves[key.asymmetricKeyDetails?.namedCurve ?? ''];
	return namedCurve ? { name: 'ECDSA', namedCurve, hash: 'SHA-256' } : undefined;
}

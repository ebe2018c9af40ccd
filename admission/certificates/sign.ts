import { generateKeyPairSync, type KeyObject, webcrypto } from 'node:crypto';
import { type Extension, type JsonName, type Name, X509CertificateGenerator } from '@peculiar/x509';

/** Everything of a certificate but the signature. */
export interface Unsigned {
	subject: JsonName | Name;
	/** The CA's own object, not its text: verifiers compare it with the CA's subject byte by byte, and a text has many encodings. */
	issuer: JsonName | Name;
	/** SubjectPublicKeyInfo, DER. */
	publicKey: Uint8Array<ArrayBuffer>;
	notBefore: Date;
	notAfter: Date;
	extensions: Extension[];
}

const curves: Record<string, string> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' };

/** Can `sign` use this key? */
export const canSign = (key: KeyObject) => algorithmOf(key) !== undefined;

function algorithmOf(key: KeyObject): { name: string; namedCurve?: string; hash: string } | undefined {
	if (key.asymmetricKeyType === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
	const namedCurve = curves[key.asymmetricKeyDetails?.namedCurve ?? ''];
	return namedCurve ? { name: 'ECDSA', namedCurve, hash: 'SHA-256' } : undefined;
}

/** The certificate, PEM. Node can read X.509 but not make it. @throws Error when the key is of a kind that can't sign. */
export async function sign(unsigned: Unsigned, key: KeyObject): Promise<string> {
	const signingAlgorithm = algorithmOf(key);
	if (!signingAlgorithm) throw new Error(`a key of type ${key.asymmetricKeyType} can not sign certificates`);
	const signingKey = key.toCryptoKey(signingAlgorithm, false, ['sign']) as CryptoKey;
	const params = { ...unsigned, signingKey, signingAlgorithm };
	const made = await X509CertificateGenerator.create(params, webcrypto as Crypto);
	return `${made.toString('pem')}\n`;
}

/** ECDSA P-256. */
export function newKeys(): { privateKey: KeyObject; pem: string; publicKey: Uint8Array<ArrayBuffer> } {
	const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
	return {
		privateKey,
		pem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
		publicKey: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })),
	};
}

import { generateKeyPairSync, type KeyObject, webcrypto } from 'node:crypto';
import { signingAlgorithmOf } from './signing-algorithm.ts';
import { type Extension, type JsonName, type Name, X509CertificateGenerator } from './x509-library.ts';

/** Everything of a certificate but the signature. */
interface Unsigned {
	subject: JsonName | Name;
	/** Must be the CA's own Name object: verifiers compare it with the CA's subject byte by byte, and a text can be encoded in several ways. */
	issuer: JsonName | Name;
	/** SubjectPublicKeyInfo, DER. */
	publicKey: Uint8Array<ArrayBuffer>;
	notBefore: Date;
	notAfter: Date;
	extensions: Extension[];
}

/** Signs a certificate and returns it as PEM. (Node itself can only read X.509.) @throws Error if the key's type can't sign */
export async function sign(unsigned: Unsigned, key: KeyObject): Promise<string> {
	const signingAlgorithm = signingAlgorithmOf(key);
	if (!signingAlgorithm) throw new Error(`a key of type ${key.asymmetricKeyType} cannot sign certificates`);
	const signingKey = key.toCryptoKey(signingAlgorithm, false, ['sign']) as CryptoKey;
	const params = { ...unsigned, signingKey, signingAlgorithm };
	const made = await X509CertificateGenerator.create(params, webcrypto as Crypto);
	return `${made.toString('pem')}\n`;
}

/** A new ECDSA P-256 key pair; the private key also as PEM, the public key as SubjectPublicKeyInfo in DER. */
export function newKeys(): { privateKey: KeyObject; pem: string; publicKey: Uint8Array<ArrayBuffer> } {
	const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
	return {
		privateKey,
		pem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
		publicKey: new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })),
	};
}

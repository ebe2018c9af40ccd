import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { newKeys, sign } from '../../admission/certificates/sign.ts';
import * as x509 from '../../admission/certificates/x509-library.ts';

export interface KeyPair {
	/** PEM. */
	cert: string;
	/** PEM, PKCS #8. */
	key: string;
}

const yearMs = 365 * 24 * 60 * 60_000;
const life = () => ({ notBefore: new Date(), notAfter: new Date(Date.now() + yearMs) });

/** One certificate authority signs everything in a test cluster: the server, and each user's client certificate. */
export async function createAuthority(): Promise<KeyPair> {
	const { publicKey, privateKey, pem } = newKeys();
	const name = [{ CN: ['test-cluster'] }];
	const { digitalSignature, keyCertSign, cRLSign } = x509.KeyUsageFlags;
	const extensions = [
		new x509.BasicConstraintsExtension(true, undefined, true),
		new x509.KeyUsagesExtension(digitalSignature | keyCertSign | cRLSign, true),
	];
	const unsigned = { subject: name, issuer: name, publicKey, ...life(), extensions };
	return { cert: await sign(unsigned, privateKey), key: pem };
}

/** @param hosts its names, beside those of an API server on this machine */
export async function issueServer(authority: KeyPair, hosts: readonly string[] = []): Promise<KeyPair> {
	return issue(
		authority,
		[{ CN: ['kube-apiserver'] }],
		[
			new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
			new x509.SubjectAlternativeNameExtension([
				{ type: 'ip', value: '127.0.0.1' },
				{ type: 'dns', value: 'localhost' },
				{ type: 'dns', value: 'kubernetes.default.svc' },
				...hosts.map((value) => ({ type: 'dns' as const, value })),
			]),
		],
	);
}

/** The API server takes the user from the common name and the groups from the organizations. */
export async function issueClient(authority: KeyPair, user: string, groups: string[]): Promise<KeyPair> {
	const name = [{ CN: [user] }, ...groups.map((group) => ({ O: [group] }))];
	return issue(authority, name, [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])]);
}

/** The key that signs service account tokens. */
export function createTokenKey(): { publicKey: string; privateKey: string } {
	return generateKeyPairSync('ec', {
		namedCurve: 'P-256',
		publicKeyEncoding: { type: 'spki', format: 'pem' },
		privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
	});
}

async function issue(
	authority: KeyPair,
	subject: x509.JsonName,
	extensions: x509.Extension[],
): Promise<KeyPair> {
	const { publicKey, pem } = newKeys();
	const unsigned = {
		subject,
		issuer: new x509.X509Certificate(authority.cert).subjectName,
		publicKey,
		...life(),
		extensions: [
			new x509.BasicConstraintsExtension(false, undefined, true),
			new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
			...extensions,
		],
	};
	return { cert: await sign(unsigned, createPrivateKey(authority.key)), key: pem };
}

import { generateKeyPairSync } from 'node:crypto';
import { generate } from 'selfsigned';

export interface KeyPair {
	/** PEM. */
	cert: string;
	/** PEM, PKCS #8. */
	key: string;
}

const common = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' } as const;

/** One certificate authority signs everything in a test cluster: the server, and each user's client certificate. */
export async function createAuthority(): Promise<KeyPair> {
	const made = await generate([{ name: 'commonName', value: 'test-cluster' }], {
		...common,
		extensions: [
			{ name: 'basicConstraints', cA: true, critical: true },
			{ name: 'keyUsage', digitalSignature: true, keyCertSign: true, cRLSign: true, critical: true },
		],
	});
	return { cert: made.cert, key: made.private };
}

export async function issueServer(authority: KeyPair): Promise<KeyPair> {
	return issue(
		authority,
		[{ name: 'commonName', value: 'kube-apiserver' }],
		[
			{ name: 'extKeyUsage', serverAuth: true },
			{
				name: 'subjectAltName',
				altNames: [
					{ type: 7, ip: '127.0.0.1' },
					{ type: 2, value: 'localhost' },
					{ type: 2, value: 'kubernetes.default.svc' },
				],
			},
		],
	);
}

/** The API server takes the user from the common name and the groups from the organizations. */
export async function issueClient(authority: KeyPair, user: string, groups: string[]): Promise<KeyPair> {
	const names = [
		{ name: 'commonName', value: escapeName(user) },
		...groups.map((group) => ({ name: 'organizationName', value: escapeName(group) })),
	];
	return issue(authority, names, [{ name: 'extKeyUsage', clientAuth: true }]);
}

/** The key that signs service account tokens. */
export function createTokenKey(): { publicKey: string; privateKey: string } {
	return generateKeyPairSync('ec', {
		namedCurve: 'P-256',
		publicKeyEncoding: { type: 'spki', format: 'pem' },
		privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
	});
}

type Names = { name: string; value: string }[];
type Extensions = NonNullable<NonNullable<Parameters<typeof generate>[1]>['extensions']>;

async function issue(authority: KeyPair, names: Names, extensions: Extensions): Promise<KeyPair> {
	const made = await generate(names, {
		...common,
		ca: authority,
		extensions: [
			{ name: 'basicConstraints', cA: false, critical: true },
			{ name: 'keyUsage', digitalSignature: true, critical: true },
			...extensions,
		],
	});
	return { cert: made.cert, key: made.private };
}

/** selfsigned writes a subject as one line of text, in which these characters mean something (RFC 4514). */
function escapeName(value: string): string {
	return value.replace(/[,+"\\<>;=]/g, '\\$&');
}

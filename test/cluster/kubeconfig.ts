import { writeFile } from 'node:fs/promises';
import { dump } from 'js-yaml';
import type { KeyPair } from './certificates.ts';

type Credential = KeyPair | { token: string };

/** Writes a kubeconfig with everything inside, so that it can be copied and outlives the other files. */
export async function writeKubeconfig(
	path: string,
	server: string,
	authorityCert: string,
	user: string,
	credential: Credential,
): Promise<void> {
	const base64 = (pem: string) => Buffer.from(pem).toString('base64');
	const name = 'test-cluster';
	const config = {
		apiVersion: 'v1',
		kind: 'Config',
		'current-context': name,
		clusters: [{ name, cluster: { server, 'certificate-authority-data': base64(authorityCert) } }],
		users: [
			{
				name: user,
				user:
					'token' in credential
						? { token: credential.token }
						: {
								'client-certificate-data': base64(credential.cert),
								'client-key-data': base64(credential.key),
							},
			},
		],
		contexts: [{ name, context: { cluster: name, user } }],
	};
	await writeFile(path, dump(config, { lineWidth: -1 }), { mode: 0o600 });
}

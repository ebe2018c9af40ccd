import { createHash, createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { CredentialsMissing } from './types.ts';

export type Credential =
	| { kind: 'token'; token: string }
	| { kind: 'app'; appId: string; installationId: number; privateKey: string };

/** Names of the same four values, which differ between the environment and ARC's Secrets. */
interface Keys {
	token: string;
	appId: string;
	installationId: string;
	privateKey: string;
}

const environmentKeys: Keys = {
	token: 'GITHUB_TOKEN',
	appId: 'GITHUB_APP_ID',
	installationId: 'GITHUB_APP_INSTALLATION_ID',
	privateKey: 'GITHUB_APP_PRIVATE_KEY',
};

const secretKeys: Keys = {
	token: 'github_token',
	appId: 'github_app_id',
	installationId: 'github_app_installation_id',
	privateKey: 'github_app_private_key',
};

/**
 * The controller-wide credential from the server's own environment; undefined when none is set. A token wins over
 * an App, as in ARC.
 *
 * @throws Error that names what is missing, if only a part of a credential is set
 */
export function credentialFromEnvironment(
	env: Record<string, string | undefined>,
	readFile: (path: string) => string = (path) => readFileSync(path, 'utf8'),
): Credential | undefined {
	const values = { ...env };
	const file = env.GITHUB_APP_PRIVATE_KEY_FILE;
	if (file && !env.GITHUB_APP_PRIVATE_KEY && !env.GITHUB_TOKEN) {
		try {
			values.GITHUB_APP_PRIVATE_KEY = readFile(file);
		} catch (error) {
			const code = error instanceof Error && 'code' in error ? String(error.code) : 'error';
			throw new Error(`GITHUB_APP_PRIVATE_KEY_FILE: ${file} cannot be read (${code})`);
		}
	}
	const result = readCredential((name) => values[name], environmentKeys);
	if (typeof result === 'string') throw new Error(`GitHub credentials in the environment: ${result}`);
	return result;
}

/** The credential in a Secret's data (base64) with ARC's keys. `where` is the Secret's `namespace/name`, for messages. */
export function credentialFromSecret(
	data: Record<string, string>,
	where: string,
): Credential | CredentialsMissing {
	const decoded = (name: string) =>
		data[name] === undefined ? undefined : Buffer.from(data[name], 'base64').toString('utf8');
	const result = readCredential(decoded, secretKeys);
	if (typeof result === 'object') return result;
	const problem = result ?? `it has neither ${secretKeys.token} nor ${appKeys(secretKeys).join(', ')}`;
	return { kind: 'credentials-missing', detail: `Secret ${where}: ${problem}` };
}

/** A hash that differs for different credentials and reveals nothing of them: usable as a map key and in logs. */
export function fingerprint(credential: Credential): string {
	const parts =
		credential.kind === 'token'
			? [credential.token]
			: [credential.appId, String(credential.installationId), credential.privateKey];
	return createHash('sha256')
		.update(JSON.stringify([credential.kind, ...parts]))
		.digest('hex')
		.slice(0, 32);
}

/** Everything in a credential that must never be printed. */
export function secretsOf(credential: Credential): string[] {
	return [credential.kind === 'token' ? credential.token : credential.privateKey];
}

/** The credential, or a sentence about what is wrong with it, or undefined if none of the values is set. */
function readCredential(
	lookUp: (name: string) => string | undefined,
	keys: Keys,
): Credential | string | undefined {
	// A trailing newline is what `kubectl create secret --from-file` leaves behind.
	const value = (name: string) => lookUp(name)?.trim() || undefined;

	const token = value(keys.token);
	if (token) {
		// Other characters cannot be sent in an HTTP header, and the error of fetch would quote the token.
		if (!/^[\x21-\x7e]+$/.test(token))
			return `${keys.token} is not a token: it contains spaces or characters that no token has`;
		return { kind: 'token', token };
	}

	const appId = value(keys.appId);
	const installationId = value(keys.installationId);
	const privateKey = value(keys.privateKey)?.replaceAll('\\n', '\n');
	const missing = appKeys(keys).filter((name) => !value(name));
	if (missing.length === 3) return undefined;
	if (!appId || !installationId || !privateKey) return `a GitHub App also needs ${missing.join(' and ')}`;
	if (!/^[\w.-]+$/.test(appId)) return `${keys.appId} is not an App id`;
	if (!/^\d{1,15}$/.test(installationId)) return `${keys.installationId} is not a number`;
	const keyProblem = whatIsWrongWithKey(privateKey);
	if (keyProblem) return `${keys.privateKey} ${keyProblem}`;
	return { kind: 'app', appId, installationId: Number(installationId), privateKey };
}

function appKeys(keys: Keys): string[] {
	return [keys.appId, keys.installationId, keys.privateKey];
}

/** The parser's own error is not passed on, because it may quote the key. */
function whatIsWrongWithKey(pem: string): string | undefined {
	try {
		const type = createPrivateKey(pem).asymmetricKeyType;
		return type === 'rsa' ? undefined : `is a key of type ${type}; GitHub Apps have RSA keys`;
	} catch {
		return 'is not a private key in PEM form (it begins with -----BEGIN RSA PRIVATE KEY-----)';
	}
}

import { createHash } from 'node:crypto';
import type { KubeObject } from '../api/kinds.ts';
import { setKeys, tokenSecretKey } from '../api/sets.ts';
import { writtenMs } from '../api/written-time.ts';
import type { Signer } from '../cluster/signer.ts';
import { foldedScope } from '../runner/github-name.ts';
import { type Scope, scopeKey } from '../runner/scope.ts';

/**
 * Name of the Secret with the registration token for runners of this scope and these credentials. It is computed, so the
 * pod webhook can write it into a pod before the Secret exists; the kubelet then waits for the Secret.
 */
export function tokenSecretName(scope: Scope, credentialsSecret: string | undefined): string {
	const text = JSON.stringify([scope.kind, foldedScope(scope), credentialsSecret ?? '']);
	return `runner-registration-${createHash('sha256').update(text).digest('hex').slice(0, 12)}`;
}

export interface OwnedSecret extends KubeObject {
	data?: Record<string, string>;
}

/** A set that uses the token. The garbage collector deletes the Secret after the last of its owners. */
export interface SecretOwner {
	apiVersion: string;
	kind: 'RunnerSet' | 'RunnerDeployment' | 'Runner';
	name: string;
	uid: string;
}

/** Whose token it is: the runners of a scope, with a credential. */
export interface TokenUse {
	namespace: string;
	secret: string;
	scope: Scope;
	credentialsSecret: string | undefined;
}

export interface Token {
	token: string;
	/** ms since the epoch */
	expiresAtMs: number;
}

const purpose = 'registration-token';

const signedTexts = (
	{ namespace, secret, scope, credentialsSecret }: TokenUse,
	token: string,
	at: string,
) => [namespace, secret, scopeKey(scope), credentialsSecret ?? '', at, token];

/**
 * The token in a Secret, if GitHub gave it for this use. Whoever may write Secrets in the namespace can write any token there, but
 * cannot sign it; and the signature of another scope, credential or namespace is worth nothing here.
 */
export function readTokenSecret(
	held: OwnedSecret | undefined,
	use: TokenUse,
	signer: Pick<Signer, 'verify'>,
): Token | undefined {
	const { annotations = {} } = held?.metadata ?? {};
	const at = annotations[setKeys.tokenExpiresAt] ?? '';
	const token = Buffer.from(held?.data?.[tokenSecretKey] ?? '', 'base64').toString('utf8');
	if (!signer.verify(purpose, signedTexts(use, token, at), annotations[setKeys.tokenProof])) return undefined;
	return { token, expiresAtMs: writtenMs(at) ?? 0 };
}

/**
 * The Secret as it is applied (server-side apply).
 *
 * @param signer undefined: GitHub now refuses this use, and only pods that exist may need the token
 */
export function tokenSecretBody(
	use: TokenUse,
	{ token, expiresAtMs }: Token,
	owners: SecretOwner[],
	signer: Pick<Signer, 'sign'> | undefined,
): OwnedSecret & { type: string } {
	const at = new Date(expiresAtMs).toISOString();
	const proof = signer && { [setKeys.tokenProof]: signer.sign(purpose, signedTexts(use, token, at)) };
	return {
		apiVersion: 'v1',
		kind: 'Secret',
		type: 'Opaque',
		metadata: {
			name: use.secret,
			namespace: use.namespace,
			labels: { [setKeys.tokenSecretMark]: 'true' },
			annotations: {
				[setKeys.tokenScope]: scopeKey(use.scope),
				[setKeys.tokenExpiresAt]: at,
				...proof,
			},
			ownerReferences: owners,
		},
		data: { [tokenSecretKey]: Buffer.from(token, 'utf8').toString('base64') },
	};
}

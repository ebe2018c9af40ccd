import { createHash } from 'node:crypto';
import type { KubeObject } from '../api/kinds.ts';
import { setKeys, tokenSecretKey } from '../api/sets.ts';
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

/** The Secret as it is applied (server-side apply). */
export function tokenSecretBody(
	use: { namespace: string; secret: string; scope: Scope },
	{ token, expiresAtMs }: { token: string; expiresAtMs: number },
	owners: SecretOwner[],
): OwnedSecret & { type: string } {
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
				[setKeys.tokenExpiresAt]: new Date(expiresAtMs).toISOString(),
			},
			ownerReferences: owners,
		},
		data: { [tokenSecretKey]: Buffer.from(token, 'utf8').toString('base64') },
	};
}

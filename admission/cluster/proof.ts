import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { names, progress } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import { collectionPath, objectPath, resources } from '../api/paths.ts';
import type { KubeClient } from '../kube/client.ts';
import { createUnlessPresent, getObject } from '../kube/objects.ts';
import { restartsOf } from '../runner/runner-pod.ts';

/**
 * Signs the fact that GitHub has unregistered a runner. With the signature on the pod every replica believes it, and
 * nobody else can forge it: anybody who may edit pods can set the complete-timestamp, but only a holder of the key can
 * sign it.
 */
export class Proof {
	readonly #key: Buffer;

	constructor(key: Buffer) {
		this.#key = key;
	}

	/** The signature for one run of the runner's container: after a restart in place it may have registered again. */
	sign(pod: { uid: string; restarts: number }, completedAt: string): string {
		return createHmac('sha256', this.#key)
			.update(`${pod.uid}\n${pod.restarts}\n${completedAt}`)
			.digest('base64url');
	}

	/** Whether the pod has a complete-timestamp that a replica of this server signed for exactly this pod. */
	holds(pod: Pod): boolean {
		const annotations = pod.metadata.annotations ?? {};
		const completedAt = annotations[progress.completedAt];
		const given = Buffer.from(annotations[progress.proof] ?? '');
		if (!completedAt || !pod.metadata.uid) return false;
		const expected = Buffer.from(
			this.sign({ uid: pod.metadata.uid, restarts: restartsOf(pod) }, completedAt),
		);
		return given.length === expected.length && timingSafeEqual(given, expected);
	}
}

/** The key that all replicas share, from a Secret that the first replica creates. @throws Error, KubeError if it can't be read */
export async function loadProof(client: KubeClient, namespace: string): Promise<Proof> {
	const path = objectPath(resources.secrets, { namespace, name: names.proofSecret });
	for (let attempt = 0; attempt < 5; attempt++) {
		const secret = await getObject<{ data?: { key?: string } }>(client, path);
		if (secret) {
			const key = Buffer.from(secret.data?.key ?? '', 'base64');
			if (key.length < 32)
				throw new Error(
					`Secret ${namespace}/${names.proofSecret} holds no key: delete it, and the server creates a new one when it starts again`,
				);
			return new Proof(key);
		}
		// Another replica may create it at the same moment: its key is read back then.
		await createUnlessPresent(client, collectionPath(resources.secrets, namespace), {
			apiVersion: 'v1',
			kind: 'Secret',
			metadata: { name: names.proofSecret, namespace },
			data: { key: randomBytes(32).toString('base64') },
		});
	}
	throw new Error(
		`Secret ${namespace}/${names.proofSecret} was created but cannot be read: check the server's permissions on Secrets in its namespace`,
	);
}

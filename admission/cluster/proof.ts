import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { names, progress } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import { collectionPath, objectPath, resources } from '../api/paths.ts';
import type { KubeClient } from '../kube/client.ts';
import { createUnlessPresent, getObject } from '../kube/objects.ts';
import { restartsOf } from '../runner/runner-pod.ts';

/**
 * Signs "GitHub has unregistered this runner" so that every replica believes it from the pod alone, and nobody else
 * can write it: any editor of pods can set the complete-timestamp, only a holder of the key can prove it.
 */
export class Proof {
	readonly #key: Buffer;

	constructor(key: Buffer) {
		this.#key = key;
	}

	/** Holds for one run of the runner's container: one that restarted in place may have registered again. */
	sign(pod: { uid: string; restarts: number }, completedAt: string): string {
		return createHmac('sha256', this.#key)
			.update(`${pod.uid}\n${pod.restarts}\n${completedAt}`)
			.digest('base64url');
	}

	/** Does the pod carry a complete-timestamp that one of our replicas signed for exactly this pod? */
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

/** The key that all replicas share, from a Secret that the first one writes. */
export async function loadProof(client: KubeClient, namespace: string): Promise<Proof> {
	const path = objectPath(resources.secrets, { namespace, name: names.proofSecret });
	for (let attempt = 0; attempt < 5; attempt++) {
		const secret = await getObject<{ data?: { key?: string } }>(client, path);
		if (secret) {
			const key = Buffer.from(secret.data?.key ?? '', 'base64');
			if (key.length < 32)
				throw new Error(`Secret ${namespace}/${names.proofSecret} holds no key: delete it, it is made anew`);
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
	throw new Error(`Secret ${namespace}/${names.proofSecret} can't be read back`);
}

import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import { names } from '../api/keys.ts';
import { collectionPath, objectPath, resources } from '../api/paths.ts';
import type { KubeClient } from '../kube/client.ts';
import { createUnlessPresent, getObject } from '../kube/objects.ts';
import type { Sign, Verify } from '../runner/statements.ts';

/** Of 32 bytes in base64url. */
const signatureLength = 43;

/**
 * Signs statements of this server that lie where others can write: annotations of pods, paths in webhook configurations.
 * All replicas share the key, so each believes what another has signed, and nobody else can sign.
 */
export class Signer {
	readonly #key: KeyObject;

	/** Kept as a KeyObject: Node takes some six times as long for each signature with a key that is a Buffer (measured). */
	constructor(key: Buffer) {
		this.#key = createSecretKey(key);
	}

	/**
	 * The signature over these texts, base64url. One that was made for another purpose is worth nothing, and the texts'
	 * borders count: `['ab', 'c']` and `['a', 'bc']` differ.
	 */
	sign(purpose: string, texts: readonly string[]): string {
		return createHmac('sha256', this.#key)
			.update(JSON.stringify([purpose, ...texts]))
			.digest('base64url');
	}

	/** Whether `given` is the signature over these texts, which this server or another replica of it made. */
	verify(purpose: string, texts: readonly string[], given: string | undefined): boolean {
		// Most pods carry none, and one that cannot be right costs no hash: its length is no secret.
		if (given?.length !== signatureLength) return false;
		const offered = Buffer.from(given);
		const expected = Buffer.from(this.sign(purpose, texts));
		return offered.length === expected.length && timingSafeEqual(offered, expected);
	}

	/** Signs a statement on a pod. */
	readonly signStatement: Sign = ({ purpose, texts }) => this.sign(purpose, texts);

	/** For `Facts.verify`: whether this server has made a statement on a pod. */
	readonly verifyStatement: Verify = ({ purpose, texts }, given) => this.verify(purpose, texts, given);
}

/**
 * The key that all replicas share, from a Secret that the first replica creates.
 *
 * @param newKey 32 bytes that nobody can predict
 * @throws Error, KubeError if it can't be read
 */
export async function loadSigner(
	client: KubeClient,
	namespace: string,
	newKey: () => Buffer,
): Promise<Signer> {
	const path = objectPath(resources.secrets, { namespace, name: names.proofSecret });
	for (let attempt = 0; attempt < 5; attempt++) {
		const secret = await getObject<{ data?: { key?: string } }>(client, path);
		if (secret) {
			const key = Buffer.from(secret.data?.key ?? '', 'base64');
			if (key.length < 32)
				throw new Error(
					`Secret ${namespace}/${names.proofSecret} contains no key: delete it, and the server creates a new one when it starts again`,
				);
			return new Signer(key);
		}
		// Another replica may create it at the same moment: its key is read back then.
		await createUnlessPresent(client, collectionPath(resources.secrets, namespace), {
			apiVersion: 'v1',
			kind: 'Secret',
			metadata: { name: names.proofSecret, namespace },
			data: { key: newKey().toString('base64') },
		});
	}
	throw new Error(
		`Secret ${namespace}/${names.proofSecret} was created but cannot be read: check the server's permissions on Secrets in its namespace`,
	);
}

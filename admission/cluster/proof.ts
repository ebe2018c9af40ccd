import { progress } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import { restartsOf } from '../runner/runner-pod.ts';
import type { Signer } from './signer.ts';

/**
 * Signs the fact that GitHub has unregistered a runner. With the signature on the pod every replica believes it, and
 * nobody else can forge it: anybody who may edit pods can set the complete-timestamp, but only a holder of the key can
 * sign it.
 */
export class Proof {
	readonly #signer: Signer;

	constructor(signer: Signer) {
		this.#signer = signer;
	}

	/** The signature for one run of the runner's container: after a restart in place it may have registered again. */
	sign(pod: { uid: string; restarts: number }, completedAt: string): string {
		return this.#signer.sign('unregistered', statement(pod, completedAt));
	}

	/** Whether the pod has a complete-timestamp that a replica of this server signed for exactly this pod. */
	holds(pod: Pod): boolean {
		const { uid = '', annotations = {} } = pod.metadata;
		const completedAt = annotations[progress.completedAt];
		if (!completedAt || !uid) return false;
		const signed = statement({ uid, restarts: restartsOf(pod) }, completedAt);
		return this.#signer.holds('unregistered', signed, annotations[progress.proof]);
	}
}

const statement = ({ uid, restarts }: { uid: string; restarts: number }, completedAt: string) => [
	uid,
	String(restarts),
	completedAt,
];

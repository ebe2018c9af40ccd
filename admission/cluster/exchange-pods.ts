import { RunnerPods } from './runner-pods.ts';

/**
 * The runner pods as the leader's exchanges with GitHub write on them. An attempt or a record is written only onto the pod
 * as it was read, and only by the leader. GitHub's answer is written even if another replica leads by then: a 204 that is
 * written nowhere would be lost.
 */
export class ExchangePods extends RunnerPods {
	readonly #asLeader: RunnerPods;

	/** `asLeader` writes only while this process leads; the `others`, as for RunnerPods, at any time. */
	constructor(asLeader: RunnerPods, ...others: ConstructorParameters<typeof RunnerPods>) {
		super(...others);
		this.#asLeader = asLeader;
	}

	override patch(...[pod, change, onlyIfVersion]: Parameters<RunnerPods['patch']>) {
		return onlyIfVersion === undefined
			? super.patch(pod, change)
			: this.#asLeader.patch(pod, change, onlyIfVersion);
	}
	override annotateWhile(...change: Parameters<RunnerPods['annotateWhile']>) {
		return this.#asLeader.annotateWhile(...change);
	}
}

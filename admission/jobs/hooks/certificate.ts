import { X509Certificate } from 'node:crypto';
import type { Clock } from '../../time/clock.ts';
import { newAuthorityAfterMs } from './rules/policy.ts';

interface Pair {
	cert: string;
	key: string;
}

/**
 * Which certificate hooks are served. One of another CA comes later than it does to the API server: the CAs that a script
 * trusts are a file in its pod, which the kubelet writes anew some time after the annotation has changed.
 */
export class HookCertificate {
	readonly #clock: Pick<Clock, 'now' | 'after'>;
	readonly #serve: (pair: Pair) => void;
	#served: Pair;
	/** What is served in its time, if something waits for it. */
	#next: Pair | undefined;
	#cancel = () => {};

	/** @param first is served already */
	constructor(first: Pair, clock: Pick<Clock, 'now' | 'after'>, serve: (pair: Pair) => void) {
		this.#served = first;
		this.#clock = clock;
		this.#serve = serve;
	}

	/** There is a new one. */
	use(pair: Pair): void {
		if (this.#next) {
			this.#next = pair;
			return;
		}
		const before = new X509Certificate(this.#served.cert);
		const leftMs = Date.parse(before.validTo) - this.#clock.now();
		if (leftMs <= 0 || before.issuer === new X509Certificate(pair.cert).issuer) {
			this.#switchTo(pair);
			return;
		}
		this.#next = pair;
		this.#cancel = this.#clock.after(Math.min(newAuthorityAfterMs, leftMs / 2), () => {
			const next = this.#next ?? pair;
			this.#next = undefined;
			this.#switchTo(next);
		});
	}

	/** Nothing more is served anew. */
	stop(): void {
		this.#cancel();
	}

	#switchTo(pair: Pair): void {
		this.#served = pair;
		this.#serve(pair);
	}
}

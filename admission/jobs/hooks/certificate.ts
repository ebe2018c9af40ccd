import { X509Certificate } from 'node:crypto';
import type { Clock } from '../../time/clock.ts';
import { newAuthorityAfterMs } from './rules/policy.ts';

interface Pair {
	cert: string;
	key: string;
}

/**
 * Which certificate is served to hooks. One of a new CA is served later to hooks than to the API server: the CAs that a script
 * trusts are a file in its pod, which the kubelet writes again some time after the annotation has changed.
 */
export class HookCertificate {
	readonly #clock: Pick<Clock, 'now' | 'after'>;
	readonly #serve: (pair: Pair) => void;
	#served: Pair;
	/** The certificate that will be served next; undefined: none is waiting. */
	#next: Pair | undefined;
	#cancel = () => {};

	/** @param first is served already */
	constructor(first: Pair, clock: Pick<Clock, 'now' | 'after'>, serve: (pair: Pair) => void) {
		this.#served = first;
		this.#clock = clock;
		this.#serve = serve;
	}

	/** Serves this certificate: now, or once pods know its CA. */
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

	/** A certificate that waits is no longer served. */
	stop(): void {
		this.#cancel();
	}

	#switchTo(pair: Pair): void {
		this.#served = pair;
		this.#serve(pair);
	}
}

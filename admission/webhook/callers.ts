import type { Route } from '../api/webhooks.ts';
import { dueAtMs, isCurrent, type Newest, nextEpoch, pathOf, readPath } from './rules/caller-path.ts';
import { epochLastsAtLeastMs } from './rules/policy.ts';

/** Signs epochs, and checks what was signed, with the key that all replicas share. Signatures are hexadecimal. */
export interface EpochSeal {
	sign(epoch: number): string;
	verify(epoch: number, signature: string): boolean;
}

/** Distinguishes callers that know the path in the webhook configurations from all others, and says what the path has to be. */
export class Callers {
	readonly #seal: EpochSeal;
	readonly #now: () => number;
	#newest: Newest | undefined;
	#spoiled: number | undefined;
	#onSpoiled = (): void => {};

	/** @param now ms since 1970 */
	constructor(seal: EpochSeal, now: () => number) {
		this.#seal = seal;
		this.#now = now;
	}

	/** Who calls at this path. */
	at(path: string): 'known' | 'unauthenticated' {
		const segment = readPath(path)?.segment;
		const isKnown =
			segment !== undefined &&
			isCurrent(segment.epoch, this.#newest, this.#now()) &&
			this.#seal.verify(segment.epoch, segment.signature);
		return isKnown ? 'known' : 'unauthenticated';
	}

	/** Learns the paths that the webhook configurations have now; undefined: a webhook has none. */
	saw(paths: readonly (string | undefined)[]): void {
		const epochs = paths.flatMap((path) => this.#epochOf(path) ?? []);
		const epoch = epochs.length > 0 ? Math.max(...epochs) : undefined;
		if (epoch === this.#newest?.epoch) return;
		// One that was there before us has been there since it was made.
		const nowMs = this.#now();
		const sinceMs = this.#newest === undefined ? Math.min(nowMs, (epoch ?? 0) * 1000) : nowMs;
		this.#newest = epoch === undefined ? undefined : { epoch, sinceMs };
	}

	/** The present epoch may be known to others: it is to be replaced soon. */
	spoil(): void {
		this.#spoiled = this.#newest?.epoch ?? this.#spoiled;
		this.#onSpoiled();
	}

	/**
	 * This replica starts. While none ran, the API server has shown the whole path to everybody who deleted a runner pod. A
	 * path that was made a moment ago belongs to a replica that runs.
	 */
	started(): void {
		if (this.#newest && this.#now() - this.#newest.epoch * 1000 >= epochLastsAtLeastMs) this.spoil();
	}

	/** Calls back whenever the present epoch is spoiled. */
	whenSpoiled(listener: () => void): void {
		this.#onSpoiled = listener;
	}

	/** The path that a webhook has to have now; another epoch than the newest only if that is due for renewal. */
	plan(): { pathOf: (route: Route) => string; againAtMs: number } {
		const nowMs = this.#now();
		const newest = this.#newest?.epoch;
		const isDue = newest === undefined || dueAtMs(newest, this.#spoiled) <= nowMs;
		const epoch = isDue ? nextEpoch(newest, nowMs) : newest;
		const segment = { epoch, signature: this.#seal.sign(epoch) };
		return { pathOf: (route) => pathOf(segment, route), againAtMs: dueAtMs(epoch, this.#spoiled) };
	}

	#epochOf(path: string | undefined): number | undefined {
		const read = path === undefined ? undefined : readPath(path);
		if (!read || !this.#seal.verify(read.segment.epoch, read.segment.signature)) return undefined;
		return read.segment.epoch;
	}
}

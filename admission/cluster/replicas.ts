import { names, replicaPrefix } from '../api/keys.ts';
import type { KubeObject } from '../api/kinds.ts';
import { objectPath, resources } from '../api/paths.ts';
import { replicas } from '../github/policy.ts';
import { type Beat, Share } from '../github/rules/share.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { mergePatch, unlessGone } from '../kube/objects.ts';
import type { Log } from '../telemetry/log.ts';

export interface ReplicasOptions {
	client: KubeClient;
	/** The server's own namespace. */
	namespace: string;
	/** Unique per process, and part of an annotation's key: at most 50 letters, digits and dashes. */
	name: string;
	clock: Clock;
	log: Log;
}

/**
 * The server's replicas, as they know of each other: each writes every 5 s an annotation of its own on the status
 * ConfigMap, and the answer shows those of the others. A patch of one key never conflicts, unlike an update of the Lease,
 * whose renewals must not fail. What follows from it is in github/rules/share.ts.
 */
export class Replicas {
	/** Whether this replica is the leader. */
	leads = false;
	readonly #options: ReplicasOptions;
	readonly #share = new Share();
	#beat = 0;
	#failing = false;

	constructor(options: ReplicasOptions) {
		this.#options = options;
	}

	/** Which part of the calls to GitHub this replica may make now: more than 0, at most 1. */
	readonly share = (): number => this.#share.of(this.leads, this.#options.clock.monotonic());

	/** Says that this replica is alive until `signal` ends. */
	async run(signal: AbortSignal): Promise<void> {
		const { clock, log } = this.#options;
		while (!signal.aborted) {
			let known = false;
			try {
				known = await this.#say();
				this.#failing = false;
			} catch (error) {
				if (!this.#failing && !signal.aborted)
					log.warn({ error: String(error) }, 'other replicas cannot be told of this one, retrying');
				this.#failing = true;
			}
			await clock.sleep(known ? replicas.beatEveryMs : replicas.retryMs, signal);
		}
	}

	/** False while there is no ConfigMap yet: the first leader makes it. */
	async #say(): Promise<boolean> {
		const { client, namespace, name, clock } = this.#options;
		const { leads } = this;
		const saidMs = clock.monotonic();
		this.#beat += 1;
		const gone = this.#share.gone(saidMs).map((other) => [`${replicaPrefix}${other}`, null]);
		const annotations = {
			...Object.fromEntries(gone),
			[`${replicaPrefix}${name}`]: write({ beat: this.#beat, leads }),
		};
		const path = objectPath(resources.configMaps, { namespace, name: names.status });
		const limits = { timeoutMs: replicas.beatEveryMs };
		const configMap = await unlessGone(
			mergePatch<KubeObject>(client, path, { metadata: { annotations } }, {}, limits),
		);
		if (!configMap) return false;
		this.#share.said(leads, othersIn(configMap, name), saidMs, clock.monotonic());
		return true;
	}
}

const write = ({ beat, leads }: Beat) => `${beat}${leads ? ' leads' : ''}`;

function othersIn({ metadata }: KubeObject, self: string): Map<string, Beat> {
	const others = new Map<string, Beat>();
	for (const [key, value] of Object.entries(metadata.annotations ?? {})) {
		if (!key.startsWith(replicaPrefix) || key === `${replicaPrefix}${self}`) continue;
		const [beat, leads] = value.split(' ');
		others.set(key.slice(replicaPrefix.length), { beat: Number(beat), leads: leads === 'leads' });
	}
	return others;
}

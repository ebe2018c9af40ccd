import { once } from 'node:events';
import { names } from '../api/keys.ts';
import type { Clock } from '../kube/clock.ts';
import { WorkQueue } from '../kube/queue.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Callers } from '../webhook/callers.ts';
import { lookAtLeastEveryMs, pathWritesApartMs } from './policy.ts';
import type { WebhookConfigurations } from './webhook-configurations.ts';

export interface CallerPathsOptions {
	callers: Callers;
	configurations: WebhookConfigurations;
	clock: Clock;
	metrics: Metrics;
	log: Log;
}

/**
 * Keeps the path of our webhooks in the configurations, wherever the serving certificate comes from. Every replica does,
 * and writes only what is missing, wrong or due: mostly one of them is first, and the others see that nothing is left.
 */
export class CallerPaths {
	readonly #options: CallerPathsOptions;
	#onChange = () => {};
	/** By `clock.monotonic`. */
	#wroteAtMs = Number.NEGATIVE_INFINITY;

	constructor(options: CallerPathsOptions) {
		this.#options = options;
		const { callers, configurations } = options;
		configurations.onChange(() => {
			callers.saw(configurations.paths);
			this.#onChange();
		});
		callers.whenSpoiled(() => this.#onChange());
	}

	/** Reads the configurations, so that the first review already finds its path known. They may be unreadable for a while. */
	async start(): Promise<void> {
		const { callers, configurations, log } = this.#options;
		try {
			await configurations.read();
		} catch (error) {
			log.warn({ error: String(error) }, 'the webhook configurations could not be read, retrying');
			return;
		}
		callers.saw(configurations.paths);
		callers.started();
	}

	/** Writes paths until `signal` ends, while somebody else keeps the configurations up to date. */
	async run(signal: AbortSignal): Promise<void> {
		const { metrics, clock, log } = this.#options;
		let failing = false;
		const queue = new WorkQueue({
			controller: 'caller-paths',
			metrics,
			clock,
			concurrency: 1,
			reconcile: async () => {
				const afterMs = await this.#reconcile();
				failing = false;
				return { afterMs };
			},
			onError: (_key, error) => {
				log[failing ? 'debug' : 'warn'](
					{ error: String(error) },
					'the paths of the webhooks could not be checked or renewed, retrying',
				);
				failing = true;
			},
		});
		this.#onChange = () => queue.add(names.server);
		queue.add(names.server);
		if (!signal.aborted) await once(signal, 'abort');
		await queue.stop();
	}

	/** Writes the paths that are missing, wrong or due. Returns after how long to check again, ms. */
	async #reconcile(): Promise<number> {
		const { callers, configurations, clock } = this.#options;
		if (!configurations.known) await this.start();
		const { pathOf, againAtMs } = callers.plan();
		const waitMs = this.#wroteAtMs + pathWritesApartMs - clock.monotonic();
		if (waitMs > 0) return waitMs;
		if (await configurations.setPaths(pathOf)) this.#wroteAtMs = clock.monotonic();
		return Math.max(pathWritesApartMs, Math.min(againAtMs - clock.now(), lookAtLeastEveryMs));
	}
}

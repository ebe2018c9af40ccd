import { once } from 'node:events';
import { names } from '../api/keys.ts';
import { Controller } from '../kube/controller.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';
import type { Callers } from '../webhook/callers.ts';
import { checkAtLeastEveryMs, pathWritesApartMs } from './policy.ts';
import type { WebhookConfigurations } from './webhook-configurations.ts';

interface CallerPathsOptions {
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
		const controller = new Controller<string>(
			{
				name: 'caller-paths',
				concurrency: 1,
				reconcile: async () => ({ afterMs: await this.#reconcile() }),
				failure: 'the paths of the webhooks could not be checked or renewed',
				warnsOnce: true,
			},
			this.#options,
		);
		this.#onChange = () => controller.enqueue(names.server);
		this.#onChange();
		if (!signal.aborted) await once(signal, 'abort');
		await controller.stop();
	}

	/** Writes the paths that are missing, wrong or due. Returns after how long to check again, ms. */
	async #reconcile(): Promise<number> {
		const { callers, configurations, clock } = this.#options;
		if (!configurations.known) await this.start();
		const { pathOf, againAtMs } = callers.plan();
		const waitMs = this.#wroteAtMs + pathWritesApartMs - clock.monotonic();
		if (waitMs > 0) return waitMs;
		if (await configurations.setPaths(pathOf)) this.#wroteAtMs = clock.monotonic();
		return Math.max(pathWritesApartMs, Math.min(againAtMs - clock.now(), checkAtLeastEveryMs));
	}
}

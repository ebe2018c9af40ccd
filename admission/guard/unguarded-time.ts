import { guardWebhook } from '../api/keys.ts';
import type { Report, WebhookReport } from '../api/report.ts';
import type { WebhookConfigurations } from '../certificates/webhook-configurations.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';

/** The webhooks as they are in the cluster, and what that means for runner pods. */
export interface GuardState {
	state: Report['guard']['state'];
	webhooks: WebhookReport[];
}

/** How often it is checked whether runner pods are guarded, and the unguarded time is added up. */
const stepMs = 1_000;

interface UnguardedTimeOptions {
	configurations: WebhookConfigurations;
	metrics: Metrics;
	clock: Clock;
	log: Log;
}

/**
 * Measures how long runner pods are unguarded (H2): somebody may have deleted the guard's webhook or set its failurePolicy to
 * Ignore.
 */
export class UnguardedTime {
	readonly #options: UnguardedTimeOptions;
	/** How long runner pods have been unguarded since this process started, as far as it knows. */
	unguardedMs = 0;

	constructor(options: UnguardedTimeOptions) {
		this.#options = options;
		const { configurations, metrics } = options;
		configurations.onChange(() => metrics.guard.webhooks(configurations.webhooks));
	}

	/** Whether runner pods are guarded now. */
	current(): GuardState {
		const { configurations } = this.#options;
		const { webhooks } = configurations;
		return { webhooks, state: configurations.isRead('validating') ? guardState(webhooks) : 'unknown' };
	}

	/** Measures until `signal` ends, while somebody else keeps the configurations up to date. */
	async run(signal: AbortSignal): Promise<void> {
		const { clock, metrics } = this.#options;
		let before: GuardState['state'] = 'unknown';
		let atMs = clock.monotonic();
		while (!signal.aborted) {
			await clock.sleep(stepMs, signal);
			const passedMs = clock.monotonic() - atMs;
			atMs += passedMs;
			const { state } = this.current();
			if (state === 'unguarded') {
				this.unguardedMs += passedMs;
				metrics.guard.unguarded(passedMs / 1000);
			}
			if (state !== before) this.#log(state, before);
			before = state;
		}
	}

	#log(state: GuardState['state'], before: GuardState['state']): void {
		const { log } = this.#options;
		if (state === 'unguarded')
			log.warn(
				{ webhook: guardWebhook },
				'runner pods are unguarded: this webhook is missing or its failurePolicy is not Fail; install the manifests again',
			);
		else if (before === 'unguarded') log.info({ webhook: guardWebhook }, 'runner pods are guarded again');
	}
}

/** Guarded only with failurePolicy Fail: otherwise runner pods could be deleted whenever no replica answers. */
export function guardState(webhooks: readonly WebhookReport[]): 'guarded' | 'unguarded' {
	const guard = webhooks.find(({ kind, name }) => kind === 'validating' && name === guardWebhook);
	return guard?.failurePolicy === 'Fail' ? 'guarded' : 'unguarded';
}

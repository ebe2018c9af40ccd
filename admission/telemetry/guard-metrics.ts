import { Counter, Gauge, type Registry } from 'prom-client';
import type { WebhookReport } from '../api/report.ts';

/** The metrics about the webhook configurations as they are in the cluster. */
export class GuardMetrics {
	readonly #policies: Gauge;
	readonly #unguarded: Counter;
	readonly #unread: Counter;

	constructor(registry: Registry) {
		this.#policies = new Gauge({
			name: 'runners_webhook_failure_policy',
			help: '1 for the failurePolicy that a webhook has in the cluster.',
			labelNames: ['kind', 'webhook', 'policy'],
			registers: [registry],
		});
		this.#unguarded = new Counter({
			name: 'runners_unguarded_seconds_total',
			help: 'Time in which runner pods could be deleted without the guard: its webhook was missing or ignored failures.',
			registers: [registry],
		});
		this.#unread = new Counter({
			name: 'runners_unread_pods_total',
			help: 'Requests that were refused because the API server did not answer when the guard read the pod: it may be any pod.',
			labelNames: ['request'],
			registers: [registry],
		});
	}

	/** A request was refused although it may be about a pod that is not guarded. */
	unreadPod(request: 'delete' | 'eviction' | 'edit'): void {
		this.#unread.inc({ request });
	}

	/** Sets the gauge from all webhooks found; those that are not among them disappear. */
	webhooks(found: readonly WebhookReport[]): void {
		this.#policies.reset();
		for (const { kind, name, failurePolicy } of found)
			this.#policies.set({ kind, webhook: name, policy: failurePolicy }, 1);
	}

	/** Adds time in which runner pods could be deleted without a review. */
	unguarded(seconds: number): void {
		this.#unguarded.inc(seconds);
	}
}

import { guardWebhook, names } from '../api/keys.ts';
import type { KubeObject } from '../api/kinds.ts';
import { collectionPath, resources } from '../api/paths.ts';
import type { Report, WebhookReport } from '../api/report.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { Informer } from '../kube/informer.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';

interface Configuration extends KubeObject {
	webhooks?: { name: string; failurePolicy?: string }[];
}

/** The webhooks as they are in the cluster, and what that means for runner pods. */
export interface WebhookSighting {
	state: Report['guard']['state'];
	webhooks: WebhookReport[];
}

const kinds = ['validating', 'mutating'] as const;
type Kind = (typeof kinds)[number];

/** How often it is checked whether runner pods are guarded, and the unguarded time is added up. */
const stepMs = 1_000;

/**
 * Watches whether the API server still asks the guard (H2): somebody may have deleted its webhook or set its failurePolicy
 * to Ignore. Of each configuration only the names and policies are kept.
 */
export class WebhookWatch {
	readonly #informers: Record<Kind, Informer<Configuration>>;
	readonly #metrics: Metrics;
	readonly #clock: Clock;
	readonly #log: Log;
	/** How long runner pods have been unguarded as seen by this process, ms. */
	unguardedMs = 0;

	constructor(client: KubeClient, metrics: Metrics, clock: Clock, log: Log) {
		this.#metrics = metrics;
		this.#clock = clock;
		this.#log = log;
		const watch = (kind: Kind) => {
			const path = collectionPath(resources[`${kind}Webhooks`]);
			return new Informer<Configuration>({
				client,
				path,
				query: { fieldSelector: `metadata.name=${names.server}` },
				trim: ({ metadata: { name, uid, resourceVersion }, webhooks }) => ({
					metadata: { name, uid, resourceVersion },
					webhooks: webhooks?.map((webhook) => ({
						name: webhook.name,
						failurePolicy: webhook.failurePolicy,
					})),
				}),
				onChange: () => metrics.guard.webhooks(this.sighting().webhooks),
				onRestart: (why) => metrics.watchRestarted(path, why),
				clock,
				log,
			});
		};
		this.#informers = { validating: watch('validating'), mutating: watch('mutating') };
	}

	/** The present state. */
	sighting(): WebhookSighting {
		const webhooks = kinds.flatMap((kind) =>
			[...this.#informers[kind].values()].flatMap((configuration) =>
				(configuration.webhooks ?? []).map(({ name, failurePolicy = 'Fail' }) => ({
					kind,
					name,
					failurePolicy,
				})),
			),
		);
		return { webhooks, state: this.#informers.validating.synced ? guardState(webhooks) : 'unknown' };
	}

	async run(signal: AbortSignal): Promise<void> {
		await Promise.all([...kinds.map((kind) => this.#informers[kind].run(signal)), this.#measure(signal)]);
	}

	async #measure(signal: AbortSignal): Promise<void> {
		let before: WebhookSighting['state'] = 'unknown';
		let atMs = this.#clock.monotonic();
		while (!signal.aborted) {
			await this.#clock.sleep(stepMs, signal);
			const passedMs = this.#clock.monotonic() - atMs;
			atMs += passedMs;
			const { state } = this.sighting();
			if (state === 'unguarded') {
				this.unguardedMs += passedMs;
				this.#metrics.guard.unguarded(passedMs / 1000);
			}
			if (state !== before) this.#tell(state, before);
			before = state;
		}
	}

	#tell(state: WebhookSighting['state'], before: WebhookSighting['state']): void {
		if (state === 'unguarded')
			this.#log.warn(
				{ webhook: guardWebhook },
				'runner pods are unguarded: this webhook is missing or its failurePolicy is not Fail; install the manifests again',
			);
		else if (before === 'unguarded')
			this.#log.info({ webhook: guardWebhook }, 'runner pods are guarded again');
	}
}

/** Guarded only with failurePolicy Fail: otherwise runner pods could be deleted whenever no replica answers. */
export function guardState(webhooks: readonly WebhookReport[]): 'guarded' | 'unguarded' {
	const guard = webhooks.find(({ kind, name }) => kind === 'validating' && name === guardWebhook);
	return guard?.failurePolicy === 'Fail' ? 'guarded' : 'unguarded';
}

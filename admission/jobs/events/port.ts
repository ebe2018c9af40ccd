import type { KubeClient } from '../../kube/client.ts';
import type { ReportDependencies } from '../record-report.ts';
import { eventRecorder, JobRecords } from '../records/job-records.ts';
import { SetLabels } from '../records/set-labels.ts';
import { KnownWebhooks } from './known-webhooks.ts';
import { LostDeliveries, type LostDeliveriesOptions } from './lost-deliveries.ts';
import { createReceiver } from './receiver.ts';
import { recordEvent } from './record-event.ts';
import { secretMaxAgeMs } from './rules/policy.ts';
import { splitSecrets } from './rules/secrets.ts';
import { WebhookSecrets, type WebhookSecretsOptions } from './secrets.ts';

export interface EventPortOptions extends ReportDependencies {
	/** 0: events are not received. */
	port: number;
	/** Secrets of the webhook from the server's environment, separated by commas. */
	environment: string | undefined;
	readSecret: WebhookSecretsOptions['readSecret'];
	/** The server's own account at GitHub, with which lost deliveries are read. */
	account: LostDeliveriesOptions['account'];
	/** Whether jobs are recorded: only where the autoscalers' controller runs, which removes the records. */
	recordsJobs: boolean;
	client: KubeClient;
	/** The server's own namespace, in which jobs are recorded. */
	namespace: string;
}

/** Receives GitHub's events on a port of their own, on every replica. */
export class EventPort {
	readonly #options: EventPortOptions;
	/** The webhooks that have sent deliveries to this replica or to others. */
	readonly hooks: KnownWebhooks;
	readonly #secrets: WebhookSecrets;

	constructor(options: EventPortOptions) {
		this.#options = options;
		this.hooks = new KnownWebhooks(options);
		this.#secrets = new WebhookSecrets({ ...options, environment: splitSecrets(options.environment) });
	}

	/** Listens from when there is a secret, which may come after the start, until `signal`; resolves when all is answered. */
	async run(signal: AbortSignal): Promise<void> {
		const { port, recordsJobs, metrics } = this.#options;
		if (port === 0 || !(await this.#hasSecret(signal))) return;
		const sets = new SetLabels(this.#options);
		const records = new JobRecords(this.#options);
		let following: Promise<void> | undefined;
		if (recordsJobs)
			await new Promise<void>((asked) => {
				following = sets.run(signal, asked);
			});
		const { endpoint, handle } = createReceiver({
			...this.#options,
			secrets: this.#secrets,
			writeOnPod: (event) => recordEvent(event, this.#options),
			writeRecord: eventRecorder({ ...this.#options, sets, records }),
			onDelivery: (hook, by) => this.hooks.deliveryReceived(hook, by),
		});
		const lost = new LostDeliveries({
			...this.#options,
			hooks: this.hooks,
			handle,
			recordsJobs: () => sets.served,
		});
		await endpoint.run(port, signal, async () => {
			metrics.sightings.receiving = true;
			await lost.run(signal);
			metrics.sightings.receiving = false;
		});
		await following;
	}

	/** Waits for a secret, and logs once that there is none; false: `signal` ended first. */
	async #hasSecret(signal: AbortSignal): Promise<boolean> {
		const { port, clock, log } = this.#options;
		let logged = false;
		while (!signal.aborted) {
			if ((await this.#secrets.current()).length > 0) return !signal.aborted;
			if (!logged)
				log.info(
					{ port },
					"GitHub's events are not received: without a webhook secret (github_webhook_secret_token) no delivery could be verified",
				);
			logged = true;
			await clock.sleep(secretMaxAgeMs, signal);
		}
		return false;
	}
}

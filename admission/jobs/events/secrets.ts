import type { Clock } from '../../kube/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import { secretLeastAgeMs, secretMaxAgeMs } from './rules/policy.ts';

export interface WebhookSecretsOptions {
	/** Secrets from the server's environment, as splitSecrets reads them. They win over the Secret's. */
	environment: readonly string[];
	/** The data of the Secret with the server's credentials, base64; undefined: there is none. */
	readSecret: () => Promise<Record<string, string> | undefined>;
	clock: Pick<Clock, 'monotonic'>;
	log: Log;
}

const key = 'github_webhook_secret_token';

/** `new,old` during a rotation: GitHub signs with one of them, and nobody can say when it changes over. */
export const splitSecrets = (text: string | undefined): readonly string[] =>
	(text ?? '')
		.split(',')
		.map((secret) => secret.trim())
		.filter((secret) => secret !== '');

/** With which secrets GitHub may have signed a delivery. Those of the Secret are read again, so a rotation needs no restart. */
export class WebhookSecrets {
	readonly #options: WebhookSecretsOptions;
	#known: readonly string[] = [];
	#readAtMs = Number.NEGATIVE_INFINITY;
	#reading: Promise<void> | undefined;

	constructor(options: WebhookSecretsOptions) {
		this.#options = options;
		this.#known = options.environment;
	}

	/** Empty: there is none, and nothing that comes can be believed. The last ones known where they can't be read. */
	async current(): Promise<readonly string[]> {
		return this.#notOlderThan(secretMaxAgeMs);
	}

	/** Read anew, unless that was just done: a signature did not fit, which is how a rotation shows first. */
	async newest(): Promise<readonly string[]> {
		return this.#notOlderThan(secretLeastAgeMs);
	}

	async #notOlderThan(maxAgeMs: number): Promise<readonly string[]> {
		const { environment, clock } = this.#options;
		if (environment.length > 0) return environment;
		if (clock.monotonic() - this.#readAtMs >= maxAgeMs)
			this.#reading ??= this.#read().finally(() => {
				this.#reading = undefined;
			});
		await this.#reading;
		return this.#known;
	}

	async #read(): Promise<void> {
		const { readSecret, clock, log } = this.#options;
		this.#readAtMs = clock.monotonic();
		try {
			const text = (await readSecret())?.[key];
			this.#known = splitSecrets(
				text === undefined ? undefined : Buffer.from(text, 'base64').toString('utf8'),
			);
		} catch (error) {
			log.warn({ error: String(error) }, 'the secret of the webhook could not be read again');
		}
	}
}

import type { Log } from '../../telemetry/log.ts';
import type { Clock } from '../../time/clock.ts';
import { secretLeastAgeMs, secretMaxAgeMs } from './rules/policy.ts';
import { readScopedSecrets, splitSecrets, unscoped, type WebhookSecret } from './rules/secrets.ts';

export interface WebhookSecretsOptions {
	/** Secrets from the server's environment, as splitSecrets reads them. They win over the Secret's. */
	environment: readonly string[];
	/** The data of the Secret with the server's credentials, base64; undefined: there is none. */
	readSecret: () => Promise<Record<string, string> | undefined>;
	clock: Pick<Clock, 'monotonic'>;
	log: Log;
}

/** Keys in the Secret: one that may sign everything, and one with a line for each that may sign some. */
const key = 'github_webhook_secret_token';
const scopedKey = 'github_webhook_secrets';

/** With which secrets GitHub may have signed a delivery. Those of the Secret are read again, so a rotation needs no restart. */
export class WebhookSecrets {
	readonly #options: WebhookSecretsOptions;
	#known: readonly WebhookSecret[];
	#readAtMs = Number.NEGATIVE_INFINITY;
	#reading: Promise<void> | undefined;
	/** Numbers of the lines that could not be read, as they were last logged. */
	#logged = '';

	constructor(options: WebhookSecretsOptions) {
		this.#options = options;
		this.#known = unscoped(options.environment);
	}

	/** Empty: there is none, and nothing that comes can be believed. The last ones known where they can't be read. */
	async current(): Promise<readonly WebhookSecret[]> {
		return this.#notOlderThan(secretMaxAgeMs);
	}

	/** Read anew, unless that was just done: a signature did not fit, which is how a rotation shows first. */
	async newest(): Promise<readonly WebhookSecret[]> {
		return this.#notOlderThan(secretLeastAgeMs);
	}

	async #notOlderThan(maxAgeMs: number): Promise<readonly WebhookSecret[]> {
		const { environment, clock } = this.#options;
		if (environment.length > 0) return this.#known;
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
			const data = (await readSecret()) ?? {};
			const scoped = readScopedSecrets(decoded(data[scopedKey]));
			this.#known = [...unscoped(splitSecrets(decoded(data[key]))), ...scoped.secrets];
			this.#logUnread(scoped.unread);
		} catch (error) {
			log.warn({ error: String(error) }, 'the secret of the webhook could not be read again');
		}
	}

	/** Once for each change. */
	#logUnread(unread: readonly number[]): void {
		const lines = unread.join(', ');
		if (lines !== '' && lines !== this.#logged)
			this.#options.log.error(
				{ key: scopedKey, lines },
				'these lines are no secrets of a webhook: what they were to sign is refused',
			);
		this.#logged = lines;
	}
}

const decoded = (text: string | undefined): string => Buffer.from(text ?? '', 'base64').toString('utf8');

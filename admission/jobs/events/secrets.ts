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

	/** Empty: there is none, so no delivery can be verified. If they cannot be read, the last known ones. */
	async current(): Promise<readonly WebhookSecret[]> {
		return this.#notOlderThan(secretMaxAgeMs);
	}

	/** Read again, unless that has just been done: called where a signature does not fit, which is the first sign of a rotation. */
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
			log.warn(
				{ error: String(error) },
				'the webhook secret could not be read, the last known one stays in use',
			);
		}
	}

	/** Logs each change once. */
	#logUnread(unread: readonly number[]): void {
		const lines = unread.join(', ');
		if (lines !== '' && lines !== this.#logged)
			this.#options.log.error(
				{ key: scopedKey, lines },
				'these lines cannot be read as webhook secrets: deliveries signed with them are refused',
			);
		this.#logged = lines;
	}
}

const decoded = (text: string | undefined): string => Buffer.from(text ?? '', 'base64').toString('utf8');

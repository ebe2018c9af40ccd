import type { Server } from 'node:https';
import { listen } from '../listen.ts';
import { HookCertificate } from './certificate.ts';
import { createHookEndpoint, type HookEndpointOptions } from './endpoint.ts';
import { listenAgainMs } from './rules/policy.ts';

export interface HookPortOptions extends HookEndpointOptions {
	/** 0: hooks are not listened to. */
	port: number;
}

/** Listens to job hooks on a port of their own, on every replica. */
export class HookPort {
	readonly #options: HookPortOptions;
	readonly #endpoint;
	readonly #certificate: HookCertificate;

	constructor(options: HookPortOptions) {
		this.#options = options;
		this.#endpoint = createHookEndpoint(options);
		this.#certificate = new HookCertificate(options.tls, options.clock, this.#endpoint.useCertificate);
	}

	/** Uses this certificate, as soon as pods know its CA. */
	useCertificate(pair: { cert: string; key: string }): void {
		this.#certificate.use(pair);
	}

	/**
	 * Listens until `signal`; resolves when what was in flight is answered. A port that is taken is told, and tried again:
	 * the guard does not depend on it.
	 */
	async run(signal: AbortSignal): Promise<void> {
		const { port, clock, log } = this.#options;
		const { server, drained } = this.#endpoint;
		signal.addEventListener('abort', () => this.#certificate.stop(), { once: true });
		if (port === 0) return;
		while (!signal.aborted && !(await this.#listens(server))) await clock.sleep(listenAgainMs, signal);
		if (!server.listening) return;
		server.on('error', (error) => log.error({ error: String(error) }, 'the port for job hooks failed'));
		log.info({ port }, 'listens to job hooks');
		if (!signal.aborted)
			await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
		server.close();
		server.closeIdleConnections();
		await drained();
		server.closeAllConnections();
	}

	async #listens(server: Server): Promise<boolean> {
		const { port, log } = this.#options;
		try {
			await listen(server, port);
			return true;
		} catch (error) {
			log.error({ port, error: String(error) }, 'job hooks can not be listened to');
			return false;
		}
	}
}

import type { JobHooksMode } from '../../api/job-hooks.ts';
import type { Pod } from '../../api/kinds.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { PatchOperation } from '../../webhook/review.ts';
import type { HearDependencies } from '../hear.ts';
import { HookPort } from './port.ts';
import { injectHooks } from './rules/inject.ts';
import { ServiceAddress } from './service-address.ts';
import { Tokens } from './tokens.ts';

export interface JobHooksOptions extends HearDependencies {
	mode: JobHooksMode;
	port: number;
	url: string;
	githubUrl: string;
	/** The server's own namespace. */
	namespace: string;
	client: KubeClient;
	tls: { cert: string; key: string };
	/** The CAs that the API server trusts for us, PEM. */
	authorities: () => readonly string[];
}

/** The job hooks of runner pods: gives them to new ones, and listens to them. */
export class JobHooks {
	readonly #options: JobHooksOptions;
	readonly #port: HookPort;
	readonly #address = new ServiceAddress();

	constructor(options: JobHooksOptions) {
		this.#options = options;
		this.#port = new HookPort({ ...options, tokens: new Tokens(options.client, options.clock) });
	}

	/** The CAs that scripts trust, PEM: always in the same order, so that a change is one. */
	authorities = (): string => this.#options.authorities().toSorted().join('');

	/** What gives one of our sets' pods its hooks. Arrow functions: they are passed on alone. */
	forSets = (pod: Pod): PatchOperation[] => {
		const { mode, port, url } = this.#options;
		if (mode === 'off' || port === 0) return [];
		return injectHooks(pod, { url, authorities: this.authorities(), address: this.#address.current });
	};

	/** There is a new certificate. */
	useCertificate(pair: { cert: string; key: string }): void {
		this.#port.useCertificate(pair);
	}

	/** Until `signal`; resolves when what was in flight is answered. Pods that have hooks are listened to in every mode. */
	async run(signal: AbortSignal): Promise<void> {
		const { port } = this.#options;
		if (port === 0) return;
		await Promise.all([this.#port.run(signal), this.#address.run(this.#options, signal)]);
	}
}

import type { JobHooksMode } from '../../api/job-hooks.ts';
import type { Pod } from '../../api/kinds.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { AdmissionRequest, AdmissionResponse, PatchOperation } from '../../webhook/review.ts';
import type { ReportDependencies } from '../record-report.ts';
import { HookCertificate } from './certificate.ts';
import { createHookEndpoint } from './endpoint.ts';
import { hookOtherPods, markOtherPods } from './hook-other-pods.ts';
import { type HookServer, injectHooks } from './rules/inject.ts';
import { ServiceAddress } from './service-address.ts';
import { Tokens } from './tokens.ts';
import { Trials } from './trials.ts';

export interface JobHooksOptions extends ReportDependencies {
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

/** The job hooks of runner pods: gives them to new ones, and receives what they report. */
export class JobHooks {
	readonly #options: JobHooksOptions;
	readonly #endpoint;
	readonly #certificate: HookCertificate;
	readonly #address = new ServiceAddress();
	readonly #trials: Trials;

	constructor(options: JobHooksOptions) {
		this.#options = options;
		this.#trials = new Trials(options);
		const { client, clock, tls } = options;
		this.#endpoint = createHookEndpoint({ ...options, tokens: new Tokens(client, clock) });
		this.#certificate = new HookCertificate(tls, clock, (pair) => this.#endpoint.useCertificate(pair));
	}

	/** The CAs that scripts trust, PEM: always in the same order, so that the same CAs are the same text. */
	authorities = (): string => this.#options.authorities().toSorted().join('');

	/** What gives one of our sets' pods its hooks. Arrow functions: they are passed on alone. */
	forSets = (pod: Pod): PatchOperation[] => {
		const { mode, port } = this.#options;
		return mode === 'off' || port === 0 ? [] : injectHooks(pod, this.#server());
	};

	/** Reviews CREATE of a runner pod that is not our sets'. Only for callers that are known: it asks the API server. */
	reviewOthers = async (request: AdmissionRequest): Promise<AdmissionResponse> => {
		const { mode, port } = this.#options;
		if (mode !== 'all' || port === 0) return markOtherPods(request);
		return hookOtherPods(request, this.#server(), this.#trials);
	};

	#server(): HookServer {
		return {
			url: this.#options.url,
			authorities: this.authorities(),
			address: this.#address.current,
		};
	}

	/** Uses this certificate, as soon as pods know its CA. */
	useCertificate(pair: { cert: string; key: string }): void {
		this.#certificate.use(pair);
	}

	/** Until `signal`; resolves when what was in flight is answered. In every mode: some pods may have hooks from before. */
	async run(signal: AbortSignal): Promise<void> {
		const { port } = this.#options;
		if (port === 0) return;
		signal.addEventListener('abort', () => this.#certificate.stop(), { once: true });
		await Promise.all([this.#endpoint.run(port, signal), this.#address.run(this.#options, signal)]);
	}
}

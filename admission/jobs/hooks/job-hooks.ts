import type { JobHooksMode } from '../../api/job-hooks.ts';
import type { Pod } from '../../api/kinds.ts';
import type { KubeClient } from '../../kube/client.ts';
import {
	type AdmissionRequest,
	type AdmissionResponse,
	allowed,
	type PatchOperation,
} from '../../webhook/review.ts';
import type { ReportDependencies } from '../record-report.ts';
import { hookOtherPods } from './hook-other-pods.ts';
import { HookPort } from './port.ts';
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

/** The job hooks of runner pods: gives them to new ones, and listens to them. */
export class JobHooks {
	readonly #options: JobHooksOptions;
	readonly #port: HookPort;
	readonly #address = new ServiceAddress();
	readonly #trials: Trials;

	constructor(options: JobHooksOptions) {
		this.#options = options;
		this.#trials = new Trials(options);
		this.#port = new HookPort({ ...options, tokens: new Tokens(options.client, options.clock) });
	}

	/** The CAs that scripts trust, PEM: always in the same order, so that a change is one. */
	authorities = (): string => this.#options.authorities().toSorted().join('');

	/** What gives one of our sets' pods its hooks. Arrow functions: they are passed on alone. */
	forSets = (pod: Pod): PatchOperation[] => {
		const { mode, port } = this.#options;
		return mode === 'off' || port === 0 ? [] : injectHooks(pod, this.#server());
	};

	/** Reviews CREATE of a runner pod that is not our sets'. Only for callers that are known: it asks the API server. */
	reviewOthers = async (request: AdmissionRequest): Promise<AdmissionResponse> => {
		const { mode, port } = this.#options;
		if (mode !== 'all' || port === 0) return allowed(request.uid);
		return hookOtherPods(request, this.#server(), this.#trials);
	};

	#server(): HookServer {
		return {
			url: this.#options.url,
			authorities: this.authorities(),
			address: this.#address.current,
		};
	}

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

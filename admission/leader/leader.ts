import { names } from '../api/keys.ts';
import type { LeaderPart } from '../capability.ts';
import { createTerm, type Term, type TermOptions } from '../cluster/term.ts';
import type { KubeClient } from '../kube/client.ts';
import { runAsLeader } from '../kube/lease.ts';
import type { Metrics } from '../telemetry/metrics.ts';

interface LeaderOptions extends Omit<TermOptions, 'unfenced'> {
	/** Writes at any time. */
	client: KubeClient;
	/** The server's own namespace. */
	namespace: string;
	/** This replica's name. */
	self: string;
	metrics: Metrics;
	/** Makes what is to run during a term as leader. */
	partsOf: (term: Term) => readonly LeaderPart[];
	/** Called when this replica becomes the leader, and when it no longer is. */
	onChange: (leads: boolean) => void;
}

/** Takes part in the leader election, and runs the leader's part of each capability while this replica leads. */
export class Leader {
	readonly #options: LeaderOptions;
	/** Of the present term. */
	#parts: readonly LeaderPart[] = [];

	constructor(options: LeaderOptions) {
		this.#options = options;
	}

	/** Until `signal` ends. Rejects if the leader's work fails. */
	run(signal: AbortSignal): Promise<void> {
		const { self } = this.#options;
		return runAsLeader(
			{
				...this.#options,
				name: names.lease,
				identity: self,
				lead: (leading, fenced) => this.#lead(fenced, leading),
			},
			signal,
		);
	}

	/** The calls of a GitHub account work again. */
	githubRecovered(): void {
		for (const part of this.#parts) part.githubRecovered?.();
	}

	async #lead(fenced: KubeClient, signal: AbortSignal): Promise<void> {
		const { client, partsOf, onChange } = this.#options;
		onChange(true);
		try {
			const term = createTerm({ ...this.#options, client: fenced, unfenced: client });
			this.#parts = partsOf(term);
			await this.#runParts(term, signal);
		} finally {
			this.#parts = [];
			onChange(false);
		}
	}

	async #runParts({ cache }: Term, signal: AbortSignal): Promise<void> {
		const { metrics } = this.#options;
		metrics.leading(true);
		try {
			const loops = this.#parts.flatMap((part) => part.loops ?? []);
			await Promise.all([cache.run(signal), ...loops.map((loop) => loop(signal))]);
		} finally {
			metrics.leading(false);
			const controllers = this.#parts.flatMap((part) => part.controllers ?? []);
			await Promise.all(controllers.map((controller) => controller.stop()));
		}
	}
}

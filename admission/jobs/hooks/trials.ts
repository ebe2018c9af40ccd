import type { Pod } from '../../api/kinds.ts';
import { podsPath } from '../../api/paths.ts';
import { printable } from '../../api/printable.ts';
import { type KubeClient, KubeError } from '../../kube/client.ts';
import type { Log } from '../../telemetry/log.ts';
import { BoundedMap } from '../../time/bounded-map.ts';
import type { Clock } from '../../time/clock.ts';
import { mostTrials, refusedNamespaceForMs, trialWithinMs, triedForMs } from './rules/policy.ts';

/** Whether pods with hooks may be made in a namespace. */
type Trial =
	| { state: 'accepted' }
	/** Something there refuses them; `why` for people. Pods that say so are accepted. */
	| { state: 'refused'; why: string }
	/** It could not be found out. */
	| { state: 'unknown' };

/** A pod to be tried, made where it has not been found out yet. */
interface TriedPod {
	/** With its hooks. */
	hooked: () => Pod;
	/** Without them, with the annotation that says why. */
	bare: (why: string) => Pod;
}

/**
 * Tries once in each namespace whether a pod with hooks would be accepted, by a dry run: where a policy forbids something
 * of it, the pod of an EphemeralRunner would be refused, and that runner fails for good.
 */
export class Trials {
	readonly #client: KubeClient;
	readonly #clock: Clock;
	readonly #log: Log;
	/** By namespace; by the monotonic clock. */
	readonly #known = new BoundedMap<string, Trial>({ most: mostTrials });
	readonly #running = new Map<string, Promise<Trial>>();

	constructor({ client, clock, log }: { client: KubeClient; clock: Clock; log: Log }) {
		this.#client = client;
		this.#clock = clock;
		this.#log = log;
	}

	async in(namespace: string, pod: TriedPod): Promise<Trial> {
		const known = this.#known.get(namespace, this.#clock.monotonic());
		if (known) return known;
		const running = this.#running.get(namespace) ?? this.#tried(namespace, pod);
		this.#running.set(namespace, running);
		try {
			return await running;
		} finally {
			this.#running.delete(namespace);
		}
	}

	async #tried(namespace: string, pod: TriedPod): Promise<Trial> {
		const trial = await this.#try(namespace, pod);
		if (trial.state === 'unknown') return trial;
		const forMs = trial.state === 'accepted' ? triedForMs : refusedNamespaceForMs;
		this.#known.set(namespace, trial, this.#clock.monotonic(), forMs);
		if (trial.state === 'refused')
			this.#log.warn(
				{ namespace, why: trial.why },
				'this namespace refuses pods with job hooks: its pods get none',
			);
		return trial;
	}

	/** A refusal counts only where the pod without hooks is accepted: else it is about something else, such as a quota. */
	async #try(namespace: string, { hooked, bare }: TriedPod): Promise<Trial> {
		const refusal = await this.#refusal(namespace, hooked());
		if (refusal === undefined) return { state: 'accepted' };
		if (refusal === 'unknown') return { state: 'unknown' };
		const why = `refused in this namespace: ${printable(refusal).slice(0, 200)}`;
		return (await this.#refusal(namespace, bare(why))) === undefined
			? { state: 'refused', why }
			: { state: 'unknown' };
	}

	/** Why the API server would not make this pod; undefined: it would. */
	async #refusal(namespace: string, { metadata, ...pod }: Pod): Promise<string | 'unknown' | undefined> {
		const { labels, annotations } = metadata;
		const body = {
			...pod,
			apiVersion: 'v1',
			kind: 'Pod',
			metadata: { generateName: 'runners-admission-trial-', namespace, labels, annotations },
		};
		try {
			const options = { body, query: { dryRun: 'All' }, timeoutMs: trialWithinMs };
			await this.#client.request('POST', podsPath(namespace), options);
			return undefined;
		} catch (error) {
			if (error instanceof KubeError && [400, 403, 422].includes(error.code)) return error.message;
			this.#log.warn(
				{ namespace, error: String(error) },
				'whether pods may have job hooks could not be found out',
			);
			return 'unknown';
		}
	}
}

import {
	type AutoscalerState,
	afterBatch,
	batchMs,
	followed,
	type Operation,
	type Reservation,
	registrationPollMs,
	resyncMs,
	scaled,
} from './arc-model.ts';
import { chance } from './chance.ts';
import type { JobEvent, Pod, Scaler, World } from './world.ts';

export interface ArcSettings {
	/** scaleUpTriggers[].duration */
	durationMs: number;
	/** scaleDownDelaySecondsAfterScaleOut */
	delayMs: number;
}

/** ARC's webhook server, its HorizontalRunnerAutoscaler and its set of ephemeral runners, with minReplicas 0. */
export class Arc implements Scaler {
	readonly #world: World;
	readonly #settings: ArcSettings;
	readonly #max: number;
	#reservations: Reservation[] = [];
	#batch: Operation[] = [];
	#status: AutoscalerState = { desired: undefined, scaledOutMs: undefined };
	#replicas = 0;
	#effectiveMs: number | undefined;
	/** Runners that it wants to unregister. */
	readonly #asked = new Set<Pod>();
	/** Runners whose id it has read from GitHub's list. */
	readonly #known = new Set<Pod>();

	constructor(world: World, settings: ArcSettings, seed: number) {
		this.#world = world;
		this.#settings = settings;
		this.#max = world.constants.max;
		const first = chance(seed, 'resync')() * resyncMs;
		world.time.at(first, () => this.#resync());
	}

	eventReceived({ action, conclusion, runner }: JobEvent): void {
		// completed as success without a runner is what other apps' check runs look like.
		if (action === 'queued') this.#gather({ add: 1, durationMs: this.#settings.durationMs });
		else if (action === 'completed' && !(conclusion === 'success' && !runner)) this.#gather({ drop: 1 });
	}

	podChanged(pod: Pod): void {
		if (pod.state === 'ended') {
			this.#asked.delete(pod);
			this.#known.delete(pod);
			this.#world.remove(pod);
		} else if (pod.state === 'idle')
			this.#world.time.in(registrationPollMs * chance(pod.nth, 'poll')(), () => this.#learn(pod));
		this.#follow();
	}

	#gather(operation: Operation): void {
		if (this.#batch.push(operation) === 1) this.#world.time.in(batchMs, () => this.#store());
	}

	#store(): void {
		const { nowMs } = this.#world.time;
		this.#reservations = afterBatch(this.#reservations, this.#batch, this.#max, nowMs);
		this.#batch = [];
		this.#scale();
	}

	#resync(): void {
		this.#scale();
		this.#world.time.in(resyncMs, () => this.#resync());
	}

	#scale(): void {
		const { delayMs } = this.#settings;
		const input = { min: 0, max: this.#max, reservations: this.#reservations, delayMs };
		const { desired, scaledOutMs, effectiveMs } = scaled(input, this.#status, this.#world.time.nowMs);
		this.#status = { desired, scaledOutMs };
		this.#replicas = desired;
		this.#effectiveMs = effectiveMs ?? this.#effectiveMs;
		this.#follow();
	}

	#follow(): void {
		const { nowMs } = this.#world.time;
		const owners = [...this.#world.pods].map((pod) => ({
			ordinal: pod.nth,
			createdMs: pod.createdMs,
			phase: nowMs < pod.runsMs ? ('pending' as const) : ('running' as const),
			pod,
		}));
		const { create, unregister } = followed(owners, this.#replicas, this.#effectiveMs, nowMs);
		for (let made = 0; made < create; made++) this.#world.create();
		for (const { pod } of unregister) {
			this.#asked.add(pod);
			if (this.#known.has(pod)) this.#unregister(pod);
		}
	}

	#learn(pod: Pod): void {
		if (!this.#world.pods.has(pod)) return;
		this.#known.add(pod);
		if (this.#asked.has(pod)) this.#unregister(pod);
	}

	/** Once only: where GitHub refuses because of a job, ARC waits for the runner's end. */
	#unregister(pod: Pod): void {
		if (pod.state !== 'idle') return;
		this.#asked.delete(pod);
		this.#known.delete(pod);
		this.#world.remove(pod);
	}
}

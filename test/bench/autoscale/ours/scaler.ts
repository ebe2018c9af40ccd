import { demand } from '../../../../admission/autoscale/rules/demand.ts';
import { nothingPassed } from '../../../../admission/autoscale/rules/experiment.ts';
import { givingOut, noActivity, withReconcile } from '../../../../admission/autoscale/rules/giving-out.ts';
import { mostStartUps } from '../../../../admission/autoscale/rules/policy.ts';
import {
	type Arrivals,
	spareFor,
	startUpMsOf,
	withArrivals,
} from '../../../../admission/autoscale/rules/spare.ts';
import type { Runner } from '../../../../admission/autoscale/rules/types.ts';
import { type Accounting, type Owner, plan } from '../../../../admission/sets/rules/plan.ts';
import { briefEnd, releaseRetryMs } from '../../../../admission/sets/rules/policy.ts';
import { noBackoff } from '../../../../admission/sets/rules/start-backoff.ts';
import type { JobEvent, Pod, Scaler, World } from '../world.ts';
import { Polling, type Working } from './polling.ts';
import { clockOf, Records } from './records.ts';
import { Redelivery } from './redelivery.ts';

/** How often it is looked how many spare runners there are to be, if nothing else happens. */
const spareEveryMs = 30_000;

export interface OurSettings {
	/** scaleDownDelaySecondsAfterScaleOut */
	delayMs: number;
	/** duration: the age at which GitHub is asked about a waiting job. */
	checkAfterMs: number;
	/** spec.spare.quantile; undefined: none. */
	quantile?: number | undefined;
	/** false: every runner that is there counts for waiting jobs, as before it was doubted. */
	doubts?: boolean;
	/** What the runners' own source reports besides that it works: its log nothing, its hook the run. */
	source: 'log' | 'hook';
}

/** A set of ours with its HorizontalRunnerAutoscaler, minReplicas 0, by the server's own rules. */
export class Ours implements Scaler {
	readonly redelivery: Redelivery;
	readonly polling: Polling;
	/** Runners that the rules wanted to remove though their own source had reported that they work: never. */
	releasedBusy = 0;
	readonly #world: World;
	readonly #settings: OurSettings;
	readonly #records: Records;
	readonly #notBeforeMs = new Map<Pod, number>();
	/** Runners whose exchange with GitHub is under way. */
	readonly #leaving = new Set<Pod>();
	#accounting: Accounting = { effectiveMs: 0, completionsMs: [], ...noBackoff };
	#memory = nothingPassed;
	#activity = noActivity;
	#replicas = 0;
	#arrivals: Arrivals;
	#tookMs: number[] = [];
	#passes = false;
	#alarm = 0;

	constructor(world: World, settings: OurSettings, seed: number) {
		this.#world = world;
		this.#settings = settings;
		this.#records = new Records(world);
		this.#arrivals = { sinceMs: clockOf(world), atMs: [] };
		const changed = () => this.#passSoon();
		this.redelivery = new Redelivery(world, this.#records, seed, changed);
		this.polling = new Polling(world, this.#records, () => this.#working(), changed);
	}

	eventReceived(event: JobEvent): void {
		this.#records.receive(event);
		this.polling.event(event.job.repository);
		this.#passSoon();
	}

	podChanged({ state, createdMs, registersMs }: Pod): void {
		if (state === 'idle') this.#tookMs = [...this.#tookMs, registersMs - createdMs].slice(-mostStartUps);
		this.#passSoon();
	}

	#passSoon(): void {
		if (this.#passes) return;
		this.#passes = true;
		this.#world.time.in(this.#world.constants.reactMs, () => this.#pass());
	}

	/** One pass of the set's reconciler. */
	#pass(): void {
		this.#passes = false;
		const world = this.#world;
		const nowMs = clockOf(world);
		const pods = [...world.pods];
		const { delayMs, checkAfterMs } = this.#settings;
		const asked = demand(
			this.#records.jobs,
			pods.map((pod) => this.#runnerOf(pod)),
			{
				min: 0,
				max: world.constants.max,
				countsJobs: true,
				spare: this.#spare(nowMs),
				reserved: 0,
				suggestion: undefined,
				delayMs,
				checkAfterMs,
				ready: true,
			},
			nowMs,
			{ memory: this.#memory, startUpsMs: this.#tookMs, giving: givingOut(this.#activity) },
		);
		if (this.#settings.doubts !== false) {
			this.#memory = asked.passing.memory;
			this.#activity = withReconcile(this.#activity, 'set', asked.passing, nowMs);
		}
		this.#records.remember(asked, nowMs);
		const { create, release, remove, accounting, requeueAfterMs } = plan(
			pods.map((pod) => this.#ownerOf(pod)),
			{
				replicas: this.#replicas,
				demanded: asked,
				templateHash: '',
				surge: 1,
				deleting: false,
				credentialsMissing: false,
				recreationDelayMs: undefined,
				accounting: this.#accounting,
			},
			nowMs,
		);
		this.#accounting = accounting;
		this.#replicas = asked.desired + asked.held;
		const byName = new Map(pods.map((pod) => [pod.name, pod]));
		for (const { name } of remove) {
			const pod = byName.get(name)!;
			this.#notBeforeMs.delete(pod);
			world.remove(pod);
		}
		for (const { name } of release) this.#release(byName.get(name)!);
		for (let made = 0; made < create; made++) world.create();
		this.polling.ask(asked.ask);
		const never = Number.POSITIVE_INFINITY;
		const spareAgainMs = this.#settings.quantile === undefined ? never : spareEveryMs;
		this.#wake(Math.min(asked.requeueAfterMs ?? never, requeueAfterMs ?? never, spareAgainMs));
	}

	/** The newest alarm counts; an older one does nothing. */
	#wake(inMs: number): void {
		const alarm = ++this.#alarm;
		if (Number.isFinite(inMs))
			this.#world.time.in(inMs, () => {
				if (alarm === this.#alarm) this.#passSoon();
			});
	}

	#release(pod: Pod): void {
		if (this.#leaving.has(pod)) return;
		if (pod.state === 'busy' && pod.signalled) this.releasedBusy += 1;
		this.#leaving.add(pod);
		this.#world.time.in(this.#world.constants.callMs, () => {
			this.#leaving.delete(pod);
			if (pod.state === 'gone') return;
			if (!this.#world.remove(pod)) this.#notBeforeMs.set(pod, clockOf(this.#world) + releaseRetryMs);
			this.#passSoon();
		});
	}

	#working(): Working {
		const busy = [...this.#world.pods].filter(({ state, signalled }) => state === 'busy' && signalled).length;
		const runs = this.#records.jobs.filter(
			({ state, endedMs }) => state === 'in_progress' && endedMs === undefined,
		);
		return { busy, jobs: runs.length };
	}

	/** Idle runners on top, from how many jobs came of late and how long runners took to start. */
	#spare(nowMs: number): number {
		const { quantile } = this.#settings;
		if (quantile === undefined) return 0;
		for (const openedMs of this.#records.newlyOpened())
			this.#arrivals = withArrivals(this.#arrivals, [openedMs], nowMs);
		return spareFor(this.#arrivals, startUpMsOf(this.#tookMs), quantile, nowMs);
	}

	/** As the autoscaler sees it: a job shows once the runner's own source has reported it. */
	#runnerOf(pod: Pod): Runner {
		const { phase, sinceMs } = this.#phaseOf(pod);
		const createdMs = this.#clock(pod.createdMs);
		const waits = phase === 'unbound' || phase === 'starting' || phase === 'idle';
		const { job, signalled } = pod;
		return {
			uid: pod.name,
			name: pod.name,
			phase,
			departing: this.#leaving.has(pod),
			createdMs,
			idleSinceMs: waits ? (sinceMs ?? createdMs) : undefined,
			busySinceMs: phase === 'busy' ? sinceMs : undefined,
			worked: signalled,
			job:
				signalled && job
					? {
							name: job.name,
							...(this.#settings.source === 'hook'
								? { repository: job.repository, runId: job.runId, runAttempt: 1 }
								: {}),
						}
					: undefined,
		};
	}

	#ownerOf(pod: Pod): Owner {
		const { startedMs = 0, durationMs = 0 } = pod.job ?? {};
		return {
			name: pod.name,
			uid: pod.name,
			createdMs: this.#clock(pod.createdMs),
			templateHash: '',
			onCordonedNode: false,
			departing: this.#leaving.has(pod),
			brief: !pod.signalled && startedMs + durationMs - pod.runsMs < briefEnd.withinMs,
			notBeforeMs: this.#notBeforeMs.get(pod),
			...this.#phaseOf(pod),
		};
	}

	#phaseOf(pod: Pod): Pick<Owner, 'phase' | 'sinceMs'> {
		const runsSinceMs = this.#clock(pod.runsMs);
		switch (pod.state) {
			case 'starting':
				return this.#world.time.nowMs < pod.runsMs
					? { phase: 'unbound', sinceMs: undefined }
					: { phase: 'starting', sinceMs: runsSinceMs };
			case 'idle':
				return { phase: 'idle', sinceMs: runsSinceMs };
			case 'busy':
				return pod.signalled
					? { phase: 'busy', sinceMs: this.#clock(pod.job?.startedMs ?? 0) }
					: { phase: 'idle', sinceMs: runsSinceMs };
			case 'ended':
			case 'gone':
				return { phase: 'completed', sinceMs: undefined };
		}
	}

	#clock(ms: number): number {
		return clockOf(this.#world) - this.#world.time.nowMs + ms;
	}
}

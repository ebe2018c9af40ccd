/**
 * What a kubelet does with one pod, as far as races depend on it (Kubernetes 1.36: pkg/kubelet/pod_workers.go,
 * kubelet.go, kuberuntime/kuberuntime_manager.go). It does one thing at a time:
 *
 * - A sync writes the pod's status as it is at that moment, waits for volumes, and then pulls each image and starts each
 *   container, one after the other in the order of the spec. Until the next sync the status stays as it was written.
 * - A deletion ends the wait for volumes, and nothing else: a sync that has come further pulls and starts whatever is
 *   left in it.
 * - Between two syncs the state of the containers is read once more (a "relist"). If the pod is deleted by then, it is
 *   stopped: SIGTERM, and SIGKILL after the whole grace period, which begins only now.
 * - A pod that is deleted before its volumes are mounted, or while an init container runs, never starts a container.
 *
 * No HTTP and no real time here: the clock is passed in.
 */

export type ContainerState =
	| { state: 'waiting'; reason: string }
	| { state: 'running'; restarts: number; sinceMs: number }
	| { state: 'terminated'; restarts: number; sinceMs: number; atMs: number; exitCode: number };

export interface ContainerPlan {
	name: string;
	/** An init container: one that runs for so long and ends, ms, or a sidecar that goes on. */
	init?: { runsMs: number } | 'sidecar';
	/** How long its image is pulled before it starts, ms. */
	pullMs: number;
	/** Attempts to pull it fail until so long after the first one has begun, ms. */
	pullFailsForMs: number;
	/** Its postStart hook, ms: the next container waits for it. */
	postStartMs: number;
	/** Whether it is started again after it has ended with this code. */
	restarts(exitCode: number): boolean;
}

export interface PodPlan {
	/** Init containers first, each kind in the order of the spec. */
	containers: readonly ContainerPlan[];
	/** Until its volumes are mounted, ms. */
	mountMs: number;
	/** spec.terminationGracePeriodSeconds, ms: of a pod whose object is gone. */
	graceMs: number;
}

export interface KubeletTimes {
	/** From the end of a sync to the next one, ms: a kubelet reads the containers' states once a second. */
	relistMs: number;
	/** No grace period is shorter, ms. */
	minimumGraceMs: number;
	/** From a failed pull to the next attempt, ms; twice as long after each further one. */
	pullBackOffMs: number;
}

export const kubeletTimes: KubeletTimes = { relistMs: 1_000, minimumGraceMs: 2_000, pullBackOffMs: 10_000 };

/** What the worker does to the world. */
interface PodRuntime {
	/** The API server, and `pods/log`, show these states from now on. */
	report(states: ReadonlyMap<string, ContainerState>): void;
	start(container: string, restarts: number): void;
	sigterm(container: string): void;
	sigkill(container: string): void;
	/** Nothing of the pod runs or will run: its object may go. */
	finished(): void;
}

export interface WorkerClock {
	/** Milliseconds, of any origin. */
	now(): number;
	/** Calls back once; the returned function cancels. */
	after(ms: number, callback: () => void): () => void;
}

const longestBackOffMs = 300_000;
const killed = 137;

interface FailedPulls {
	firstMs: number;
	count: number;
	/** No attempt is made before. */
	untilMs: number;
}

export class PodWorker {
	readonly #plan: PodPlan;
	readonly #times: KubeletTimes;
	readonly #runtime: PodRuntime;
	readonly #clock: WorkerClock;
	readonly #states = new Map<string, ContainerState>();
	readonly #failedPulls = new Map<string, FailedPulls>();
	/** undefined: not deleted. */
	#graceMs: number | undefined;
	#deleted = Promise.withResolvers<void>();
	#woken = Promise.withResolvers<void>();
	/** Something has changed that the next sync reports or acts on. */
	#due = false;
	#mounted = false;
	#stopped = false;

	/** Containers that run already, of a pod that another kubelet process has started, are in `found`. */
	constructor(
		plan: PodPlan,
		times: KubeletTimes,
		runtime: PodRuntime,
		clock: WorkerClock,
		found: ReadonlyMap<string, ContainerState> = new Map(),
	) {
		this.#plan = plan;
		this.#times = times;
		this.#runtime = runtime;
		this.#clock = clock;
		const reason = plan.containers.some(({ init }) => init) ? 'PodInitializing' : 'ContainerCreating';
		for (const { name } of plan.containers)
			this.#states.set(name, found.get(name) ?? { state: 'waiting', reason });
		this.#mounted = found.size > 0;
	}

	/** Ends when nothing of the pod runs any longer. */
	async run(): Promise<void> {
		while (this.#graceMs === undefined && !this.#stopped) {
			await this.#sync();
			if (this.#mounted) await this.#sleep(this.#times.relistMs);
			await this.#reasonToSync();
		}
		if (!this.#stopped) await this.#terminate();
	}

	/**
	 * The pod is deleted.
	 * @param graceMs metadata.deletionGracePeriodSeconds; undefined: its object is gone, and the spec's counts
	 */
	delete(graceMs: number = this.#plan.graceMs): void {
		const least = Math.max(graceMs, this.#times.minimumGraceMs);
		if (least >= (this.#graceMs ?? Infinity)) return; // a later deletion can only shorten it
		this.#graceMs = least;
		this.#deleted.resolve();
		this.#wake();
	}

	/** A container has ended by itself, or because of a signal. */
	ended(container: string, exitCode: number): void {
		const state = this.#states.get(container);
		if (state?.state !== 'running') return;
		const { restarts, sinceMs } = state;
		const atMs = this.#clock.now();
		this.#states.set(container, { state: 'terminated', restarts, sinceMs, atMs, exitCode });
		if (this.#graceMs !== undefined) this.#wake();
		else
			this.#clock.after(this.#times.relistMs, () => {
				this.#due = true;
				this.#wake();
			});
	}

	/** The kubelet itself is gone: containers are left as they are. */
	stop(): void {
		this.#stopped = true;
		this.#deleted.resolve();
		this.#wake();
	}

	async #sync(): Promise<void> {
		this.#due = false;
		this.#report();
		if (!this.#mounted) {
			await Promise.race([this.#sleep(this.#plan.mountMs), this.#deleted.promise]);
			if (this.#graceMs !== undefined || this.#stopped) return;
			this.#mounted = true;
		}
		// From here on the kubelet works under context.WithoutCancel: it does not look at the pod's deletion any more.
		const init = this.#plan.containers.find((container) => container.init && !this.#isPast(container));
		const next = init ? [init] : this.#plan.containers.filter(({ init }) => !init);
		for (const container of next)
			if (this.#isToStart(container) && !this.#stopped) await this.#start(container);
	}

	/** An init container that no later one waits for. */
	#isPast({ name, init }: ContainerPlan): boolean {
		const state = this.#states.get(name);
		return init === 'sidecar' ? state?.state === 'running' : state?.state === 'terminated';
	}

	#isToStart({ name, init, restarts }: ContainerPlan): boolean {
		const state = this.#states.get(name);
		if (state?.state === 'terminated') return init === 'sidecar' || (!init && restarts(state.exitCode));
		if (state?.state === 'running') return false;
		const failed = this.#failedPulls.get(name);
		if (failed === undefined || this.#clock.now() >= failed.untilMs) return true;
		if (state?.reason !== 'ImagePullBackOff')
			this.#change(name, { state: 'waiting', reason: 'ImagePullBackOff' });
		return false;
	}

	async #start(container: ContainerPlan): Promise<void> {
		const { name, init, pullMs, postStartMs } = container;
		const before = this.#states.get(name);
		const again = before?.state === 'terminated';
		const beganMs = this.#clock.now();
		// The image of a container that is started again is there.
		if (!again) {
			await this.#sleep(pullMs);
			if (this.#pullFails(container, beganMs)) return;
		}
		const restarts = again ? before.restarts + 1 : 0;
		this.#change(name, { state: 'running', restarts, sinceMs: this.#clock.now() });
		this.#runtime.start(name, restarts);
		await this.#sleep(postStartMs);
		if (typeof init === 'object') this.#clock.after(init.runsMs, () => this.ended(name, 0));
	}

	#pullFails({ name, pullFailsForMs }: ContainerPlan, beganMs: number): boolean {
		const { firstMs, count } = this.#failedPulls.get(name) ?? { firstMs: beganMs, count: 0 };
		const nowMs = this.#clock.now();
		if (nowMs - firstMs >= pullFailsForMs) return false;
		const backOffMs = Math.min(this.#times.pullBackOffMs * 2 ** count, longestBackOffMs);
		this.#failedPulls.set(name, { firstMs, count: count + 1, untilMs: nowMs + backOffMs });
		this.#change(name, { state: 'waiting', reason: 'ErrImagePull' });
		this.#clock.after(backOffMs, () => {
			this.#due = true;
			this.#wake();
		});
		return true;
	}

	async #reasonToSync(): Promise<void> {
		while (!this.#due && this.#graceMs === undefined && !this.#stopped) await this.#woken.promise;
	}

	async #terminate(): Promise<void> {
		this.#report();
		const running = () =>
			[...this.#states].filter(([, { state }]) => state === 'running').map(([name]) => name);
		for (const name of running()) this.#runtime.sigterm(name);
		const beganMs = this.#clock.now();
		while (running().length > 0 && !this.#stopped) {
			const leftMs = beganMs + (this.#graceMs ?? 0) - this.#clock.now();
			if (leftMs > 0) {
				const elapsed = Promise.withResolvers<void>();
				const cancel = this.#clock.after(leftMs, elapsed.resolve);
				await Promise.race([elapsed.promise, this.#woken.promise]);
				cancel();
				continue;
			}
			for (const name of running()) {
				this.#runtime.sigkill(name);
				this.ended(name, killed);
			}
		}
		if (this.#stopped) return;
		this.#report();
		this.#runtime.finished();
	}

	#change(name: string, state: ContainerState): void {
		this.#states.set(name, state);
		this.#due = true;
	}

	#report(): void {
		this.#runtime.report(new Map(this.#states));
	}

	#wake(): void {
		this.#woken.resolve();
		this.#woken = Promise.withResolvers<void>();
	}

	#sleep(ms: number): Promise<void> {
		return new Promise((resolve) => {
			if (ms > 0) this.#clock.after(ms, resolve);
			else resolve();
		});
	}
}

/** The pods of the nodes whose kubelet syncs as a real one does: a worker for each (pod-worker.ts). */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Kube, KubeError } from './kube.ts';
import { podPlan, stopsBySigterm } from './pod-plan.ts';
import { podStatus } from './pod-status.ts';
import { type ContainerState, type KubeletTimes, PodWorker, type WorkerClock } from './pod-worker.ts';
import { type PodItem, runnerContainer } from './runner-pod.ts';

/** The process of a runner's container. */
interface RunnerProcess {
	containerStarted(restarts: number): void;
	/** PID 1 has a handler for SIGTERM, and ends soon. */
	sigterm(): void;
	sigkill(): void;
}

interface Entry {
	pod: PodItem;
	worker: PodWorker;
	/** What the API server shows, and logs are answered from. */
	reported: ReadonlyMap<string, ContainerState>;
	/** Writes of its status, and its deletion, one after the other. */
	writes: Promise<void>;
	/** Its object is gone. */
	gone: boolean;
	finished: boolean;
}

const clock: WorkerClock = {
	now: Date.now,
	after(ms, callback) {
		const timer = setTimeout(callback, ms).unref();
		return () => clearTimeout(timer);
	},
};

const retryMs = { first: 100, longest: 5_000 };

export class PodWorkers {
	readonly #kube: Kube;
	readonly #times: KubeletTimes;
	readonly #processOf: (uid: string) => RunnerProcess | undefined;
	/** No container of this pod runs any longer, and its object is gone. */
	readonly #over: (uid: string) => void;
	readonly #syncs: (node: string | undefined) => boolean;
	readonly #entries = new Map<string, Entry>();

	constructor(parts: {
		kube: Kube;
		times: KubeletTimes;
		syncs: (node: string | undefined) => boolean;
		processOf: (uid: string) => RunnerProcess | undefined;
		over: (uid: string) => void;
	}) {
		this.#kube = parts.kube;
		this.#times = parts.times;
		this.#syncs = parts.syncs;
		this.#processOf = parts.processOf;
		this.#over = parts.over;
	}

	/** Whether the pod's containers are started here, and not as soon as its status says that they run. */
	has(pod: PodItem): boolean {
		return this.#entries.has(pod.metadata.uid) || this.#syncs(pod.spec.nodeName);
	}

	seen(pod: PodItem): void {
		const { uid, deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
		if (!this.has(pod)) return;
		const entry = this.#entries.get(uid) ?? this.#begin(pod);
		entry.pod = pod;
		if (deletionTimestamp)
			entry.worker.delete(
				deletionGracePeriodSeconds === undefined ? undefined : deletionGracePeriodSeconds * 1000,
			);
	}

	gone({ metadata: { uid } }: PodItem): void {
		const entry = this.#entries.get(uid);
		if (entry === undefined) {
			this.#over(uid);
			return;
		}
		entry.gone = true;
		entry.worker.delete();
		this.#forget(entry);
	}

	/** Why the container's log cannot be read, as a kubelet says it; undefined: it can. */
	waiting(uid: string, container: string): string | undefined {
		const state = this.#entries.get(uid)?.reported.get(container);
		if (state !== undefined && state.state !== 'waiting') return undefined;
		switch (state?.reason) {
			case 'ErrImagePull':
				return "image can't be pulled";
			case 'ImagePullBackOff':
				return 'trying and failing to pull image';
			default:
				return state?.reason ?? 'ContainerCreating';
		}
	}

	/** The runner's container has ended. */
	exited(uid: string, exitCode: number): void {
		this.#entries.get(uid)?.worker.ended(runnerContainer, exitCode);
	}

	stop(): void {
		for (const { worker } of this.#entries.values()) worker.stop();
	}

	#begin(pod: PodItem): Entry {
		const { uid } = pod.metadata;
		const worker: PodWorker = new PodWorker(
			podPlan(pod),
			this.#times,
			{
				report: (states) => {
					entry.reported = states;
					this.#write(entry, () => this.#report(entry, states));
				},
				start: (container, restarts) => {
					if (container === runnerContainer) this.#processOf(uid)?.containerStarted(restarts);
				},
				sigterm: (container) => {
					if (!stopsBySigterm(entry.pod, container)) return;
					if (container === runnerContainer) this.#processOf(uid)?.sigterm();
					else worker.ended(container, 0);
				},
				sigkill: (container) => {
					if (container === runnerContainer) this.#processOf(uid)?.sigkill();
				},
				finished: () => {
					entry.finished = true;
					this.#write(entry, () => this.#delete(entry));
					this.#forget(entry);
				},
			},
			clock,
		);
		const entry: Entry = {
			pod,
			worker,
			reported: new Map(),
			writes: Promise.resolve(),
			gone: false,
			finished: false,
		};
		this.#entries.set(uid, entry);
		// A pod that is being deleted when it is first seen is deleted before its first sync.
		queueMicrotask(() => void worker.run());
		return entry;
	}

	#forget({ gone, finished, pod: { metadata } }: Entry): void {
		if (!gone || !finished) return;
		this.#entries.delete(metadata.uid);
		this.#over(metadata.uid);
	}

	#write(entry: Entry, write: () => Promise<unknown>): void {
		entry.writes = entry.writes.then(() => this.#untilDone(entry, write));
	}

	/** As a kubelet does it: until it succeeds, or the object is gone or another one. */
	async #untilDone(entry: Entry, write: () => Promise<unknown>): Promise<void> {
		for (let waitMs = retryMs.first; !entry.gone; waitMs = Math.min(waitMs * 2, retryMs.longest)) {
			try {
				await write();
				return;
			} catch (error) {
				if (error instanceof Error && error.name === 'AbortError') return; // stopped
				if (error instanceof KubeError && [404, 422].includes(error.status)) return;
				await sleep(waitMs, undefined, { ref: false });
			}
		}
	}

	#report({ pod }: Entry, states: ReadonlyMap<string, ContainerState>): Promise<unknown> {
		const { namespace, name, uid } = pod.metadata;
		const body = { metadata: { uid }, status: podStatus(pod, states, Date.now()) };
		return this.#kube.patch(`/api/v1/namespaces/${namespace}/pods/${name}/status`, body, 'strategic-merge');
	}

	/** A kubelet's last step, as its node. */
	#delete({ pod }: Entry): Promise<unknown> {
		const { namespace, name, uid } = pod.metadata;
		const options = {
			apiVersion: 'v1',
			kind: 'DeleteOptions',
			gracePeriodSeconds: 0,
			preconditions: { uid },
		};
		const as = `system:node:${pod.spec.nodeName}`;
		return this.#kube.delete(`/api/v1/namespaces/${namespace}/pods/${name}`, options, {
			'impersonate-user': as,
			'impersonate-group': 'system:nodes',
		});
	}
}

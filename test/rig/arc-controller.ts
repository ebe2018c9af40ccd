/**
 * ARC's controller of runner pods, as far as others have to coexist with it: it unregisters runners that are scaled
 * down or deleted. Modelled on its source, v0.27.6: runner_pod_controller.go, runner_graceful_stop.go. Left out:
 * containers that restart, rate limits, a pod that is deleted by force.
 */
import { readKubeconfig } from '../sim/cluster-access.ts';
import { Kube } from '../sim/kube.ts';
import { containerState, type PodItem } from '../sim/runner-pod.ts';
import type { Rig } from './rig.ts';

const podFinalizer = 'actions.summerwind.dev/runner-pod';
const prefix = 'actions-runner/';
export const arcKeys = {
	id: `${prefix}id`,
	request: `${prefix}unregistration-request-timestamp`,
	start: `${prefix}unregistration-start-timestamp`,
	failure: `${prefix}unregistration-failure-message`,
	wait: `${prefix}runner-completion-wait-start-timestamp`,
	complete: `${prefix}unregistration-complete-timestamp`,
} as const;

/** Distinguishes its calls from ours in GitHub's journal. */
export const arcUserAgent = 'actions-runner-controller/v0.27.6';

/** DefaultUnregistrationRetryDelay. */
const retryDelayMs = 60_000;
/** RequeueAfter of ensureRunnerPodRegistered. */
const registrationRecheckMs = 10_000;
const registrationTimeoutMs = 10 * 60_000;
/** Its --sync-period: every pod is reconciled again. */
const resyncMs = 60_000;
/** It keeps GitHub's answers as long as their Cache-Control says, which is a minute; less here, so that no test waits for that. */
const listCacheMs = 2_000;
/** controller-runtime's rate limiter: after an error 5 ms, then twice as long each time. */
const firstBackoffMs = 5;

export interface Arc {
	/** Names of the pods that its finalizer has let go. */
	readonly released: string[];
	stop(): void;
}

export async function startArc(rig: Rig): Promise<Arc> {
	const controller = new RunnerPodController(rig);
	await controller.start();
	return controller;
}

/**
 * The pod's runner is unregistered as far as ARC is concerned; or it is reconciled again, after this number of ms or
 * when it changes.
 */
type Stop = { done: true; pod: PodItem } | { done: false; againMs: number | undefined };

class RunnerPodController implements Arc {
	readonly released: string[] = [];
	readonly #kube: Kube;
	readonly #rig: Rig;
	readonly #pods = new Map<string, PodItem>();
	/**
	 * Keys to reconcile; as in controller-runtime one worker takes them, and a key that changes during its reconcile is
	 * reconciled once more.
	 */
	readonly #due = new Set<string>();
	readonly #timers = new Map<string, { atMs: number; timer: NodeJS.Timeout }>();
	readonly #failures = new Map<string, number>();
	readonly #lists = new Map<string, { atMs: number; ids: Map<string, number> }>();
	readonly #resync: NodeJS.Timeout;
	#working = false;

	constructor(rig: Rig) {
		this.#rig = rig;
		this.#kube = new Kube(readKubeconfig(rig.cluster.kubeconfig));
		this.#resync = setInterval(() => {
			for (const key of this.#pods.keys()) this.#add(key);
		}, resyncMs);
	}

	start(): Promise<void> {
		return this.#kube.watch<PodItem>('/api/v1/pods', {
			seen: (pod) => {
				if (!this.#rig.owns(pod.metadata.namespace ?? 'default')) return;
				if (pod.metadata.labels?.['actions-runner'] === undefined) return;
				this.#pods.set(keyOf(pod), pod);
				this.#add(keyOf(pod));
			},
			gone: (pod) => {
				this.#pods.delete(keyOf(pod));
				clearTimeout(this.#timers.get(keyOf(pod))?.timer);
				this.#timers.delete(keyOf(pod));
			},
		});
	}

	stop(): void {
		clearInterval(this.#resync);
		for (const { timer } of this.#timers.values()) clearTimeout(timer);
		this.#pods.clear();
		this.#kube.stop();
	}

	#add(key: string): void {
		this.#due.add(key);
		if (!this.#working) void this.#work();
	}

	/** The earliest time counts. */
	#addAfter(key: string, ms: number): void {
		const atMs = Date.now() + ms;
		const waiting = this.#timers.get(key);
		if (waiting && waiting.atMs <= atMs) return;
		clearTimeout(waiting?.timer);
		const timer = setTimeout(() => {
			this.#timers.delete(key);
			this.#add(key);
		}, ms);
		this.#timers.set(key, { atMs, timer });
	}

	async #work(): Promise<void> {
		this.#working = true;
		for (const key of this.#due) {
			this.#due.delete(key);
			const pod = this.#pods.get(key);
			if (!pod) continue;
			try {
				const againMs = await this.#reconcile(pod);
				this.#failures.delete(key);
				if (againMs !== undefined) this.#addAfter(key, againMs);
			} catch (error) {
				if (error instanceof Error && error.name === 'AbortError') break; // stopped
				const failures = this.#failures.get(key) ?? 0;
				this.#failures.set(key, failures + 1);
				if (this.#pods.has(key)) this.#addAfter(key, firstBackoffMs * 2 ** failures);
			}
		}
		this.#working = false;
	}

	/** @returns after how many ms it is reconciled again unless it changes before */
	async #reconcile(seen: PodItem): Promise<number | undefined> {
		const { deletionTimestamp, finalizers = [] } = seen.metadata;
		if (deletionTimestamp) {
			if (!finalizers.includes(podFinalizer)) return undefined;
			const stopped = await this.#gracefulStop(seen);
			if (!stopped.done) return stopped.againMs;
			await this.#patch(seen, { finalizers: finalizers.filter((one) => one !== podFinalizer) });
			this.released.push(seen.metadata.name);
			return undefined;
		}
		if (!finalizers.includes(podFinalizer)) {
			await this.#patch(seen, { finalizers: [...finalizers, podFinalizer] });
			return undefined;
		}
		let pod = seen;
		if (!isStopped(pod) && annotation(pod, arcKeys.id) === undefined) {
			const id = await this.#listedId(pod);
			if (id === undefined) return registrationRecheckMs;
			pod = await this.#annotateOnce(pod, arcKeys.id, String(id));
		}
		if (annotation(pod, arcKeys.request) === undefined) return undefined;
		const stopped = await this.#gracefulStop(pod);
		return stopped.done ? undefined : stopped.againMs;
	}

	/** tickRunnerGracefulStop */
	async #gracefulStop(seen: PodItem): Promise<Stop> {
		const pod = await this.#annotateOnce(seen, arcKeys.start, rfc3339());
		const stopped = await this.#ensureUnregistered(pod);
		if (!stopped.done) return stopped;
		return { done: true, pod: await this.#annotateOnce(pod, arcKeys.complete, rfc3339()) };
	}

	/** ensureRunnerUnregistration */
	async #ensureUnregistered(pod: PodItem): Promise<Stop> {
		const done = { done: true, pod } as const;
		const retry = { done: false, againMs: retryDelayMs } as const;
		const id = Number(annotation(pod, arcKeys.id) ?? (await this.#listedId(pod)));
		if (annotation(pod, arcKeys.complete)) return done;
		if (Number.isNaN(id)) {
			if (isStopped(pod) || pod.status?.phase === 'Pending' || readyForMs(pod) > registrationTimeoutMs)
				return done;
			return retry;
		}
		if (isStopped(pod)) return done;
		if (annotation(pod, arcKeys.wait)) return retry;
		const { status, message } = await this.#remove(pod, id);
		if (status === 204 || status === 403) return done; // it treats a missing permission as success
		await this.#listedId(pod);
		if (status !== 422) throw new Error(`DELETE runner: ${status} ${message}`);
		await this.#annotateOnce(pod, arcKeys.failure, message);
		if (environment(pod, 'RUNNER_EPHEMERAL') !== 'true') return retry;
		await this.#annotateOnce(pod, arcKeys.wait, rfc3339());
		return { done: false, againMs: undefined };
	}

	/** annotatePodOnce */
	async #annotateOnce(pod: PodItem, key: string, value: string): Promise<PodItem> {
		if (annotation(pod, key) !== undefined) return pod;
		return this.#patch(pod, { annotations: { [key]: value } });
	}

	#patch(pod: PodItem, metadata: object): Promise<PodItem> {
		const { name, namespace, uid } = pod.metadata;
		return this.#kube.patch<PodItem>(`/api/v1/namespaces/${namespace}/pods/${name}`, {
			metadata: { uid, ...metadata },
		});
	}

	async #remove(pod: PodItem, id: number): Promise<{ status: number; message: string }> {
		const response = await this.#github(`${runnersOf(pod)}/${id}`, 'DELETE');
		if (response.status === 204) return { status: 204, message: '' };
		const { message = '' } = (await response.json()) as { message?: string };
		return { status: response.status, message };
	}

	async #listedId(pod: PodItem): Promise<number | undefined> {
		const path = runnersOf(pod);
		const known = this.#lists.get(path);
		const list =
			known && Date.now() - known.atMs < listCacheMs ? known : { atMs: Date.now(), ids: new Map() };
		if (list !== known) {
			const response = await this.#github(`${path}?per_page=100`, 'GET');
			const { runners } = (await response.json()) as { runners: { id: number; name: string }[] };
			for (const { id, name } of runners) list.ids.set(name, id);
			this.#lists.set(path, list);
		}
		return list.ids.get(environment(pod, 'RUNNER_NAME') ?? '');
	}

	#github(path: string, method: string): Promise<Response> {
		const headers = { authorization: 'token test-token', 'user-agent': arcUserAgent };
		return fetch(`${this.#rig.github.url}${path}`, { method, headers });
	}
}

const keyOf = ({ metadata }: PodItem) => `${metadata.namespace}/${metadata.name}`;
const annotation = ({ metadata }: PodItem, key: string) => metadata.annotations?.[key];
const isStopped = (pod: PodItem) => containerState(pod).state === 'terminated';
const runnersOf = (pod: PodItem) => `/orgs/${environment(pod, 'RUNNER_ORG')}/actions/runners`;

function environment(pod: PodItem, name: string): string | undefined {
	const container = pod.spec.containers.find((one) => one.name === 'runner');
	return container?.env?.find((variable) => variable.name === name)?.value;
}

function readyForMs(pod: PodItem): number {
	const ready = pod.status?.conditions?.find(({ type, status }) => type === 'Ready' && status === 'True');
	return ready?.lastTransitionTime === undefined ? 0 : Date.now() - Date.parse(ready.lastTransitionTime);
}

/** Go's time.RFC3339, which ARC writes: without fractions of a second. */
const rfc3339 = () => new Date().toISOString().replace(/\.\d+Z$/, 'Z');

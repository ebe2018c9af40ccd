/**
 * Simulated runners: for every runner pod of a cluster one agent that does what actions/runner would do in it. It
 * registers when the pod's container runs, takes jobs, and exits. The effect of a SIGTERM on a job is recorded.
 */
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent } from './agent.ts';
import type { AgentContext, NamespaceOptions } from './agent-context.ts';
import { type ClusterAccess, readKubeconfig } from './cluster-access.ts';
import type { GitHub } from './github.ts';
import type { Job, JobOptions } from './job.ts';
import type { HookOptions } from './job-hooks.ts';
import type { QueuedJobs } from './job-queue.ts';
import { Journal, type JournalEntry } from './journal.ts';
import { Kube } from './kube.ts';
import { type Kubelet, type LogState, startKubelet } from './kubelet.ts';
import { type KubeletTimes, kubeletTimes } from './pod-worker.ts';
import { PodWorkers } from './pod-workers.ts';
import { factsOf, type PodItem } from './runner-pod.ts';
import { Shells } from './shells.ts';

export type { Job } from './job.ts';
export type { HookOptions } from './job-hooks.ts';
export type { JournalEntry } from './journal.ts';

export interface RunnerAgentsOptions {
	/** Path of a kubeconfig, or what it says. */
	cluster: string | ClusterAccess;
	github: GitHub;
	/** From the container's start to the registration; default 0. It may depend on how long ago the pod was created. */
	registrationDelayMs?: number | ((sinceCreatedMs: number) => number);
	/** From a job's end to that of an ephemeral runner's container; default 0. */
	exitDelayMs?: number;
	/** In which order idle runners are offered a job; default: as their pods were created. */
	inTurn?: <T>(agents: T[]) => T[];
	/** How late a scale set's listener writes a job into the EphemeralRunner's status; default 0. */
	jobStatusDelayMs?: number;
	/**
	 * After GitHub has removed an idle runner, its listener notices and the container ends after this number of ms;
	 * default undefined: the container runs on until its pod is deleted, which is the harder case.
	 */
	exitWhenRemovedMs?: number;
	/**
	 * GitHub has removed a runner that works: its listener notices that at its next poll, at most this number of ms
	 * later, and cancels the job. Default 50 s, as in reality.
	 */
	removedPollMs?: number;
	/** Whether, and how, runners run the job hooks of their pods: see job-hooks.ts. Default: they do. */
	hooks?: HookOptions | 'off';
	/** true: a runner whose RUNNER_TOKEN did not come from the simulator, or has expired, cannot register. */
	checkTokens?: boolean;
	/** Of the nodes whose kubelet syncs (kubeletSyncs); default: a real one's. */
	kubelet?: Partial<KubeletTimes>;
}

export interface RunnerAgents {
	readonly journal: readonly JournalEntry[];
	/** Gives a job to the pod's runner. Rejects if GitHub could not: not registered, offline, or busy. */
	runJob(namespace: string, pod: string, options?: JobOptions): Promise<Job>;
	/** The job ends normally; resolves when GitHub and the container show that. */
	endJob(namespace: string, pod: string): Promise<void>;
	/**
	 * The job's worker is killed: no hook and no event says that the job has ended. The runner's log does, unless `log`
	 * is false; a static runner keeps running, an ephemeral one exits.
	 */
	killWorker(namespace: string, pod: string, options?: { log?: boolean }): Promise<void>;
	/** Ends all jobs that run now; resolves with their number. */
	endAllJobs(): Promise<number>;
	/**
	 * From now on the pod's runner takes no job from GitHub, which shows it as online and idle: its listener hangs, as in
	 * actions-runner-controller #4602.
	 */
	hang(namespace: string, pod: string): void;
	/** Jobs that wait at GitHub for one of these runners: each is given to the next one that is idle and fits. */
	queueJobs(jobs: QueuedJobs): void;
	/** Jobs still without a runner. */
	queued(): number;
	/** They are cancelled. */
	clearQueue(): void;
	/** GitHub's id of the pod's runner, while it is registered. */
	runnerId(namespace: string, pod: string): number | undefined;
	/** Resolves when this number of runners, or the runners of these names, are registered and online. */
	waitRegistered(wanted: number | readonly string[], timeoutMs: number): Promise<void>;
	killedJobs(): JournalEntry[];
	/** The runner's container prints this text: it is in its log. */
	print(namespace: string, pod: string, text: string): void;
	/** It prints this number of bytes of one endless line or, with `lineBytes`, of lines of that length. */
	flood(namespace: string, pod: string, bytes: number, lineBytes?: number): void;
	/** What the kubelet answers for this pod's logs from now on, whatever its namespace's do. */
	setLog(namespace: string, pod: string, state: LogState): void;
	/** Stands for `/` of the container of a runner with job hooks: the files that its kubelet has made are there. */
	root(namespace: string, pod: string): Promise<string>;
	/** How often the kubelet of the simulated nodes was asked for a log. */
	logRequests(): number;
	/** Median over pods of the time from a job's end to the pod's disappearance; undefined: no such pod. */
	medianReleaseMs(): number | undefined;
	/** The runners of this namespace that start from now on differ from the others. */
	set(namespace: string, options: NamespaceOptions): void;
	/** The same runners, but only those in the namespaces of one user of a cluster that several share. */
	within(owns: (namespace: string) => boolean): RunnerAgents;
	stop(): void;
}

export async function startRunnerAgents(options: RunnerAgentsOptions): Promise<RunnerAgents> {
	const { github } = options;
	const kube = new Kube(
		typeof options.cluster === 'string' ? readKubeconfig(options.cluster) : options.cluster,
	);
	const journal = new Journal();
	/** By pod UID: a pod of the same name is another runner. */
	const agents = new Map<string, Agent>();
	const kubelet = await startKubelet(kube, (namespace, pod) => {
		// The newest pod of the name: an agent of an older one may not know yet that its pod is gone.
		return [...agents.values()].findLast((agent) => agent.isFor(namespace, pod))?.kubeletPod;
	});
	const workers = new PodWorkers({
		kube,
		times: { ...kubeletTimes, ...options.kubelet },
		syncs: (node) => kubelet.syncs(node),
		processOf: (uid) => agents.get(uid),
		over(uid) {
			agents.get(uid)?.over();
			agents.delete(uid);
		},
	});
	const context: AgentContext = {
		kube,
		github,
		journal,
		shells: new Shells(),
		folder: await mkdtemp(join(tmpdir(), 'simulated-runners-')),
		hooks: options.hooks ?? {},
		registrationDelayMs: options.registrationDelayMs ?? 0,
		exitDelayMs: options.exitDelayMs ?? 0,
		inTurn: options.inTurn ?? ((all) => all),
		jobStatusDelayMs: options.jobStatusDelayMs ?? 0,
		checkTokens: options.checkTokens ?? false,
		exitWhenRemovedMs: options.exitWhenRemovedMs,
		removedPollMs: options.removedPollMs ?? 50_000,
		workers,
		logs: new Map(),
		namespaces: new Map(),
	};
	const unsubscribe = github.onRemoved((runner, cause) => {
		const agent = [...agents.values()].find((candidate) => candidate.runnerId === runner.id);
		if (agent === undefined || cause === 'ephemeral-done') return;
		agent.removedByGitHub();
	});

	await kube.watch<PodItem>('/api/v1/pods', {
		seen(pod) {
			const { uid } = pod.metadata;
			workers.seen(pod);
			let agent = agents.get(uid);
			if (agent === undefined) {
				const facts = factsOf(pod);
				if (facts === undefined) return;
				agent = new Agent(context, pod, facts);
				agents.set(uid, agent);
			}
			agent.observe(pod);
		},
		gone(pod) {
			const { uid } = pod.metadata;
			agents.get(uid)?.podGone(pod);
			if (workers.has(pod)) workers.gone(pod);
			else agents.delete(uid);
		},
	});

	const end = () => {
		unsubscribe();
		workers.stop();
		kube.stop();
		kubelet.stop();
		for (const agent of agents.values()) agent.dispose();
		rmSync(context.folder, { recursive: true, force: true });
	};
	return new Handle(context, agents, kubelet, undefined, end);
}

/** The runners of some namespaces, or of all. */
class Handle implements RunnerAgents {
	readonly #context: AgentContext;
	readonly #agents: ReadonlyMap<string, Agent>;
	readonly #kubelet: Kubelet;
	/** undefined: all. */
	readonly #owns: ((namespace: string) => boolean) | undefined;
	readonly #end: () => void;
	readonly #unsubscribe: () => void;

	constructor(
		context: AgentContext,
		agents: ReadonlyMap<string, Agent>,
		kubelet: Kubelet,
		owns: ((namespace: string) => boolean) | undefined,
		end: () => void,
	) {
		this.#context = context;
		this.#agents = agents;
		this.#kubelet = kubelet;
		this.#owns = owns;
		this.#end = end;
		// At the end of the turn in which something happened, so that the event itself is complete first.
		const dispatch = () => queueMicrotask(() => this.#dispatch());
		context.journal.onEntry(dispatch);
		this.#unsubscribe = context.github.jobQueue.onReady(dispatch);
	}

	/** Jobs for any owner are assigned once: by the agents that have all runners. */
	#dispatch(): void {
		const owners = new Set(this.#owns ? [this] : [this, undefined]);
		const { github, inTurn } = this.#context;
		github.jobQueue.dispatch(inTurn(this.#own()), owners);
	}

	#own(): Agent[] {
		const all = [...this.#agents.values()];
		const owns = this.#owns;
		return owns ? all.filter((agent) => owns(agent.namespace)) : all;
	}

	#agentOf(namespace: string, pod: string): Agent {
		const found = [...this.#agents.values()].findLast((agent) => agent.isFor(namespace, pod));
		if (found) return found;
		throw new Error(`no runner pod ${namespace}/${pod} is known to the simulated runners`);
	}

	get journal(): readonly JournalEntry[] {
		const { entries } = this.#context.journal;
		const owns = this.#owns;
		return owns ? entries.filter((entry) => owns(entry.namespace)) : entries;
	}

	async runJob(namespace: string, pod: string, options?: JobOptions): Promise<Job> {
		return this.#agentOf(namespace, pod).startJob(options);
	}

	endJob(namespace: string, pod: string): Promise<void> {
		return this.#agentOf(namespace, pod).endJob();
	}

	killWorker(namespace: string, pod: string, options?: { log?: boolean }): Promise<void> {
		return this.#agentOf(namespace, pod).killWorker(options);
	}

	hang(namespace: string, pod: string): void {
		this.#agentOf(namespace, pod).hangs = true;
	}

	async endAllJobs(): Promise<number> {
		const busy = this.#own().filter((agent) => agent.job !== undefined);
		await Promise.all(busy.map((agent) => agent.endJob()));
		return busy.length;
	}

	queueJobs(jobs: QueuedJobs): void {
		this.#context.github.jobQueue.addMany(jobs, this);
		this.#dispatch();
	}

	queued(): number {
		return this.#context.github.jobQueue.waiting(this);
	}

	clearQueue(): void {
		this.#context.github.jobQueue.clear(this);
	}

	runnerId(namespace: string, pod: string): number | undefined {
		return this.#agentOf(namespace, pod).runnerId;
	}

	async waitRegistered(wanted: number | readonly string[], timeoutMs: number): Promise<void> {
		const online = () =>
			new Set(
				this.#own()
					.filter((agent) => agent.online)
					.map((agent) => agent.name),
			);
		const enough = () => {
			const names = online();
			return typeof wanted === 'number' ? names.size >= wanted : wanted.every((name) => names.has(name));
		};
		if (await this.#context.journal.until(enough, timeoutMs)) return;
		const expected = typeof wanted === 'number' ? `${wanted} runners` : wanted.join(', ');
		throw new Error(
			`not registered after ${timeoutMs} ms: ${expected}; online: ${[...online()].join(', ') || 'none'}`,
		);
	}

	killedJobs(): JournalEntry[] {
		return this.journal.filter((entry) => entry.what === 'job-killed');
	}

	print(namespace: string, pod: string, text: string): void {
		this.#agentOf(namespace, pod).log.current.print(text);
	}

	flood(namespace: string, pod: string, bytes: number, lineBytes?: number): void {
		this.#agentOf(namespace, pod).log.current.flood(bytes, lineBytes);
	}

	setLog(namespace: string, pod: string, state: LogState): void {
		this.#context.logs.set(`${namespace}/${pod}`, state);
	}

	root(namespace: string, pod: string): Promise<string> {
		return this.#agentOf(namespace, pod).root();
	}

	logRequests(): number {
		return this.#kubelet.requests;
	}

	medianReleaseMs(): number | undefined {
		return this.#context.journal.medianMs('job-ended', 'pod-gone');
	}

	set(namespace: string, options: NamespaceOptions): void {
		this.#context.namespaces.set(namespace, options);
	}

	within(owns: (namespace: string) => boolean): RunnerAgents {
		return new Handle(this.#context, this.#agents, this.#kubelet, owns, () => {});
	}

	stop(): void {
		this.#unsubscribe();
		this.clearQueue();
		this.#end();
	}
}

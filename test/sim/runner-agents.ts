/**
 * Simulated runners: for every runner pod of a cluster one agent that does what actions/runner would do in it. It
 * registers when the pod's container runs, takes jobs, ends. What a SIGTERM does to a job is written down.
 */
import { Agent, type AgentContext, type Job } from './agent.ts';
import { type ClusterAccess, readKubeconfig } from './cluster-access.ts';
import type { GitHub } from './github.ts';
import { JobQueue, type QueuedJobs } from './job-queue.ts';
import { Journal, type JournalEntry } from './journal.ts';
import { Kube } from './kube.ts';
import { factsOf, type PodItem } from './runner-pod.ts';

export type { Job } from './agent.ts';
export type { QueuedJobs } from './job-queue.ts';
export type { JournalEntry } from './journal.ts';

export interface RunnerAgentsOptions {
	/** Path of a kubeconfig, or what it says. */
	cluster: string | ClusterAccess;
	github: GitHub;
	/** From the container's start to the registration; default 0. */
	registrationDelayMs?: number;
	/** How late a scale set's listener writes a job into the EphemeralRunner's status; default 0. */
	jobStatusDelayMs?: number;
	/**
	 * After GitHub has removed an idle runner, its listener notices and the container ends after so many ms; default
	 * undefined: the container runs on until its pod is deleted, which is the harder case.
	 */
	exitWhenRemovedMs?: number;
	/** true: a runner whose RUNNER_TOKEN did not come from the simulator, or has expired, cannot register. */
	checkTokens?: boolean;
}

export interface RunnerAgents {
	readonly journal: readonly JournalEntry[];
	/** Gives a job to the pod's runner. Rejects if GitHub could not: not registered, offline, or busy. */
	runJob(namespace: string, pod: string, options?: { durationMs?: number }): Promise<Job>;
	/** The job ends as it should; resolves when GitHub and the container know. */
	endJob(namespace: string, pod: string): Promise<void>;
	/** Ends all jobs that run now; resolves with their number. */
	endAllJobs(): Promise<number>;
	/** Jobs that wait for a runner: each is given to the next one that is idle. */
	queueJobs(jobs: QueuedJobs): void;
	/** Jobs still without a runner. */
	queued(): number;
	clearQueue(): void;
	/** GitHub's id of the pod's runner, while it is registered. */
	runnerId(namespace: string, pod: string): number | undefined;
	/** Resolves when so many runners, or the runners of these names, are registered and online. */
	waitRegistered(wanted: number | readonly string[], timeoutMs: number): Promise<void>;
	killedJobs(): JournalEntry[];
	/** Median over pods of the time from a job's end to the pod's disappearance; undefined: no such pod. */
	medianReleaseMs(): number | undefined;
	stop(): void;
}

export async function startRunnerAgents(options: RunnerAgentsOptions): Promise<RunnerAgents> {
	const { github } = options;
	const kube = new Kube(
		typeof options.cluster === 'string' ? readKubeconfig(options.cluster) : options.cluster,
	);
	const journal = new Journal();
	const context: AgentContext = {
		kube,
		github,
		journal,
		registrationDelayMs: options.registrationDelayMs ?? 0,
		jobStatusDelayMs: options.jobStatusDelayMs ?? 0,
		checkTokens: options.checkTokens ?? false,
	};
	/** By pod UID: a pod of the same name is another runner. */
	const agents = new Map<string, Agent>();
	const queue = new JobQueue();
	// At the end of the turn in which something happened, so that the event itself is complete first.
	journal.onEntry(() => queueMicrotask(() => queue.dispatch(agents.values())));

	const unsubscribe = github.onRemoved((runner, cause) => {
		const agent = [...agents.values()].find((candidate) => candidate.runnerId === runner.id);
		if (agent === undefined || cause === 'ephemeral-done') return;
		agent.removedByGitHub();
		if (options.exitWhenRemovedMs !== undefined) agent.exitAfter(options.exitWhenRemovedMs);
	});

	await kube.watch<PodItem>('/api/v1/pods', {
		seen(pod) {
			const { uid } = pod.metadata;
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
			agents.get(pod.metadata.uid)?.podGone(pod);
			agents.delete(pod.metadata.uid);
		},
	});

	const agentOf = (namespace: string, pod: string): Agent => {
		for (const agent of agents.values()) if (agent.isFor(namespace, pod)) return agent;
		throw new Error(`no runner pod ${namespace}/${pod} is known to the simulated runners`);
	};
	return {
		journal: journal.entries,
		runJob: async (namespace, pod, { durationMs } = {}) => agentOf(namespace, pod).startJob(durationMs),
		endJob: (namespace, pod) => agentOf(namespace, pod).endJob(),
		async endAllJobs() {
			const busy = [...agents.values()].filter((agent) => agent.job !== undefined);
			await Promise.all(busy.map((agent) => agent.endJob()));
			return busy.length;
		},
		queueJobs(jobs) {
			queue.add(jobs);
			queue.dispatch(agents.values());
		},
		queued: () => queue.length,
		clearQueue: () => queue.clear(),
		runnerId: (namespace, pod) => agentOf(namespace, pod).runnerId,
		async waitRegistered(wanted, timeoutMs) {
			const online = () =>
				new Set([...agents.values()].filter((agent) => agent.online).map((agent) => agent.name));
			const enough = () => {
				const names = online();
				return typeof wanted === 'number' ? names.size >= wanted : wanted.every((name) => names.has(name));
			};
			if (await journal.until(enough, timeoutMs)) return;
			const words = typeof wanted === 'number' ? `${wanted} runners` : wanted.join(', ');
			throw new Error(
				`not registered after ${timeoutMs} ms: ${words}; online: ${[...online()].join(', ') || 'none'}`,
			);
		},
		killedJobs: () => journal.of('job-killed'),
		medianReleaseMs: () => journal.medianMs('job-ended', 'pod-gone'),
		stop() {
			unsubscribe();
			queue.clear();
			kube.stop();
			for (const agent of agents.values()) agent.dispose();
		},
	};
}

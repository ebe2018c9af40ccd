import { busy } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import type { Accounts } from '../github/accounts.ts';
import { nextPollMs, type Snapshot } from '../github/registry.ts';
import { isTrouble } from '../github/types.ts';
import { WorkQueue } from '../kube/queue.ts';
import type { RunnerPods } from '../kube/runner-pods.ts';
import type { Log } from '../log.ts';
import { planMarks, type Sighting } from '../runner/marks.ts';
import { podKey, type RunnerPod, readRunnerPod } from '../runner/runner-pod.ts';
import { scopeKey } from '../runner/scope.ts';
import type { Cache } from './cache.ts';

/** How often it is looked which scopes are due. */
const tickMs = 500;
/** A scope that could not be listed is tried again after this; the account's own back-off may hold it longer. */
const troubleRetryMs = 10_000;
/** A runner without an id is waited for at the faster pace this long after its container started. */
const newcomerMs = 60_000;

interface Group {
	credentialsSecret: string | undefined;
	namespace: string;
	pods: RunnerPod[];
	/** Somebody waits for a static runner's job to end, or a runner has just started. */
	fast: boolean;
}

interface Poll {
	snapshot?: Snapshot;
	nextMs: number;
	running: boolean;
}

export interface BusyDependencies {
	cache: Cache;
	pods: RunnerPods;
	accounts: Accounts;
	now: () => number;
	log: Log;
}

/**
 * Keeps on each runner pod whether it is busy, from one list per scope: the label, the annotations, the condition,
 * the autoscalers' marks. Levels, not edges: what is wrong on a pod is put right at the next list.
 */
export class BusyMarks {
	readonly #dependencies: BusyDependencies;
	readonly #queue: WorkQueue;
	readonly #polls = new Map<string, Poll>();

	constructor(dependencies: BusyDependencies) {
		this.#dependencies = dependencies;
		const { cache, log } = dependencies;
		this.#queue = new WorkQueue({
			concurrency: 16,
			reconcile: (key) => this.#mark(key),
			onError: (key, error, retryMs) =>
				log.warn({ pod: key, error: String(error), retryMs }, 'busy marks not written, retrying'),
		});
		cache.onPod((change, pod) => {
			if (change !== 'deleted') this.#queue.add(podKey(pod));
		});
		cache.onEphemeralRunner((_change, runner) => {
			if (cache.pods.get(runner.metadata.namespace, runner.metadata.name)) this.#queue.add(podKey(runner));
		});
	}

	async run(signal: AbortSignal): Promise<void> {
		while (!signal.aborted) {
			const groups = this.#groups();
			for (const [key, group] of groups) {
				const poll = this.#polls.get(key) ?? { nextMs: 0, running: false };
				this.#polls.set(key, poll);
				const pages = poll.snapshot?.pages ?? 1;
				if (group.fast)
					poll.nextMs = Math.min(poll.nextMs, (poll.snapshot?.startedAtMs ?? 0) + nextPollMs(pages, true));
				if (!poll.running && poll.nextMs <= this.#dependencies.now()) void this.#poll(key, group, poll);
			}
			for (const key of this.#polls.keys()) if (!groups.has(key)) this.#polls.delete(key);
			await new Promise((resolve) => setTimeout(resolve, tickMs));
		}
		await this.#queue.stop();
	}

	/** Live runners by credentials and scope: what one list answers for. */
	#groups(): Map<string, Group> {
		const { cache, now } = this.#dependencies;
		const groups = new Map<string, Group>();
		for (const object of cache.pods.values()) {
			const pod = this.#read(object);
			if (!pod?.scope || pod.terminating || pod.process.state !== 'running') continue;
			const key = groupKey(pod);
			const group = groups.get(key) ?? {
				credentialsSecret: pod.credentialsSecret,
				namespace: pod.namespace,
				pods: [],
				fast: false,
			};
			group.pods.push(pod);
			const newcomer = pod.runnerId === undefined && now() - (pod.process.sinceMs ?? 0) < newcomerMs;
			const awaited = pod.record !== undefined && !pod.ephemeral;
			group.fast ||= newcomer || awaited;
			groups.set(key, group);
		}
		return groups;
	}

	async #poll(key: string, group: Group, poll: Poll): Promise<void> {
		const { accounts, now, log } = this.#dependencies;
		poll.running = true;
		poll.nextMs = now() + troubleRetryMs;
		try {
			const account = await accounts.resolve(group);
			const scope = group.pods[0]?.scope;
			if (!('registry' in account) || !scope) return;
			const snapshot = await account.registry.refresh(scope, { maxAgeMs: 1_000, priority: 'background' });
			if (isTrouble(snapshot)) {
				poll.nextMs = Math.max(poll.nextMs, snapshot.retryAtMs ?? 0);
				return;
			}
			poll.snapshot = snapshot;
			poll.nextMs = snapshot.startedAtMs + nextPollMs(snapshot.pages);
			for (const pod of group.pods) this.#queue.add(`${pod.namespace}/${pod.name}`);
		} catch (error) {
			log.warn({ scope: key, error: String(error) }, 'runners not listed, retrying');
		} finally {
			poll.running = false;
		}
	}

	async #mark(key: string): Promise<undefined> {
		const { cache, pods, now, log } = this.#dependencies;
		const [namespace, name = ''] = key.split('/');
		const object = cache.pods.get(namespace, name);
		const pod = object && this.#read(object);
		if (!object || !pod || pod.terminating) return;
		const change = planMarks(
			object,
			pod,
			cache.ephemeralRunners.get(namespace, name),
			this.#sighting(pod),
			now(),
		);
		if (!change) return;
		const written = await pods.patch(pod, { labels: change.labels, annotations: change.annotations });
		if (change.busy === undefined || written === 'gone') return;
		log.info(
			{
				pod: key,
				runner: pod.runnerName,
				runnerId: pod.runnerId,
				job: change.annotations[busy.job] ?? undefined,
			},
			change.busy ? 'runner busy' : 'runner idle',
		);
		const [reason, message] = change.busy
			? ['JobRunning', `runner ${pod.runnerName} is running a job`]
			: ['NoJob', `runner ${pod.runnerName} is not running a job`];
		await pods.setCondition(pod, busy.condition, change.busy, reason, message);
	}

	#sighting(pod: RunnerPod): Sighting | undefined {
		const snapshot = this.#polls.get(groupKey(pod))?.snapshot;
		const startedMs = pod.process.state === 'running' ? (pod.process.sinceMs ?? 0) : 0;
		// A list from before this runner's start may show an earlier one of the same name.
		if (!snapshot || snapshot.startedAtMs < startedMs) return undefined;
		return {
			runner: snapshot.runners.get(pod.runnerName),
			complete: snapshot.complete,
			atMs: snapshot.startedAtMs,
		};
	}

	/** From the caches alone: no call for each of thousands of pods. */
	#read(object: Pod): RunnerPod | undefined {
		const { cache } = this.#dependencies;
		return readRunnerPod(object, {
			ephemeralRunner: cache.ephemeralRunners.get(object.metadata.namespace, object.metadata.name),
		});
	}
}

const groupKey = (pod: RunnerPod) =>
	`${pod.credentialsSecret ? `${pod.namespace}/${pod.credentialsSecret}` : ''} ${pod.scope ? scopeKey(pod.scope) : ''}`;

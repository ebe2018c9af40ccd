import { busy } from '../api/keys.ts';
import type { Pod } from '../api/kinds.ts';
import { type ObjectKey, objectKey, splitKey } from '../api/object-key.ts';
import type { Cache } from '../cluster/cache.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import type { Signer } from '../cluster/signer.ts';
import type { Accounts } from '../github/accounts.ts';
import { listsPerMinute, rateWindowMs } from '../github/policy.ts';
import { nextPollMs, type Registry, type Snapshot } from '../github/registry.ts';
import { isFailure } from '../github/types.ts';
import { Controller } from '../kube/controller.ts';
import type { ReconcileObserver } from '../kube/queue.ts';
import { foldedScope } from '../runner/github-name.ts';
import type { RunnerPod } from '../runner/runner-pod.ts';
import type { Scope } from '../runner/scope.ts';
import type { Log } from '../telemetry/log.ts';
import type { Clock } from '../time/clock.ts';
import { SlidingWindow } from '../time/sliding-window.ts';
import { ListedRunners } from './listed-runners.ts';
import { overwrites, planMarks, type Sighting } from './rules/busy-marks.ts';
import type { IdleLists } from './rules/second-try.ts';

/** How often it is checked which scopes are due for a list. */
const tickMs = 500;
/** What is known of an idle runner is old when no list has been read for so long, and for two polls. */
const oldAfterMs = 30_000;
/** A busy mark counts as unconfirmed when no list has been read for so long, and for two polls. */
const unconfirmedAfterMs = 120_000;
/** A scope that could not be listed is tried again after this, or when the account's own back-off says, if that is later. */
const failureRetryMs = 10_000;
/** For this long after its container started, a runner that no list has shown is polled for at the shorter interval. */
const newcomerMs = 60_000;
/** The shorter interval: a runner that has registered is known within 3 s, however many pages the list has. */
const newcomerPollMs = 1_500;

/**
 * Shares of the list calls that one credential may make: for the regular polls of all scopes, for scopes where somebody waits for a runner,
 * and for the start of a scale-up, when hundreds of new runners fill pages faster than an even share could read
 * them. The rest is left for lists that reviews need.
 */
const pollShare = 0.25;
const fastShare = 0.4;
const burstShare = 0.25;

/** The running runners with the same credentials and scope, which one list covers. */
interface Group {
	credentialsSecret: string | undefined;
	namespace: string;
	scope: Scope;
	pods: { key: ObjectKey; uid: string; runnerName: string }[];
	/** Whether a recorded deletion waits for the job of a static runner. */
	awaited: boolean;
	/** Until then a runner that has just started may register, ms since the epoch. */
	newcomerUntilMs: number;
}

interface Poll {
	snapshot?: Snapshot;
	/** Whose calls it uses; undefined until its credential has been read. */
	registry?: Registry;
	nextMs: number;
	/** The last list failed, and nothing may bring the next one forward. */
	failed: boolean;
	running: boolean;
	/** The marks of its pods already say that what is known of them is old. */
	old: boolean;
}

interface BusyDependencies {
	cache: Cache;
	pods: RunnerPods;
	accounts: Accounts;
	signer: Signer;
	clock: Clock;
	metrics: ReconcileObserver;
	log: Log;
}

/**
 * Shows on each runner pod whether it is busy: writes the busy label, the annotations, the condition and the autoscalers'
 * marks, from one list of runners per scope. Wrong marks on a pod are corrected at the next list.
 */
export class BusyPolling {
	readonly #dependencies: BusyDependencies;
	readonly #controller: Controller;
	readonly #polls = new Map<string, Poll>();
	readonly #listed = new ListedRunners();
	/** By pod UID: when its container was first seen running, by our clock, ms since the epoch. */
	readonly #runsSinceMs = new Map<string, number>();
	/** By pod UID: what its condition says since this leader wrote it, which the watch may show later. */
	readonly #written = new Map<string, boolean>();
	/** By credential: counts pages that are read earlier than an even share would allow. */
	readonly #bursts = new WeakMap<Registry, SlidingWindow>();
	readonly #leadsSinceMs: number;
	#groups = new Map<string, Group>();
	#changed = true;

	constructor(dependencies: BusyDependencies) {
		this.#dependencies = dependencies;
		const { cache, clock } = dependencies;
		this.#leadsSinceMs = clock.now();
		this.#controller = new Controller(
			{
				name: 'busy-marks',
				field: 'pod',
				concurrency: 16,
				reconcile: (key) => this.#mark(key),
				failure: 'busy marks not written',
			},
			dependencies,
		);
		cache.onPod((change, pod) => {
			this.#changed = true;
			const { uid = '' } = pod.metadata;
			if (change === 'deleted') {
				this.#listed.forget(uid);
				this.#runsSinceMs.delete(uid);
				this.#written.delete(uid);
				return;
			}
			if (!this.#runsSinceMs.has(uid) && this.#read(pod)?.process.state === 'running')
				this.#runsSinceMs.set(uid, clock.now());
			this.#controller.enqueue(objectKey(pod.metadata));
		});
		cache.onEphemeralRunner((_change, runner) => {
			if (!cache.pods.get(runner.metadata.namespace, runner.metadata.name)) return;
			this.#changed = true; // it may say another scope
			this.#controller.enqueue(objectKey(runner.metadata));
		});
	}

	/**
	 * Whether what the marks on the pod say is confirmed: a list of its runners was read not long ago, or an EphemeralRunner
	 * names the job. A busy mark that is not holds nobody up for ever.
	 */
	confirms(pod: RunnerPod): boolean {
		const { cache } = this.#dependencies;
		if (cache.ephemeralRunners.get(pod.namespace, pod.name)?.status?.jobId) return true;
		return !this.#isOlder(groupKey(pod), unconfirmedAfterMs);
	}

	/** The last lists, without a gap, that have shown the pod's runner idle and online; undefined: the last one did not. */
	idleLists({ uid }: Pick<RunnerPod, 'uid'>): IdleLists | undefined {
		return this.#listed.idleLists(uid);
	}

	/** Whether GitHub's lists have shown the idle runner offline for long enough to believe it. */
	isOffline(uid: string): boolean {
		return this.#listed.isOffline(uid);
	}

	/** Whether two polls of this group have brought nothing. */
	#isOld(key: string): boolean {
		return this.#isOlder(key, oldAfterMs);
	}

	#isOlder(key: string, ms: number): boolean {
		const ageMs = this.#listAgeMs(key);
		return ageMs > ms && ageMs > 2 * this.#expectedMs(key);
	}

	/** For how long no list of this group has been read, by this leader, in ms. */
	#listAgeMs(key: string): number {
		const { clock } = this.#dependencies;
		return clock.now() - Math.max(this.#polls.get(key)?.snapshot?.startedAtMs ?? 0, this.#leadsSinceMs);
	}

	/** The regular interval of this group's polls, in ms. */
	#expectedMs(key: string): number {
		const poll = this.#polls.get(key);
		const evenShareMs = poll ? shareOf(pollShare * this.#listsAMinute(), this.#pages(), poll) : 0;
		return Math.max(nextPollMs(poll?.snapshot?.pages ?? 1), evenShareMs);
	}

	/** Polls until `signal` ends. */
	async run(signal: AbortSignal): Promise<void> {
		const { clock } = this.#dependencies;
		while (!signal.aborted) {
			const groups = this.#freshGroups();
			const isFast = (group: Group | undefined) =>
				group !== undefined && (group.awaited || clock.now() < group.newcomerUntilMs);
			const listsAMinute = this.#listsAMinute();
			const fastPages = this.#pages((key) => isFast(groups.get(key)));
			for (const [key, group] of groups) {
				const poll = this.#polls.get(key) ?? { nextMs: 0, failed: false, running: false, old: false };
				this.#polls.set(key, poll);
				const old = this.#isOld(key);
				if (old && !poll.old) for (const pod of group.pods) this.#controller.enqueue(pod.key);
				poll.old = old;
				const newcomers = clock.now() < group.newcomerUntilMs;
				const shareMs =
					(poll.snapshot?.startedAtMs ?? 0) + shareOf(fastShare * listsAMinute, fastPages, poll);
				if (!poll.failed) this.#bringForward(poll, group.awaited, newcomers, shareMs);
				if (poll.running || poll.nextMs > clock.now()) continue;
				if (newcomers && clock.now() < shareMs)
					for (let page = 0; page < (poll.snapshot?.pages ?? 1); page++)
						this.#burstOf(poll)?.reserve(clock.now());
				void this.#poll(key, group, poll);
			}
			await clock.sleep(tickMs, signal);
		}
		await this.#controller.stop();
	}

	/** Somebody waits for this list: it is due earlier, at the shorter interval and within what its credential allows. */
	#bringForward(poll: Poll, awaited: boolean, newcomers: boolean, shareMs: number): void {
		const nowMs = this.#dependencies.clock.now();
		const startedMs = poll.snapshot?.startedAtMs ?? 0;
		if (awaited) {
			const fastMs = startedMs + nextPollMs(poll.snapshot?.pages ?? 1, true);
			poll.nextMs = Math.min(poll.nextMs, Math.max(shareMs, fastMs));
		}
		if (newcomers) {
			const turnMs = Math.min(shareMs, this.#burstOf(poll)?.nextMs(nowMs) ?? shareMs);
			poll.nextMs = Math.min(poll.nextMs, Math.max(turnMs, startedMs + newcomerPollMs));
		}
	}

	/** How many lists this replica may ask for with one credential. */
	#listsAMinute(): number {
		return listsPerMinute * this.#dependencies.accounts.readingShare();
	}

	#burstOf({ registry }: Poll): SlidingWindow | undefined {
		if (!registry) return undefined;
		const burst =
			this.#bursts.get(registry) ?? new SlidingWindow(() => burstShare * this.#listsAMinute(), rateWindowMs);
		this.#bursts.set(registry, burst);
		return burst;
	}

	/** By credential: how many pages the lists have that `counts` selects. What cannot be listed takes no share. */
	#pages(counts: (key: string) => boolean = () => true): Map<Registry, number> {
		const pages = new Map<Registry, number>();
		for (const [key, { registry, snapshot, failed }] of this.#polls) {
			if (!registry || !snapshot || failed || !counts(key)) continue;
			pages.set(registry, (pages.get(registry) ?? 0) + snapshot.pages);
		}
		return pages;
	}

	/** The groups. They are computed only after a change of a pod: with thousands of pods that costs more than the polls. */
	#freshGroups(): Map<string, Group> {
		if (!this.#changed) return this.#groups;
		this.#changed = false;
		const { cache } = this.#dependencies;
		const groups = new Map<string, Group>();
		for (const object of cache.pods.values()) {
			const pod = this.#read(object);
			if (!pod?.scope || pod.terminating || pod.process.state !== 'running') continue;
			const { credentialsSecret, namespace, scope } = pod;
			const key = groupKey(pod);
			const group = groups.get(key) ?? {
				credentialsSecret,
				namespace,
				scope,
				pods: [],
				awaited: false,
				newcomerUntilMs: 0,
			};
			group.pods.push({ key: objectKey(pod), uid: pod.uid, runnerName: pod.runnerName });
			group.awaited ||= pod.record !== undefined && !pod.ephemeral;
			if (!pod.registered) {
				group.newcomerUntilMs = Math.max(group.newcomerUntilMs, (pod.process.sinceMs ?? 0) + newcomerMs);
			}
			groups.set(key, group);
		}
		for (const key of this.#polls.keys()) if (!groups.has(key)) this.#polls.delete(key);
		this.#groups = groups;
		return groups;
	}

	async #poll(key: string, group: Group, poll: Poll): Promise<void> {
		const { accounts, clock, log } = this.#dependencies;
		poll.running = true;
		let failed = true;
		poll.nextMs = clock.now() + failureRetryMs;
		try {
			const account = await accounts.resolve(group);
			if (!('registry' in account)) return;
			poll.registry = account.registry;
			const snapshot = await account.registry.refresh(group.scope, {
				maxAgeMs: 1_000,
				priority: 'background',
			});
			if (isFailure(snapshot)) {
				const { kind, retryAtMs = 0 } = snapshot;
				poll.nextMs = kind === 'budget-spent' && retryAtMs > 0 ? retryAtMs : Math.max(poll.nextMs, retryAtMs);
				return;
			}
			poll.snapshot = snapshot;
			failed = false;
			poll.nextMs = snapshot.startedAtMs + this.#expectedMs(key);
			const there = group.pods.filter((pod) => this.#isThere(pod));
			this.#listed.note(there, snapshot);
			for (const pod of there) this.#controller.enqueue(pod.key);
		} catch (error) {
			log.warn(
				{ scope: key, error: String(error) },
				'the runners of this scope could not be listed, retrying',
			);
		} finally {
			poll.failed = failed;
			poll.running = false;
		}
	}

	/** Whether the pod that a list was asked for has outlasted the asking. */
	#isThere({ key, uid }: Group['pods'][number]): boolean {
		const { namespace, name } = splitKey(key);
		return this.#dependencies.cache.pods.get(namespace, name)?.metadata.uid === uid;
	}

	async #mark(key: ObjectKey): Promise<undefined> {
		const { cache, pods, signer, clock, log } = this.#dependencies;
		const { namespace, name } = splitKey(key);
		const object = cache.pods.get(namespace, name);
		const pod = object && this.#read(object);
		if (!object || !pod || pod.terminating) return;
		const er = pod.kind === 'scale-set' ? cache.ephemeralRunners.get(namespace, name) : undefined;
		const change = planMarks(object, pod, er, this.sighting(pod), {
			nowMs: clock.now(),
			old: this.#isOld(groupKey(pod)),
			sign: signer.signStatement,
		});
		if (!change) return;
		const { labels, annotations } = change;
		const changes = Object.keys(labels).length + Object.keys(annotations).length > 0;
		const onlyIfVersion = overwrites(change) ? pod.resourceVersion : undefined;
		const written = changes ? await pods.patch(pod, { labels, annotations }, onlyIfVersion) : object;
		if (written === 'conflict') return; // the watch will show what the pod is now, and that starts the next reconcile
		if (change.busy === undefined || written === 'gone' || this.#written.get(pod.uid) === change.busy) return;
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
		if (pod.leavingByArc) return; // each change of the pod is one more call of ARC's to GitHub
		await pods.setCondition(pod, busy.condition, change.busy, reason, message);
		this.#written.set(pod.uid, change.busy);
	}

	/** What the last list said of this pod's runner; undefined: there is none that can mean it. */
	sighting(pod: RunnerPod): Sighting | undefined {
		const snapshot = this.#polls.get(groupKey(pod))?.snapshot;
		// A list that is older than the runner's start may show a previous runner of the same name. Both times are by our clock.
		if (!snapshot || snapshot.startedAtMs < (this.#runsSinceMs.get(pod.uid) ?? 0)) return undefined;
		return this.#listed.sighting(pod.uid, pod.runnerName, snapshot);
	}

	/** The pod as a RunnerPod, from the caches only: a call for each of thousands of pods would cost too much. */
	#read(object: Pod): RunnerPod | undefined {
		const { cache, pods } = this.#dependencies;
		return pods.read(object, {
			ephemeralRunner: cache.ephemeralRunners.get(object.metadata.namespace, object.metadata.name),
		});
	}
}

/** The interval of this poll, in ms, if all whose `pages` are counted divide so many of their credential's calls. */
function shareOf(perMinute: number, pages: ReadonlyMap<Registry, number>, { registry }: Poll): number {
	return ((registry && pages.get(registry)) ?? 0) * (rateWindowMs / perMinute);
}

const groupKey = (pod: RunnerPod) =>
	`${pod.credentialsSecret ? `${pod.namespace}/${pod.credentialsSecret}` : ''} ${pod.scope ? foldedScope(pod.scope) : ''}`;

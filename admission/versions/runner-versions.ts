import type { Pod } from '../api/kinds.ts';
import type { Loop } from '../capability.ts';
import type { Cache } from '../cluster/cache.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import type { RunnerLogs } from '../jobs/runner-logs.ts';
import { BoundedMap } from '../time/bounded-map.ts';
import type { Clock } from '../time/clock.ts';
import { giveWay } from '../time/give-way.ts';
import { endedAsRefused, mayTell, runnerOf, runningSinceMs, setOf, textOf } from './rules/pods.ts';
import {
	againMs,
	endedEveryMs,
	lookEveryMs,
	mostPerLook,
	mostReading,
	mostRemembered,
	reportAgainMs,
	runningEveryMs,
	runningForMs,
} from './rules/policy.ts';
import type { SetVersion } from './rules/said.ts';
import { readVersionLines } from './rules/version-lines.ts';

/** What a runner said whose version GitHub refuses. */
interface Refusal {
	version: string | undefined;
	image: string;
}

interface Turn {
	/** Of an ended and of a running runner of the set: not before, by the monotonic clock. */
	endedMs: number;
	runningMs: number;
	image: string;
}

interface RunnerVersionsDependencies {
	cache: Pick<Cache, 'pods' | 'onPod'>;
	pods: Pick<RunnerPods, 'read'>;
	logs: Pick<RunnerLogs, 'tail'>;
	clock: Clock;
	/** Called when a set's version, or what GitHub makes of it, is known anew, and each hour while GitHub refuses it. */
	changed: (said: SetVersion) => void;
}

/**
 * Knows the version of each set's runners, as the runners' logs say. A log is read once of a runner that ended without a
 * job, and now and then of one that runs, of one runner per set: all of a set have one image.
 */
export class RunnerVersions {
	readonly #dependencies: RunnerVersionsDependencies;
	readonly #sets = new BoundedMap<string, SetVersion>({ most: mostRemembered });
	readonly #turns = new BoundedMap<string, Turn>({ most: mostRemembered });
	/** UIDs of pods whose log is being read, and their namespaces. */
	readonly #reading = new Map<string, string>();
	/** By the UID of its pod. */
	readonly #refused = new BoundedMap<string, Refusal>({ most: mostRemembered });
	readonly #listeners: ((pod: Pod) => void)[] = [];

	constructor(dependencies: RunnerVersionsDependencies) {
		this.#dependencies = dependencies;
		dependencies.cache.onPod((change, pod) => {
			if (change === 'deleted') this.#refused.delete(pod.metadata.uid ?? '');
			else this.#ended(pod);
		});
	}

	/** Whether the log of this pod is being read: a second or two, and then it is known why its runner has ended. */
	isReading(podUid: string): boolean {
		return this.#reading.has(podUid);
	}

	/** What the runner of this pod has said, if GitHub refuses its version. */
	refusalOf(podUid: string): Refusal | undefined {
		return this.#refused.get(podUid);
	}

	/** `listener` is called when the log of a pod has been read. */
	onRead(listener: (pod: Pod) => void): void {
		this.#listeners.push(listener);
	}

	sets(): Iterable<SetVersion> {
		return this.#sets.values();
	}

	/** Reads running runners' logs from time to time, until `signal` ends. */
	readonly run: Loop = async (signal) => {
		const { clock } = this.#dependencies;
		while (!signal.aborted) {
			await clock.sleep(lookEveryMs, signal);
			if (!signal.aborted) await this.#look(signal);
		}
	};

	async #look(signal: AbortSignal): Promise<void> {
		const { cache, clock } = this.#dependencies;
		let [seen, read] = [0, 0];
		for (const pod of cache.pods.values()) {
			if (++seen % 500 === 0) await giveWay();
			if (signal.aborted || read >= mostPerLook) return;
			const sinceMs = runningSinceMs(pod);
			if (sinceMs === undefined || clock.now() - sinceMs < runningForMs) continue;
			const turn = this.#turnOf(pod);
			if (!turn || turn.runningMs > clock.monotonic()) continue;
			turn.runningMs = clock.monotonic() + againMs;
			read += 1;
			await this.#read(pod, turn);
		}
	}

	#ended(pod: Pod): void {
		const { pods, clock } = this.#dependencies;
		const state = pod.status?.containerStatuses?.find(({ name }) => name === 'runner')?.state;
		const { uid = '' } = pod.metadata;
		if (!state?.terminated || this.#reading.has(uid) || this.#refused.has(uid)) return;
		const turn = this.#turnOf(pod);
		if (!turn || turn.endedMs > clock.monotonic() || !this.#hasRoom(pod.metadata.namespace ?? '')) return;
		const runner = pods.read(pod);
		if (!runner || !mayTell(pod, runner)) return;
		turn.endedMs = clock.monotonic() + endedEveryMs;
		void this.#read(pod, turn);
	}

	/** undefined: it belongs to no set. A set with another image is read at once. */
	#turnOf(pod: Pod): Turn | undefined {
		const set = setOf(pod);
		if (!set) return undefined;
		const image = runnerOf(pod)?.image ?? '';
		const key = textOf(set);
		const known = this.#turns.get(key);
		if (known?.image === image) return known;
		const turn = { endedMs: 0, runningMs: 0, image };
		this.#turns.set(key, turn);
		return turn;
	}

	#hasRoom(namespace: string): boolean {
		let ofNamespace = 0;
		for (const one of this.#reading.values()) if (one === namespace) ofNamespace += 1;
		return this.#reading.size < mostReading.all && ofNamespace < mostReading.ofNamespace;
	}

	async #read(pod: Pod, turn: Turn): Promise<void> {
		const { logs, clock } = this.#dependencies;
		const { uid = '', namespace = '', name } = pod.metadata;
		if (this.#reading.has(uid)) return;
		this.#reading.set(uid, namespace);
		const text = await logs.tail({ namespace, name });
		this.#reading.delete(uid);
		const { version, refused } = text === undefined ? atItsEnd(pod) : readVersionLines(text);
		if (refused) this.#refused.set(uid, { version, image: turn.image });
		if (version !== undefined || refused) {
			turn.runningMs = clock.monotonic() + runningEveryMs;
			this.#note(pod, version, refused);
		}
		for (const listener of this.#listeners) listener(pod);
	}

	#note(pod: Pod, version: string | undefined, refused: boolean): void {
		const { pods, clock, changed } = this.#dependencies;
		const set = setOf(pod);
		if (!set) return;
		const before = this.#sets.get(textOf(set));
		const image = runnerOf(pod)?.image ?? '';
		const { scope } = pods.read(pod) ?? {};
		const nowMs = clock.now();
		const known = {
			version: version ?? before?.version,
			image,
			refusedSinceMs: refused ? (before?.refusedSinceMs ?? nowMs) : undefined,
		};
		const isNews =
			before?.version !== known.version ||
			before?.image !== image ||
			(before?.refusedSinceMs === undefined) !== (known.refusedSinceMs === undefined);
		const agoMs = nowMs - (before?.reportedMs ?? nowMs);
		// A report of the future: the clock was set back since.
		const isDue = isNews || (refused && (agoMs < 0 || agoMs >= reportAgainMs));
		const said: SetVersion = {
			...set,
			...known,
			owner: scope && (scope.kind === 'repository' ? scope.owner : scope.name),
			readMs: nowMs,
			reportedMs: isDue ? nowMs : before.reportedMs,
		};
		this.#sets.set(textOf(set), said);
		if (isDue) changed(said);
	}
}

const atItsEnd = (pod: Pod) => ({ version: undefined, refused: endedAsRefused(pod) });

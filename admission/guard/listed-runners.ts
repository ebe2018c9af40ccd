import { runnerNamed, type Snapshot } from '../github/registry.ts';
import { looksOver, type Sighting } from './rules/busy-marks.ts';
import { isOffline, type OfflineLists, withList } from './rules/offline.ts';
import type { IdleLists } from './rules/second-try.ts';

/** What is known of one runner from GitHub's lists, read one after the other. Times are ms since the epoch. */
interface Listed {
	/** Since when every list has shown its job as over; undefined: the last one did not. */
	overSinceMs: number | undefined;
	/** The lists that have shown it idle and online, up to the last one. */
	idle: IdleLists | undefined;
	/** The lists that have shown it idle and offline, up to the last one. */
	offline: OfflineLists | undefined;
}

/** A runner that a list is to be searched for. */
interface Sought {
	uid: string;
	runnerName: string;
}

/** What GitHub's lists have shown of our runners up to the last one, by pod UID. */
export class ListedRunners {
	readonly #listed = new Map<string, Listed>();

	/** One more list, which all these runners should be in. */
	note(runners: readonly Sought[], snapshot: Snapshot): void {
		const all = runners.map(({ uid, runnerName }) => ({ uid, ...seen(snapshot, runnerName) }));
		const others = { offline: all.filter(isIdleOffline).length, all: all.length };
		for (const one of all) {
			const before = this.#listed.get(one.uid);
			const { runner, atMs } = one;
			const isIdle = runner !== undefined && !runner.busy && runner.status !== 'offline';
			this.#listed.set(one.uid, {
				overSinceMs: looksOver(one) ? (before?.overSinceMs ?? atMs) : undefined,
				idle: isIdle ? { firstMs: before?.idle?.firstMs ?? atMs, lastMs: atMs } : undefined,
				offline: withList(before?.offline, isIdleOffline(one), others, atMs),
			});
		}
	}

	/** What this list says of a runner of this name. */
	sighting(uid: string, runnerName: string, snapshot: Snapshot): Sighting {
		const overSinceMs = this.#listed.get(uid)?.overSinceMs ?? snapshot.startedAtMs;
		return { ...seen(snapshot, runnerName), overForMs: snapshot.startedAtMs - overSinceMs };
	}

	/** The last lists, without a gap, that have shown the runner idle and online; undefined: the last one did not. */
	idleLists(uid: string): IdleLists | undefined {
		return this.#listed.get(uid)?.idle;
	}

	/** Whether GitHub's lists have shown the idle runner offline for long enough to believe it. */
	isOffline(uid: string): boolean {
		return isOffline(this.#listed.get(uid)?.offline);
	}

	/** Its pod is gone. */
	forget(uid: string): void {
		this.#listed.delete(uid);
	}
}

const isIdleOffline = ({ runner }: Pick<Sighting, 'runner'>): boolean =>
	runner?.status === 'offline' && !runner.busy;

const seen = (snapshot: Snapshot, runnerName: string): Omit<Sighting, 'overForMs'> => ({
	runner: runnerNamed(snapshot, runnerName),
	complete: snapshot.complete,
	atMs: snapshot.startedAtMs,
});

import { objectKey } from '../api/object-key.ts';
import { podPath } from '../api/paths.ts';
import type { KubeClient } from '../kube/client.ts';
import type { RunnerPod } from '../runner/runner-pod.ts';
import type { Log } from '../telemetry/log.ts';
import type { Clock } from '../time/clock.ts';
import { longestLine, mostFollowed } from './rules/policy.ts';
import { type LogReading, readRunnerLog } from './rules/runner-log.ts';

interface Followed {
	namespace: string;
	stop: AbortController;
	/** What the log said last, and when that was read, ms since the epoch. */
	reading: LogReading['says'];
	readMs: number;
}

/**
 * Follows the logs of some runners, so that it is known at once when one has become idle. Namespaces have equal shares of
 * `mostFollowed`, whoever came first. A log that cannot be followed, or that is one too many, is read from time to time by
 * whoever waits for it.
 */
export class FollowedLogs {
	readonly #client: KubeClient;
	readonly #clock: Clock;
	readonly #log: Log;
	/** By `uid/restarts`. */
	readonly #followed = new Map<string, Followed>();

	constructor({ client, clock, log }: { client: KubeClient; clock: Clock; log: Log }) {
		this.#client = client;
		this.#clock = clock;
		this.#log = log;
	}

	/** Since when the runner's log has said that it is idle, ms since the epoch; undefined: it does not, or is not followed. */
	idleSinceMs(pod: RunnerPod): number | undefined {
		const followed = this.#followed.get(keyOf(pod));
		return followed?.reading === 'idle' ? followed.readMs : undefined;
	}

	/** Follows the log from now on, if it is not followed yet. @param onIdle called whenever it has become idle */
	follow(pod: RunnerPod, onIdle: () => void): void {
		const key = keyOf(pod);
		if (this.#followed.has(key) || !this.#makeRoom(pod.namespace)) return;
		const { namespace } = pod;
		const followed: Followed = { namespace, stop: new AbortController(), reading: 'unknown', readMs: 0 };
		this.#followed.set(key, followed);
		const onLine = (line: string) => {
			const { says } = readRunnerLog(line, true);
			// A line that was cut may hold a start where it was cut off.
			if (says === 'unknown' && line.length < longestLine) return;
			followed.reading = says;
			followed.readMs = this.#clock.now();
			if (says === 'idle') onIdle();
		};
		const { signal } = followed.stop;
		const query = { container: 'runner', follow: true, tailLines: 1 };
		this.#client
			.stream(podPath(pod.namespace, pod.name, 'log'), { query, signal, onLine, longestLine })
			.catch((error: unknown) => {
				if (signal.aborted) return;
				this.#log.debug(
					{ pod: objectKey(pod), error: String(error) },
					'the log of a runner cannot be followed',
				);
			})
			.finally(() => {
				if (this.#followed.get(key) === followed) this.#followed.delete(key);
			});
	}

	/** Whether there is room for one more of the namespace: where there is none, one with two more than it gives up its last. */
	#makeRoom(namespace: string): boolean {
		if (this.#followed.size < mostFollowed) return true;
		const counts = new Map<string, number>();
		for (const { namespace: one } of this.#followed.values()) counts.set(one, (counts.get(one) ?? 0) + 1);
		const [most] = [...counts].sort(([, one], [, other]) => other - one);
		if (!most || most[1] < (counts.get(namespace) ?? 0) + 2) return false;
		const [last] = [...this.#followed].filter(([, { namespace: one }]) => one === most[0]).slice(-1);
		if (last) this.#stop(...last);
		return true;
	}

	#stop(key: string, { stop }: Followed): void {
		this.#followed.delete(key);
		stop.abort();
	}

	/** Stops following this pod's log, in any run of its container. */
	forget(uid: string): void {
		for (const [key, followed] of this.#followed) if (key.startsWith(`${uid}/`)) this.#stop(key, followed);
	}

	stop(): void {
		for (const [key, followed] of this.#followed) this.#stop(key, followed);
	}
}

const keyOf = ({ uid, restarts }: RunnerPod) => `${uid}/${restarts}`;

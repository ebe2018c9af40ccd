import { type ObjectKey, objectKey } from '../api/object-key.ts';
import { podPath } from '../api/paths.ts';
import type { KubeClient } from '../kube/client.ts';
import type { RunnerPod } from '../runner/runner-pod.ts';
import type { Clock } from '../time/clock.ts';
import { waitFor } from '../time/deadline.ts';
import { SharedGate } from '../time/shared-gate.ts';
import { readLog } from './read-log.ts';
import { logReads, logWithinMs } from './rules/policy.ts';
import type { LogReading } from './rules/runner-log.ts';

interface Flight {
	ends: Promise<LogReading>;
	/** For those who came while it was under way. */
	next: Promise<LogReading> | undefined;
}

/**
 * Reads runners' logs, a limited number at a time, of which no namespace can take all: anybody who may run a pod decides how
 * long its log is. Of one pod there is one read at a time.
 */
export class RunnerLogs {
	readonly #client: Pick<KubeClient, 'text'>;
	readonly #clock: Pick<Clock, 'after' | 'monotonic'>;
	/** As logReads. */
	readonly #gates: readonly SharedGate[];
	readonly #flights = new Map<ObjectKey, Flight>();

	constructor(client: Pick<KubeClient, 'text'>, clock: Pick<Clock, 'after' | 'monotonic'>) {
		this.#client = client;
		this.#clock = clock;
		this.#gates = logReads.map(({ atOnce }) => new SharedGate(clock, atOnce));
	}

	/** What the log says now: it is read after this call, and not before. Never fails. */
	async read(pod: Pick<RunnerPod, 'namespace' | 'name'>): Promise<LogReading> {
		const key = objectKey(pod);
		const flight = this.#flights.get(key);
		if (!flight) return this.#start(key, pod);
		// What is being read now may not have what was printed until this call.
		flight.next ??= flight.ends.then(() => this.#start(key, pod));
		return waitFor(this.#clock, flight.next, { ms: 2 * logWithinMs }, () => late);
	}

	/**
	 * The log's last lines, as the first of `logReads` says, in the same gate as all other reads; undefined: they cannot be read
	 * in time. Never fails.
	 */
	async tail({ namespace, name }: Pick<RunnerPod, 'namespace' | 'name'>): Promise<string | undefined> {
		const [{ lines, mostBytes }] = logReads;
		const query = { container: 'runner', tailLines: lines, limitBytes: mostBytes };
		try {
			return await this.#gates[0]?.run(namespace, logWithinMs, async (timeoutMs) => {
				const options = { query, mostBytes, timeoutMs };
				return (await this.#client.text(podPath(namespace, name, 'log'), options)).text;
			});
		} catch {
			return undefined; // the next runner of its set is read in its place
		}
	}

	#start(key: ObjectKey, pod: Pick<RunnerPod, 'namespace' | 'name'>): Promise<LogReading> {
		const ends = readLog(this.#client, pod, async (read, withinMs, work) => {
			const result = await this.#gates[logReads.indexOf(read)]?.run(pod.namespace, withinMs, work);
			if (result === undefined) throw new Error(tooMany);
			return result;
		});
		const flight: Flight = { ends, next: undefined };
		this.#flights.set(key, flight);
		void ends.then(() => {
			if (!flight.next) this.#flights.delete(key);
		});
		return ends;
	}
}

const tooMany = 'too many logs are being read';
const late: LogReading = { says: 'unknown', why: `its log cannot be read: ${tooMany}`, unreadable: true };

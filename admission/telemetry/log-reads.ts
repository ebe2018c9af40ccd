import { Counter, type Registry } from 'prom-client';

/** How a runner's log was read: what it said, or `silent`, it can be read and holds no line that tells. */
type LogRead = 'idle' | 'works' | 'silent' | 'unreadable';

/** Counts what reading the runners' logs has come to, for metrics and for the leader's report. */
export class LogReads {
	readonly #reads: Counter;
	readable = 0;
	unreadable = 0;
	lastError: { atMs: number; pod: string; message: string } | undefined;

	constructor(registry: Registry) {
		this.#reads = new Counter({
			name: 'runners_log_reads_total',
			help: "Readings of runners' logs, by what they said.",
			labelNames: ['says'],
			registers: [registry],
		});
	}

	read(says: Exclude<LogRead, 'unreadable'>): void {
		this.#reads.inc({ says });
		this.readable += 1;
	}

	failed(pod: string, message: string, nowMs: number): void {
		this.#reads.inc({ says: 'unreadable' });
		this.unreadable += 1;
		this.lastError = { atMs: nowMs, pod, message };
	}
}

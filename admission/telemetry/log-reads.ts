import { Counter, type Registry } from 'prom-client';

/** The result of reading a runner's log. `silent`: it can be read, but no line shows whether the runner works. */
type LogRead = 'idle' | 'works' | 'silent' | 'unreadable';

/** Counts the results of reading runners' logs, for metrics and for the leader's report. */
export class LogReads {
	readonly #reads: Counter;
	readable = 0;
	unreadable = 0;
	lastError: { atMs: number; pod: string; message: string } | undefined;

	constructor(registry: Registry) {
		this.#reads = new Counter({
			name: 'runners_log_reads_total',
			help: "Reads of runners' logs, by result.",
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

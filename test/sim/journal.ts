/** What happened to the simulated runners and their pods, in order: what tests rely on. */

export interface JournalEntry {
	/** Unix ms. */
	atMs: number;
	what:
		| 'registered'
		| 'registration-failed'
		| 'removed-by-github'
		| 'offline'
		| 'job-started'
		| 'job-ended'
		/** SIGTERM, SIGKILL or the pod's sudden end while a job ran: which must never happen. */
		| 'job-killed'
		/** A job hook has run; its result is in `hook`. */
		| 'hook-ran'
		| 'pod-terminating'
		/** Only on a node whose kubelet syncs, where the pod's status may not show it for long. */
		| 'container-started'
		| 'container-stopped'
		| 'pod-gone'
		/** The simulated runner could not do something; the test should see why. */
		| 'failure';
	namespace: string;
	pod: string;
	uid: string;
	runnerId?: number;
	job?: string;
	detail?: string;
	hook?: {
		phase: 'started' | 'completed';
		job: string;
		exitCode: number | undefined;
		tookMs: number;
		output: string;
	};
	/** Of a pod whose job was killed, at that time. */
	annotations?: Record<string, string>;
}

export class Journal {
	readonly entries: JournalEntry[] = [];
	readonly #listeners = new Set<() => void>();

	add(entry: Omit<JournalEntry, 'atMs'>): void {
		this.entries.push({ atMs: Date.now(), ...entry });
		for (const check of this.#listeners) check();
	}

	/** Calls back after every entry. */
	onEntry(listener: () => void): void {
		this.#listeners.add(listener);
	}

	of(what: JournalEntry['what']): JournalEntry[] {
		return this.entries.filter((entry) => entry.what === what);
	}

	/** Median over pods of the time between the last entry of one sort and the next of another. */
	medianMs(from: JournalEntry['what'], to: JournalEntry['what']): number | undefined {
		const spans: number[] = [];
		for (const end of this.of(to)) {
			const start = this.of(from).findLast((entry) => entry.uid === end.uid && entry.atMs <= end.atMs);
			if (start !== undefined) spans.push(end.atMs - start.atMs);
		}
		spans.sort((a, b) => a - b);
		const middle = Math.floor(spans.length / 2);
		return spans.length % 2 === 1
			? spans[middle]
			: spans.length === 0
				? undefined
				: (spans[middle - 1]! + spans[middle]!) / 2;
	}

	/** true as soon as the condition holds after some entry, false if it does not in time. */
	until(condition: () => boolean, timeoutMs: number): Promise<boolean> {
		if (condition()) return Promise.resolve(true);
		return new Promise((resolve) => {
			const finish = (held: boolean) => {
				clearTimeout(timer);
				this.#listeners.delete(check);
				resolve(held);
			};
			const check = () => {
				if (condition()) finish(true);
			};
			const timer = setTimeout(() => finish(condition()), timeoutMs);
			this.#listeners.add(check);
		});
	}
}

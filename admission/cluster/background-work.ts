import type { Log } from '../telemetry/log.ts';

/** Exchanges with GitHub that go on after their review has been answered, and must end before the process may. */
export class BackgroundWork {
	readonly #running = new Set<Promise<unknown>>();
	readonly #log: Log;

	constructor(log: Log) {
		this.#log = log;
	}

	readonly add = (work: Promise<unknown>): void => {
		const settled = work.catch((error: unknown) =>
			this.#log.warn(
				{ error: String(error) },
				'the outcome of a call to GitHub could not be written on the pod',
			),
		);
		this.#running.add(settled);
		void settled.finally(() => this.#running.delete(settled));
	};

	/** Resolves when all that runs now has ended. */
	done(): Promise<unknown> {
		return Promise.all(this.#running);
	}
}

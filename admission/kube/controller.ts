import type { ObjectKey } from '../api/object-key.ts';
import type { Log } from '../telemetry/log.ts';
import type { Clock } from '../time/clock.ts';
import type { Change, Listener } from './informer.ts';
import { type ReconcileObserver, type Requeue, WorkQueue } from './queue.ts';

/** Something that can be watched: registers a listener. */
export type Source<T> = (listener: Listener<T>) => void;

export interface ControllerOptions<Key extends string> {
	/** In the metrics. */
	name: string;
	/** How many keys are reconciled at a time; each key by one worker at a time. */
	concurrency: number;
	/** Compares what is wanted with what is there, and changes what differs. What it throws is logged and retried. */
	reconcile(key: Key): Promise<Requeue>;
	/** What the log says then, without ", retrying": "Runner not reconciled". */
	failure: string;
	/** In which field the log names the key; default: the controller's name. */
	field?: string;
	/** Of failures in a row only the first is logged as a warning. */
	warnsOnce?: boolean;
}

export interface ControllerDependencies {
	metrics: ReconcileObserver;
	clock: Clock;
	log: Log;
}

/**
 * Reconciles whatever a change of what it watches may concern, as in controller-runtime. A key is all that is remembered
 * of a change: a reconcile compares the whole state, so it does not matter which change has caused it.
 */
export class Controller<Key extends string = ObjectKey> {
	readonly #queue: WorkQueue<Key>;

	constructor(options: ControllerOptions<Key>, { metrics, clock, log }: ControllerDependencies) {
		const { name, failure, field = name, warnsOnce = false } = options;
		this.#queue = new WorkQueue<Key>({
			controller: name,
			metrics,
			clock,
			concurrency: options.concurrency,
			reconcile: (key) => options.reconcile(key),
			onError: (key, error, retryMs, failures) => {
				const level = warnsOnce && failures > 1 ? 'debug' : 'warn';
				log[level]({ [field]: key, error: String(error), retryMs }, `${failure}, retrying`);
			},
		});
	}

	/** Reconciles what a change concerns. @param keys of the objects that it concerns; undefined: none */
	watch<T>(
		source: Source<T>,
		keys: (object: T, change: Change, before: T | undefined) => Key | Iterable<Key> | undefined,
	): this {
		source((change, object, before) => {
			const found = keys(object, change, before);
			if (typeof found === 'string') this.enqueue(found);
			else for (const key of found ?? []) this.enqueue(key);
		});
		return this;
	}

	/** Reconciles the key as soon as a worker is free. */
	enqueue(key: Key): void {
		this.#queue.add(key);
	}

	/** Reconciles the key after `ms`, or earlier if that is asked for. */
	enqueueAfter(key: Key, ms: number): void {
		this.#queue.addAfter(key, ms);
	}

	/** Starts no further reconcile. Resolves when those that run have ended. */
	stop(): Promise<void> {
		return this.#queue.stop();
	}
}

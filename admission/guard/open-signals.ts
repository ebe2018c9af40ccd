import type { Pod } from '../api/kinds.ts';
import { type ObjectKey, objectKey, splitKey } from '../api/object-key.ts';
import type { Cache } from '../cluster/cache.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import type { Accounts } from '../github/accounts.ts';
import { afterLog, ended, worksBy } from '../jobs/rules/job-signals.ts';
import { idleMarks } from '../jobs/rules/marks.ts';
import type { LogReading } from '../jobs/rules/runner-log.ts';
import { Controller } from '../kube/controller.ts';
import type { Requeue } from '../kube/queue.ts';
import type { JobSignal } from '../runner/job-signals.ts';
import { signalsOf } from '../runner/record.ts';
import type { RunnerPod } from '../runner/runner-pod.ts';
import type { Sign } from '../runner/statements.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';
import type { Sighting } from './rules/busy-marks.ts';
import {
	contradiction,
	nextReadMs,
	signalsAfterReading,
	signalToVerify,
	withoutAnothers,
} from './rules/open-signals.ts';

interface OpenSignalsDependencies {
	cache: Cache;
	pods: RunnerPods;
	accounts: Pick<Accounts, 'resolve'>;
	sign: Sign;
	readLog(pod: RunnerPod): Promise<LogReading>;
	/** What GitHub's list last said of the runner; see BusyPolling. */
	sighting(pod: RunnerPod): Sighting | undefined;
	metrics: Metrics;
	clock: Clock;
	log: Log;
}

/** The marks of a busy runner are written in two steps, and a write between them would be in their way. */
const marksWrittenMs = 300;

/** How often a job signal is compared with GitHub's list. */
const compareMs = 30_000;

/**
 * Ends job signals of runners whose deletion nobody has requested: it reads the log of static runners whose job has
 * completed, or may have. It finds in the log the name of a job that only GitHub's list shows, and counts the jobs that the
 * list does not show.
 */
export class OpenSignals {
	readonly #dependencies: OpenSignalsDependencies;
	readonly #controller: Controller;
	/** By pod UID: when its log was last read, ms since the epoch. One entry for a pod that is busy. */
	readonly #readMs = new Map<string, number>();
	/** By pod UID: the job signal that GitHub's list contradicts, so that it is counted once. */
	readonly #contradicted = new Map<string, string>();

	constructor(dependencies: OpenSignalsDependencies) {
		this.#dependencies = dependencies;
		this.#controller = new Controller(
			{
				name: 'open-claims',
				field: 'pod',
				concurrency: 8,
				reconcile: (key) => this.#reconcile(key),
				failure: 'job signals not updated',
			},
			dependencies,
		);
		this.#controller.watch(dependencies.cache.onPod, (pod, change) => {
			const { uid = '' } = pod.metadata;
			const key = objectKey(pod.metadata);
			const runner = change === 'deleted' ? undefined : dependencies.pods.read(pod);
			if (runner && isOpen(runner)) return key;
			if (runner && isNameless(runner)) {
				this.#controller.enqueueAfter(key, marksWrittenMs);
				return undefined;
			}
			this.#readMs.delete(uid);
			this.#contradicted.delete(uid);
			return undefined;
		});
	}

	stop(): Promise<void> {
		return this.#controller.stop();
	}

	async #reconcile(key: ObjectKey): Promise<Requeue> {
		const { cache, pods, readLog, sighting, clock } = this.#dependencies;
		const { namespace, name } = splitKey(key);
		const cached = cache.pods.get(namespace, name);
		const pod = cached && pods.read(cached);
		if (!cached || !pod) return undefined;
		if (!isOpen(pod)) return isNameless(pod) && !this.#readMs.has(pod.uid) ? this.#name(pod) : undefined;
		this.#compare(pod);
		const seen = sighting(pod);
		const own = withoutAnothers(pod, seen, clock.now());
		if (own !== pod.signals) return this.#write(cached, pod, own, seen);
		const dueMs = nextReadMs(pod, seen, this.#readMs.get(pod.uid), clock.now());
		if (dueMs === undefined) return { afterMs: compareMs };
		if (dueMs > 0) return { afterMs: Math.min(dueMs, compareMs) };
		const reading = await readLog(pod);
		this.#readMs.set(pod.uid, clock.now());
		const asked = signalToVerify(pod, reading, seen, clock.now());
		const refuted = asked && (await this.#hasCompleted(pod, asked)) ? asked : undefined;
		const read = signalsAfterReading(pod, reading, seen, clock.now());
		const signals = ended(read, (signal) => signal === refuted, clock.now());
		return signals === pod.signals ? { afterMs: 0 } : this.#write(cached, pod, signals, seen);
	}

	/** If the pod has changed meanwhile, perhaps by another signal, nothing is written, and the watch starts the next reconcile. */
	async #write(
		cached: Pod,
		pod: RunnerPod,
		signals: readonly JobSignal[],
		seen: Sighting | undefined,
	): Promise<undefined> {
		const { pods, sign } = this.#dependencies;
		// No source says that it works: its marks are removed in the same write, because others react to each change of a pod.
		const ends = worksBy(signals) === undefined && seen?.runner?.busy !== true;
		const marks = ends ? idleMarks(cached) : { labels: {}, annotations: {} };
		const annotations = { ...marks.annotations, ...signalsOf({ ...pod, signals }, sign) };
		await pods.patch(pod, { labels: marks.labels, annotations }, pod.resourceVersion);
	}

	/** GitHub's list shows a job, and no source has reported which: its log is read, once for each time that it becomes busy. */
	async #name(pod: RunnerPod): Promise<Requeue> {
		const { pods, sign, readLog, clock } = this.#dependencies;
		this.#readMs.set(pod.uid, clock.now());
		const signals = afterLog(pod.signals, await readLog(pod), pod.ephemeral, clock.now());
		if (signals === pod.signals) return undefined;
		const annotations = signalsOf({ ...pod, signals }, sign);
		const written = await pods.patch(pod, { annotations }, pod.resourceVersion);
		if (written === 'conflict') this.#readMs.delete(pod.uid);
		return undefined;
	}

	/** Whether all jobs that GitHub has given this runner in the run have completed. */
	async #hasCompleted(pod: RunnerPod, { job }: JobSignal): Promise<boolean> {
		const { repository = '', runId = 0, attempt = 1 } = job;
		const account = await this.#dependencies.accounts.resolve(pod);
		if ('kind' in account) return false;
		const question = { repository, runId, attempt, runnerName: pod.runnerName };
		return (await account.jobsOf(question)) === 'all completed';
	}

	/** Counts a job that GitHub's list does not show, once. */
	#compare(pod: RunnerPod): void {
		const { sighting, metrics, log } = this.#dependencies;
		const kind = contradiction(pod, sighting(pod));
		const job = pod.signals.find(({ state }) => state === 'working');
		if (!kind || !job || this.#contradicted.get(pod.uid) === job.key) return;
		this.#contradicted.set(pod.uid, job.key);
		metrics.contradiction(kind);
		const facts = { pod: objectKey(pod), runner: pod.runnerName, job: job.job.name, kind };
		log.warn(facts, "GitHub's list does not show the job of a runner");
	}
}

const isOpen = ({ signals }: RunnerPod): boolean => worksBy(signals) !== undefined;

/** It is busy, and its job is not known. ARC asks GitHub at each change of a pod that it removes, so such a pod is not changed. */
const isNameless = (pod: RunnerPod): boolean =>
	pod.busyHint !== undefined &&
	pod.busyHint.job === undefined &&
	pod.process.state === 'running' &&
	!pod.terminating &&
	!pod.leavingByArc;

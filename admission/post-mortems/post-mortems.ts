import { type EndedRunner, endText, isRecent, logLines } from '../api/ended-runners.ts';
import type { EphemeralRunner, Pod } from '../api/kinds.ts';
import { objectKey } from '../api/object-key.ts';
import { camelCase } from '../api/reasons.ts';
import type { Cache } from '../cluster/cache.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import { Controller } from '../kube/controller.ts';
import { type Events, podSubject } from '../kube/events.ts';
import type { Change } from '../kube/informer.ts';
import type { ReconcileObserver, Requeue } from '../kube/queue.ts';
import type { RunnerPod } from '../runner/runner-pod.ts';
import type { Verify } from '../runner/statements.ts';
import type { Log } from '../telemetry/log.ts';
import type { PostMortemMetrics } from '../telemetry/post-mortem-metrics.ts';
import { BoundedMap } from '../time/bounded-map.ts';
import type { Clock } from '../time/clock.ts';
import type { EndedLists } from './ended-lists.ts';
import type { EndLog, ReadEndLog } from './read-end-log.ts';
import { type Cause, causeOfEnd, causeOfRestart } from './rules/cause.ts';
import { entryOf, type SetOfRunners, setOf } from './rules/entry.ts';
import { runKey } from './rules/list.ts';
import { causeInLog } from './rules/log-cause.ts';
import { logsAtOnce, mostKnown, mostWaiting } from './rules/policy.ts';

interface PostMortemsDependencies {
	cache: Pick<Cache, 'onPod' | 'nodes' | 'ephemeralRunners'>;
	pods: Pick<RunnerPods, 'read'>;
	lists: Pick<EndedLists, 'add' | 'seen'>;
	readLog: ReadEndLog;
	/** Whether the last lines of each runner's log are kept. */
	keepLogs: boolean;
	verify: Verify;
	events: Events;
	metrics: ReconcileObserver & { postMortems: PostMortemMetrics };
	clock: Clock;
	log: Log;
}

/** An end that was seen, and has not been reported yet. */
interface Found {
	cause: Cause;
	entry: EndedRunner;
	namespace: string;
	set: SetOfRunners | undefined;
	/** Its pod is gone, and its log with it; or the run before the last one is meant. */
	log: 'current' | 'previous' | 'gone';
	/** It had ended when this process began to lead: the leader before may have reported it. */
	endedBefore: boolean;
}

/**
 * Says why runners ended, unless they ended with their job: in the log, the metric, an Event on the pod and one on its set,
 * and in the list of the set. It sees what the leader's watch shows: a pod that came and went while nobody led is missed.
 */
export class PostMortems {
	/** By run: its end has been dealt with, whatever it was. */
	readonly #known = new BoundedMap<string, true>({ most: mostKnown });
	readonly #found: BoundedMap<string, Found>;
	readonly #controller: Controller<string>;
	readonly #dependencies: PostMortemsDependencies;

	constructor(dependencies: PostMortemsDependencies) {
		this.#dependencies = dependencies;
		// Of too many at once, those seen first are reported without their logs.
		this.#found = new BoundedMap({
			most: mostWaiting,
			onForget: (_run, found) => this.#reportWithoutLog(found),
		});
		this.#controller = new Controller<string>(
			{
				name: 'post-mortems',
				field: 'run',
				concurrency: logsAtOnce,
				reconcile: (run) => this.#reconcile(run),
				failure: 'why a runner ended was not found out',
			},
			dependencies,
		);
		dependencies.cache.onPod((change, pod, before) => this.#podChanged(change, pod, before));
	}

	stop(): Promise<void> {
		return this.#controller.stop();
	}

	#podChanged(change: Change, pod: Pod, before: Pod | undefined): void {
		const { cache, pods, lists } = this.#dependencies;
		const { namespace, name } = pod.metadata;
		const ephemeralRunner = cache.ephemeralRunners.get(namespace, name);
		const read = (object: Pod) => pods.read(object, { ephemeralRunner });
		const runner = read(pod);
		if (!runner) return;
		if (change === 'added') lists.seen(runner.namespace, setOf(pod));
		const runnerBefore = before && read(before);
		const facts = { pod, runner, before: runnerBefore, ephemeralRunner };
		if (runnerBefore && runnerBefore.restarts < runner.restarts) {
			const cause = causeOfRestart(pod, runnerBefore.restarts);
			const run = { ...facts, restarts: runner.restarts - 1, log: 'previous' as const };
			if (cause) this.#note(cause, run, false);
		}
		const { nodes } = cache;
		const cause = causeOfEnd({
			pod,
			runner,
			before: runnerBefore,
			gone: change === 'deleted',
			nodeExists: !nodes.synced || nodes.get(undefined, runner.nodeName ?? '') !== undefined,
		});
		if (cause === undefined) return;
		const log = change === 'deleted' ? 'gone' : 'current';
		this.#note(cause, { ...facts, restarts: runner.restarts, log }, change === 'added');
	}

	#note(
		cause: Cause | 'as-it-should',
		facts: {
			pod: Pod;
			runner: RunnerPod;
			before: RunnerPod | undefined;
			ephemeralRunner: EphemeralRunner | undefined;
			restarts: number;
			log: Found['log'];
		},
		endedBefore: boolean,
	): void {
		const { verify, clock } = this.#dependencies;
		const { pod, runner, restarts, log } = facts;
		const run = runKey({ uid: runner.uid, restarts });
		if (this.#known.has(run)) return;
		this.#known.set(run, true);
		if (cause === 'as-it-should') return;
		const nowMs = clock.now();
		const entry = entryOf(cause, { ...facts, verify, nowMs });
		const found = { cause, entry, namespace: runner.namespace, set: setOf(pod), log, endedBefore };
		this.#found.set(run, found);
		this.#controller.enqueue(run);
	}

	async #reconcile(run: string): Promise<Requeue> {
		const found = this.#found.get(run);
		if (!found) return undefined;
		const { cause, entry, log, namespace } = found;
		const { keepLogs, readLog } = this.#dependencies;
		const isRead = log !== 'gone' && (keepLogs || cause.log !== undefined);
		const read = isRead ? await readLog({ namespace, name: entry.pod }, log === 'previous') : undefined;
		if (!this.#found.delete(run)) return undefined; // it was one too many, and has been reported
		const whole = afterLog(entry, cause, read, keepLogs);
		if (whole) this.#report({ ...found, entry: whole });
		return undefined;
	}

	#reportWithoutLog(found: Found): void {
		const whole = afterLog(found.entry, found.cause, undefined, false);
		if (whole) this.#report(found);
	}

	#report({ entry, namespace, set, endedBefore }: Found): void {
		const announce = () => this.#announce(namespace, set, entry);
		if (!endedBefore) announce();
		this.#dependencies.lists.add(namespace, set, { entry, onNew: endedBefore ? announce : undefined });
	}

	#announce(namespace: string, set: SetOfRunners | undefined, entry: EndedRunner): void {
		const { events, metrics, log, clock } = this.#dependencies;
		if (!isRecent(entry, clock.now())) return;
		const { pod: name, uid, reason, exitCode, container, node, job, by, detail } = entry;
		metrics.postMortems.ended(reason);
		const facts = { pod: objectKey({ namespace, name }), set: set?.name, reason, exitCode, container, node };
		log.warn({ ...facts, job: job?.name, by, detail }, 'a runner ended otherwise than with its job');
		const ran = job ? `. Its job: ${job.name}${job.url ? ` ${job.url}` : ''}` : '';
		// The guard has said it on the pod, when it allowed the deletion.
		if (reason === 'break-glass') return;
		const subject = podSubject({ namespace, name, uid });
		events.send(subject, 'Warning', camelCase(reason), 'Run', `${endText(entry)}${ran}`);
	}
}

/** The end, with what the log adds; undefined: it ended with its job, or nothing tells that it did not. */
function afterLog(
	entry: EndedRunner,
	cause: Cause,
	read: EndLog | undefined,
	keepLogs: boolean,
): EndedRunner | undefined {
	const log = keepLogs && read && read.lines.length > 0 ? { log: logLines(read.lines) } : {};
	if (cause.log === undefined) return { ...entry, ...log };
	const says = causeInLog(read?.lines ?? []);
	if (says.says !== 'job' && says.says !== 'nothing')
		return { ...entry, ...log, reason: says.says, detail: logLines([says.line])[0]?.slice(0, 300) };
	if (cause.log === 'may-tell') return { ...entry, ...log };
	return says.says === 'nothing' && read?.whole ? { ...entry, ...log } : undefined;
}

import {
	type AutoscalerConditionType,
	type AutoscalerStatus,
	autoscaleKinds,
	type HorizontalRunnerAutoscaler,
} from '../api/autoscale.ts';
import { type ObjectKey, objectKey, splitKey } from '../api/object-key.ts';
import type { RunnersSet } from '../api/sets.ts';
import type { SetsCache } from '../cluster/sets-cache.ts';
import type { KubeClient } from '../kube/client.ts';
import { Controller } from '../kube/controller.ts';
import type { Events } from '../kube/events.ts';
import type { Requeue } from '../kube/queue.ts';
import { StatusWriter } from '../kube/status-writer.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';
import type { AutoscaleCache } from './cache.ts';
import type { JobBook } from './job-book.ts';
import { setOf } from './poll-targets.ts';
import { ReplicasWriter } from './replicas-writer.ts';
import type { Results } from './results.ts';
import { type Finding, targetOf } from './rules/desired.ts';
import { metricLabelsOf, setKeyOf } from './rules/set-key.ts';
import { statusOf } from './rules/status.ts';
import { type Targets, targetKey } from './targets.ts';

interface AutoscalerStatusWriterDependencies {
	client: KubeClient;
	setsCache: SetsCache;
	autoscaleCache: AutoscaleCache;
	book: JobBook;
	targets: Targets;
	results: Results;
	events: Events;
	metrics: Metrics;
	clock: Clock;
	log: Log;
}

/** The status and the target's replicas are written at most this often. */
const statusEveryMs = 1_000;

/** Fields that a status may lack: a merge patch removes only what it sets to null. */
const empty: Partial<Record<keyof AutoscalerStatus, null>> = {
	lastSuccessfulScaleOutTime: null,
	scheduledOverridesSummary: null,
	nextScheduledChange: null,
};

/** Conditions that are no failure. */
const harmless: ReadonlySet<string> = new Set<AutoscalerConditionType>(['Starting', 'AtMaximum']);

/** Writes the status of autoscalers and `replicas` of their targets, at most once in statusEveryMs. */
export class AutoscalerStatusWriter {
	readonly #dependencies: AutoscalerStatusWriterDependencies;
	readonly #controller: Controller;
	readonly #status: StatusWriter<AutoscalerStatus>;
	readonly #replicas: ReplicasWriter;

	constructor(dependencies: AutoscalerStatusWriterDependencies) {
		this.#dependencies = dependencies;
		const { client, book, targets, events, clock, log } = dependencies;
		this.#replicas = new ReplicasWriter(dependencies);
		this.#status = new StatusWriter<AutoscalerStatus>({
			client,
			clock,
			resource: autoscaleKinds.autoscaler,
			everyMs: statusEveryMs,
			toPatch: (status) => ({ ...empty, ...withoutAbsent(status) }),
			reports: {
				events,
				log,
				logName: 'horizontalrunnerautoscaler',
				logMessage: 'the autoscaler has a problem, see its conditions',
				action: 'Scale',
				summary: 'ScalingActive',
				isFailure: (type) => !harmless.has(type),
				onChangeOf: 'reason',
			},
		});
		this.#controller = new Controller(
			{
				name: 'horizontalrunnerautoscaler',
				concurrency: 4,
				reconcile: (key) => this.#write(key),
				failure: 'status of an autoscaler not written',
			},
			dependencies,
		);
		book.changes.subscribe((change) => {
			const autoscaler = change.kind === 'set-reconciled' && targets.acting(change.set);
			if (autoscaler) this.autoscalerChanged(autoscaler);
		});
	}

	autoscalerChanged({ metadata }: HorizontalRunnerAutoscaler): void {
		const afterMs = Math.max(0, this.#status.waitMs(metadata.uid ?? ''));
		this.#controller.enqueueAfter(objectKey(metadata), afterMs);
	}

	autoscalerDeleted({ metadata: { uid = '' } }: HorizontalRunnerAutoscaler): void {
		this.#status.forget(uid);
		this.#replicas.forget(uid);
	}

	/** It names another set from now on, or its set is gone. */
	targetChanged(autoscaler: HorizontalRunnerAutoscaler): void {
		const { uid = '' } = autoscaler.metadata;
		this.#status.forget(uid);
		this.#replicas.forgetTarget(uid);
		this.autoscalerChanged(autoscaler);
	}

	stop(): Promise<void> {
		return this.#controller.stop();
	}

	async #write(key: ObjectKey): Promise<Requeue> {
		const { autoscaleCache, targets, results, metrics, clock } = this.#dependencies;
		const { namespace, name } = splitKey(key);
		const autoscaler = autoscaleCache.autoscalers.informer.get(namespace, name);
		if (!autoscaler || autoscaler.metadata.deletionTimestamp) return undefined;
		const { metadata, status: before } = autoscaler;
		const { uid = '' } = metadata;
		// What an earlier leader wrote is about this target only where nobody has changed the spec since.
		const ofTarget = before?.observedGeneration === metadata.generation ? before?.replicas : undefined;
		this.#replicas.remember(uid, ofTarget);
		const set = this.#target(autoscaler);
		const other = targets.actingBeside(autoscaler);
		const acts = set !== undefined && other?.metadata.uid === uid;
		const result = acts ? results.get(uid) : undefined;
		const refused = acts && result ? await this.#tryToScale(uid, set, result.replicas) : undefined;
		if (acts && result) metrics.autoscale.desired(metricLabelsOf(setKeyOf(set)), result.demand.desired);
		const nowMs = clock.now();
		const contested = refused ? undefined : this.#replicas.contested(uid, nowMs);
		const findings = [
			...(result?.findings ?? []),
			...targetFindings(autoscaler, set, other),
			...[refused?.finding, contested?.finding].filter((finding) => finding !== undefined),
		];
		const status = statusOf(autoscaler, { reconciled: result, findings }, nowMs);
		await this.#status.write(autoscaler, status, { force: true });
		if (refused) throw refused.error; // tried again, later and later
		return contested && { afterMs: contested.forMs };
	}

	/** Why replicas could not be written, as an error and as a finding: the rest of the status is written all the same. */
	async #tryToScale(
		uid: string,
		set: RunnersSet,
		replicas: number,
	): Promise<{ error: unknown; finding: Finding } | undefined> {
		try {
			await this.#replicas.write(uid, set, replicas);
			return undefined;
		} catch (error) {
			const why = error instanceof Error ? error.message : String(error);
			const message = `spec.replicas of the target could not be set to ${replicas}, which only shows the number and changes nothing else: ${why}`;
			return { error, finding: { type: 'ReplicasContested', reason: 'NotWritable', message } };
		}
	}

	#target(autoscaler: HorizontalRunnerAutoscaler): RunnersSet | undefined {
		const key = targetKey(autoscaler);
		const set = key && setOf(this.#dependencies.setsCache, key);
		return set?.metadata.deletionTimestamp ? undefined : set;
	}
}

function targetFindings(
	{ metadata, spec }: HorizontalRunnerAutoscaler,
	set: RunnersSet | undefined,
	acting: HorizontalRunnerAutoscaler | undefined,
): Finding[] {
	const target = targetOf(spec);
	if (typeof target === 'string')
		return [{ type: 'TargetMissing', reason: 'InvalidTarget', message: target }];
	const { kind, name } = target;
	if (!set) {
		const message = `${kind} ${metadata.namespace}/${name} does not exist, or is being deleted`;
		return [{ type: 'TargetMissing', reason: 'NotFound', message }];
	}
	if (!acting || acting.metadata.uid === metadata.uid) return [];
	const message = `the older autoscaler ${acting.metadata.name} scales ${kind} ${name}: delete one of the two`;
	return [{ type: 'TargetTaken', reason: 'OlderAutoscaler', message }];
}

const withoutAbsent = (status: AutoscalerStatus): AutoscalerStatus =>
	Object.fromEntries(Object.entries(status).filter(([, value]) => value !== undefined));

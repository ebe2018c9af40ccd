import { isDeepStrictEqual } from 'node:util';
import { type AutoscalerStatus, autoscaleKinds, type HorizontalRunnerAutoscaler } from '../api/autoscale.ts';
import { objectPath, type Resource } from '../api/paths.ts';
import { type RunnersSet, setKinds } from '../api/sets.ts';
import type { SetsCache } from '../cluster/sets-cache.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import type { Events } from '../kube/events.ts';
import { getObject, mergePatch, unlessChanged } from '../kube/objects.ts';
import { type Requeue, WorkQueue } from '../kube/queue.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { AutoscaleCache } from './cache.ts';
import { type Finding, targetOf } from './rules/desired.ts';
import type { Schedule } from './rules/schedule.ts';
import { statusOf } from './rules/status.ts';
import type { Demand, Desired } from './rules/types.ts';

/** What the last look at an autoscaler's target has found. */
export interface Looked {
	desired: Desired;
	demand: Demand;
	schedule: Schedule;
	findings: readonly Finding[];
	/** What spec.replicas of the target is to be. */
	replicas: number;
	/** Its runners that work, and its jobs that are in progress. */
	working: { busy: number; jobs: number };
}

export interface StatusWriterDependencies {
	client: KubeClient;
	setsCache: SetsCache;
	autoscaleCache: AutoscaleCache;
	/** The autoscaler that acts on the target of this one; undefined: none does. */
	acting: (autoscaler: HorizontalRunnerAutoscaler) => HorizontalRunnerAutoscaler | undefined;
	/** By an autoscaler's UID. */
	looked: (uid: string) => Looked | undefined;
	events: Events;
	metrics: Metrics;
	clock: Clock;
	log: Log;
}

/** The status and the target's replicas are written at most this often. */
const statusEveryMs = 1_000;
/** For so long it is told that somebody else wrote spec.replicas: longer than GitOps tools take to come again. */
const contestedForMs = 10 * 60_000;

interface Written {
	atMs: number;
	/** What we wrote into spec.replicas of the target last; undefined: not yet in this term. */
	replicas: number | undefined;
	/** Somebody else wrote another number there: when, ms since the epoch, and who, as far as is known. */
	contested: { atMs: number; by: string | undefined; replicas: number } | undefined;
	/** The message of each condition that an Event has reported last. */
	told: Map<string, string>;
}

const nothingWritten = (replicas: number | undefined): Written => ({
	atMs: 0,
	replicas,
	contested: undefined,
	told: new Map(),
});

/** A merge patch removes only fields that it names. */
const empty: Partial<Record<keyof AutoscalerStatus, null>> = {
	lastSuccessfulScaleOutTime: null,
	scheduledOverridesSummary: null,
	nextScheduledChange: null,
};

/** Writes the status of autoscalers and `replicas` of their targets, at most once in statusEveryMs. */
export class StatusWriter {
	readonly #dependencies: StatusWriterDependencies;
	readonly #queue: WorkQueue;
	/** By the autoscaler's UID. */
	readonly #written = new Map<string, Written>();

	constructor(dependencies: StatusWriterDependencies) {
		this.#dependencies = dependencies;
		const { metrics, clock, log } = dependencies;
		this.#queue = new WorkQueue({
			controller: 'horizontalrunnerautoscaler',
			metrics,
			clock,
			concurrency: 4,
			reconcile: (key) => this.#write(key),
			onError: (key, error, retryMs) =>
				log.warn(
					{ horizontalrunnerautoscaler: key, error: String(error), retryMs },
					'status of an autoscaler not written, retrying',
				),
		});
	}

	changed({ metadata }: HorizontalRunnerAutoscaler): void {
		const dueMs = (this.#written.get(metadata.uid ?? '')?.atMs ?? 0) + statusEveryMs;
		const afterMs = Math.max(0, dueMs - this.#dependencies.clock.now());
		this.#queue.addAfter(`${metadata.namespace}/${metadata.name}`, Math.min(afterMs, statusEveryMs));
	}

	forget({ metadata }: HorizontalRunnerAutoscaler): void {
		this.#written.delete(metadata.uid ?? '');
	}

	/** Its target is another one from now on, or is gone: what was written into spec.replicas says nothing of the next one. */
	forgetTarget({ metadata }: HorizontalRunnerAutoscaler): void {
		this.#written.set(metadata.uid ?? '', nothingWritten(undefined));
	}

	stop(): Promise<void> {
		return this.#queue.stop();
	}

	async #write(key: string): Promise<Requeue> {
		const { autoscaleCache, acting, looked, client, clock } = this.#dependencies;
		const [namespace = '', name = ''] = key.split('/');
		const autoscaler = autoscaleCache.autoscalers.informer.get(namespace, name);
		if (!autoscaler || autoscaler.metadata.deletionTimestamp) return undefined;
		const { uid = '' } = autoscaler.metadata;
		const { status: before, metadata } = autoscaler;
		// What an earlier leader wrote is about this target only where nobody has changed the spec since.
		const ofTarget = before?.observedGeneration === metadata.generation ? before?.replicas : undefined;
		const written = this.#written.get(uid) ?? nothingWritten(ofTarget);
		this.#written.set(uid, written);
		const set = this.#target(autoscaler);
		const other = acting(autoscaler);
		const acts = set !== undefined && other?.metadata.uid === uid;
		const found = acts ? looked(uid) : undefined;
		const refused = acts && found ? await this.#tryToScale(set, found.replicas, written) : undefined;
		if (acts && found) {
			const labels = { namespace, set: set.metadata.name };
			this.#dependencies.metrics.autoscale.desired(labels, found.demand.desired);
		}
		const nowMs = clock.now();
		const findings = [
			...(found?.findings ?? []),
			...targetFindings(autoscaler, set, other),
			...(refused ? [refused.finding] : this.#contested(written, nowMs)),
		];
		const status = statusOf(autoscaler, { reconciled: found, findings }, nowMs);
		if (!isDeepStrictEqual(asJson({ ...empty, ...status }), asJson({ ...empty, ...autoscaler.status }))) {
			written.atMs = nowMs;
			const path = objectPath(autoscaleKinds.autoscaler, { namespace, name }, 'status');
			await unlessChanged(mergePatch(client, path, { status: { ...empty, ...status } }, { uid }));
			this.#tell(autoscaler, status, written);
		}
		if (refused) throw refused.error; // tried again, later and later
		return written.contested && { afterMs: Math.max(0, written.contested.atMs + contestedForMs - nowMs) };
	}

	/** What made it impossible to write replicas, with the condition that tells of it: the rest of the status goes on. */
	async #tryToScale(
		set: RunnersSet,
		replicas: number,
		written: Written,
	): Promise<{ error: unknown; finding: Finding } | undefined> {
		try {
			await this.#scale(set, replicas, written);
			return undefined;
		} catch (error) {
			const why = error instanceof Error ? error.message : String(error);
			const message = `spec.replicas of the target can not be set to ${replicas}, which is for show alone: ${why}`;
			return { error, finding: { type: 'ReplicasContested', reason: 'NotWritable', message } };
		}
	}

	/** Shows in the target's spec.replicas how many runners there are to be, for people and for who reads it as a scale. */
	async #scale(set: RunnersSet, replicas: number, written: Written): Promise<void> {
		const { client, clock, log } = this.#dependencies;
		const { namespace, name, uid } = set.metadata;
		const shown = set.spec.replicas ?? 1;
		if (shown === replicas) {
			written.replicas = replicas;
			return;
		}
		const path = objectPath(resourceOf(set), { namespace, name });
		if (written.replicas !== undefined && shown !== written.replicas) {
			const by = await lastWriterOf(client, path);
			// Our own write may be newer than what the cache shows.
			if (by !== 'us') written.contested = { atMs: clock.now(), by, replicas: shown };
		}
		const patched = await unlessChanged(mergePatch(client, path, { spec: { replicas } }, { uid }));
		if (!patched) return;
		written.replicas = replicas;
		log.debug({ [set.kind ?? 'set']: `${namespace}/${name}`, from: shown, to: replicas }, 'replicas written');
	}

	#contested(written: Written, nowMs: number): Finding[] {
		const { contested } = written;
		if (!contested) return [];
		if (nowMs - contested.atMs >= contestedForMs) {
			written.contested = undefined;
			return [];
		}
		const who = contested.by ?? 'somebody else';
		return [
			{
				type: 'ReplicasContested',
				reason: 'TwoWriters',
				message: `${who} set spec.replicas of the target to ${contested.replicas}, which has no effect while this autoscaler acts: leave replicas out of the set's manifest, and let no HPA or KEDA scale it`,
			},
		];
	}

	#target({ metadata, spec }: HorizontalRunnerAutoscaler): RunnersSet | undefined {
		const target = targetOf(spec);
		if (typeof target === 'string') return undefined;
		const { runnerSets, runnerDeployments } = this.#dependencies.setsCache;
		const { informer } = target.kind === 'RunnerSet' ? runnerSets : runnerDeployments;
		const set = informer.get(metadata.namespace, target.name);
		return set?.metadata.deletionTimestamp ? undefined : set;
	}

	/** An Event for each condition that has become true or has a new message; troubles are logged as well. */
	#tell({ metadata }: HorizontalRunnerAutoscaler, { conditions = [] }: AutoscalerStatus, { told }: Written) {
		const { events, log } = this.#dependencies;
		for (const { type, status, reason = type, message = '' } of conditions) {
			if (type === 'ScalingActive' || status !== 'True' || told.get(type) === reason) continue;
			told.set(type, reason);
			const subject = { ...autoscaleKinds.autoscaler, metadata };
			events.send(subject, quiet.has(type) ? 'Normal' : 'Warning', type, 'Scale', message);
			if (quiet.has(type)) continue;
			const autoscaler = `${metadata.namespace}/${metadata.name}`;
			log.warn({ horizontalrunnerautoscaler: autoscaler, condition: type, message }, 'see its conditions');
		}
	}
}

/** Conditions that are no trouble. */
const quiet: ReadonlySet<string> = new Set(['Starting', 'AtMaximum']);

function targetFindings(
	{ metadata, spec }: HorizontalRunnerAutoscaler,
	set: RunnersSet | undefined,
	acting: HorizontalRunnerAutoscaler | undefined,
): Finding[] {
	const target = targetOf(spec);
	if (typeof target === 'string') return [{ type: 'TargetMissing', reason: 'NoTarget', message: target }];
	const { kind, name } = target;
	if (!set) {
		const message = `there is no ${kind} ${metadata.namespace}/${name}, or it is being deleted`;
		return [{ type: 'TargetMissing', reason: 'NotFound', message }];
	}
	if (!acting || acting.metadata.uid === metadata.uid) return [];
	const message = `the older autoscaler ${acting.metadata.name} acts on ${kind} ${name}: delete one of the two`;
	return [{ type: 'TargetTaken', reason: 'OlderAutoscaler', message }];
}

function resourceOf({ kind }: RunnersSet): Resource {
	return kind === setKinds.runnerSet.kind ? setKinds.runnerSet : setKinds.runnerDeployment;
}

interface Managed {
	metadata: { managedFields?: { manager?: string; operation?: string; time?: string; fieldsV1?: object }[] };
}

/** Who wrote spec.replicas last, by the object's managedFields: ourselves, or a name; undefined: it does not say. */
async function lastWriterOf(client: KubeClient, path: string): Promise<'us' | string | undefined> {
	const object = await getObject<Managed>(client, path);
	const writers = (object?.metadata.managedFields ?? []).filter(({ fieldsV1 }) => {
		const spec = (fieldsV1 as { 'f:spec'?: object } | undefined)?.['f:spec'];
		return typeof spec === 'object' && spec !== null && 'f:replicas' in spec;
	});
	const last = writers.toSorted((one, other) => (other.time ?? '').localeCompare(one.time ?? ''))[0];
	if (last?.manager === undefined) return undefined;
	return last.manager.startsWith('runners-admission') ? 'us' : last.manager.slice(0, 100);
}

/** As the API server keeps it: without undefined. */
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

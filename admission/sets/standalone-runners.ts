import type { Pod } from '../api/kinds.ts';
import { type ObjectKey, objectKey, splitKey } from '../api/object-key.ts';
import { objectPath, podPath } from '../api/paths.ts';
import { type Runner, setKinds } from '../api/sets.ts';
import { pastMs } from '../api/written-time.ts';
import type { Cache } from '../cluster/cache.ts';
import { isOrphan } from '../cluster/pod-owner.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import type { OwnerObject, SetsCache } from '../cluster/sets-cache.ts';
import type { KubeClient } from '../kube/client.ts';
import { Controller } from '../kube/controller.ts';
import { deleteUnlessChanged, getObject, unlessChanged } from '../kube/objects.ts';
import type { ReconcileObserver, Requeue } from '../kube/queue.ts';
import { StatusWriter } from '../kube/status-writer.ts';
import type { Log } from '../telemetry/log.ts';
import type { Clock } from '../time/clock.ts';
import type { KindDependencies } from './kind.ts';
import { runnerTemplate, type TemplateDefaults } from './pod/template.ts';
import { phaseOf } from './rules/phase.ts';
import { briefEnd, podWithinMs } from './rules/policy.ts';
import { afterBriefEnd, afterFailedStart, noBackoff, type StartBackoff } from './rules/start-backoff.ts';
import { createPod } from './runner-deployment.ts';

interface StandaloneRunnersDependencies {
	client: KubeClient;
	cache: Cache;
	setsCache: SetsCache;
	pods: RunnerPods;
	templateDefaults: TemplateDefaults;
	/** See KindDependencies. */
	inject: KindDependencies['inject'];
	clock: Clock;
	metrics: ReconcileObserver;
	log: Log;
}

/**
 * Reconciles Runners that a person created. Each has a pod of the same name, and gets a new one when that has ended. (A
 * RunnerDeployment creates the pods of its Runners itself.) A change of the spec takes effect with the next pod. If
 * the Runner is deleted, the garbage collector deletes the pod, and so the guard decides.
 *
 * So it is with the static Runners that `kubectl delete runnerdeployment --cascade=orphan` leaves. An ephemeral one is deleted
 * with its pod when it has ended: it would be made again under its name, for ever (invariant 6).
 */
export class StandaloneRunners {
	readonly #dependencies: StandaloneRunnersDependencies;
	readonly #controller: Controller;
	/** After failed starts; by the Runner's UID, for as long as the Runner exists. */
	readonly #backoffs = new Map<string, StartBackoff>();
	readonly #status: StatusWriter<RunnerStatus>;
	/** By the Runner's UID: the status that was written last, because the cache keeps none. */
	readonly #written = new Map<string, RunnerStatus>();

	constructor(dependencies: StandaloneRunnersDependencies) {
		this.#dependencies = dependencies;
		const { client, cache, setsCache, clock } = dependencies;
		this.#status = new StatusWriter({ client, clock, resource: setKinds.runner, everyMs: 0 });
		this.#controller = new Controller(
			{
				name: 'runner',
				concurrency: 4,
				reconcile: (key) => this.#reconcile(key),
				failure: 'Runner not reconciled',
			},
			dependencies,
		)
			.watch(setsCache.runners.on, (runner, change) => {
				if (!isOwn(runner)) return undefined;
				if (change !== 'deleted') return objectKey(runner.metadata);
				this.#backoffs.delete(runner.metadata.uid ?? '');
				this.#written.delete(runner.metadata.uid ?? '');
				return undefined;
			})
			.watch(cache.onPod, ({ metadata }) => {
				const runner = setsCache.runners.informer.get(metadata.namespace, metadata.name);
				return runner && isOwn(runner) ? objectKey(metadata) : undefined;
			});
	}

	stop(): Promise<void> {
		return this.#controller.stop();
	}

	async #reconcile(key: ObjectKey): Promise<Requeue> {
		const { cache, setsCache, pods, clock, log } = this.#dependencies;
		const { namespace, name } = splitKey(key);
		const owner = setsCache.runners.informer.get(namespace, name);
		if (!owner || owner.metadata.deletionTimestamp) return undefined;
		if (!cache.pods.synced) return { afterMs: 100 };
		const pod = cache.pods.get(namespace, name);
		if (!pod) return this.#create(owner, key);
		const runner = pods.read(pod);
		if (!runner || pod.metadata.deletionTimestamp) return undefined; // the pod's deletion starts the next reconcile

		const { phase, brief, sinceMs } = phaseOf(pod, runner, clock.now(), clock.now());
		await this.#writeStatus(owner, pod.status?.phase ?? 'Pending', phase === 'idle' || phase === 'busy');
		const { uid = '' } = owner.metadata;
		const lasted = clock.now() - (sinceMs ?? clock.now()) >= briefEnd.withinMs;
		const over = phase === 'completed' || phase === 'failed';
		if (over && runner.ephemeral && isOrphan(owner, 'runnerdeployment')) {
			const found = { name, uid: owner.metadata.uid ?? '', resource: setKinds.runner };
			await unlessChanged(pods.removeWithOwner(runner, found, { via: 'delete' }));
			log.info({ runner: key, was: phase }, 'Runner of a deleted RunnerDeployment removed: it has ended');
			return undefined;
		}
		const idle = phase === 'idle' && (lasted || !this.#backoffs.get(uid)?.briefEnds);
		if (idle || phase === 'busy' || (phase === 'completed' && !brief)) this.#backoffs.delete(uid);
		if (!over) return undefined;
		if (phase === 'failed' || brief) this.#slowDown(owner, key, phase === 'failed');
		await unlessChanged(pods.remove(runner, { via: 'delete' }));
		log.info({ runner: key, was: phase }, 'pod of an ended runner deleted');
		return undefined;
	}

	async #create(owner: OwnerObject, key: string): Promise<Requeue> {
		const { client, cache, templateDefaults, inject, clock, log } = this.#dependencies;
		const { namespace = '', name, uid = '' } = owner.metadata;
		if (cache.namespaces.get(undefined, namespace)?.metadata.deletionTimestamp) return undefined;
		const waitMs = (this.#backoffs.get(uid)?.nextStartMs ?? 0) - clock.now();
		if (waitMs > 0) return { afterMs: waitMs };
		const runner = await getObject<Runner>(client, objectPath(setKinds.runner, { namespace, name }));
		if (
			runner?.metadata.uid === uid &&
			runner.spec.ephemeral !== false &&
			isOrphan(owner, 'runnerdeployment')
		)
			return this.#removeEnded(owner, key);
		if (runner?.metadata.uid === uid) {
			const layout = runnerTemplate(runner, templateDefaults);
			if (layout.kind === 'invalid') {
				log.warn(
					{ runner: key, field: layout.field, message: layout.message },
					'the spec of the Runner is invalid: no pod is created',
				);
				await this.#writeStatus(owner, 'Pending', false, layout.message);
				return undefined;
			}
			// If the pod exists already, the watch will show it.
			await unlessChanged(createPod(client, runner, layout.template, inject));
		}
		return { afterMs: 10_000 };
	}

	/** Of a RunnerDeployment that is gone, as its pod is. One that has just been made may have a pod that no watch has shown. */
	async #removeEnded({ metadata }: OwnerObject, key: string): Promise<Requeue> {
		const { client, clock, log } = this.#dependencies;
		const { namespace = '', name, uid = '', creationTimestamp } = metadata;
		const ageMs = clock.now() - (pastMs(creationTimestamp, clock.now()) ?? 0);
		if (ageMs < podWithinMs) return { afterMs: podWithinMs - ageMs };
		if (await getObject<Pod>(client, podPath(namespace, name))) return { afterMs: podWithinMs };
		const path = objectPath(setKinds.runner, { namespace, name });
		await deleteUnlessChanged(client, path, { preconditions: { uid } });
		log.info({ runner: key }, 'Runner of a deleted RunnerDeployment removed: its pod is gone');
		return undefined;
	}

	#slowDown({ metadata: { uid = '' } }: OwnerObject, key: string, failed: boolean): void {
		const { clock, log } = this.#dependencies;
		const before = this.#backoffs.get(uid) ?? noBackoff;
		const backoff = (failed ? afterFailedStart : afterBriefEnd)(before, clock.now());
		this.#backoffs.set(uid, backoff);
		const delayMs = backoff.nextStartMs - clock.now();
		if (delayMs <= 0) return;
		log.warn(
			{ runner: key, times: backoff.failedStarts, delayMs },
			failed
				? 'runner ended before it registered; the next pod is created after a delay'
				: 'runner ended within seconds without a job, several times in a row; the next pod is created after a delay',
		);
	}

	/** Writes the Runner's status if it has changed. A new leader writes it once more. */
	async #writeStatus({ metadata }: OwnerObject, phase: string, ready: boolean, message = ''): Promise<void> {
		const { uid = '' } = metadata;
		const status = { phase, ready, message };
		await this.#status.write({ metadata, status: this.#written.get(uid) }, status);
		this.#written.set(uid, status);
	}
}

interface RunnerStatus {
	phase: string;
	ready: boolean;
	message: string;
}

const isOwn = ({ metadata }: OwnerObject) => !metadata.ownerReferences?.some(({ controller }) => controller);

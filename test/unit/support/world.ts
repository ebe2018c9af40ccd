import type { Pod } from '../../../admission/api/kinds.ts';
import { collectionPath, resources } from '../../../admission/api/paths.ts';
import { arcReplicaSet, setKinds } from '../../../admission/api/sets.ts';
import { Cache } from '../../../admission/cluster/cache.ts';
import { getEphemeralRunner, RunnerPods } from '../../../admission/cluster/runner-pods.ts';
import { SetsCache } from '../../../admission/cluster/sets-cache.ts';
import { QuietPeriods } from '../../../admission/guard/subjects/runner/quiet-periods.ts';
import { createReleasePorts } from '../../../admission/guard/subjects/runner/release-adapter.ts';
import { RunnerLogs } from '../../../admission/jobs/runner-logs.ts';
import { Events } from '../../../admission/kube/events.ts';
import { nodeGoneOf, recordOf, registeredAs, unregisteredOf } from '../../../admission/runner/record.ts';
import { readRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { Metrics } from '../../../admission/telemetry/metrics.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { jitContainer, pod, signer, withSignedRecord } from '../runner/pods.ts';
import { ApiServer, type Stored } from './api-server.ts';
import { SimulatedClock } from './clock.ts';
import { SimulatedGitHub } from './github.ts';
import { recordingLog } from './log.ts';

export const paths = {
	pods: collectionPath(resources.pods),
	nodes: collectionPath(resources.nodes),
	namespaces: collectionPath(resources.namespaces),
	events: collectionPath(resources.events),
	secrets: collectionPath(resources.secrets),
	volumeClaims: collectionPath(resources.persistentVolumeClaims),
	volumes: collectionPath(resources.persistentVolumes),
	statefulSets: collectionPath(resources.statefulSets),
	budgets: collectionPath(resources.podDisruptionBudgets),
	ephemeralRunners: collectionPath(resources.ephemeralRunners),
	runnerSets: collectionPath(setKinds.runnerSet),
	runnerDeployments: collectionPath(setKinds.runnerDeployment),
	runners: collectionPath(setKinds.runner),
	replicaSets: collectionPath(arcReplicaSet),
} as const;

type PodChange = Parameters<typeof pod>[0];

/**
 * What a loop of the leader works with, all of it simulated: a cluster with the namespace `ci` and the node `node-1`, a
 * GitHub with the organization octo-org, and a clock that stands at 12:01. Make the loop, then `start`.
 */
export class World {
	readonly clock: SimulatedClock;
	readonly api: ApiServer;
	readonly github: SimulatedGitHub;
	readonly metrics = new Metrics(systemClock);
	readonly signer = signer;
	readonly log;
	readonly lines: string[];
	readonly cache: Cache;
	readonly setsCache: SetsCache;
	readonly pods: RunnerPods;
	readonly events: Events;
	readonly logs;
	readonly ports;
	readonly #stop = new AbortController();
	#running: Promise<unknown> = Promise.resolve();

	/** `before`: the same cluster and the same GitHub, seen by another process, the next leader. */
	constructor(before?: World) {
		const clock = before?.clock ?? new SimulatedClock('2026-11-23T12:01:00Z');
		const api = before?.api ?? new ApiServer(clock);
		const github = before?.github ?? new SimulatedGitHub(clock);
		this.clock = clock;
		this.api = api;
		this.github = github;
		const { metrics, signer } = this;
		const { log, lines } = recordingLog('debug');
		this.log = log;
		this.lines = lines;
		this.cache = new Cache({ client: api, metrics, clock, log });
		this.setsCache = new SetsCache({ client: api, metrics, clock, log });
		this.pods = new RunnerPods(
			api,
			signer,
			'github.com',
			clock.now,
			async (namespace, name) =>
				this.cache.ephemeralRunners.get(namespace, name) ?? getEphemeralRunner(api, namespace, name),
		);
		this.events = new Events(api, log, { component: 'test', instance: 'leader' }, clock);
		const accounts = github.accounts;
		const background = () => {};
		this.logs = new RunnerLogs(api, clock);
		this.ports = createReleasePorts({
			pods: this.pods,
			accounts,
			logs: this.logs,
			signer,
			events: this.events,
			metrics,
			log,
			self: 'leader',
			quiet: new QuietPeriods(clock),
			clock,
			background,
		});
		if (before) return;
		api.latencyMs = 1;
		api.serve(...Object.values(paths));
		api.put(paths.nodes, { metadata: { name: 'node-1' } });
		api.put(paths.namespaces, { metadata: { name: 'ci' } });
	}

	/** What every loop is given. */
	get parts() {
		const { api: client, cache, setsCache, pods, ports, signer, events, metrics, clock, log } = this;
		return {
			client,
			cache,
			setsCache,
			pods,
			ports,
			signer,
			events,
			metrics,
			clock,
			log,
			accounts: this.github.accounts,
		};
	}

	/** Starts the caches, and whatever else runs until the end. */
	async start(...loops: ((signal: AbortSignal) => Promise<unknown>)[]): Promise<void> {
		const { signal } = this.#stop;
		this.#running = Promise.all([
			this.cache.run(signal),
			this.setsCache.run(['runnerset', 'runnerdeployment'], signal),
			...loops.map((loop) => loop(signal)),
		]);
		await this.clock.until('the caches are there', () => this.cache.pods.synced && this.cache.nodes.synced);
		await this.clock.pass(100);
	}

	/** Ends everything; fails where a loop leaves a timer behind. */
	async stop(...loops: { stop(): Promise<void> }[]): Promise<void> {
		const stopping = Promise.all([...loops.map((loop) => loop.stop()), this.#running]);
		this.#stop.abort();
		await this.clock.pass(60_000);
		await stopping;
		if (this.clock.waiting > 0) throw new Error(`${this.clock.waiting} timers are left behind`);
	}

	/** A runner's pod whose container has been running since 12:00, idle at GitHub under its name. */
	runner(name: string, change: PodChange = {}, atGitHub: { busy?: boolean } | 'unknown' = {}): Stored {
		if (atGitHub !== 'unknown') this.github.register(name, atGitHub);
		return this.api.put(paths.pods, withSignedRecord(this.#made(name, change)));
	}

	#made(name: string, { metadata, env, ...rest }: NonNullable<PodChange>): Pod {
		return pod({
			...rest,
			env: { RUNNER_NAME: name, ...env },
			metadata: { name, uid: `uid-${name}`, ...metadata },
		});
	}

	/** What the server writes on the runner's pod when GitHub has listed it. */
	listed(name: string, id: number, change: PodChange = {}): Record<string, string> {
		return registeredAs(readRunnerPod(this.#made(name, change))!, id, signer.signStatement) as Record<
			string,
			string
		>;
	}

	/** ... and when GitHub has answered 204. @param atMs ms since the epoch */
	unregistered(name: string, id: number, atMs: number): Record<string, string> {
		return unregisteredOf(readRunnerPod(this.#made(name, {}))!, id, signer.signStatement, atMs) as Record<
			string,
			string
		>;
	}

	/** ... and when the node of its pod was missing then. @param sinceMs ms since the epoch */
	nodeGone(name: string, sinceMs: number): Record<string, string> {
		return nodeGoneOf(readRunnerPod(this.#made(name, {}))!, sinceMs, signer.signStatement) as Record<
			string,
			string
		>;
	}

	/** A scale set's pod; its EphemeralRunner is the test's own. */
	scaleSetRunner(name: string, change: PodChange = {}, atGitHub?: Parameters<World['runner']>[2]): Stored {
		const spec = { nodeName: 'node-1', restartPolicy: 'Never', containers: [jitContainer(name)] };
		return this.runner(name, { ...change, spec }, atGitHub);
	}

	/** The spec of a runner's pod with another container behind the runner: its status may lag. */
	lagging(name: string): Pod['spec'] {
		const { spec } = this.#made(name, {});
		return { ...spec, containers: [...(spec?.containers ?? []), { name: 'docker' }] };
	}

	/** The kubelet writes the status of a pod. */
	shows(name: string, status: Pod['status']): void {
		this.api.update<Pod>(paths.pods, name, 'ci', (found) => {
			found.status = status;
		});
	}

	pod(name: string): Stored | undefined {
		return this.api.find(paths.pods, name, 'ci');
	}

	annotations(name: string): Record<string, string> {
		return this.pod(name)?.metadata.annotations ?? {};
	}

	/** As an editor of the pod: annotations or labels, null takes one away. */
	edit(
		name: string,
		change: { annotations?: Record<string, string | null>; labels?: Record<string, string | null> },
	): void {
		this.api.update(paths.pods, name, 'ci', ({ metadata }) => {
			metadata.annotations = merged(metadata.annotations, change.annotations);
			metadata.labels = merged(metadata.labels, change.labels);
		});
	}

	/** As the server, when alice asks for the deletion of the runner's pod and is refused. */
	record(name: string): void {
		const asked = { user: 'alice', options: { via: 'delete' }, dryRun: false } as const;
		const runner = readRunnerPod(this.pod(name) as Pod)!;
		this.edit(name, { annotations: recordOf(runner, asked, signer.signStatement, this.clock.now()) });
	}

	/** The runner's process has ended, as the kubelet writes it. */
	exit(name: string, exitCode = 0): void {
		const finishedAt = `${new Date(this.clock.now()).toISOString().slice(0, 19)}Z`;
		this.api.update<Pod>(paths.pods, name, 'ci', (ended) => {
			const before = ended.status?.containerStatuses?.find((one) => one.name === 'runner')?.state;
			const startedAt = before?.running?.startedAt;
			const terminated = { exitCode, finishedAt, ...(startedAt === undefined ? {} : { startedAt }) };
			ended.status = {
				...ended.status,
				phase: exitCode === 0 ? 'Succeeded' : 'Failed',
				containerStatuses: [{ name: 'runner', restartCount: 0, state: { terminated } }],
			};
		});
	}

	/** Reasons of the Events of one object, in their order. */
	eventsOn(name: string): string[] {
		return this.api
			.all(paths.events)
			.map((event) => event as unknown as { involvedObject: { name: string }; type: string; reason: string })
			.filter(({ involvedObject }) => involvedObject.name === name)
			.map(({ type, reason }) => `${type} ${reason}`);
	}

	/** The calls that delete or evict this pod. */
	deletions(name: string) {
		const { api } = this;
		return [
			...api.callsTo('DELETE', new RegExp(`/pods/${name}$`)),
			...api.callsTo('POST', new RegExp(`/pods/${name}/eviction$`)),
		];
	}
}

function merged(
	before: Record<string, string> = {},
	change: Record<string, string | null> = {},
): Record<string, string> {
	const after = { ...before, ...change };
	return Object.fromEntries(
		Object.entries(after).filter((entry): entry is [string, string] => entry[1] !== null),
	);
}

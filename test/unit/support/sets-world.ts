import type { Pod } from '../../../admission/api/kinds.ts';
import {
	apiVersion,
	type RunnerDeployment,
	type RunnerSet,
	type RunnersSet,
} from '../../../admission/api/sets.ts';
import { KubeError } from '../../../admission/kube/client.ts';
import { exitCodeVariable } from '../../../admission/runner/process.ts';
import type { DemandSource } from '../../../admission/sets/demand-source.ts';
import type { SetKind } from '../../../admission/sets/kind.ts';
import { SetReconciler } from '../../../admission/sets/reconciler.ts';
import type { RegistrationTokens, ScopeAccess } from '../../../admission/sets/registration-tokens.ts';
import { runnerDeployments } from '../../../admission/sets/runner-deployment.ts';
import { runnerSets } from '../../../admission/sets/runner-set.ts';
import { RunnerVersions } from '../../../admission/versions/runner-versions.ts';
import type { Stored } from './api-server.ts';
import { garbageCollector, statefulSetController } from './controllers.ts';
import { paths, World } from './world.ts';

export const templateDefaults = {
	runnerImage: 'runner:1',
	dockerImage: 'docker:1',
	githubUrl: 'https://github.com/',
};

export const kinds = ['RunnerSet', 'RunnerDeployment'] as const;
export type Kind = (typeof kinds)[number];

type Status = NonNullable<RunnerSet['status']>;

/** What knows for which scopes GitHub gives tokens; by default the world's `access`. */
export type TokensOf = (world: SetsWorld) => Pick<RegistrationTokens, 'access' | 'onAccess'>;

/** What the pods of a set come to, unless a test says otherwise. */
interface Habits {
	/** The container starts so long after its pod was made. */
	startsAfterMs: number;
	/** The runner is at GitHub so long after that, and its id on its pod; undefined: it never registers. */
	registersAfterMs: number | undefined;
	/** The container ends with this exit code before the runner has registered. */
	fails: number | undefined;
	/** The container ends with exit code 0 so long after its start; undefined: when the test says so. */
	endsAfterMs: number | undefined;
	/** Whether the leader's list shows this runner with a job before it ends; given how many have started before. */
	showsJob: (started: number) => boolean;
	/** What the log of a runner says whose container starts now; undefined: that it listens. */
	says: ((started: number) => string | undefined) | undefined;
	/** A quota refuses the pods of the StatefulSet controller. (Those that others create are refused by `admission`.) */
	noRoom: () => boolean;
	/** The pod webhook gives a pod its name, its token and its restart policy. */
	injects: boolean;
	/** Thrown where the reconciler fills in a pod that it is about to make. */
	mistake: Error | undefined;
}

/**
 * A set with its reconciler in a cluster that answers: the StatefulSet controller, the garbage collector, a kubelet whose
 * runners register, and the guard, which refuses to delete a busy one.
 */
export class SetsWorld extends World {
	readonly kind: Kind;
	readonly habits: Habits = {
		startsAfterMs: 300,
		registersAfterMs: 700,
		fails: undefined,
		endsAfterMs: undefined,
		showsJob: () => false,
		says: undefined,
		noRoom: () => false,
		injects: true,
		mistake: undefined,
	};
	/** Whether GitHub gives its credential tokens for its scope. */
	access: ScopeAccess = { kind: 'granted' };
	/** How many containers have started. */
	starts = 0;
	readonly reconciler: { stop(): Promise<void> };
	readonly #onAccess: ((setUid: string) => void)[] = [];
	readonly #tokens: ReturnType<TokensOf> = {
		access: () => this.access,
		onAccess: (listener) => void this.#onAccess.push(listener),
	};
	/** What the runners say of their versions. */
	readonly versions: RunnerVersions;
	/** The most pods that were there at once and not ending. */
	mostPods = 0;
	/** How often the reconciler has looked at a set. */
	looks = 0;

	/** @param demand what decides how many runners the set has in place of its `replicas` */
	constructor(
		kind: Kind,
		before?: SetsWorld,
		demand?: (world: SetsWorld) => DemandSource,
		tokens: TokensOf = (world) => world.#tokens,
	) {
		super(before);
		this.kind = kind;
		const { parts, setsCache, api, clock, metrics } = this;
		const reconciled = metrics.reconciled.bind(metrics);
		metrics.reconciled = (...facts) => {
			this.looks += 1;
			reconciled(...facts);
		};
		const inject = (pod: Pod) => {
			if (this.habits.mistake) throw this.habits.mistake;
			return this.#inject(pod as unknown as Stored) as unknown as Pod;
		};
		const ofKinds = { client: api, setsCache, templateDefaults, clock, inject };
		const made = kind === 'RunnerSet' ? runnerSets(ofKinds) : runnerDeployments(ofKinds);
		const source = demand?.(this);
		const { cache, pods, logs } = this;
		this.versions = new RunnerVersions({ cache, pods, logs, clock, changed: () => {} });
		const { versions } = this;
		this.reconciler = new SetReconciler(made as unknown as SetKind<RunnersSet>, {
			...parts,
			versions,
			tokens: tokens(this),
			demand: source,
		});
		if (before) return;
		api.admission.push(({ operation, resource, object }) => {
			if (resource !== 'pods') return undefined;
			if (operation === 'CREATE') return this.#inject(object);
			const isBusy = object.metadata.labels?.['actions-runner/busy'] === 'true';
			return operation === 'DELETE' && isBusy && running(object)
				? new KubeError(409, 'Conflict', 'runner busy')
				: undefined;
		});
		garbageCollector(this);
		const podOfOwner = (owner: Stored) => this.#inject(podOf(owner)) as unknown as Pod;
		statefulSetController(this, podOfOwner, () => this.habits.noRoom());
		api.onChange((type, resource, { metadata }) => {
			if (resource !== 'pods') return;
			this.mostPods = Math.max(this.mostPods, this.live().length);
			if (type === 'ADDED')
				clock.after(this.habits.startsAfterMs, () => this.#containerStarts(metadata.name));
		});
	}

	get sets(): string {
		return this.kind === 'RunnerSet' ? paths.runnerSets : paths.runnerDeployments;
	}

	get ownersPath(): string {
		return this.kind === 'RunnerSet' ? paths.statefulSets : paths.runners;
	}

	/** GitHub answers its credential, which asked for its scope. */
	answers(access: ScopeAccess): void {
		this.access = access;
		for (const listener of this.#onAccess) listener(this.set()?.metadata.uid ?? '');
	}

	/** Makes the set, or another one. */
	put(
		replicas: number,
		change: { spec?: object; annotations?: Record<string, string>; name?: string } = {},
	): void {
		const { spec = {}, annotations = {}, name = 'example' } = change;
		const runner = { organization: 'octo-org', ...spec };
		const full = this.kind === 'RunnerSet' ? { ...runner, template: {} } : { template: { spec: runner } };
		this.api.put(this.sets, {
			apiVersion,
			kind: this.kind,
			metadata: { name, namespace: 'ci', annotations },
			spec: { replicas, ...full },
		} as unknown as Stored);
	}

	/** As an editor of the set; the webhook's stamp on `effectiveTime` is the test's to write. */
	change(change: (set: RunnerSet & RunnerDeployment) => void): void {
		this.api.update<RunnerSet & RunnerDeployment>(this.sets, 'example', 'ci', (set) => {
			change(set);
			set.metadata.generation = (set.metadata.generation ?? 1) + 1;
		});
	}

	/** Scales with the time of the decision, as the webhook stamps it. */
	scale(replicas: number): void {
		this.change(({ spec }) => {
			spec.replicas = replicas;
			spec.effectiveTime = this.clock.iso();
		});
	}

	set(): Stored | undefined {
		return this.api.find(this.sets, 'example', 'ci');
	}

	get status(): Status {
		return (this.set()?.status ?? {}) as Status;
	}

	condition(type: string): string | undefined {
		return this.status.conditions?.find((one) => one.type === type)?.status;
	}

	/** Names of the set's pods that run or will run. */
	live(): string[] {
		return [...this.api.each(paths.pods)]
			.filter((pod) => !pod.metadata.deletionTimestamp && running(pod))
			.map(({ metadata }) => metadata.name);
	}

	owners(): string[] {
		return [...this.api.each(this.ownersPath)].map(({ metadata }) => metadata.name);
	}

	/** These runners get a job, as the leader's busy marks show it. */
	job(...names: string[]): void {
		for (const name of names) {
			this.github.set(name, { busy: true });
			this.edit(name, { labels: { 'actions-runner/busy': 'true' } });
		}
	}

	/** The job has ended, and with it its ephemeral runner. */
	completes(...names: string[]): void {
		for (const name of names) {
			this.github.leave(name);
			this.exit(name);
		}
	}

	/** Lets time pass until this many runners are idle or busy, and nothing is on its way. */
	async settled(replicas: number, withinMs?: number): Promise<number> {
		const tookMs = await this.clock.until(
			`${replicas} runners`,
			() =>
				this.live().length === replicas &&
				this.live().every((name) => this.github.find(name)) &&
				this.owners().length === replicas,
			withinMs,
		);
		await this.clock.pass(3_000);
		return tookMs;
	}

	async end(): Promise<void> {
		await this.stop(this.reconciler);
	}

	#inject(pod: Stored): Stored {
		const spec = pod.spec as { containers: { name: string; env?: object[] }[]; restartPolicy?: string };
		if (!this.habits.injects) return pod;
		const containers = spec.containers.map((container) =>
			container.name === 'runner'
				? {
						...container,
						env: [
							...(container.env ?? []).filter((one) => (one as { name: string }).name !== 'RUNNER_NAME'),
							{ name: 'RUNNER_NAME', value: pod.metadata.name },
							{ name: 'RUNNER_TOKEN', value: 'token' },
							{ name: exitCodeVariable, value: '1' },
						],
					}
				: container,
		);
		return { ...pod, spec: { ...spec, containers, restartPolicy: 'Never' } };
	}

	#containerStarts(name: string): void {
		const pod = this.pod(name);
		if (!pod || pod.metadata.deletionTimestamp || pod.status?.phase) return;
		const startedAt = `${this.clock.iso().slice(0, 19)}Z`;
		this.api.update(paths.pods, name, 'ci', (started) => {
			started.spec = { ...started.spec, nodeName: 'node-1' };
			started.status = {
				phase: 'Running',
				containerStatuses: [{ name: 'runner', restartCount: 0, state: { running: { startedAt } } }],
			};
		});
		const { fails, registersAfterMs, endsAfterMs } = this.habits;
		const said = this.habits.says?.(this.starts);
		if (said !== undefined) this.api.logs.set(`ci/${name}`, said);
		const shown = this.habits.showsJob(this.starts++);
		if (endsAfterMs !== undefined) {
			if (shown) this.clock.after(endsAfterMs - 500, () => this.job(name));
			this.clock.after(endsAfterMs, () => this.completes(name));
		}
		if (fails !== undefined) this.clock.after(200, () => this.exit(name, fails));
		else if (registersAfterMs !== undefined) this.clock.after(registersAfterMs, () => this.registers(name));
	}

	/** The runner of this pod is at GitHub now, and its id on its pod. */
	registers(name: string): void {
		const pod = this.pod(name);
		if (!pod || pod.metadata.deletionTimestamp || !running(pod)) return;
		this.edit(name, { annotations: { 'actions-runner/runner-id': String(this.github.register(name)) } });
	}
}

const running = ({ status }: Stored) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed';

/** The pod of a StatefulSet of one replica. */
function podOf({ metadata, spec }: Stored): Stored {
	const template = (spec as { template: { metadata?: object; spec: Record<string, unknown> } }).template;
	const { name, namespace, uid } = metadata;
	return {
		metadata: {
			...template.metadata,
			name: `${name}-0`,
			...(namespace === undefined ? {} : { namespace }),
			ownerReferences: [
				{ apiVersion: 'apps/v1', kind: 'StatefulSet', name, uid: uid ?? '', controller: true },
			],
		},
		spec: template.spec,
	};
}

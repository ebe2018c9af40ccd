import { breakGlass } from '../../admission/api/keys.ts';
import type { Pod } from '../../admission/api/kinds.ts';
import type { RunnerDeployment, RunnerSet, SetCondition } from '../../admission/api/sets.ts';
import { KubeError, type KubeItem } from '../sim/kube.ts';
import { noRegisterAnnotation } from '../sim/runner-pod.ts';
import { eventually } from './eventually.ts';
import type { Rig } from './rig.ts';
import { WatchedPods } from './watched-pods.ts';

export type Kind = 'RunnerSet' | 'RunnerDeployment';
export const kinds: readonly Kind[] = ['RunnerSet', 'RunnerDeployment'];

export interface SetOptions {
	replicas?: number;
	/** Fields of RunnerConfig: ephemeral, ... */
	config?: Record<string, unknown>;
	/** Annotations of the set. */
	annotations?: Record<string, string>;
	/** Annotations of the pods. */
	podAnnotations?: Record<string, string>;
	/** Further fields of a RunnerSet's spec. */
	spec?: Record<string, unknown>;
	/**
	 * A GitHub token in a Secret of its own, so that its calls to GitHub have a rate limit of their own; default: the
	 * server's.
	 */
	ownCredentials?: boolean;
	/**
	 * Its runners run no job hooks, though their pods have them: each hook is a shell, and a machine can only run a few
	 * at a time, so many jobs would not end at once.
	 */
	withoutHooks?: boolean;
	/** What `make` waits for: that GitHub has the runners, or (the default) that the server has seen them in its list. */
	until?: 'online' | 'registered';
}

const credentialsSecret = 'github-credentials';
/** Set on the pods of a set to make it reconcile once more: a change of the template that replaces no runner (G6). */
const lookKey = 'test.runners/look';

let made = 0;

/** One set in its own namespace and GitHub organization, and the history of its pods. */
export class SetUnderTest extends WatchedPods {
	readonly rig: Rig;
	readonly kind: Kind;
	readonly namespace: string;
	readonly name = 'example';
	readonly ephemeral: boolean;
	#looks = 0;

	private constructor(rig: Rig, kind: Kind, { config }: SetOptions) {
		super(rig.cluster.kubeconfig);
		this.rig = rig;
		this.kind = kind;
		this.ephemeral = config?.ephemeral !== false;
		this.namespace = `octo-${kind.toLowerCase()}-${++made}`;
	}

	static async make(rig: Rig, kind: Kind, options: SetOptions = {}): Promise<SetUnderTest> {
		const set = new SetUnderTest(rig, kind, options);
		try {
			await set.#make(options);
			return set;
		} catch (error) {
			set.stop(); // its watch would keep the process from ending
			throw error;
		}
	}

	async #make(options: SetOptions): Promise<void> {
		const { rig } = this;
		await rig.cluster.createNamespace(this.namespace);
		rig.github.addScope(this.scope);
		if (options.withoutHooks) rig.agents.set(this.namespace, { hooks: 'off' });
		await this.watch(this.namespace);
		if (options.ownCredentials) await this.#addCredentials();
		await rig.apply(this.manifest(options));
		if (options.replicas) await this[options.until ?? 'registered'](options.replicas);
	}

	async #addCredentials(): Promise<void> {
		const token = `token-of-${this.namespace}`;
		this.rig.github.tokens.add(token);
		await this.rig.apply({
			apiVersion: 'v1',
			kind: 'Secret',
			metadata: { name: credentialsSecret, namespace: this.namespace },
			stringData: { github_token: token },
		});
	}

	get scope(): `orgs/${string}` {
		return `orgs/${this.namespace}`;
	}

	manifest({
		replicas = 0,
		config = {},
		annotations = {},
		podAnnotations = {},
		spec = {},
		ownCredentials,
	}: SetOptions): object {
		const runner = {
			organization: this.namespace,
			dockerEnabled: false,
			...(ownCredentials && { githubAPICredentialsFrom: { secretRef: { name: credentialsSecret } } }),
			...config,
		};
		const template = { metadata: { labels: { app: this.name }, annotations: podAnnotations } };
		return {
			apiVersion: 'actions.summerwind.dev/v1alpha1',
			kind: this.kind,
			metadata: { name: this.name, namespace: this.namespace, annotations },
			spec:
				this.kind === 'RunnerSet'
					? {
							replicas,
							...runner,
							selector: { matchLabels: { app: this.name } },
							serviceName: this.name,
							template,
							...spec,
						}
					: { replicas, template: { ...template, spec: runner } },
		};
	}

	/** Waits until exactly this number of runners live and are online at GitHub; the server may not know that yet. */
	online(count: number, withinMs = 60_000): Promise<boolean> {
		const online = (name: string) => this.rig.github.find(this.scope, name)?.status === 'online';
		return eventually(
			`${count} runners of ${this.namespace} are online`,
			() => this.live().length === count && this.live().every(online),
			{ withinMs, everyMs: 50 },
		);
	}

	/** Waits until exactly this number of runners live and are known by id. */
	registered(count: number, withinMs = 120_000): Promise<boolean> {
		return eventually(
			`${count} runners of ${this.namespace} are known`,
			() => this.known().length === count && this.live().length === count,
			{ withinMs },
		);
	}

	/** Waits until exactly this number of pods live; returns how long that took, ms. */
	async reaches(count: number, withinMs = 60_000): Promise<number> {
		const fromMs = Date.now();
		await eventually(`${this.namespace} has ${count} live pods`, () => this.live().length === count, {
			withinMs,
			everyMs: 20,
		});
		return Date.now() - fromMs;
	}

	/**
	 * Waits until the set has been reconciled once more, keeps this number of runners, and creates no other. The owner of a pod
	 * that goes may outlast it on a busy machine.
	 */
	async rests(count: number): Promise<void> {
		await this.reconciled();
		const before = await this.owners();
		const owners = await eventually(`${this.namespace} has ${count} owners`, async () => {
			const now = await this.owners();
			return now.length === count ? now : undefined;
		});
		const live = this.live();
		if (live.length !== count || owners.some((name) => !before.includes(name)))
			throw new Error(
				`${this.namespace} has not ${count} runners, but pods ${live.join(', ')} of ${owners.join(', ')}, before of ${before.join(', ')}`,
			);
	}

	/** Waits until the reconciler has reconciled the set as it is now. */
	async reconciled(): Promise<void> {
		const annotations = { [lookKey]: String(++this.#looks) };
		const { metadata } = await this.patch({ spec: { template: { metadata: { annotations } } } });
		const { generation = 0 } = metadata;
		const seen = async () => ((await this.object()).status?.observedGeneration ?? 0) >= generation;
		await eventually(`the reconciler has looked at ${this.namespace}`, seen, { withinMs: 60_000 });
	}

	/** Names of what its runners' pods belong to: StatefulSets or Runners. */
	async owners(): Promise<string[]> {
		const path =
			this.kind === 'RunnerSet'
				? `/apis/apps/v1/namespaces/${this.namespace}/statefulsets`
				: `/apis/actions.summerwind.dev/v1alpha1/namespaces/${this.namespace}/runners`;
		const { items } = await this.rig.kube.get<{ items: KubeItem[] }>(path);
		return items.map(({ metadata }) => metadata.name);
	}

	/** Starts jobs on these; the server does not know that yet. */
	async work(...names: string[]): Promise<void> {
		for (const name of names) await this.rig.agents.runJob(this.namespace, name);
	}

	/** Their jobs end, all at once. */
	async finish(...names: string[]): Promise<void> {
		await Promise.all(names.map((name) => this.endJob(name)));
	}

	/**
	 * Jobs start on these, and the server has seen that: the lists of all organizations of a file share one rate limit.
	 */
	async busy(...names: string[]): Promise<void> {
		await this.work(...names);
		await this.marked(...names);
	}

	/** The server has seen that these run a job. */
	marked(...names: string[]): Promise<boolean> {
		const marked = () =>
			names.every((name) => this.shown(name)?.metadata.labels?.['actions-runner/busy'] === 'true');
		return eventually(`${names.join(', ')} are marked busy`, marked, { withinMs: 120_000 });
	}

	endJob(name: string): Promise<void> {
		return this.rig.agents.endJob(this.namespace, name);
	}

	/** By the scale subresource, as kubectl, HPA and KEDA do. */
	scale(replicas: number): Promise<unknown> {
		return this.rig.kube.patch(`${this.path}/scale`, { spec: { replicas } });
	}

	patch(body: object): Promise<RunnerSet | RunnerDeployment> {
		return this.rig.kube.patch(this.path, body);
	}

	/** A change of the template that replaces runners. */
	changeTemplate(label: string): Promise<unknown> {
		const config = { labels: [label] };
		return this.patch({ spec: this.kind === 'RunnerSet' ? config : { template: { spec: config } } });
	}

	object(): Promise<RunnerSet | RunnerDeployment> {
		return this.rig.kube.get(this.path);
	}

	async condition(type: SetCondition['type']): Promise<SetCondition | undefined> {
		return (await this.object()).status?.conditions?.find((condition) => condition.type === type);
	}

	conditionIs(type: SetCondition['type'], status: string, withinMs = 60_000): Promise<SetCondition> {
		return eventually(
			`${this.namespace} has condition ${type} ${status}`,
			async () => {
				const condition = await this.condition(type);
				return condition?.status === status ? condition : undefined;
			},
			{ withinMs },
		);
	}

	/** The set itself, its owners and its pods are gone. */
	async gone(withinMs = 60_000): Promise<void> {
		const left = async () => [
			...((await this.exists()) ? [this.name] : []),
			...(await this.owners()),
			...(await this.rig.pods(this.namespace)),
		];
		await eventually(`all of ${this.namespace} is gone`, async () => (await left()).length === 0, {
			withinMs,
		});
	}

	async exists(): Promise<boolean> {
		return unless404(
			this.object().then(() => true),
			false,
		);
	}

	/** Deletes the set and its runners, so that they are not listed any longer; does not wait until they are gone. */
	async end(): Promise<void> {
		const working = this.rig.agents.journal.filter(
			({ namespace, job, what }, _, journal) =>
				namespace === this.namespace &&
				what === 'job-started' &&
				!journal.some((entry) => entry.job === job && entry.what !== 'job-started'),
		);
		// The set first, or others would replace them.
		await unless404(this.rig.kube.delete(this.path), undefined);
		await this.finish(...working.map(({ pod }) => pod));
		// Otherwise it would wait for runners that never register.
		const absent = this.all().filter(
			(name) => this.shown(name)?.metadata.annotations?.[noRegisterAnnotation] === 'true',
		);
		for (const name of absent) {
			const path = `/api/v1/namespaces/${this.namespace}/pods/${name}`;
			const annotations = { [breakGlass]: 'the test is over' };
			await unless404(this.rig.kube.patch(path, { metadata: { annotations } }), undefined);
			await unless404(this.rig.kube.delete(path), undefined);
		}
		this.stop();
	}

	async pod(name: string): Promise<Pod | undefined> {
		return this.rig.pod(name, this.namespace);
	}

	/** DELETE calls to GitHub about this set's organization: their statuses. */
	removals(): number[] {
		return this.rig.github.calls
			.filter((call) => call.scope?.toLowerCase() === this.scope && call.endpoint === 'delete')
			.map((call) => call.status);
	}

	journal(what: string): string[] {
		return this.rig.agents.journal
			.filter((entry) => entry.namespace === this.namespace && entry.what === what)
			.map((entry) => entry.pod);
	}

	get resource(): string {
		return `${this.kind.toLowerCase()}s`;
	}

	get path(): string {
		return `/apis/actions.summerwind.dev/v1alpha1/namespaces/${this.namespace}/${this.resource}/${this.name}`;
	}
}

/** The requested object, or `otherwise` if it is gone. */
async function unless404<T>(asked: Promise<T>, otherwise: T): Promise<T> {
	try {
		return await asked;
	} catch (error) {
		if (error instanceof KubeError && error.status === 404) return otherwise;
		throw error;
	}
}

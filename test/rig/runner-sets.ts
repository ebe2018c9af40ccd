import { setTimeout as sleep } from 'node:timers/promises';
import type { Pod } from '../../admission/api/kinds.ts';
import type { RunnerDeployment, RunnerSet, SetCondition } from '../../admission/api/sets.ts';
import { readKubeconfig } from '../sim/cluster-access.ts';
import { Kube } from '../sim/kube.ts';
import type { PodItem } from '../sim/runner-pod.ts';
import { eventually } from './eventually.ts';
import type { Rig } from './rig.ts';

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
}

let made = 0;

/** One set in a namespace and a GitHub organization of its own, and what its pods went through. */
export class SetUnderTest {
	readonly rig: Rig;
	readonly kind: Kind;
	readonly namespace: string;
	readonly name = 'example';
	readonly ephemeral: boolean;
	readonly #kube: Kube;
	/** Pods as the watch shows them, by name. */
	readonly #pods = new Map<string, PodItem>();
	/** UIDs that each pod name has had. */
	readonly uids = new Map<string, Set<string>>();
	/** When the watch first showed each pod with its runner's id, Unix ms, by name. */
	readonly knownAtMs = new Map<string, number>();
	/** Most pods at a time that were neither terminating nor exited. */
	most = 0;

	private constructor(rig: Rig, kind: Kind, { config }: SetOptions) {
		this.rig = rig;
		this.kind = kind;
		this.ephemeral = config?.ephemeral !== false;
		this.namespace = `octo-${kind.toLowerCase()}-${++made}`;
		this.#kube = new Kube(readKubeconfig(rig.cluster.kubeconfig));
	}

	static async make(rig: Rig, kind: Kind, options: SetOptions = {}): Promise<SetUnderTest> {
		const set = new SetUnderTest(rig, kind, options);
		await rig.cluster.createNamespace(set.namespace);
		rig.github.addScope(set.scope);
		await set.#kube.watch<PodItem>(`/api/v1/namespaces/${set.namespace}/pods`, {
			seen: (pod) => set.#seen(pod),
			gone: (pod) => void set.#pods.delete(pod.metadata.name),
		});
		await rig.apply(set.manifest(options));
		if (options.replicas) await set.registered(options.replicas);
		return set;
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
	}: SetOptions): object {
		const runner = { organization: this.namespace, dockerEnabled: false, ...config };
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

	#seen(pod: PodItem): void {
		const { name, uid } = pod.metadata;
		this.#pods.set(name, pod);
		this.uids.set(name, (this.uids.get(name) ?? new Set()).add(uid));
		if (pod.metadata.annotations?.['actions-runner/id'] && !this.knownAtMs.has(name))
			this.knownAtMs.set(name, Date.now());
		this.most = Math.max(this.most, this.live().length);
	}

	/** Names of pods that are neither terminating nor exited, oldest first. */
	live(): string[] {
		const exited = (pod: PodItem) =>
			pod.status?.containerStatuses?.some(({ name, state }) => name === 'runner' && state?.terminated);
		return [...this.#pods.values()]
			.filter((pod) => !pod.metadata.deletionTimestamp && !exited(pod))
			.map((pod) => pod.metadata.name);
	}

	/** Names of all pods that there are. */
	all(): string[] {
		return [...this.#pods.keys()];
	}

	/** Pods whose runner GitHub's list has shown. */
	known(): string[] {
		return this.live().filter((name) => this.#pods.get(name)?.metadata.annotations?.['actions-runner/id']);
	}

	/** Waits until exactly so many runners live and are known by id. */
	registered(count: number, withinMs = 30_000): Promise<boolean> {
		return eventually(
			`${count} runners of ${this.namespace} are known`,
			() => this.known().length === count && this.live().length === count,
			{ withinMs },
		);
	}

	/** Waits until exactly so many pods live; returns how long that took, ms. */
	async reaches(count: number, withinMs = 15_000): Promise<number> {
		const fromMs = Date.now();
		await eventually(`${this.namespace} has ${count} live pods`, () => this.live().length === count, {
			withinMs,
			everyMs: 20,
		});
		return Date.now() - fromMs;
	}

	/** So many pods live, and none comes or goes for a while. */
	async stays(count: number, forMs = 2_500): Promise<void> {
		const untilMs = Date.now() + forMs;
		while (Date.now() < untilMs) {
			const live = this.live();
			if (live.length !== count)
				throw new Error(`${this.namespace} has ${live.length} live pods, not ${count}: ${live.join(', ')}`);
			await sleep(50);
		}
	}

	/** Jobs start on these, and the server has seen that: the lists of all a file's organizations share one pace. */
	async busy(...names: string[]): Promise<void> {
		for (const name of names) await this.rig.agents.runJob(this.namespace, name);
		const marked = () =>
			names.every((name) => this.#pods.get(name)?.metadata.labels?.['actions-runner/busy'] === 'true');
		await eventually(`${names.join(', ')} are marked busy`, marked, { withinMs: 60_000 });
	}

	endJob(name: string): Promise<void> {
		return this.rig.agents.endJob(this.namespace, name);
	}

	/** By the scale subresource, as kubectl, HPA and KEDA do. */
	scale(replicas: number): Promise<string> {
		return this.rig.ok(['-n', this.namespace, 'scale', this.resource, this.name, `--replicas=${replicas}`]);
	}

	patch(body: object): Promise<RunnerSet | RunnerDeployment> {
		return this.rig.kube.patch(this.path, body);
	}

	/** A change of the template that makes runners anew. */
	changeTemplate(label: string): Promise<unknown> {
		const config = { labels: [label] };
		return this.patch({ spec: this.kind === 'RunnerSet' ? config : { template: { spec: config } } });
	}

	/** Pods of the newest and of older templates, live ones. */
	templates(): Map<string, string[]> {
		const byHash = new Map<string, string[]>();
		for (const name of this.live()) {
			const hash = this.#pods.get(name)?.metadata.labels?.['runner-template-hash'] ?? '';
			byHash.set(hash, [...(byHash.get(hash) ?? []), name]);
		}
		return byHash;
	}

	object(): Promise<RunnerSet | RunnerDeployment> {
		return this.rig.kube.get(this.path);
	}

	async condition(type: SetCondition['type']): Promise<SetCondition | undefined> {
		return (await this.object()).status?.conditions?.find((condition) => condition.type === type);
	}

	conditionIs(type: SetCondition['type'], status: string, withinMs = 10_000): Promise<SetCondition> {
		return eventually(
			`${this.namespace} has condition ${type} ${status}`,
			async () => {
				const condition = await this.condition(type);
				return condition?.status === status ? condition : undefined;
			},
			{ withinMs },
		);
	}

	/** The set itself, its owners and its pods are no more. */
	async gone(withinMs = 15_000): Promise<void> {
		const left = async () => {
			const resources =
				this.kind === 'RunnerSet' ? 'runnersets,statefulsets,pods' : 'runnerdeployments,runners,pods';
			return (await this.rig.ok(['-n', this.namespace, 'get', resources, '-o', 'name'])).trim();
		};
		await eventually(`all of ${this.namespace} is gone`, async () => (await left()) === '', {
			withinMs,
			everyMs: 300,
		});
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

	/** Pod names that more than one pod has had. */
	reused(): string[] {
		return [...this.uids].filter(([, uids]) => uids.size > 1).map(([name]) => name);
	}

	stop(): void {
		this.#kube.stop();
	}

	get resource(): string {
		return `${this.kind.toLowerCase()}s`;
	}

	get path(): string {
		return `/apis/actions.summerwind.dev/v1alpha1/namespaces/${this.namespace}/${this.resource}/${this.name}`;
	}
}

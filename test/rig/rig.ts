import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Pod } from '../../admission/api/kinds.ts';
import { type Cluster, type ClusterOptions, startCluster } from '../cluster/cluster.ts';
import type { KubectlResult } from '../cluster/kubectl.ts';
import { readKubeconfig } from '../sim/cluster-access.ts';
import { Kube, KubeError } from '../sim/kube.ts';
import { type LegacyPodOptions, runnerSetPod } from '../sim/pods.ts';
import { type RunnerAgents, type RunnerAgentsOptions, startRunnerAgents } from '../sim/runner-agents.ts';
import { ephemeralRunner, type ScaleSetOptions, scaleSetCrds, scaleSetPod } from '../sim/scale-set-pods.ts';
import { type GitHub, type GitHubOptions, type Scope, startGitHub, type Webhook } from '../sim/simulator.ts';
import { Creator } from './create-objects.ts';
import { eventually } from './eventually.ts';
import { leads, type ServerOptions, type ServerProcess, startServer } from './server-process.ts';
import { ServicePorts } from './service-ports.ts';

/** What the rig needs of a cluster, its own or a given one. */
export type RigCluster = Pick<
	Cluster,
	'folder' | 'kubeconfig' | 'kubectlPath' | 'kubectl' | 'serviceAccountKubeconfig' | 'addNode' | 'stop'
>;

export interface RigOptions {
	/** Replicas of the server; default 1. 0: the webhooks are installed but no server answers. */
	replicas?: number;
	/** Names of the nodes; default node-1 and node-2. */
	nodes?: string[];
	cluster?: Pick<ClusterOptions, 'args' | 'audit'>;
	github?: GitHubOptions;
	agents?: Partial<RunnerAgentsOptions>;
	server?: Partial<ServerOptions>;
	/** RunnerSets and RunnerDeployments too: mutating webhooks and all controllers. Default: the guard alone. */
	sets?: boolean;
	/** Nothing of ours is installed, and no server runs. */
	bare?: boolean;
	log?: (line: string) => void;
}

const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/**
 * Everything is real except GitHub and the kubelets: a control plane, the guard installed from manifests/ with exactly
 * the shipped roles, its server processes, the GitHub simulator and the simulated runners.
 */
export function startRig(options: RigOptions = {}): Promise<Rig<Cluster>> {
	const log = options.log ?? (() => {});
	return startRigOn(startCluster({ ...options.cluster, log }), options);
}

/** The same on any cluster. */
export async function startRigOn<C extends RigCluster>(
	starting: Promise<C>,
	options: RigOptions,
): Promise<Rig<C>> {
	const [cluster, github] = await Promise.all([starting, startGitHub(options.github)]);
	const rig = new Rig(cluster, github, options);
	try {
		await rig.start();
		return rig;
	} catch (error) {
		await rig.stop();
		throw error;
	}
}

export class Rig<C extends RigCluster = Cluster> {
	readonly cluster: C;
	readonly github: GitHub;
	readonly kube: Kube;
	readonly creator: Creator;
	agents!: RunnerAgents;
	readonly servers: ServerProcess[] = [];
	/** The kubeconfig that the servers run with: their service account's token. */
	serverKubeconfig = '';
	readonly #options: RigOptions;
	#ports: ServicePorts | undefined;

	constructor(cluster: C, github: GitHub, options: RigOptions) {
		this.cluster = cluster;
		this.github = github;
		this.#options = options;
		this.kube = new Kube(readKubeconfig(cluster.kubeconfig));
		this.creator = new Creator(this.kube);
	}

	async start(): Promise<void> {
		const { nodes = ['node-1', 'node-2'], replicas = 1, bare } = this.#options;
		await Promise.all([
			...nodes.map((node) => this.cluster.addNode(node)),
			...(bare ? [] : [this.#install()]),
		]);
		this.agents = await startRunnerAgents({
			cluster: this.cluster.kubeconfig,
			github: this.github,
			...this.#options.agents,
		});
		if (bare) return;
		for (let replica = 0; replica < replicas; replica++) await this.addServer();
		if (replicas > 0) await this.guarded();
	}

	/** Installed as for a server outside of the cluster, but with webhooks that point to our port. */
	async #install(): Promise<void> {
		this.#ports = await ServicePorts.open();
		const port = this.#ports.webhooks;
		const folder = join(this.cluster.folder, 'overlay');
		await mkdir(folder, { recursive: true });
		const manifests = (name: string) => relative(folder, join(project, 'manifests', name));
		// The guard alone: a cluster of the user's may have ARC's own definitions.
		const kustomization = this.#options.sets
			? { resources: [manifests('overlays/local')] }
			: { resources: [manifests('base')], components: [manifests('components/external')] };
		await writeFile(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization));
		const built = await this.ok(['kustomize', folder]);
		await this.ok(
			['apply', '--server-side', '-f', '-'],
			built.replaceAll(/^(\s+port: )9443$/gm, `$1${port}`),
		);
		for (const definition of scaleSetCrds) await this.ok(['apply', '-f', '-'], JSON.stringify(definition));
		this.serverKubeconfig = await this.cluster.serviceAccountKubeconfig(
			'runners-system',
			'runners-admission',
		);
	}

	/** Starts one more replica behind the Service. */
	async addServer(options: Partial<ServerOptions> = {}): Promise<ServerProcess> {
		const server = await this.startStandby(options);
		this.servers.push(server);
		this.#balance();
		void server.exited.then(() => {
			if (this.servers.includes(server)) this.servers.splice(this.servers.indexOf(server), 1);
			this.#balance();
		});
		return server;
	}

	/** Starts one more replica that no webhook calls: a test calls its port itself, and stops it. */
	startStandby(options: Partial<ServerOptions> = {}): Promise<ServerProcess> {
		const base = {
			kubeconfig: this.serverKubeconfig,
			githubUrl: this.github.url,
			...(this.#ports ? { jobsUrl: this.#ports.jobsUrl } : {}),
			...(this.#options.sets ? { controllers: '*' } : {}),
		};
		return startServer({ ...base, ...this.#options.server, ...options });
	}

	/** As for a deleted pod: removed from the Service's endpoints, then SIGTERM. Resolves with its exit code. */
	terminate(server: ServerProcess): Promise<number | null> {
		this.servers.splice(this.servers.indexOf(server), 1);
		this.#balance();
		server.signal('SIGTERM');
		return server.exited;
	}

	#balance(): void {
		this.#ports?.lead(this.servers);
	}

	/** Resolves when the API server has caBundle and path, and a replica leads. */
	async guarded(): Promise<void> {
		for (const kind of ['validating', ...(this.#options.sets ? ['mutating'] : [])]) {
			const path = `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations/runners-admission`;
			await eventually(`caBundle and path of the ${kind} webhooks are patched in`, async () => {
				const { webhooks } = await this.kube.get<{
					webhooks: { clientConfig: { caBundle?: string; service: { path?: string } } }[];
				}>(path);
				return webhooks.every(({ clientConfig }) => clientConfig.caBundle && clientConfig.service.path);
			});
		}
		await eventually('a replica leads', () => this.servers.some(leads));
	}

	/** GitHub's webhook for a scope leads to the replicas. They need `eventsSecret`. */
	addWebhook(scope: Scope): Webhook {
		const secret = this.#options.server?.eventsSecret;
		if (!this.#ports || secret === undefined) throw new Error('the servers of this rig receive no events');
		return this.github.addWebhook({ url: this.#ports.eventsUrl, secret, scope });
	}

	/** kubectl that must succeed. */
	async ok(args: string[], input?: string): Promise<string> {
		const result = await this.kubectl(args, input);
		if (result.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${result.stderr || result.stdout}`);
		return result.stdout;
	}

	kubectl(args: string[], input?: string, timeoutMs = 120_000): Promise<KubectlResult> {
		return this.cluster.kubectl(args, { timeoutMs, ...(input === undefined ? {} : { input }) });
	}

	/** Creates objects, in this order. */
	apply(...objects: object[]): Promise<void> {
		return this.creator.create(objects);
	}

	/** Makes runner pods as ARC's RunnerSet would, and waits until their runners are registered. */
	async runners(pods: LegacyPodOptions[]): Promise<void> {
		await this.apply(...pods.map((pod) => runnerSetPod(pod)));
		await this.agents.waitRegistered(
			pods.map((pod) => pod.runnerName ?? pod.name),
			60_000,
		);
	}

	/** Makes scale-set pods with their EphemeralRunners, and waits until they are registered. */
	async scaleSetRunners(pods: ScaleSetOptions[]): Promise<void> {
		await this.apply(...pods.map((pod) => ephemeralRunner(pod)));
		type Owner = { metadata: { name: string; namespace?: string; uid: string } };
		const owners = await this.kube.get<{ items: Owner[] }>(
			'/apis/actions.github.com/v1alpha1/ephemeralrunners',
		);
		const uids = new Map(
			owners.items.map(({ metadata }) => [`${metadata.namespace}/${metadata.name}`, metadata.uid]),
		);
		const uidOf = (pod: ScaleSetOptions) => uids.get(`${pod.namespace ?? 'default'}/${pod.name}`) ?? '';
		await this.apply(...pods.map((pod) => scaleSetPod({ ...pod, ownerUid: uidOf(pod) })));
		await this.agents.waitRegistered(
			pods.map((pod) => pod.name),
			60_000,
		);
	}

	/** Whether a namespace is this rig's own: all are, but on a stage that several files share. */
	owns(_namespace: string): boolean {
		return true;
	}

	async pod(name: string, namespace = 'default'): Promise<Pod | undefined> {
		try {
			return await this.kube.get<Pod>(`/api/v1/namespaces/${namespace}/pods/${name}`);
		} catch (error) {
			if (error instanceof KubeError && error.status === 404) return undefined;
			throw error;
		}
	}

	async pods(namespace = 'default'): Promise<Pod[]> {
		return (await this.kube.get<{ items: Pod[] }>(`/api/v1/namespaces/${namespace}/pods`)).items;
	}

	gone(name: string, namespace = 'default', withinMs = 60_000): Promise<boolean> {
		return eventually(
			`pod ${namespace}/${name} is gone`,
			async () => (await this.pod(name, namespace)) === undefined,
			{ withinMs },
		);
	}

	/** Log lines of all replicas. */
	logs(matches: (line: ServerProcess['log'][number]) => boolean): ServerProcess['log'] {
		return this.servers.flatMap((server) => server.log.filter(matches));
	}

	async stop(): Promise<void> {
		this.agents?.stop();
		this.kube.stop();
		await Promise.all(this.servers.map((server) => server.stop()));
		await this.#ports?.stop();
		await Promise.all([this.cluster.stop(), this.github.stop()]);
	}
}

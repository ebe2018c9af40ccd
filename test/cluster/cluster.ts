import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AuditOptions, auditFlags } from './audit.ts';
import { ensureBuilt } from './build.ts';
import { createAuthority, createTokenKey, issueClient, issueServer, type KeyPair } from './certificates.ts';
import { type Component, componentArgs, componentUsers, files } from './components.ts';
import { freePort } from './free-port.ts';
import { KubeApi, KubeApiError } from './kube-api.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { type KubectlOptions, type KubectlResult, runKubectl } from './kubectl.ts';
import { formatElapsed, type Log } from './log.ts';
import { addNode, type NodeOptions, setKubelet } from './nodes.ts';
import { createOwnedFolder, ended, endWithUs, removeOrphans } from './orphans.ts';
import { Processes, removeCluster } from './processes.ts';

export interface ClusterOptions {
	log?: Log;
	/** Flags added to a component's; the last one of a name counts. */
	args?: Partial<Record<Component, string[]>>;
	/** The API server writes down what it is asked, for readAudit. */
	audit?: AuditOptions;
	/** Lives on when this process ends, in this folder (which must not exist), until `removeCluster`. */
	detachedIn?: string;
}

export interface Cluster {
	/** Everything of this cluster: data, certificates, kubeconfigs, logs/COMPONENT.log, pids. */
	folder: string;
	/** Path of the kubeconfig of user `admin`, group system:masters. */
	kubeconfig: string;
	/** https://127.0.0.1:PORT */
	server: string;
	/** `bin/kubectl` in the folder: put its folder in front of PATH to use it by name. */
	kubectlPath: string;
	/** Runs kubectl as admin (or another KUBECONFIG in `env`), with its own cache folder. Never throws on non-zero. */
	kubectl(args: string[], options?: KubectlOptions): Promise<KubectlResult>;
	/** Path of a kubeconfig with a client certificate of that user and those groups. */
	kubeconfigFor(user: string, groups: string[]): Promise<string>;
	/** Path of a kubeconfig with a token (TokenRequest, 24 h) of that service account, which must exist. */
	serviceAccountKubeconfig(namespace: string, name: string): Promise<string>;
	/** Creates a namespace and waits for its default service account, without which no pod can be created. */
	createNamespace(name: string): Promise<void>;
	/** Adds a node with a simulated kubelet and waits until it is Ready. */
	addNode(name: string, options?: NodeOptions): Promise<void>;
	/** The node's heartbeats, pod starts and pod stops cease: NotReady after 50 s (kube-controller-manager's default). */
	stopKubelet(node: string): Promise<void>;
	startKubelet(node: string): Promise<void>;
	/** SIGKILL. */
	killApiServer(): Promise<void>;
	/** On the same port; resolves when it is ready. */
	startApiServer(): Promise<void>;
	/** SIGKILL of the controllers, and new ones, which read everything anew; it does not wait until they have. */
	restartControllers(): Promise<void>;
	/** Process ids by component, for measurements. */
	pids(): Partial<Record<Component, number>>;
	/** Ends all processes, removes the folder. May be called again. */
	stop(): Promise<void>;
}

/** How long any one step of the start may take on a slow machine. */
const stepWithinMs = 60_000;

/**
 * Starts a control plane of its own: etcd, API server, controllers, scheduler, and simulated kubelets for the nodes
 * that are added. Some 4 s and no privileges; several can run at once.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
	const log = options.log ?? (() => {});
	const binaries = await ensureBuilt(log);
	await removeOrphans();

	const startedMs = Date.now();
	const folder = options.detachedIn ?? createOwnedFolder();
	const processes = new Processes(folder, options.detachedIn !== undefined);
	if (!options.detachedIn) endWithUs(folder, processes);
	try {
		for (const name of ['bin', 'logs', 'kubeconfigs']) await mkdir(join(folder, name), { recursive: true });
		const args = { ...options.args };
		if (options.audit)
			args['kube-apiserver'] = [
				...(args['kube-apiserver'] ?? []),
				...(await auditFlags(folder, options.audit)),
			];
		const cluster = new RunningCluster(folder, processes, binaries, args);
		await cluster.start();
		log(`cluster: ready in ${((Date.now() - startedMs) / 1000).toFixed(1)}s, ${cluster.server}`);
		if (options.detachedIn) processes.release();
		return cluster;
	} catch (error) {
		await processes.killAll();
		await removeCluster(folder);
		ended(folder);
		throw error;
	}
}

class RunningCluster implements Cluster {
	readonly folder: string;
	readonly kubeconfig: string;
	readonly kubectlPath: string;
	readonly #processes: Processes;
	readonly #binaries: { controlplane: string; kwok: string };
	readonly #args: Partial<Record<Component, string[]>>;
	#authority!: KeyPair;
	#api!: KubeApi;
	#port = 0;
	#stopped: Promise<void> | undefined;

	constructor(
		folder: string,
		processes: Processes,
		binaries: { controlplane: string; kwok: string },
		args: Partial<Record<Component, string[]>>,
	) {
		this.folder = folder;
		this.kubeconfig = join(folder, 'kubeconfig');
		this.kubectlPath = join(folder, 'bin', 'kubectl');
		this.#processes = processes;
		this.#binaries = binaries;
		this.#args = args;
	}

	get server(): string {
		return `https://127.0.0.1:${this.#port}`;
	}

	async start(): Promise<void> {
		await symlink(this.#binaries.controlplane, this.kubectlPath);
		this.#spawn('etcd');
		this.#authority = await createAuthority();
		const admin = await this.#writeCertificates();
		await this.#startApiServerOnFreePort(admin);

		await writeKubeconfig(this.kubeconfig, this.server, this.#authority.cert, 'admin', admin);
		for (const [component, { user, groups }] of Object.entries(componentUsers)) {
			const path = join(this.folder, `${component}.kubeconfig`);
			const certificate = await issueClient(this.#authority, user, [...groups]);
			await writeKubeconfig(path, this.server, this.#authority.cert, user, certificate);
			this.#spawn(component as Component);
		}
		await this.#waitForServiceAccount('default'); // the controllers work
	}

	kubectl(args: string[], options: KubectlOptions = {}): Promise<KubectlResult> {
		const env = {
			...process.env,
			KUBECONFIG: this.kubeconfig,
			KUBECACHEDIR: join(this.folder, 'kubectl-cache'), // the user's cache is by port, and ports come back
			KUBERC: 'off', // the user's own kubectl preferences
		};
		return runKubectl(this.kubectlPath, args, env, options);
	}

	async kubeconfigFor(user: string, groups: string[]): Promise<string> {
		const path = join(this.folder, 'kubeconfigs', `${encodeURIComponent([user, ...groups].join('+'))}`);
		const certificate = await issueClient(this.#authority, user, groups);
		await writeKubeconfig(path, this.server, this.#authority.cert, user, certificate);
		return path;
	}

	async serviceAccountKubeconfig(namespace: string, name: string): Promise<string> {
		const made = await this.#api.post<{ status: { token: string } }>(
			`/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
			{ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 86_400 } },
		);
		const path = join(this.folder, 'kubeconfigs', `${namespace}.${name}`);
		await writeKubeconfig(path, this.server, this.#authority.cert, name, { token: made.status.token });
		return path;
	}

	async createNamespace(name: string): Promise<void> {
		await this.#api.post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
		await this.#waitForServiceAccount(name);
	}

	addNode(name: string, options: NodeOptions = {}): Promise<void> {
		return addNode(this.#api, name, options);
	}

	stopKubelet(node: string): Promise<void> {
		return setKubelet(this.#api, node, false);
	}

	startKubelet(node: string): Promise<void> {
		return setKubelet(this.#api, node, true);
	}

	async killApiServer(): Promise<void> {
		await this.#processes.kill('kube-apiserver');
		// kwok does not repeat a patch that broke off half-way: a new one looks at all pods anew.
		await this.#processes.kill('kwok');
	}

	async startApiServer(): Promise<void> {
		const deadline = Date.now() + stepWithinMs;
		while (!(await this.#tryApiServer())) {
			if (Date.now() > deadline) throw new Error(`port ${this.#port} is taken by another process`);
			await sleep(500);
		}
		if (this.#processes.isRunning('kwok')) return;
		// A kwok has a name of its own, and would wait until the leases of the one before have run out.
		await this.#api.delete('/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases');
		this.#spawn('kwok');
	}

	async restartControllers(): Promise<void> {
		await this.#processes.kill('kube-controller-manager');
		this.#spawn('kube-controller-manager');
	}

	pids(): Partial<Record<Component, number>> {
		return this.#processes.pids();
	}

	stop(): Promise<void> {
		this.#stopped ??= (async () => {
			await this.#processes.killAll();
			await removeCluster(this.folder);
			ended(this.folder);
		})();
		return this.#stopped;
	}

	async #writeCertificates(): Promise<KeyPair> {
		const server = await issueServer(this.#authority);
		const token = createTokenKey();
		const contents: Record<keyof typeof files, string> = {
			authorityCert: this.#authority.cert,
			serverCert: server.cert,
			serverKey: server.key,
			tokenPublicKey: token.publicKey,
			tokenPrivateKey: token.privateKey,
		};
		for (const [name, path] of Object.entries(files)) {
			await writeFile(join(this.folder, path), contents[name as keyof typeof files], { mode: 0o600 });
		}
		return issueClient(this.#authority, 'admin', ['system:masters']);
	}

	async #startApiServerOnFreePort(admin: KeyPair): Promise<void> {
		for (let tries = 1; ; tries++) {
			this.#port = await freePort();
			this.#api = new KubeApi(this.server, this.#authority.cert, admin);
			if (await this.#tryApiServer()) return;
			if (tries === 5) throw new Error('no free port found in 5 tries');
		}
	}

	/** False if another process has taken the port. */
	async #tryApiServer(): Promise<boolean> {
		this.#spawn('kube-apiserver');
		const startedMs = Date.now();
		while (!(await this.#isApiServerReady())) {
			for (const name of ['kube-apiserver', 'etcd'] as const) {
				if (this.#processes.isRunning(name)) continue;
				const tail = await this.#processes.logTail(name);
				if (name === 'kube-apiserver' && tail.includes('address already in use')) return false;
				throw new Error(`${name} ended while it started:\n${tail}`);
			}
			if (Date.now() - startedMs > stepWithinMs) {
				const tail = await this.#processes.logTail('kube-apiserver');
				throw new Error(`kube-apiserver is not ready after ${formatElapsed(stepWithinMs)}:\n${tail}`);
			}
			await sleep(50);
		}
		return true;
	}

	async #isApiServerReady(): Promise<boolean> {
		try {
			await this.#api.get('/readyz');
			return true;
		} catch {
			return false; // not listening yet, or 500 while it starts
		}
	}

	async #waitForServiceAccount(namespace: string): Promise<void> {
		const startedMs = Date.now();
		for (;;) {
			try {
				await this.#api.get(`/api/v1/namespaces/${namespace}/serviceaccounts/default`);
				return;
			} catch (error) {
				if (!(error instanceof KubeApiError && error.code === 404)) throw error;
			}
			if (Date.now() - startedMs > stepWithinMs) {
				const tail = await this.#processes.logTail('kube-controller-manager');
				throw new Error(`no default service account in ${namespace}; kube-controller-manager says:\n${tail}`);
			}
			await sleep(50);
		}
	}

	#spawn(component: Component): void {
		const args = [...componentArgs(component, this.folder, this.#port), ...(this.#args[component] ?? [])];
		if (component === 'kwok') this.#processes.start(component, this.#binaries.kwok, args);
		else this.#processes.start(component, this.#binaries.controlplane, [component, ...args]);
	}
}

import { join } from 'node:path';
import type { Cluster } from '../cluster/cluster.ts';
import { KubeError } from '../sim/kube.ts';
import type { RunnerAgents } from '../sim/runner-agents.ts';
import type { FaultHandle, GitHub, Webhook } from '../sim/simulator.ts';
import { type Rig, type RigOptions, startRig } from './rig.ts';

/** As on GKE: pods with system priorities only where a quota admits them. */
const limitedPriorities = join(import.meta.dirname, '../fixtures/limited-priorities.json');

/**
 * A stage is a rig that many test files use at the same time: one control plane, one GitHub simulator, one server.
 * `guard` runs the guard alone, as most installations do; `sets` runs RunnerSets and RunnerDeployments too. On `bare`
 * nothing of ours is installed, and one file at a time may do anything with the whole cluster; it leaves no object of
 * ours, no runner pod and no server. On `replicas` the guard has two replicas, and one file at a time may stop and
 * start these and the API server, and have it guard hundreds of pods; it leaves no runner pod.
 */
export type StageName = 'guard' | 'sets' | 'bare' | 'replicas';

/**
 * Components that delete pods without a test's doing: how often they try is only known from the API server's audit log.
 */
export const nodeController = 'system:serviceaccount:kube-system:node-controller';
export const scheduler = 'system:kube-scheduler';
/** Its writes are what a RunnerSet waits for. */
export const statefulSetController = 'system:serviceaccount:kube-system:statefulset-controller';

const eventsSecret = 'the secret of the stage';

const options: Record<StageName, RigOptions> = {
	guard: {
		cluster: { audit: { users: [nodeController, scheduler], verbs: ['delete'] } },
		server: { eventsSecret },
	},
	sets: {
		sets: true,
		cluster: { audit: { users: [statefulSetController], verbs: ['create', 'update', 'patch', 'delete'] } },
		server: { eventsSecret },
	},
	replicas: { replicas: 2, server: { eventsSecret, args: ['--shutdown-delay-seconds', '1'] } },
	bare: {
		bare: true,
		cluster: { args: { 'kube-apiserver': [`--admission-control-config-file=${limitedPriorities}`] } },
	},
};

interface Stage {
	rig: Rig;
	/** Which file made each namespace. */
	owners: Map<string, object>;
	users: number;
}

const stages = new Map<StageName, Promise<Stage>>();
/** Set by test/stage.ts, which ends the stages itself when its last file is done. */
let kept = false;
/** From now on a stage stays up when the last file that uses it is done, until `endStages`. */
export function keepStages(): void {
	kept = true;
}

export async function endStages(): Promise<void> {
	for (const starting of stages.values()) await (await starting).rig.stop();
	stages.clear();
}

/** Starts a stage before the first file asks for it. */
export async function prepareStage(name: StageName): Promise<void> {
	await stageOf(name);
}

/**
 * This file's view of a stage, started first where the file runs alone. What the file sees of the agents' journal, of the
 * servers' logs and of faults at GitHub is only its own: that of the namespaces that it made. Stop it like any rig.
 */
export async function stage(name: StageName): Promise<Rig> {
	const shared = await stageOf(name);
	shared.users++;
	if (name === 'replicas') await bothRun(shared.rig);
	return view(name, shared);
}

function stageOf(name: StageName): Promise<Stage> {
	const known = stages.get(name);
	if (known) return known;
	const starting = startRig(options[name]).then((rig) => ({ rig, owners: new Map(), users: 0 }));
	stages.set(name, starting);
	return starting;
}

/** Restores the replicas after the previous file. */
async function bothRun(rig: Rig): Promise<void> {
	while (rig.servers.length < 2) await rig.addServer();
	await rig.guarded();
}

function view(name: StageName, stage: Stage): Rig {
	const { rig, owners } = stage;
	const alone = name === 'bare' || name === 'replicas';
	const file = {};
	const owns = (namespace: string) => owners.get(namespace) === file;
	const logFrom = new Map(rig.servers.map((server) => [server, server.log.length]));
	const others = () => [...owners.keys()].filter((namespace) => !owns(namespace));
	const agents = rig.agents.within(owns);
	const github = githubOf(rig.github, agents, others);
	const cluster = delegate<Cluster>(rig.cluster, {
		async createNamespace(namespace) {
			owners.set(namespace, file);
			await rig.cluster.createNamespace(namespace);
		},
		...(alone ? {} : { killApiServer: notShared, startApiServer: notShared }),
		stop: notShared,
	});
	const webhooks: Webhook[] = [];
	let stopped = false;
	const own: Partial<Rig> = {
		cluster,
		github,
		agents,
		owns,
		addWebhook(scope) {
			const hook = rig.addWebhook(scope);
			webhooks.push(hook);
			return hook;
		},
		logs(matches) {
			const namespaces = others();
			return rig.servers.flatMap((server) =>
				server.log
					.slice(logFrom.get(server) ?? 0)
					.filter((line) => matches(line) && !names(JSON.stringify(line), namespaces)),
			);
		},
		addServer: alone ? (options) => rig.addServer(options) : notShared,
		startStandby: (options) => rig.startStandby(options),
		guarded: () => rig.guarded(),
		terminate: alone ? (server) => rig.terminate(server) : notShared,
		async stop() {
			if (stopped) return;
			stopped = true;
			github.clearFaults();
			for (const hook of webhooks) hook.stop();
			agents.stop();
			if (name === 'bare') await clear(rig, [...owners.keys()].filter(owns));
			if (--stage.users > 0 || kept) return;
			stages.delete(name);
			await rig.stop();
		},
	};
	return Object.assign(Object.create(rig) as Rig, own);
}

/** What a file on the bare stage leaves that would be in the way of the next: servers, webhooks, pods in its namespaces. */
async function clear(rig: Rig, namespaces: string[]): Promise<void> {
	await Promise.all([...rig.servers].map((server) => server.stop()));
	const webhooks = '/apis/admissionregistration.k8s.io/v1';
	const paths = ['validating', 'mutating'].map(
		(kind) => `${webhooks}/${kind}webhookconfigurations/runners-admission`,
	);
	for (const path of [...paths, ...namespaces.map((namespace) => `/api/v1/namespaces/${namespace}/pods`)]) {
		try {
			await rig.kube.delete(path, { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 });
		} catch (error) {
			if (!(error instanceof KubeError && error.status === 404)) throw error;
		}
	}
}

function notShared(): never {
	throw new Error('the servers of a shared stage are not for one file to start or stop: use startRig');
}

/**
 * The simulator as one file uses it: it sees no calls about the scopes of others and no runners of others in the
 * journal, and clears only the faults that it has made.
 */
function githubOf(shared: GitHub, agents: RunnerAgents, others: () => string[]): GitHub {
	const faults: FaultHandle[] = [];
	const added = new Set<number>();
	return delegate<GitHub>(shared, {
		get calls() {
			const namespaces = others();
			return shared.calls.filter(({ scope }) => scope === undefined || !names(scope, namespaces));
		},
		get journal() {
			const own = new Set([...added, ...agents.journal.flatMap(({ runnerId = -1 }) => runnerId)]);
			return shared.journal.filter(({ runnerId }) => own.has(runnerId));
		},
		addRunner(runner) {
			const id = shared.addRunner(runner);
			added.add(id);
			return id;
		},
		fault(rule) {
			const handle = shared.fault(rule);
			faults.push(handle);
			return handle;
		},
		lie(rule) {
			const handle = shared.lie(rule);
			faults.push(handle);
			return handle;
		},
		clearFaults() {
			for (const fault of faults.splice(0)) fault.clear();
		},
		resetCalls: notShared,
		setRateLimit: notShared,
		resetLimits: notShared,
		stop: notShared,
	});
}

/** An object like this one, but for some of its members. */
function delegate<T extends object>(to: T, own: Partial<T>): T {
	return new Proxy(to, {
		get(_, name) {
			if (name in own) return Reflect.get(own, name);
			const value: unknown = Reflect.get(to, name);
			return typeof value === 'function' ? value.bind(to) : value;
		},
	});
}

/** Whether a text names one of these namespaces as a whole word, as in `namespace/name`. */
function names(text: string, namespaces: readonly string[]): boolean {
	const parts = new Set(text.toLowerCase().split(/[^a-z0-9-]+/));
	return namespaces.some((namespace) => parts.has(namespace));
}

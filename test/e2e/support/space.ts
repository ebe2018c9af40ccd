import { breakGlass, names, progress } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { Signer } from '../../../admission/cluster/signer.ts';
import type { KubectlResult } from '../../cluster/kubectl.ts';
import { untilJudged } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import type { LogLine } from '../../rig/server-process.ts';
import type { Call } from '../../sim/calls.ts';
import { KubeError } from '../../sim/kube.ts';
import { type LegacyPodOptions, runnerSetPod } from '../../sim/pods.ts';
import type { Job, JournalEntry } from '../../sim/runner-agents.ts';
import type { ScaleSetOptions } from '../../sim/scale-set-pods.ts';
import type { FaultHandle } from '../../sim/simulator.ts';

let spaces = 0;

/** Name of the Secret with a space's own GitHub credentials; also what scale-set pods refer to when nothing is said. */
export const credentialsSecret = 'example-github-secret';

/** As whom the servers of a rig write. */
export const serverUser = 'system:serviceaccount:runners-system:runners-admission';

/** Fails with the whole text where `expected` is not in it. */
export function says(text: string, expected: string | RegExp): void {
	const found = typeof expected === 'string' ? text.includes(expected) : expected.test(text);
	if (!found) throw new Error(`expected ${expected} in: ${text}`);
}

/** A Secret with GitHub credentials. */
export function githubSecret(name: string, namespace: string, token: string): object {
	return {
		apiVersion: 'v1',
		kind: 'Secret',
		metadata: { name, namespace },
		stringData: { github_token: token },
	};
}

export interface SpaceOptions {
	/** What GitHub does to this test's calls does not touch other tests' runners. */
	ownCredentials?: boolean;
	/** That of another space, with which this one shares its credentials. */
	token?: string;
	/** GitHub's list is so late. */
	hintDelayMs?: number;
}

/** One test's own corner of a rig: a namespace, a GitHub organization of that name, and a GitHub token. */
export class Space {
	readonly rig: Rig;
	readonly name: string;
	readonly token: string;
	/** Credentials of the Secret (true), or the server's own (false). */
	readonly #ownCredentials: boolean;

	private constructor(rig: Rig, name: string, ownCredentials: boolean, token = `token-of-${name}`) {
		this.rig = rig;
		this.name = name;
		this.token = token;
		this.#ownCredentials = ownCredentials;
	}

	static async make(
		rig: Rig,
		{ token, ownCredentials = token !== undefined, hintDelayMs = 0 }: SpaceOptions = {},
	): Promise<Space> {
		const space = new Space(rig, `octo-${++spaces}`, ownCredentials, token);
		await rig.cluster.createNamespace(space.name);
		rig.github.addScope(space.scope);
		if (hintDelayMs > 0) rig.github.delayHints(space.scope, hintDelayMs);
		rig.github.tokens.add(space.token);
		await rig.apply(githubSecret(credentialsSecret, space.name, space.token));
		return space;
	}

	/** As the simulator names the organization. */
	get scope(): `orgs/${string}` {
		return `orgs/${this.name}`;
	}

	/** What a RunnerSet's pod of this space is made from. */
	options(name: string, more: Partial<LegacyPodOptions> = {}): LegacyPodOptions {
		const credentials = this.#ownCredentials ? { credentialsSecret } : {};
		return { name, namespace: this.name, organization: this.name, ...credentials, ...more };
	}

	/** Pods of a RunnerSet, registered and idle, with GitHub's id of the runner on them. */
	async runners(names: string[], more: Partial<LegacyPodOptions> = {}): Promise<void> {
		await this.rig.apply(...names.map((name) => runnerSetPod(this.options(name, more))));
		await this.registered(names);
		await this.listed(names);
	}

	/** Waits until these runners are online at GitHub. */
	async registered(names: string[]): Promise<void> {
		const online = (name: string) => this.rig.github.find(this.scope, name)?.status === 'online';
		await eventually(`${names.join(', ')} online at GitHub`, () => names.every(online));
	}

	async scaleSetRunners(names: string[], more: Partial<ScaleSetOptions> = {}): Promise<void> {
		const githubConfigUrl = `https://github.com/${this.name}`;
		await this.rig.scaleSetRunners(
			names.map((name) => ({
				name,
				namespace: this.name,
				githubConfigUrl,
				githubConfigSecret: credentialsSecret,
				...more,
			})),
		);
		await this.registered(names);
		await this.listed(names);
	}

	/** Takes the test's pods away, whatever they run, so that nobody lists their runners any more. */
	async clear(): Promise<void> {
		const annotations = { [breakGlass]: 'the test is over' };
		const options = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 };
		await Promise.all(
			(await this.rig.pods(this.name)).map(async ({ metadata }) => {
				const path = `/api/v1/namespaces/${this.name}/pods/${metadata.name}`;
				try {
					await this.rig.kube.patch(path, { metadata: { annotations } });
					await this.rig.kube.delete(path, options);
				} catch (error) {
					// It has gone meanwhile, by itself or with its owner.
					if (!(error instanceof KubeError && [404, 409].includes(error.status))) throw error;
				}
			}),
		);
	}

	/** Waits until the server has seen these runners in GitHub's list. */
	async listed(names: string[]): Promise<void> {
		await eventually(`GitHub's list has shown ${names.join(', ')}`, async () => {
			const pods = await this.rig.pods(this.name);
			const known = pods.filter((pod) => pod.metadata.annotations?.[progress.registered]);
			return names.every((name) => known.some((pod) => pod.metadata.name === name));
		});
	}

	/** Waits until the deletion loop has judged these recorded deletions, and not carried them out. */
	async waits(...names: string[]): Promise<void> {
		for (const name of names)
			await eventually(`the recorded deletion of ${name} waits`, () =>
				this.log().some(
					({ msg, pod }) => msg === 'recorded deletion waits' && pod === `${this.name}/${name}`,
				),
			);
	}

	/** A job starts. With `known`, it is waited for until the server has seen it in GitHub's list. */
	async runJob(name: string, { known = false } = {}): Promise<Job> {
		const job = await this.rig.agents.runJob(this.name, name);
		if (known) await this.busy(name);
		return job;
	}

	/**
	 * GitHub has given this runner a job that it has not received yet: its log says that it is idle, and only GitHub's 422
	 * tells. `runJob` starts the job then.
	 */
	assigned(name: string): void {
		const id = this.rig.agents.runnerId(this.name, name);
		if (id === undefined) throw new Error(`${name} is not registered`);
		this.rig.github.setBusy(id, true);
	}

	/** The runner of a pod that does not register by itself says in its log that it is idle. */
	listens(name: string): void {
		this.rig.agents.print(this.name, name, '2026-01-01 00:00:00Z: Listening for Jobs\n');
	}

	/** From now on GitHub's list is late for ever: it shows these runners, and only these, as online and idle. */
	listsAsIdle(...names: string[]): FaultHandle {
		const runners = names.map((name) => {
			const id = this.rig.agents.runnerId(this.name, name);
			return { id, name, os: 'linux', status: 'online', busy: false, labels: [] };
		});
		const fault = { kind: 'answer', status: 200, body: { total_count: runners.length, runners } } as const;
		return this.rig.github.fault({ fault, endpoint: 'list', scope: this.scope });
	}

	endJob(name: string): Promise<void> {
		return this.rig.agents.endJob(this.name, name);
	}

	busy(name: string): Promise<boolean> {
		const marked = async () => (await this.pod(name))?.metadata.labels?.['actions-runner/busy'] === 'true';
		return eventually(`${name} is marked busy`, marked, { withinMs: 120_000 });
	}

	kubectl(...args: string[]): Promise<KubectlResult> {
		return this.rig.kubectl(['-n', this.name, ...args]);
	}

	/** kubectl that must succeed. */
	ok(...args: string[]): Promise<string> {
		return this.rig.ok(['-n', this.name, ...args]);
	}

	/** Gives a user a ClusterRole in this namespace. */
	bind(user: string, role: string): Promise<void> {
		const apiGroup = 'rbac.authorization.k8s.io';
		return this.rig.apply({
			apiVersion: `${apiGroup}/v1`,
			kind: 'RoleBinding',
			metadata: { name: user, namespace: this.name },
			roleRef: { apiGroup, kind: 'ClusterRole', name: role },
			subjects: [{ apiGroup, kind: 'User', name: user }],
		});
	}

	/** `kubectl delete pod NAME ...`, asked until the guard has judged. */
	async delete(name: string, ...flags: string[]): Promise<KubectlResult> {
		const ask = () => this.kubectl('delete', 'pod', name, ...flags);
		return untilJudged(ask, ({ stderr }) => stderr);
	}

	/** `kubectl delete pod NAME ...` that must be refused; what kubectl says then. */
	async refused(name: string, ...flags: string[]): Promise<string> {
		const done = await this.delete(name, ...flags);
		if (done.code === 0) throw new Error(`kubectl delete pod ${name} was allowed: ${done.stdout}`);
		return done.stderr;
	}

	/**
	 * `kubectl delete pod NAME ...` that must be allowed. On a slow machine another DELETE may be first, and kubectl's then ends
	 * with NotFound: the deletion loop's after 2 s, or the garbage collector's, since a scale set's EphemeralRunner is deleted
	 * before its pod. A simulated kubelet stops a pod at once.
	 */
	async deleted(name: string, ...flags: string[]): Promise<KubectlResult> {
		const existed = (await this.pod(name)) !== undefined;
		const done = await this.delete(name, ...flags);
		if (done.code !== 0 && !(existed && done.stderr.includes('(NotFound)')))
			throw new Error(`kubectl delete pod ${name} was refused: ${done.stderr}`);
		return done;
	}

	/** A merge patch of a pod. */
	patch(name: string, body: object): Promise<unknown> {
		return this.rig.kube.patch(`/api/v1/namespaces/${this.name}/pods/${name}`, body);
	}

	/** As `kubectl annotate --overwrite`; null removes one. */
	annotate(name: string, annotations: Record<string, string | null>): Promise<unknown> {
		return this.patch(name, { metadata: { annotations } });
	}

	/** Annotations that nobody but the server may write on a runner, written as the server: a forgery that got past the webhook. */
	forge(name: string, annotations: Record<string, string>): Promise<string> {
		const body = JSON.stringify({ metadata: { annotations } });
		return this.ok('patch', 'pod', name, '--type=merge', '-p', body, `--as=${serverUser}`);
	}

	/** Signs as the server does, with its key. */
	async signer(): Promise<Signer> {
		const path = `/api/v1/namespaces/${names.namespace}/secrets/${names.proofSecret}`;
		const { data } = await this.rig.kube.get<{ data: { key: string } }>(path);
		return new Signer(Buffer.from(data.key, 'base64'));
	}

	pod(name: string): Promise<Pod | undefined> {
		return this.rig.pod(name, this.name);
	}

	async annotations(name: string): Promise<Record<string, string>> {
		return (await this.pod(name))?.metadata.annotations ?? {};
	}

	gone(name: string, withinMs?: number): Promise<boolean> {
		return this.rig.gone(name, this.name, withinMs);
	}

	/** GitHub calls about this space's organization. */
	calls(endpoint?: Call['endpoint'], status?: number): Call[] {
		return this.rig.github.calls.filter(
			(call) =>
				call.scope?.toLowerCase() === this.scope &&
				(endpoint === undefined || call.endpoint === endpoint) &&
				(status === undefined || call.status === status),
		);
	}

	/** Statuses of the DELETE calls, in order. */
	removals(): number[] {
		return this.calls('delete').map((call) => call.status);
	}

	/** What happened to a runner and its pod, in order. */
	journal(name?: string): JournalEntry['what'][] {
		return this.rig.agents.journal
			.filter((entry) => entry.namespace === this.name && (name === undefined || entry.pod === name))
			.map((entry) => entry.what);
	}

	killedJobs(): JournalEntry[] {
		return this.rig.agents.killedJobs().filter((entry) => entry.namespace === this.name);
	}

	/** Log lines about this space's pods, above debug unless asked otherwise. */
	log(levels = ['info', 'warn', 'error', 'fatal']): LogLine[] {
		const about = (line: LogLine) => String(line.pod ?? '').startsWith(`${this.name}/`);
		return this.rig.logs((line) => levels.includes(line.level) && about(line));
	}

	async events(name: string): Promise<{ reason: string; type: string; message: string; count?: number }[]> {
		const path = `/api/v1/namespaces/${this.name}/events`;
		const found = await this.rig.kube.get<{
			items: {
				reason: string;
				type: string;
				message: string;
				count?: number;
				involvedObject: { name: string };
				source?: { component?: string };
			}[];
		}>(path);
		return found.items.filter(
			(event) => event.involvedObject.name === name && event.source?.component === 'runners-admission',
		);
	}

	condition(
		pod: Pod | undefined,
		type: string,
	): { status: string; reason?: string; message?: string } | undefined {
		return pod?.status?.conditions?.find((condition) => condition.type === `actions-runner/${type}`);
	}
}

/** Ends a rig; with DEBUG_RIG set, first prints what its servers have logged. */
export async function end(rig: Rig | undefined): Promise<void> {
	if (process.env.DEBUG_RIG)
		for (const line of rig?.logs(() => true) ?? []) console.error(JSON.stringify(line));
	await rig?.stop();
}

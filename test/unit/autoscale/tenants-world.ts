import { Readable } from 'node:stream';
import { sign } from '@octokit/webhooks-methods';
import { autoscaleKinds } from '../../../admission/api/autoscale.ts';
import { names } from '../../../admission/api/keys.ts';
import { apiVersion, setKeys } from '../../../admission/api/sets.ts';
import type { Account, CredentialsSource } from '../../../admission/github/accounts.ts';
import type { Read } from '../../../admission/github/types.ts';
import { KnownWebhooks } from '../../../admission/jobs/events/known-webhooks.ts';
import { LostDeliveries } from '../../../admission/jobs/events/lost-deliveries.ts';
import { createReceiver } from '../../../admission/jobs/events/receiver.ts';
import { readScopedSecrets } from '../../../admission/jobs/events/rules/secrets.ts';
import { eventRecorder, JobRecords } from '../../../admission/jobs/records/job-records.ts';
import { SetLabels } from '../../../admission/jobs/records/set-labels.ts';
import { type Scope, scopeKey } from '../../../admission/runner/scope.ts';
import { RegistrationTokens } from '../../../admission/sets/registration-tokens.ts';
import { tokenSecretName } from '../../../admission/sets/token-secret.ts';
import { eventBody } from '../../sim/job-bodies.ts';
import { type JobAction, Jobs, type WorkflowJob } from '../../sim/jobs.ts';
import { Registry } from '../../sim/registry.ts';
import type { Stored } from '../support/api-server.ts';
import { AutoscaledWorld, autoscalersPath } from '../support/autoscaled-world.ts';
import { paths } from '../support/world.ts';
import { servedRead } from './poll/served-read.ts';

const second = 1_000;
/** How long a job runs. */
const runsMs = 60 * second;
const secrets = { octo: 'the secret of octo-org', evil: 'the secret of evil-org' };
const baseUrl = 'https://api.github.com';
/** What each organization's credentials may manage, by the namespace in which they are. */
const granted: Record<string, readonly string[]> = {
	ci: ['octo-org', 'enterprises/octo'],
	evil: ['evil-org'],
};

type Tenant = keyof typeof secrets;

/** What a webhook delivers. */
interface Delivery {
	by: Tenant;
	/** The webhook's id: its header is not signed. */
	hook?: number;
	target?: 'organization' | 'integration';
}

/**
 * octo-org with two autoscaled sets in the namespace `ci`, one of them of its enterprise, and room for another organization in
 * `evil`: everything from the port for events to the runners is the server's own, in one process. GitHub gives jobs to idle
 * runners of octo-org; those of `evil` never start.
 */
export class TenantsWorld {
	readonly jobs = new Jobs();
	readonly #registry = new Registry(0);
	/** GitHub calls about octo-org or with its credentials, as `METHOD what`. */
	readonly calls: string[] = [];
	/** GitHub gives nobody a registration token. */
	away = false;
	/** How long each job of octo-org has waited, ms. */
	readonly waits: number[] = [];
	readonly world: AutoscaledWorld;
	#tokens: RegistrationTokens | undefined;
	readonly #receiver: ReturnType<typeof createReceiver>;
	readonly #labels: SetLabels;
	readonly #lost: LostDeliveries;
	readonly #running = new Map<number, { runner: string; endsMs: number }>();
	#nextRun = 1;
	/** Events of these jobs are lost until they start, by id. */
	readonly #silent = new Set<number>();
	readonly #delivering: Promise<unknown>[] = [];
	readonly #stop = new AbortController();
	#loops: Promise<unknown> = Promise.resolve();
	/** By namespace and Secret. */
	readonly #accounts = new Map<string, Account>();

	constructor() {
		this.world = new AutoscaledWorld('RunnerDeployment', undefined, {
			accounts: { resolve: async (source) => this.#accountOf(source) },
			tokens: ({ parts, setsCache }) => {
				const accounts = { resolve: async (source: CredentialsSource) => this.#accountOf(source) };
				this.#tokens = new RegistrationTokens({ ...parts, cache: setsCache, accounts: accounts as never });
				return this.#tokens;
			},
		});
		const { api, clock, log, metrics } = this.world;
		api.latencyMs = 0;
		for (const name of ['evil', names.namespace]) api.put(paths.namespaces, { metadata: { name } });
		this.#labels = new SetLabels({ client: api, metrics, clock, log });
		const records = new JobRecords({ client: api, namespace: names.namespace, clock });
		const hooks = new KnownWebhooks({ clock, metrics });
		const scoped = [`octo-org, enterprises/octo: ${secrets.octo}`, `evil-org: ${secrets.evil}`].join('\n');
		const known = readScopedSecrets(scoped).secrets;
		this.#receiver = createReceiver({
			secrets: { current: async () => known, newest: async () => known },
			writeOnPod: async () => 'no-pod',
			writeRecord: eventRecorder({ sets: this.#labels, records, clock, log }),
			onDelivery: (hook, by) => hooks.deliveryReceived(hook, by),
			clock,
			metrics,
			log,
		});
		const read: Read = async (what, { endpoint }) => {
			if (endpoint === 'get-hook') return { kind: 'not-visible' };
			if (what.includes('octo-org')) this.calls.push(`webhook ${what}`);
			return { kind: 'read', body: [], link: '' };
		};
		this.#lost = new LostDeliveries({
			hooks,
			account: async () => ({ read }),
			handle: this.#receiver.handle,
			recordsJobs: () => true,
			// How long it waits is random: the same with and without others.
			clock: Object.assign(Object.create(clock), { random: () => 0.5 }),
			metrics,
			log,
		});
		this.jobs.onChange((job, action) => this.#changed(job, action));
	}

	async start(): Promise<void> {
		const { world } = this;
		const { clock } = world;
		world.put(0, { spec: { labels: ['gpu'] } });
		world.put(0, {
			name: 'big',
			spec: { organization: undefined, enterprise: 'octo', labels: ['gpu', 'big'] },
		});
		world.autoscale({ minReplicas: 1, scaleDownDelaySecondsAfterScaleOut: 30 });
		world.autoscale({ scaleTargetRef: { kind: 'RunnerDeployment', name: 'big' } }, 'big');
		this.#registry.addScope('repos/octo-org/app');
		const { signal } = this.#stop;
		this.#loops = Promise.all([this.#labels.run(signal, () => {}), this.#lost.run(signal)]);
		await world.start();
		await clock.until('a runner is idle', () => this.#idle('example').length === 1);
	}
	async end(): Promise<void> {
		this.#stop.abort();
		await this.world.stop(this.world.reconciler, this.world.autoscaler, this.#tokens!);
		await this.#loops;
	}

	/** A job of octo-org. `lost`: no event says so. */
	queue({ lost = false, labels = ['self-hosted', 'gpu'] } = {}): WorkflowJob {
		if (lost) this.#silent.add(this.nextId);
		const run = { runId: this.#nextRun++, runAttempt: 1, workflow: 'CI', name: 'build' };
		return this.jobs.add(
			{ ...run, repository: 'octo-org/app', enterprise: 'octo', labels },
			this.world.clock.now(),
		);
	}

	/** The id of the next job, which anybody can guess. */
	get nextId(): number {
		return (this.jobs.list().at(-1)?.id ?? 41_000_000_000) + 1;
	}

	/** Names of octo-org's idle runners. */
	get idle(): string[] {
		return [...this.#idle('example'), ...this.#idle('big')];
	}

	/** How many runners of octo-org have been started. */
	get made(): number {
		return this.world.starts;
	}

	/** Lets a second pass: jobs end, and GitHub gives those that wait to idle runners. */
	async tick(): Promise<void> {
		const { clock, github } = this.world;
		await clock.pass(second);
		for (const [id, { runner, endsMs }] of this.#running) {
			if (endsMs > clock.now()) continue;
			this.#running.delete(id);
			this.jobs.complete(id, 'success', clock.now());
			this.world.completes(runner);
		}
		for (const job of this.jobs.list()) {
			if (job.status !== 'queued') continue;
			const runner = this.#idle(job.labels.includes('big') ? 'big' : 'example')[0];
			if (runner === undefined) continue;
			this.world.job(runner);
			this.waits.push(clock.now() - job.createdAtMs);
			this.#running.set(job.id, { runner, endsMs: clock.now() + runsMs });
			this.#silent.delete(job.id);
			this.jobs.start(job.id, { id: github.find(runner)?.id ?? 1, name: runner }, clock.now());
		}
		await this.delivered();
	}

	/** Everything that was sent has been answered. */
	async delivered(): Promise<void> {
		await Promise.all(this.#delivering.splice(0));
	}

	/** Sends a delivery to the port. */
	deliver(body: unknown, delivery: Delivery): void {
		this.#delivering.push(this.#send(body, delivery));
	}

	/** A set in `evil` with an autoscaler. */
	putHostile(name: string, spec: object, autoscaler: object = {}): void {
		const { api } = this.world;
		const full = { githubAPICredentialsFrom: { secretRef: { name: 'mine' } }, labels: ['gpu'], ...spec };
		api.put(paths.runnerDeployments, {
			apiVersion,
			kind: 'RunnerDeployment',
			metadata: { name, namespace: 'evil' },
			spec: { replicas: 0, template: { spec: full } },
		} as unknown as Stored);
		api.put(autoscalersPath, {
			apiVersion,
			kind: autoscaleKinds.autoscaler.kind,
			metadata: { name, namespace: 'evil' },
			spec: {
				scaleTargetRef: { kind: 'RunnerDeployment', name },
				minReplicas: 0,
				maxReplicas: 10,
				scaleUpTriggers: [{ githubEvent: { workflowJob: {} }, duration: '30m' }],
				...autoscaler,
			},
		} as unknown as Stored);
	}

	/** Writes the Secret with the registration token of a scope in `evil`, as a copy of what GitHub has given for another one. */
	forge(scope: Scope): void {
		const { api, clock } = this.world;
		const own = tokenSecretName({ kind: 'organization', name: 'evil-org' }, 'mine');
		const copied = api.find(paths.secrets, own, 'evil');
		api.put(paths.secrets, {
			metadata: {
				name: tokenSecretName(scope, 'mine'),
				namespace: 'evil',
				labels: { [setKeys.tokenSecretMark]: 'true' },
				annotations: {
					...copied?.metadata.annotations,
					[setKeys.tokenScope]: scopeKey(scope),
					[setKeys.tokenExpiresAt]: new Date(clock.now() + 3_600_000).toISOString(),
				},
			},
			data: { token: 'eA==', ...copied?.data },
		});
	}

	#idle(set: string): string[] {
		const { api, github } = this.world;
		return [...api.each(paths.pods)]
			.filter(({ metadata }) => metadata.namespace === 'ci' && metadata.name.startsWith(`${set}-`))
			.filter(({ metadata }) => !metadata.deletionTimestamp && github.find(metadata.name)?.busy === false)
			.map(({ metadata }) => metadata.name);
	}

	#changed(job: WorkflowJob, action: JobAction): void {
		if (this.#silent.has(job.id)) return;
		this.deliver(eventBody(job, action, baseUrl), { by: 'octo', hook: 7 });
	}

	async #send(body: unknown, { by, hook = 1, target = 'organization' }: Delivery): Promise<void> {
		const text = JSON.stringify(body);
		const headers = {
			'x-github-event': 'workflow_job',
			'x-github-delivery': '4d8ed510-a74e-11f1-8000-1',
			'x-github-hook-id': String(hook),
			'x-github-hook-installation-target-type': target,
			'x-hub-signature-256': await sign(secrets[by], text),
		};
		const request = Object.assign(Readable.from([Buffer.from(text)]), {
			method: 'POST',
			headers,
			socket: {},
		});
		const status = await new Promise<number>((resolve) => {
			let answered = 0;
			const response = {
				req: request,
				setHeader: () => {},
				writeHead: (code: number) => {
					answered = code;
					return response;
				},
				end: () => resolve(answered),
			};
			this.#receiver.endpoint.server.emit('request', request, response);
		});
		if (by === 'octo' && status >= 400) throw new Error(`an event of octo-org was answered with ${status}`);
	}

	/** A namespace's credential. Whoever is not granted a scope is not shown it either. */
	#accountOf({ namespace, credentialsSecret = '' }: CredentialsSource): Account {
		const id = `${namespace}/${credentialsSecret}`;
		const known = this.#accounts.get(id);
		if (known) return known;
		const { clock } = this.world;
		const own = granted[namespace] ?? [];
		const isOctos = namespace === 'ci';
		const read = servedRead(
			{ jobs: this.jobs, registry: this.#registry, clock },
			{
				// Of the repositories that the other one names few exist.
				isHidden: (scope) => !own.includes(scope.split('/')[0] ?? '') || /\/r\d/.test(scope),
				note: ({ path }) => {
					if (isOctos) this.calls.push(`read ${path}`);
				},
			},
		);
		const account = {
			read,
			connection: { used: () => 0 },
			registrationToken: async (scope: Scope) => {
				if (isOctos) this.calls.push(`token ${scopeKey(scope)}`);
				if (this.away) return { kind: 'github-unavailable', detail: 'GitHub is away' };
				return own.includes(scopeKey(scope))
					? { kind: 'token', token: `of ${id}`, expiresAtMs: clock.now() + 3_600_000 }
					: { kind: 'forbidden', detail: 'GitHub answered 404', retryAtMs: clock.now() + 60 * second };
			},
		} as unknown as Account;
		this.#accounts.set(id, account);
		return account;
	}
}

import {
	type AutoscalerSpec,
	type AutoscalerStatus,
	autoscaleKinds,
	type JobState,
	type WorkflowJob,
	type WorkflowJobSpec,
} from '../../../admission/api/autoscale.ts';
import { names } from '../../../admission/api/keys.ts';
import { collectionPath } from '../../../admission/api/paths.ts';
import { apiVersion } from '../../../admission/api/sets.ts';
import { Autoscaler } from '../../../admission/autoscale/autoscaler.ts';
import { AutoscaleCache } from '../../../admission/autoscale/cache.ts';
import type { Accounts } from '../../../admission/github/accounts.ts';
import { JobRecords } from '../../../admission/jobs/records/job-records.ts';
import { recordName } from '../../../admission/jobs/records/rules/name.ts';
import type { Stored } from './api-server.ts';
import { type Kind, SetsWorld, type TokensOf } from './sets-world.ts';

export const autoscalersPath = collectionPath(autoscaleKinds.autoscaler);
const jobsPath = collectionPath(autoscaleKinds.workflowJob);

/** GitHub can't be asked about jobs: only events and pods report. */
const noCredentials = { kind: 'credentials-missing', detail: 'none are given' } as const;

interface AutoscaledOptions {
	/** With which GitHub is asked about jobs. */
	accounts?: Pick<Accounts, 'resolve'>;
	tokens?: TokensOf;
}

/** A set with a HorizontalRunnerAutoscaler of its name, and records of GitHub's jobs. */
export class AutoscaledWorld extends SetsWorld {
	readonly autoscaleCache: AutoscaleCache;
	readonly autoscaler: Autoscaler;
	readonly records: JobRecords;
	/** How often it was computed how many runners the set is to have. */
	demands = 0;
	#nextJob = 1;

	constructor(
		kind: Kind,
		before?: AutoscaledWorld,
		{ accounts = { resolve: async () => noCredentials }, tokens }: AutoscaledOptions = {},
	) {
		let made: { cache: AutoscaleCache; autoscaler: Autoscaler } | undefined;
		const demand = (world: SetsWorld) => {
			const { api: client, cache, setsCache, events, metrics, clock, log } = world;
			const autoscaleCache = new AutoscaleCache({ client, metrics, clock, log }, names.namespace);
			const autoscaler = new Autoscaler({
				...{ client, cache, setsCache, autoscaleCache, events, metrics, clock, log },
				accounts,
				host: 'github.com',
				kinds: ['RunnerSet', 'RunnerDeployment'],
				namespace: names.namespace,
			});
			made = { cache: autoscaleCache, autoscaler };
			return autoscaler;
		};
		super(kind, before, demand, tokens);
		if (!made) throw new Error('the reconciler has asked for no autoscaler');
		this.autoscaleCache = made.cache;
		this.autoscaler = made.autoscaler;
		const { demandOf } = this.autoscaler;
		this.autoscaler.demandOf = (...asked) => {
			this.demands += 1;
			return demandOf.apply(this.autoscaler, asked);
		};
		const { api: client, clock } = this;
		this.records = new JobRecords({ client, namespace: names.namespace, clock });
		if (!before) client.serve(autoscalersPath, jobsPath);
	}

	override async start(): Promise<void> {
		await super.start(
			(signal) => this.autoscaleCache.run(signal),
			(signal) => this.autoscaler.run(signal),
		);
		await this.clock.until('the autoscalers are known', () => this.autoscaleCache.synced);
	}

	override async end(): Promise<void> {
		await this.stop(this.reconciler, this.autoscaler);
	}

	/** Makes the set's autoscaler, or another one. */
	autoscale(spec: AutoscalerSpec = {}, name = 'example'): void {
		this.api.put(autoscalersPath, {
			apiVersion,
			kind: autoscaleKinds.autoscaler.kind,
			metadata: { name, namespace: 'ci' },
			spec: {
				scaleTargetRef: { kind: this.kind, name: 'example' },
				minReplicas: 0,
				maxReplicas: 10,
				scaleUpTriggers: [{ githubEvent: { workflowJob: {} }, duration: '30m' }],
				...spec,
			},
		} as unknown as Stored);
	}

	get autoscalerStatus(): AutoscalerStatus {
		return (this.api.find(autoscalersPath, 'example', 'ci')?.status ?? {}) as AutoscalerStatus;
	}

	saysCondition(type: string): string | undefined {
		return this.autoscalerStatus.conditions?.find((one) => one.type === type && one.status === 'True')
			?.message;
	}

	/** A queued job of which there is a record already. */
	known(id: number): void {
		const now = this.clock.iso();
		const { apiVersion, kind } = autoscaleKinds.workflowJob;
		this.api.put(jobsPath, {
			apiVersion,
			kind,
			metadata: {
				name: recordName({ host: 'github.com', repository: 'octo-org/app', id }),
				namespace: names.namespace,
			},
			spec: {
				host: 'github.com',
				id,
				repository: 'octo-org/app',
				labels: ['self-hosted'],
				state: 'queued',
				createdAt: now,
				openedAt: now,
				stateSince: now,
				deliveredAt: now,
			},
		} as unknown as Stored);
	}

	recordOf(id: number): WorkflowJob | undefined {
		const found = this.api.find(
			jobsPath,
			recordName({ host: 'github.com', repository: 'octo-org/app', id }),
			names.namespace,
		);
		return found as unknown as WorkflowJob | undefined;
	}

	/** What an event says of a job; `id`: of one that is known. Resolves with its id. */
	async event(
		state: JobState,
		{ id = this.#nextJob++, ...more }: Partial<WorkflowJobSpec> = {},
	): Promise<number> {
		const now = this.clock.iso();
		await this.passing(
			this.records.write(
				{
					host: 'github.com',
					id,
					repository: 'octo-org/app',
					runId: 42,
					runAttempt: 1,
					name: `job ${id}`,
					labels: ['self-hosted'],
					state,
					createdAt: now,
					deliveredAt: now,
					...more,
				},
				'event',
			),
		);
		return id;
	}

	/** So many jobs are queued. Resolves with their ids. */
	async queue(count: number, more: Partial<WorkflowJobSpec> = {}): Promise<number[]> {
		const ids: number[] = [];
		for (let index = 0; index < count; index++) ids.push(await this.event('queued', more));
		return ids;
	}

	/** GitHub gives the job to this runner: its own job signals say so, and an event unless it is lost. */
	async gives(id: number, runner: string, { lost = false } = {}): Promise<void> {
		this.job(runner);
		if (!lost) await this.event('in_progress', { id, runnerName: runner });
	}

	/** The job ends, and with it its ephemeral runner; an event says so unless it is lost. */
	async ends(id: number, runner: string, { lost = false } = {}): Promise<void> {
		if (!lost) await this.event('completed', { id, runnerName: runner, conclusion: 'success' });
		this.completes(runner);
	}

	/** Lets time pass while this is done. */
	private async passing<T>(work: Promise<T>): Promise<T> {
		let done = false;
		const settled = work.finally(() => {
			done = true;
		});
		await this.clock.until('it is done', () => done);
		return settled;
	}
}

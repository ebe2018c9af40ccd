/** One simulated runner: actions/runner inside one pod. */
import { setTimeout as sleep } from 'node:timers/promises';
import { endContainer } from './container-exit.ts';
import type { GitHub } from './github.ts';
import { htmlUrlOf } from './job-bodies.ts';
import type { Journal, JournalEntry } from './journal.ts';
import { type Kube, KubeError } from './kube.ts';
import type { KubeletPod, LogState } from './kubelet.ts';
import { type JobResult, RunnerLog } from './runner-log.ts';
import {
	containerState,
	type EphemeralRunnerItem,
	noRegisterAnnotation,
	type PodItem,
	type RunnerFacts,
	scopeOfOwner,
} from './runner-pod.ts';
import type { Scope } from './scope.ts';

export interface AgentContext {
	kube: Kube;
	github: GitHub;
	journal: Journal;
	registrationDelayMs: number;
	jobStatusDelayMs: number;
	checkTokens: boolean;
	exitWhenRemovedMs: number | undefined;
	removedPollMs: number;
	/** What differs from the above, by namespace. */
	namespaces: Map<string, NamespaceOptions>;
}

export interface NamespaceOptions
	extends Partial<Pick<AgentContext, 'registrationDelayMs' | 'checkTokens' | 'removedPollMs'>> {
	exitWhenRemovedMs?: number;
	/** Whether the kubelet gives out these runners' logs; default 'on'. Takes effect at once. */
	log?: LogState;
	/** As if ACTIONS_RUNNER_PRINT_LOG_TO_STDOUT were set in every runner's env. */
	printLogToStdout?: boolean;
}

export interface JobOptions {
	/** undefined: until ended. */
	durationMs?: number;
	/** GitHub's broker gives it the job although its registration is gone: it was on its way. Default false. */
	unregistered?: boolean;
	/** Default: the runner's repository, or one named `app` of its organization. */
	repository?: string;
	workflow?: string;
	key?: string;
	/** Default the key. */
	displayName?: string;
	workflowRunId?: number;
	runAttempt?: number;
}

export interface Job {
	id: string;
	/** GitHub's, in its REST API and its events. */
	number: number;
	displayName: string;
	/** Its name in the workflow's file, which the jobs of a matrix share. */
	key: string;
	workflow: string;
	/** OWNER/NAME */
	repository: string;
	workflowRunId: number;
	runAttempt: number;
	htmlUrl: string;
	startedAtMs: number;
}

/** How often it looks for a Secret that is not there yet. */
const secretRetryMs = 250;

/** From SIGTERM to the end of the container. */
const stopMs = 1_000;

let nextJob = 1;

const conclusions = { Succeeded: 'success', Failed: 'failure', Canceled: 'cancelled' } as const;

export class Agent {
	/** GitHub's id while it is registered. */
	runnerId: number | undefined;
	job: Job | undefined;
	online = false;

	readonly name: string;
	readonly log = new RunnerLog();
	readonly #context: AgentContext;
	readonly #facts: RunnerFacts;
	#pod: PodItem;
	#scope: Scope | undefined;
	/** 'waiting' for the container, 'started' once it runs, 'dead' once it cannot run again. */
	#process: 'waiting' | 'started' | 'dead' = 'waiting';
	#restarts = 0;
	#terminating = false;
	#jobTimer: NodeJS.Timeout | undefined;
	#exitTimer: NodeJS.Timeout | undefined;
	/** A scale set's runner is registered, offline, before its pod runs; its JIT configuration works once. */
	#jit: Promise<void> | undefined;

	constructor(context: AgentContext, pod: PodItem, facts: RunnerFacts) {
		this.#context = context;
		this.#pod = pod;
		this.#facts = facts;
		this.name = facts.name;
		this.#scope = facts.scope;
		if (facts.scope !== undefined) context.github.addScope(facts.scope);
	}

	get namespace(): string {
		return this.#pod.metadata.namespace ?? 'default';
	}

	/** What the kubelet of its node knows of its pod. */
	get kubeletPod(): KubeletPod {
		const { nodeName, containers } = this.#pod.spec;
		return {
			node: nodeName,
			containers: containers.map(({ name }) => name),
			started: this.#process !== 'waiting',
			log: this.log,
			logState: this.#context.namespaces.get(this.namespace)?.log ?? 'on',
		};
	}

	isFor(namespace: string, pod: string): boolean {
		return this.#pod.metadata.namespace === namespace && this.#pod.metadata.name === pod;
	}

	/** Where GitHub has it, with which custom labels. */
	get registration(): { scope: Scope | undefined; labels: readonly string[] } {
		const runner = this.runnerId === undefined ? undefined : this.#context.github.runner(this.runnerId);
		return { scope: this.#scope, labels: runner?.labels ?? [] };
	}

	/** The pod as the API server shows it now. */
	observe(pod: PodItem): void {
		this.#pod = pod;
		if (this.#facts.kind === 'scale-set' && !pod.metadata.deletionTimestamp)
			this.#jit ??= this.#configureJit();
		if (pod.metadata.deletionTimestamp && !this.#terminating) {
			this.#terminating = true;
			this.#note('pod-terminating');
			this.#terminated('SIGTERM: the pod has a deletionTimestamp');
			// A pod without a finalizer is gone before its kubelet could report that the container has stopped.
			if (pod.metadata.finalizers?.length && containerState(pod).word === 'running') this.#exitAfter(stopMs);
		}
		const { word, restarts } = containerState(pod);
		if (word === 'terminated' && this.#process === 'started') this.#containerStopped();
		if (word !== 'running' || this.#terminating) return;
		if (this.#process === 'waiting' || restarts > this.#restarts) {
			if (this.job !== undefined) this.#killJob('the container was restarted');
			clearTimeout(this.#exitTimer);
			const traced = this.#context.namespaces.get(this.namespace)?.printLogToStdout ?? this.#facts.traced;
			this.log.start(this.#process === 'started', traced);
			this.#process = 'started';
			this.#restarts = restarts;
			this.#run(() => this.#register());
		}
	}

	podGone(pod: PodItem): void {
		this.#pod = pod;
		if (!this.#terminating) this.#terminated('the pod vanished without a grace period');
		this.#terminating = true;
		this.#process = 'dead';
		this.log.current.end();
		this.#note('pod-gone');
		this.dispose();
	}

	startJob(options: JobOptions = {}): Job {
		const { durationMs, unregistered = false } = options;
		const { github } = this.#context;
		const listens = unregistered && this.#process === 'started' && !this.#terminating;
		if (!listens && (this.runnerId === undefined || !this.online))
			throw new Error(`${this.name} is not online at GitHub`);
		if (this.job !== undefined) throw new Error(`${this.name} runs ${this.job.id} already`);
		this.job = this.#newJob(options);
		github.jobs.start(this.job.number, { id: this.runnerId ?? null, name: this.name });
		if (this.runnerId !== undefined) github.setBusy(this.runnerId, true);
		else this.#hearsOfRemoval();
		this.log.received(this.job.displayName);
		this.#note('job-started', { job: this.job.id });
		this.#run(() => this.#tellScaleSet(this.job));
		if (durationMs !== undefined) {
			this.#jobTimer = setTimeout(() => this.#run(() => this.endJob()), durationMs);
		}
		return this.job;
	}

	#newJob(options: JobOptions): Job {
		const { github } = this.#context;
		const count = nextJob++;
		const { key = 'build', workflow = 'CI', runAttempt = 1, workflowRunId = 8_000_000 + count } = options;
		const { displayName = key, repository = repositoryOf(this.#scope) } = options;
		const labels = this.registration.labels;
		const made = github.jobs.add({
			repository,
			runId: workflowRunId,
			runAttempt,
			workflow,
			name: displayName,
			labels: labels.length > 0 ? labels : ['self-hosted'],
		});
		return {
			id: `job-${count}`,
			number: made.id,
			displayName,
			key,
			workflow,
			repository,
			workflowRunId,
			runAttempt,
			htmlUrl: htmlUrlOf(made),
			startedAtMs: Date.now(),
		};
	}

	/**
	 * The worker is killed (out of memory, as a rule): its end is told to nobody, neither by a hook nor by an event. The
	 * listener goes on; it says so in its log, unless `log` is false.
	 */
	async killWorker({ log = true }: { log?: boolean } = {}): Promise<void> {
		const { job } = this;
		if (job === undefined) throw new Error(`${this.name} runs no job`);
		this.#note('job-ended', { job: job.id, detail: 'its worker was killed' });
		this.#jobOver('Failed', { silently: true, log });
		if (this.#facts.ephemeral) await this.#exit();
	}

	async endJob(): Promise<void> {
		const { job } = this;
		if (job === undefined) throw new Error(`${this.name} runs no job`);
		this.#note('job-ended', { job: job.id });
		this.#jobOver('Succeeded');
		if (this.#facts.ephemeral) await this.#exit();
	}

	/** GitHub has answered 204 to a DELETE: this runner can get no job any more. */
	removedByGitHub(): void {
		this.#note('removed-by-github');
		this.runnerId = undefined;
		this.online = false;
		const { exitWhenRemovedMs } = { ...this.#context, ...this.#context.namespaces.get(this.namespace) };
		if (this.job !== undefined) this.#hearsOfRemoval();
		else if (exitWhenRemovedMs !== undefined) this.#exitAfter(exitWhenRemovedMs, () => this.log.removed());
	}

	/**
	 * At its next poll the listener hears that the runner is not found, and shuts down: it cancels the job that runs
	 * (actions/runner: Runner.cs, JobDispatcher.ShutdownAsync). A poll takes up to 50 s, and may have begun at any time.
	 */
	#hearsOfRemoval(): void {
		const { removedPollMs } = { ...this.#context, ...this.#context.namespaces.get(this.namespace) };
		this.#exitAfter(Math.random() * removedPollMs, () => {
			this.log.removed();
			if (this.job !== undefined)
				this.#killJob('GitHub had removed its registration: its listener cancelled it');
		});
	}

	dispose(): void {
		clearTimeout(this.#jobTimer);
		clearTimeout(this.#exitTimer);
	}

	async #register(): Promise<void> {
		const { github, namespaces } = this.#context;
		const { registrationDelayMs, checkTokens } = { ...this.#context, ...namespaces.get(this.namespace) };
		if (this.#pod.metadata.annotations?.[noRegisterAnnotation] === 'true') return;
		if (registrationDelayMs > 0) await sleep(registrationDelayMs, undefined, { ref: false });
		await this.#jit;
		if (this.#terminating || this.#process !== 'started' || this.#scope === undefined) return;
		if (this.#facts.kind === 'scale-set') {
			if (this.runnerId === undefined) {
				this.#registrationFailed('the JIT configuration has been used');
				return;
			}
			github.setStatus(this.runnerId, 'online');
		} else {
			const token = checkTokens ? await this.#registrationToken() : undefined;
			if (this.#terminating || this.#process !== 'started') return;
			if (checkTokens && (token === undefined || !github.registrationTokenWorks(token, this.#scope))) {
				this.#registrationFailed('RUNNER_TOKEN is missing, unknown or expired');
				return;
			}
			const { name, ephemeral, labels, kind } = this.#facts;
			this.runnerId = github.addRunner({ scope: this.#scope, name, ephemeral, labels, kind });
		}
		this.online = true;
		this.log.listening();
		this.#note('registered');
	}

	#registrationFailed(detail: string): void {
		this.log.registrationFailed();
		this.#note('registration-failed', { detail });
	}

	/**
	 * RUNNER_TOKEN, plain or from its Secret, as the kubelet would have put it into the container's env. The kubelet starts
	 * no container whose Secret is not there yet (CreateContainerConfigError) and tries again; kwok starts it, so it waits.
	 */
	async #registrationToken(): Promise<string | undefined> {
		const { token, tokenSecret } = this.#facts;
		if (token !== undefined || tokenSecret === undefined) return token;
		const path = `/api/v1/namespaces/${this.#pod.metadata.namespace}/secrets/${tokenSecret.name}`;
		while (!this.#terminating && this.#process === 'started') {
			try {
				const secret = await this.#context.kube.get<{ data?: Record<string, string> }>(path);
				const data = secret.data?.[tokenSecret.key];
				return data === undefined ? undefined : Buffer.from(data, 'base64').toString();
			} catch (error) {
				if (!(error instanceof KubeError) || error.status !== 404) throw error;
				await sleep(secretRetryMs, undefined, { ref: false });
			}
		}
		return undefined;
	}

	/** ARC registers a scale set's runner first and writes its id into the EphemeralRunner. */
	async #configureJit(): Promise<void> {
		const { github, kube } = this.#context;
		try {
			const owner = await kube.get<EphemeralRunnerItem>(this.#ownerPath());
			this.#scope = scopeOfOwner(owner);
			if (this.#scope === undefined) throw new Error(`${this.#facts.owner} has no githubConfigUrl`);
			const { name, kind } = this.#facts;
			this.runnerId = github.addRunner({
				scope: this.#scope,
				name,
				kind,
				ephemeral: true,
				status: 'offline',
			});
			await this.#patchOwner({ runnerId: this.runnerId, runnerName: name, phase: 'Running', ready: true });
		} catch (error) {
			this.#trouble(error);
		}
	}

	/** The scale set's listener writes the job into the EphemeralRunner's status when it starts, never when it ends. */
	async #tellScaleSet(job: Job | undefined): Promise<void> {
		if (this.#facts.kind !== 'scale-set' || job === undefined) return;
		const { jobStatusDelayMs } = this.#context;
		if (jobStatusDelayMs > 0) await sleep(jobStatusDelayMs, undefined, { ref: false });
		await this.#patchOwner({
			jobId: job.id,
			jobDisplayName: job.displayName,
			jobRepositoryName: job.repository,
			workflowRunId: job.workflowRunId,
		});
	}

	#patchOwner(status: object): Promise<unknown> {
		return this.#context.kube.patch(`${this.#ownerPath()}/status`, { status });
	}

	#ownerPath(): string {
		const { namespace } = this.#pod.metadata;
		return `/apis/actions.github.com/v1alpha1/namespaces/${namespace}/ephemeralrunners/${this.#facts.owner}`;
	}

	/** The runner's process was told to stop, or is no more. */
	#terminated(why: string): void {
		if (this.job !== undefined) this.#killJob(why);
		if (this.online && this.runnerId !== undefined) {
			this.#context.github.setStatus(this.runnerId, 'offline');
			this.online = false;
			this.#note('offline');
		}
	}

	/** actions/runner cancels its job on SIGTERM and says so to GitHub; an ephemeral runner is then done. */
	#killJob(why: string): void {
		const id = this.job?.id;
		const { annotations = {} } = this.#pod.metadata;
		this.#note('job-killed', { detail: why, annotations, ...(id === undefined ? {} : { job: id }) });
		this.#jobOver('Canceled');
	}

	/** The worker has ended; then GitHub knows that the job is over, however it ended. */
	#jobOver(result: JobResult, { silently = false, log = true } = {}): void {
		const { github } = this.#context;
		clearTimeout(this.#jobTimer);
		if (this.job !== undefined) {
			if (log) this.log.completed(this.job.displayName, result);
			github.jobs.complete(this.job.number, conclusions[result], silently);
		}
		this.job = undefined;
		if (this.runnerId === undefined) return;
		github.setBusy(this.runnerId, false);
		if (!this.#facts.ephemeral) return;
		const id = this.runnerId;
		this.runnerId = undefined;
		this.online = false;
		github.removeRunner(id, 'ephemeral-done');
	}

	#containerStopped(): void {
		this.#note('container-stopped');
		this.#process = 'dead';
		this.#terminated('the container stopped');
		this.log.current.end();
	}

	#exitAfter(delayMs: number, before?: () => void): void {
		clearTimeout(this.#exitTimer);
		this.#exitTimer = setTimeout(() => {
			before?.();
			this.#run(() => this.#exit());
		}, delayMs);
	}

	/** The runner's process exits by itself. */
	async #exit(): Promise<void> {
		if (this.#process === 'dead') return;
		this.log.exiting();
		await endContainer(this.#context.kube, () => this.#pod);
	}

	#note(what: JournalEntry['what'], more: Pick<JournalEntry, 'job' | 'detail' | 'annotations'> = {}): void {
		const { name, namespace = '', uid } = this.#pod.metadata;
		const runner = this.runnerId === undefined ? {} : { runnerId: this.runnerId };
		this.#context.journal.add({ what, namespace, pod: name, uid, ...runner, ...more });
	}

	#run(work: () => Promise<void>): void {
		work().catch((error: unknown) => this.#trouble(error));
	}

	#trouble(error: unknown): void {
		if (error instanceof Error && error.name === 'AbortError') return; // stopped
		this.#note('trouble', { detail: error instanceof Error ? error.message : String(error) });
	}
}

/** Where a job of this runner may come from. */
function repositoryOf(scope: Scope | undefined): string {
	const [kind, owner = 'octo-org', name = 'app'] = scope?.split('/') ?? [];
	return kind === 'enterprises' ? 'octo-org/app' : `${owner}/${name}`;
}

/** One simulated runner: actions/runner inside one pod. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentContext } from './agent-context.ts';
import { endContainer } from './container-exit.ts';
import { type Job, type JobOptions, newJob } from './job.ts';
import { type HookPhase, JobHooks } from './job-hooks.ts';
import type { Registration, Taker } from './job-queue.ts';
import type { JournalEntry } from './journal.ts';
import { KubeError } from './kube.ts';
import type { KubeletPod } from './kubelet.ts';
import { registrationToken } from './registration-token.ts';
import { implicitLabels } from './registry.ts';
import { type JobResult, RunnerLog } from './runner-log.ts';
import { containerState, noRegisterAnnotation, type PodItem, type RunnerFacts } from './runner-pod.ts';
import { ScaleSetOwner } from './scale-set-owner.ts';
import type { Scope } from './scope.ts';

type HookOutcome = 'passed' | 'failed';

/** The hook before a job: it waits for its delay, then runs. */
interface Starting {
	begun: boolean;
	done: Promise<HookOutcome>;
}

/** From SIGTERM to the end of the container. */
const stopMs = 1_000;

/** From its first poll of GitHub's broker to its end, where GitHub refuses its version. */
const refusedAfterMs = 500;

const conclusions = { Succeeded: 'success', Failed: 'failure', Canceled: 'cancelled' } as const;

export class Agent implements Taker {
	/** GitHub's id while it is registered. */
	runnerId: number | undefined;
	job: Job | undefined;
	online = false;
	hangs = false;

	readonly name: string;
	readonly log = new RunnerLog();
	/** About when its pod was created. */
	readonly #seenMs = Date.now();
	readonly #context: AgentContext;
	readonly #facts: RunnerFacts;
	readonly #owner: ScaleSetOwner | undefined;
	/** Restart count of the container that runs now. */
	#hooks: JobHooks | undefined;
	#starting: Starting | undefined;
	#finishing: Promise<void> | undefined;
	#pod: PodItem;
	#scope: Scope | undefined;
	/** 'waiting' for the container, 'started' once it runs, 'dead' once it cannot run again. */
	#process: 'waiting' | 'started' | 'dead' = 'waiting';
	#restarts = 0;
	#terminating = false;
	/** It has got a SIGTERM that it heeds, or its container has ended. */
	#stopping = false;
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
		if (facts.owner !== undefined) this.#owner = new ScaleSetOwner(context.kube, this.namespace, facts.owner);
	}

	get namespace(): string {
		return this.#pod.metadata.namespace ?? 'default';
	}

	/** What the kubelet of its node knows of its pod. */
	get kubeletPod(): KubeletPod {
		const { nodeName, containers } = this.#pod.spec;
		const { logs, namespaces } = this.#context;
		const namespace = namespaces.get(this.namespace);
		return {
			node: nodeName,
			containers: containers.map(({ name }) => name),
			waiting: (container) => {
				if (this.#synced) return this.#context.workers.waiting(this.#pod.metadata.uid, container);
				return this.#process === 'waiting' ? 'ContainerCreating' : undefined;
			},
			log: this.log,
			logState: logs.get(`${this.namespace}/${this.#pod.metadata.name}`) ?? namespace?.log ?? 'on',
		};
	}

	isFor(namespace: string, pod: string): boolean {
		return this.#pod.metadata.namespace === namespace && this.#pod.metadata.name === pod;
	}

	get registration(): Registration {
		const runner = this.runnerId === undefined ? undefined : this.#context.github.runner(this.runnerId);
		return {
			scope: this.#scope,
			group: runner?.group,
			labels: runner?.labels ?? [],
			implicit: runner ? implicitLabels(runner) : [],
		};
	}

	/** The pod as the API server shows it now. */
	observe(pod: PodItem): void {
		this.#pod = pod;
		if (this.#owner !== undefined && !pod.metadata.deletionTimestamp)
			this.#jit ??= this.#configureJit(this.#owner);
		if (pod.metadata.deletionTimestamp && !this.#terminating) {
			this.#terminating = true;
			this.#note('pod-terminating');
		}
		if (!this.#synced) this.#followStatus(pod);
	}

	/** On a node with a kubelet that syncs, that kubelet says when the container starts and is stopped. */
	get #synced(): boolean {
		return this.#context.workers.has(this.#pod);
	}

	/** Everywhere else the pod's status says when it starts, and each deletion stops it at once. */
	#followStatus(pod: PodItem): void {
		if (this.#terminating && !this.#stopping) {
			this.#stopping = true;
			this.#terminated('SIGTERM: the pod has a deletionTimestamp');
			// A pod without a finalizer is gone before its kubelet could report that the container has stopped.
			if (pod.metadata.finalizers?.length && containerState(pod).state === 'running') this.#exitAfter(stopMs);
		}
		const { state, restarts } = containerState(pod);
		if (state === 'terminated' && this.#process === 'started') this.#containerStopped();
		if (state !== 'running' || this.#stopping) return;
		if (this.#process === 'waiting' || restarts > this.#restarts) this.#start(restarts);
	}

	containerStarted(restarts: number): void {
		this.#note('container-started');
		this.#start(restarts);
	}

	/** With a job it ends as well, as the runner does it: the job is cancelled. */
	sigterm(): void {
		if (this.#process !== 'started') return;
		this.#stopping = true;
		this.#terminated('SIGTERM: the pod was deleted');
		this.#exitAfter(stopMs);
	}

	sigkill(): void {
		if (this.#process !== 'started') return;
		this.#stopping = true;
		this.#terminated('SIGKILL: the pod was deleted, and its grace period is over');
		this.#containerStopped();
	}

	#start(restarts: number): void {
		if (this.job !== undefined) this.#killJob('the container was restarted');
		clearTimeout(this.#exitTimer);
		const traced = this.#context.namespaces.get(this.namespace)?.printLogToStdout ?? this.#facts.traced;
		this.log.start(this.#process !== 'waiting', traced);
		this.#process = 'started';
		this.#restarts = restarts;
		this.#startHooks(this.#pod);
		this.#run(() => this.#register());
	}

	podGone(pod: PodItem): void {
		this.#pod = pod;
		if (!this.#synced) {
			if (!this.#stopping) this.#terminated('the pod vanished without a grace period');
			this.over();
		}
		this.#terminating = true;
		this.#note('pod-gone');
	}

	/** Neither its object nor a process of it is left. */
	over(): void {
		this.#stopping = true;
		this.#process = 'dead';
		this.log.current.end();
		this.dispose();
	}

	startJob(options: JobOptions = {}): Job {
		const { durationMs, unregistered = false } = options;
		const { github } = this.#context;
		const listens = unregistered && this.#process === 'started' && !this.#stopping;
		if (!listens && (this.runnerId === undefined || !this.online))
			throw new Error(`${this.name} is not online at GitHub`);
		if (this.job !== undefined) throw new Error(`${this.name} runs ${this.job.id} already`);
		this.job = newJob(github, this.registration, options);
		github.jobs.start(this.job.number, { id: this.runnerId ?? null, name: this.name });
		if (this.runnerId !== undefined) github.setBusy(this.runnerId, true);
		else this.#noticesRemoval();
		this.log.received(this.job.displayName);
		this.#note('job-started', { job: this.job.id });
		const { job } = this;
		const hooks = this.#hooks;
		this.#run(() => this.#tellScaleSet(job));
		if (hooks !== undefined) this.#run(() => this.#startHook(hooks, job));
		if (durationMs !== undefined) {
			this.#jobTimer = setTimeout(() => this.#run(() => this.endJob()), durationMs);
		}
		return this.job;
	}

	/**
	 * The worker is killed (out of memory, as a rule): nobody reports its end, neither a hook nor an event. The
	 * listener keeps running; its log says so, unless `log` is false.
	 */
	async killWorker({ log = true }: { log?: boolean } = {}): Promise<void> {
		const { job } = this;
		if (job === undefined) throw new Error(`${this.name} runs no job`);
		this.#note('job-ended', { job: job.id, detail: 'its worker was killed' });
		this.#jobOver('Failed', { silently: true, log });
		if (this.#facts.ephemeral) await this.#exit();
	}

	/** The job ends normally, or as failed if one of its hooks fails. */
	async endJob(): Promise<void> {
		const { job } = this;
		if (job === undefined) throw new Error(`${this.name} runs no job`);
		if (this.#hooks === undefined) return this.#workerEnds(job, 'Succeeded');
		this.#finishing ??= this.#finish(this.#hooks, job, 'Succeeded');
		return this.#finishing;
	}

	/** A job that ends before its first hook runs neither hook: it has failed in its set-up. */
	async #finish(hooks: JobHooks, job: Job, result: JobResult): Promise<void> {
		if (this.#starting?.begun) {
			if ((await this.#starting.done) === 'failed') result = 'Failed';
			if ((await this.#runHook(hooks, 'completed', job)) === 'failed') result = 'Failed';
			if (hooks.finishMs > 0) await sleep(hooks.finishMs, undefined, { ref: false });
		}
		if (this.job === job) await this.#workerEnds(job, result);
	}

	async #workerEnds(job: Job, result: JobResult): Promise<void> {
		this.#note('job-ended', { job: job.id });
		this.#jobOver(result);
		if (!this.#facts.ephemeral) return;
		const { exitDelayMs } = { ...this.#context, ...this.#context.namespaces.get(this.namespace) };
		if (exitDelayMs > 0) await sleep(exitDelayMs, undefined, { ref: false });
		await this.#exit();
	}

	/** The first hook, when actions have been downloaded. */
	async #startHook(hooks: JobHooks, job: Job): Promise<void> {
		const starting: Starting = { begun: false, done: Promise.resolve('passed') };
		this.#starting = starting;
		if (hooks.delayMs > 0) await sleep(hooks.delayMs, undefined, { ref: false });
		if (this.job !== job || this.#finishing !== undefined) return;
		starting.begun = true;
		starting.done = this.#runHook(hooks, 'started', job);
		if ((await starting.done) === 'passed' || this.job !== job) return;
		this.#finishing ??= this.#finish(hooks, job, 'Failed');
		await this.#finishing;
	}

	async #runHook(hooks: JobHooks, phase: HookPhase, job: Job): Promise<HookOutcome> {
		if (this.job !== job) return 'failed';
		const ran = await hooks.run(phase, job, this.#pod, this.name);
		if (ran === undefined) return 'passed';
		this.#note('hook-ran', { hook: { phase, job: job.id, ...ran } });
		return ran.exitCode === 0 ? 'passed' : 'failed';
	}

	/** GitHub has answered 204 to a DELETE: this runner can no longer get a job. */
	removedByGitHub(): void {
		this.#note('removed-by-github');
		this.runnerId = undefined;
		this.online = false;
		const { exitWhenRemovedMs } = { ...this.#context, ...this.#context.namespaces.get(this.namespace) };
		if (this.job !== undefined) this.#noticesRemoval();
		else if (exitWhenRemovedMs !== undefined) this.#exitAfter(exitWhenRemovedMs, () => this.log.removed());
	}

	/**
	 * At its next poll the listener gets the answer that the runner is not found, and shuts down: it cancels the job
	 * that runs (actions/runner: Runner.cs, JobDispatcher.ShutdownAsync). A poll takes up to 50 s, and may have begun
	 * at any time.
	 */
	#noticesRemoval(): void {
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
		this.#endHooks();
	}

	/** Stands for `/` of the runner's container, with the files that its kubelet has made. */
	async root(): Promise<string> {
		if (this.#hooks === undefined) throw new Error(`${this.name} has no job hooks`);
		await this.#hooks.ready;
		return this.#hooks.root;
	}

	/** The container starts, with its own files. */
	#startHooks(pod: PodItem): void {
		this.#endHooks();
		const folder = join(this.#context.folder, `${pod.metadata.uid}-${this.#restarts}`);
		const { hooks } = { ...this.#context, ...this.#context.namespaces.get(this.namespace) };
		this.#hooks = JobHooks.of(hooks, this.#context, pod, folder);
	}

	/** false: the pod, or its service account, is gone, so no kubelet would start its container. */
	async #filesMade(): Promise<boolean> {
		try {
			await this.#hooks?.ready;
			return true;
		} catch (error) {
			if (error instanceof KubeError && [404, 409].includes(error.status)) return false;
			throw error;
		}
	}

	#endHooks(): void {
		const hooks = this.#hooks;
		if (hooks !== undefined) this.#run(() => hooks.dispose());
		this.#hooks = undefined;
	}

	async #register(): Promise<void> {
		const { github, namespaces } = this.#context;
		const { registrationDelayMs, checkTokens } = { ...this.#context, ...namespaces.get(this.namespace) };
		if (this.#pod.metadata.annotations?.[noRegisterAnnotation] === 'true') return;
		const waitMs =
			typeof registrationDelayMs === 'number'
				? registrationDelayMs
				: registrationDelayMs(Date.now() - this.#seenMs);
		if (waitMs > 0) await sleep(waitMs, undefined, { ref: false });
		await this.#jit;
		if (!(await this.#filesMade())) return;
		if (this.#stopping || this.#process !== 'started' || this.#scope === undefined) return;
		if (this.#facts.kind === 'scale-set') {
			if (this.runnerId === undefined) {
				this.#registrationFailed('the JIT configuration has been used');
				return;
			}
			github.setStatus(this.runnerId, 'online');
		} else {
			const wanted = () => !this.#stopping && this.#process === 'started';
			const token = checkTokens
				? await registrationToken(this.#context.kube, this.namespace, this.#facts, wanted)
				: undefined;
			if (this.#stopping || this.#process !== 'started') return;
			if (checkTokens && (token === undefined || !github.registrationTokenWorks(token, this.#scope))) {
				this.#registrationFailed('RUNNER_TOKEN is missing, unknown or expired');
				return;
			}
			const { name, ephemeral, labels, kind, arch, group } = this.#facts;
			this.runnerId = github.addRunner({ scope: this.#scope, name, ephemeral, labels, kind, arch, group });
		}
		this.online = true;
		const { refused } = this.#facts;
		this.log.listening(refused?.version);
		this.#note('registered');
		if (refused) this.#exitAfter(refusedAfterMs, () => this.log.refused(refused.version, refused.asked));
	}

	#registrationFailed(detail: string): void {
		this.log.registrationFailed();
		this.#note('registration-failed', { detail });
	}

	/**
	 * ARC registers a scale set's runner first and writes its id into the EphemeralRunner. Where nobody has done that, it
	 * is done here.
	 */
	async #configureJit(owner: ScaleSetOwner): Promise<void> {
		try {
			const { name, kind } = this.#facts;
			const { scope, runnerId } = await owner.read();
			this.#scope = scope;
			if (runnerId !== undefined) {
				this.runnerId = this.#context.github.runner(runnerId)?.id;
				return;
			}
			const fresh = { scope: this.#scope, name, kind, ephemeral: true, status: 'offline' } as const;
			this.runnerId = this.#context.github.addRunner(fresh);
			await owner.registered(this.runnerId, name);
		} catch (error) {
			this.#noteFailure(error);
		}
	}

	/** The listener of a scale set reports the job. */
	async #tellScaleSet(job: Job): Promise<void> {
		if (this.#owner === undefined) return;
		const { jobStatusDelayMs } = { ...this.#context, ...this.#context.namespaces.get(this.namespace) };
		if (jobStatusDelayMs > 0) await sleep(jobStatusDelayMs, undefined, { ref: false });
		await this.#owner.job(job);
	}

	/** The runner's process got SIGTERM, or is gone. */
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
		this.#hooks?.kill();
		this.#starting = undefined;
		this.#finishing = undefined;
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

	/** @param before what it prints then; returns its exit code where it prints its end itself */
	#exitAfter(delayMs: number, before?: () => unknown): void {
		clearTimeout(this.#exitTimer);
		this.#exitTimer = setTimeout(() => {
			const exitCode = before?.();
			this.#run(() => this.#exit(typeof exitCode === 'number' ? exitCode : undefined));
		}, delayMs);
	}

	/** The runner's process exits by itself. */
	async #exit(exitCode?: number): Promise<void> {
		if (this.#process === 'dead') return;
		if (exitCode === undefined) this.log.exiting();
		if (!this.#synced) return endContainer(this.#context.kube, () => this.#pod, exitCode);
		this.#containerStopped();
		this.#context.workers.exited(this.#pod.metadata.uid, exitCode ?? 0);
	}

	#note(
		what: JournalEntry['what'],
		more: Pick<JournalEntry, 'job' | 'detail' | 'annotations' | 'hook'> = {},
	): void {
		const { name, namespace = '', uid } = this.#pod.metadata;
		const runner = this.runnerId === undefined ? {} : { runnerId: this.runnerId };
		this.#context.journal.add({ what, namespace, pod: name, uid, ...runner, ...more });
	}

	#run(work: () => Promise<void>): void {
		work().catch((error: unknown) => this.#noteFailure(error));
	}

	#noteFailure(error: unknown): void {
		if (error instanceof Error && error.name === 'AbortError') return; // stopped
		this.#note('failure', { detail: error instanceof Error ? error.message : String(error) });
	}
}

/** How tests control and query the simulated GitHub; simulator.ts starts one. */
import type { BusyMessage } from './answer.ts';
import type { Call, CallFilter } from './calls.ts';
import type { App } from './credentials.ts';
import type { FaultHandle, FaultRule } from './faults.ts';
import type { JobQueue, QueuedJob } from './job-queue.ts';
import type { NewWorkflowJob, WorkflowJob } from './jobs.ts';
import type { LieRule } from './lies.ts';
import type { NewRunner, RemovalCause, Runner } from './registry.ts';
import type { NewRunnerGroup, RunnerGroup } from './runner-groups.ts';
import type { Scope } from './scope.ts';
import type { Webhook, WebhookOptions } from './webhooks.ts';

export interface GitHubOptions {
	/** Loopback port; 0 (the default) takes a free one. */
	port?: number;
	/** '' as on GitHub.com (the default), '/api/v3' as on GitHub Enterprise Server. */
	basePath?: string;
	/** Valid personal tokens; default `['test-token']`. */
	tokens?: string[];
	/** Repositories, organizations, enterprises that exist, besides those of added runners; any other is a 404. */
	scopes?: Scope[];
	/** false: no limits and no x-ratelimit headers, as GitHub Enterprise Server is installed. Default true. */
	rateLimits?: boolean;
	/** Default 5000 an hour, 900 points a minute, 100 requests at a time: GitHub.com's for a personal token. */
	primaryLimit?: number;
	secondaryPointsPerMinute?: number;
	secondaryConcurrent?: number;
	/** The delay after which list and get show a change of `busy`; default 0. DELETE uses the true state. */
	hintDelayMs?: number;
	/** Default 1 h, as on GitHub. */
	installationTokenTtlMs?: number;
	registrationTokenTtlMs?: number;
	/** GitHub's message for a DELETE of a busy runner has changed over time; default 'current'. */
	busyMessage?: BusyMessage;
	/** Serves `/_sim/...` too (see admin.ts); default false. */
	admin?: boolean;
	/** Unix ms; default Date.now. */
	now?: () => number;
}

export interface JournalEntry {
	atMs: number;
	what: 'added' | 'removed' | 'busy' | 'idle' | 'online' | 'offline';
	runnerId: number;
	name: string;
	/** Only with 'removed'. */
	cause?: RemovalCause;
}

export interface GitHub {
	/** The base address for clients, including the base path. */
	readonly url: string;
	readonly port: number;
	readonly calls: readonly Call[];
	readonly journal: readonly JournalEntry[];
	addScope(scope: Scope): void;
	addRunnerGroup(scope: Scope, group: NewRunnerGroup): RunnerGroup;
	/** From now on list and get show a change of `busy` with this delay, only for this scope (see `hintDelayMs`). */
	delayHints(scope: Scope, delayMs: number): void;
	/** In the order of registration. */
	runners(scope?: Scope): Runner[];
	runner(id: number): Runner | undefined;
	find(scope: Scope, name: string): Runner | undefined;
	/** Registers a runner and returns its id; one of the same name is replaced and its id kept. */
	addRunner(runner: NewRunner): number;
	setBusy(id: number, busy: boolean): void;
	setStatus(id: number, status: Runner['status']): void;
	/** As if a person had removed it on the web page, or GitHub had removed an ephemeral one after its job. */
	removeRunner(id: number, cause?: RemovalCause): boolean;
	onRemoved(listener: (runner: Runner, cause: RemovalCause) => void): () => void;
	/** Workflow jobs; each change is an event for the webhooks. The simulated runners update them by themselves. */
	readonly jobs: {
		/** A job that no runner takes by itself: `start` says which runner has it. */
		add(job: NewWorkflowJob): WorkflowJob;
		/** A job for the next simulated runner that is idle and matches; see job-queue.ts. */
		queue(job: QueuedJob): WorkflowJob;
		/** A job in `waiting` or `pending` is queued from now on. */
		release(id: number): void;
		/** A job that no runner has is cancelled. `silently`: without an event. */
		cancel(id: number, silently?: boolean): void;
		list(): WorkflowJob[];
		start(id: number, runner: { id: number | null; name: string }): void;
		/** `silently`: without an event. */
		complete(id: number, conclusion: WorkflowJob['conclusion'], silently?: boolean): void;
		get(id: number): WorkflowJob | undefined;
	};
	readonly jobQueue: JobQueue;
	/** From now on the events of jobs are posted there, until the hook is stopped. */
	addWebhook(hook: WebhookOptions): Webhook;
	/** Whether a registration token that this simulator gave out works for a scope now. */
	registrationTokenWorks(token: string, scope: Scope): boolean;
	/** Every token that it knows or has issued, for tests that search for them where none may be. */
	secrets(): string[];
	count(filter?: CallFilter): number;
	callsTable(filter?: CallFilter): string;
	resetCalls(): void;
	/**
	 * With `scopes` a token is valid only for these: GitHub refuses other organizations (403) and hides the rest (404).
	 */
	readonly tokens: { add(token: string, scopes?: readonly Scope[]): void; revoke(token: string): void };
	/** A GitHub App with one installation; its private key is new. */
	addApp(app?: { appId?: number; installationId?: number; scopes?: readonly Scope[] }): App;
	removeApp(appId: number): void;
	/** The installation's tokens stop working; new ones can be created. */
	revokeInstallationTokens(installationId: number): void;
	fault(rule: FaultRule): FaultHandle;
	/** From now on GitHub is wrong about these runners: see lies.ts. */
	lie(rule: LieRule): FaultHandle;
	/** Of faults and of lies. */
	clearFaults(): void;
	/** Of every caller; `resetAtMs` is Unix ms. */
	setRateLimit(state: { limit?: number; remaining?: number; resetAtMs?: number }): void;
	/** Full quotas, primary and secondary. */
	resetLimits(): void;
	stop(): Promise<void>;
}

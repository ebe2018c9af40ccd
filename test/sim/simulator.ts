/**
 * A GitHub for tests and the demo: the REST calls that this project makes, over HTTP on a loopback port, answered as
 * GitHub documents them, with a handle to act as the runners and to inject faults.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serveAdmin } from './admin.ts';
import { type Call, callsTable, countCalls } from './calls.ts';
import { Credentials } from './credentials.ts';
import { exchange, type Parts } from './exchange.ts';
import { Faults } from './faults.ts';
import type { GitHub, GitHubOptions, JournalEntry } from './github.ts';
import { JobQueue } from './job-queue.ts';
import { JobService } from './job-service.ts';
import { Jobs } from './jobs.ts';
import { Lies } from './lies.ts';
import { Limits } from './limits.ts';
import { Registry, type RemovalCause, type Runner } from './registry.ts';
import { RunService } from './run-service.ts';
import type { Scope } from './scope.ts';
import { Service } from './service.ts';
import { Hook } from './webhooks.ts';

export type { Call } from './calls.ts';
export type { App } from './credentials.ts';
export type { Fault, FaultHandle } from './faults.ts';
export type { GitHub, GitHubOptions } from './github.ts';
export type { QueuedJob } from './job-queue.ts';
export type { NewWorkflowJob, WorkflowJob } from './jobs.ts';
export type { LieRule } from './lies.ts';
export type { Scope } from './scope.ts';
export type { Webhook } from './webhooks.ts';

const defaultScopes: Scope[] = ['repos/octo-org/app', 'orgs/octo-org', 'enterprises/octo'];

export async function startGitHub(options: GitHubOptions = {}): Promise<GitHub> {
	const now = options.now ?? Date.now;
	const basePath = options.basePath ?? '';
	const rateLimits = options.rateLimits ?? true;
	const registry = new Registry(options.hintDelayMs ?? 0);
	for (const scope of options.scopes ?? defaultScopes) registry.addScope(scope);
	const credentials = new Credentials(options.installationTokenTtlMs ?? 3_600_000);
	for (const token of options.tokens ?? ['test-token']) credentials.add(token);
	const limits = new Limits({
		limit: options.primaryLimit ?? 5000,
		pointsPerMinute: options.secondaryPointsPerMinute ?? 900,
		concurrent: options.secondaryConcurrent ?? 100,
	});
	const faults = new Faults();
	const lies = new Lies();
	const journal: JournalEntry[] = [];
	const note = (what: JournalEntry['what'], runner: Runner, cause?: RemovalCause) =>
		journal.push({
			atMs: now(),
			what,
			runnerId: runner.id,
			name: runner.name,
			...(cause === undefined ? {} : { cause }),
		});
	registry.onRemoved((runner, cause) => note('removed', runner, cause));

	let origin = '';
	const baseUrl = () => origin + basePath;
	const jobs = new Jobs();
	const jobQueue = new JobQueue(jobs, registry.groups, now);
	const hooks: Hook[] = [];
	jobs.onChange((job, action) => {
		for (const hook of hooks) hook.tell(job, action);
	});
	const jobService = new JobService(jobs, hooks, baseUrl);
	const runService = new RunService(jobs, registry, registry.groups, baseUrl);
	const service = new Service(registry, limits, credentials, lies, jobService, runService, {
		busyMessage: options.busyMessage ?? 'current',
		rateLimits,
		registrationTokenTtlMs: options.registrationTokenTtlMs ?? 3_600_000,
		baseUrl,
	});
	const calls: Call[] = [];
	const parts: Parts = {
		registry,
		credentials,
		limits,
		faults,
		service,
		calls,
		basePath,
		rateLimits,
		baseUrl,
		now,
	};
	const server = createServer((request, response) => {
		const handled =
			options.admin && request.url?.startsWith('/_sim/')
				? serveAdmin(github, request, response)
				: exchange(parts, request, response);
		handled.catch((error: unknown) => {
			// A mistake of the simulator must not look like one of GitHub's outages.
			console.error('GitHub simulator:', error);
			request.socket.destroy();
		});
	});
	server.keepAliveTimeout = 60_000;
	await new Promise<void>((listening, failed) => {
		server.once('error', failed);
		server.listen(options.port ?? 0, '127.0.0.1', listening);
	});
	const { port } = server.address() as AddressInfo;
	origin = `http://127.0.0.1:${port}`;

	const runnerOf = (id: number): Runner => {
		const runner = registry.get(id);
		if (runner === undefined) throw new Error(`GitHub has no runner ${id}`);
		return runner;
	};
	const github: GitHub = {
		url: baseUrl(),
		port,
		calls,
		journal,
		addScope: (scope) => registry.addScope(scope),
		addRunnerGroup: (scope, group) => registry.groups.add(scope, group),
		delayHints: (scope, delayMs) => registry.delayHints(scope, delayMs),
		runners: (scope) => registry.list(scope),
		runner: (id) => registry.get(id),
		find: (scope, name) => registry.find(scope, name),
		addRunner(fresh) {
			const runner = registry.add(fresh);
			note('added', runner);
			return runner.id;
		},
		setBusy(id, busy) {
			registry.setBusy(id, busy, now());
			note(busy ? 'busy' : 'idle', runnerOf(id));
		},
		setStatus(id, status) {
			registry.setStatus(id, status);
			note(status, runnerOf(id));
		},
		removeRunner: (id, cause = 'control') => registry.remove(id, cause),
		onRemoved: (listener) => registry.onRemoved(listener),
		jobs: {
			add(job) {
				registry.addScope(`repos/${job.repository as `${string}/${string}`}`);
				return jobs.add(job, now());
			},
			queue(job) {
				const added = jobQueue.add(job);
				registry.addScope(`repos/${added.repository as `${string}/${string}`}`);
				return added;
			},
			release: (id) => jobs.release(id),
			cancel: (id, silently) => jobs.cancel(id, now(), silently),
			list: () => jobs.list(),
			start: (id, runner) => jobs.start(id, runner, now()),
			complete: (id, conclusion, silently) => jobs.complete(id, conclusion, now(), silently),
			get: (id) => jobs.get(id),
		},
		jobQueue,
		addWebhook(hook) {
			registry.addScope(hook.scope);
			const added = new Hook(480_000_001 + hooks.length, hook, baseUrl);
			hooks.push(added);
			return added;
		},
		registrationTokenWorks: (token, scope) => service.registrationTokenWorks(token, scope, now()),
		secrets: () => [...credentials.given, ...service.givenTokens()],
		count: (filter) => countCalls(calls, filter),
		callsTable: (filter) => callsTable(calls, filter),
		resetCalls: () => {
			calls.length = 0;
		},
		tokens: {
			add: (token, scopes) => credentials.add(token, scopes),
			revoke: (token) => credentials.revoke(token),
		},
		addApp: ({ appId = 4711, installationId = 990_001, scopes } = {}) =>
			credentials.addApp(appId, installationId, scopes),
		removeApp: (appId) => credentials.removeApp(appId),
		revokeInstallationTokens: (installationId) => credentials.revokeInstallationTokens(installationId),
		fault: (rule) => faults.add(rule),
		lie: (rule) => lies.add(rule),
		clearFaults() {
			faults.clear();
			lies.clear();
		},
		setRateLimit: (state) => limits.set(state),
		resetLimits: () => limits.reset(),
		stop: () =>
			new Promise<void>((stopped) => {
				for (const hook of hooks) hook.stop();
				server.close(() => stopped());
				server.closeAllConnections();
			}),
	};
	return github;
}

/**
 * A GitHub for tests and the demo: the REST calls that this project makes, over HTTP on a loopback port, answered as
 * GitHub documents them, with a handle to play the runners' side and to make things go wrong.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serveAdmin } from './admin.ts';
import type { BusyWording } from './answer.ts';
import { type Call, type CallFilter, callsTable, countCalls } from './calls.ts';
import { type App, Credentials } from './credentials.ts';
import { exchange, type Parts } from './exchange.ts';
import { type FaultHandle, type FaultRule, Faults } from './faults.ts';
import { Limits } from './limits.ts';
import { type NewRunner, Registry, type RemovalCause, type Runner } from './registry.ts';
import type { Scope } from './scope.ts';
import { Service } from './service.ts';

export type { Call, CallFilter } from './calls.ts';
export type { App } from './credentials.ts';
export type { Fault, FaultHandle, FaultRule } from './faults.ts';
export type { NewRunner, Runner } from './registry.ts';
export type { Scope } from './scope.ts';

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
	/** How much later than the truth list and get show a change of `busy`; default 0. DELETE goes by the truth. */
	hintDelayMs?: number;
	/** Default 1 h, as on GitHub. */
	installationTokenTtlMs?: number;
	registrationTokenTtlMs?: number;
	/** GitHub's words to DELETE of a busy runner have changed over time; default 'current'. */
	busyWording?: BusyWording;
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
	/** What clients take as their base address, base path included. */
	readonly url: string;
	readonly port: number;
	readonly calls: readonly Call[];
	readonly journal: readonly JournalEntry[];
	addScope(scope: Scope): void;
	/** In the order of registration. */
	runners(scope?: Scope): Runner[];
	runner(id: number): Runner | undefined;
	find(scope: Scope, name: string): Runner | undefined;
	/** Registers a runner and returns its id; one of the same name is replaced and its id kept. */
	addRunner(runner: NewRunner): number;
	setBusy(id: number, busy: boolean): void;
	setStatus(id: number, status: Runner['status']): void;
	/** As if a person had removed it on the web page, or GitHub itself an ephemeral one after its job. */
	removeRunner(id: number, cause?: RemovalCause): boolean;
	onRemoved(listener: (runner: Runner, cause: RemovalCause) => void): () => void;
	/** Whether a registration token that this simulator gave out works for a scope now. */
	registrationTokenWorks(token: string, scope: Scope): boolean;
	/** Every token that it knows or has given out, for tests that look for them where none may be. */
	secrets(): string[];
	count(filter?: CallFilter): number;
	callsTable(filter?: CallFilter): string;
	resetCalls(): void;
	/** With `scopes` a token is good for these only: GitHub refuses other organizations (403) and hides the rest (404). */
	readonly tokens: { add(token: string, scopes?: readonly Scope[]): void; revoke(token: string): void };
	/** A GitHub App with one installation; its private key is new. */
	addApp(app?: { appId?: number; installationId?: number; scopes?: readonly Scope[] }): App;
	removeApp(appId: number): void;
	/** The installation's tokens stop working; new ones can be made. */
	revokeInstallationTokens(installationId: number): void;
	fault(rule: FaultRule): FaultHandle;
	clearFaults(): void;
	/** Of every caller; `resetAtMs` is Unix ms. */
	setRateLimit(state: { limit?: number; remaining?: number; resetAtMs?: number }): void;
	/** Full quotas, primary and secondary. */
	resetLimits(): void;
	stop(): Promise<void>;
}

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
	const service = new Service(registry, limits, credentials, {
		busyWording: options.busyWording ?? 'current',
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
		runners: (scope) => registry.list(scope),
		runner: (id) => registry.get(id),
		find: (scope, name) => registry.find(scope, name),
		addRunner(fresh) {
			const runner = registry.add(fresh);
			note('added', runner);
			return runner.id;
		},
		setBusy(id, busy) {
			registry.setBusy(id, busy);
			note(busy ? 'busy' : 'idle', runnerOf(id));
		},
		setStatus(id, status) {
			registry.setStatus(id, status);
			note(status, runnerOf(id));
		},
		removeRunner: (id, cause = 'control') => registry.remove(id, cause),
		onRemoved: (listener) => registry.onRemoved(listener),
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
		clearFaults: () => faults.clear(),
		setRateLimit: (state) => limits.set(state),
		resetLimits: () => limits.reset(),
		stop: () =>
			new Promise<void>((stopped) => {
				server.close(() => stopped());
				server.closeAllConnections();
			}),
	};
	return github;
}

import { type Controller, controllers as knownControllers } from './api/controllers.ts';
import { durationMs } from './api/duration.ts';
import { type JobHooksMode, jobHooksModes } from './api/job-hooks.ts';
import { type Lifetimes, longestLifetimeMs, shortestLifetimeMs } from './certificates/policy.ts';
import { UsageError } from './cli/argv.ts';
import {
	defaultJobsUrl,
	endedRunnerLogs,
	type FlagName,
	type FlagValues,
	flagOf,
	flags,
	logFormats,
	logLevels,
	variableOf,
} from './command-line.ts';
import { hostOf } from './runner/scope.ts';
import { githubUrlOf } from './sets/pod/defaults.ts';
import type { LogFormat } from './telemetry/log.ts';

export interface Settings {
	kubeconfig: string | undefined;
	port: number;
	healthPort: number;
	/** Port of the receiver of GitHub's events; 0: there is none. */
	eventsPort: number;
	/** Port for the job hooks in runner pods; 0: there is none. */
	jobsPort: number;
	/** Where the hooks reach it, without a slash at its end. */
	jobsUrl: string;
	/** Which runner pods get hooks. */
	jobHooks: JobHooksMode;
	/** Whether the last log lines of runners that ended are kept with the reason. */
	endedRunnerLogs: (typeof endedRunnerLogs)[number];
	tls: { certFile: string; keyFile: string } | undefined;
	/** Lifetimes of the certificates that the server issues itself. */
	lifetimes: Lifetimes;
	/** If set, callers of the admission port need a certificate signed by this CA. */
	clientCaFile: string | undefined;
	githubApiUrl: string;
	/** The web address at which runners of that GitHub register, with a slash at its end. Other runners are not asked about. */
	githubUrl: string;
	/** The controllers that the leader runs. */
	controllers: readonly Controller[];
	/** Images for containers whose template names none. */
	runnerImage: string;
	dockerImage: string;
	namespace: string;
	/** Name of the Secret there with the server's own GitHub credentials. */
	githubSecret: string;
	logLevel: string;
	logFormat: LogFormat;
	/** How long /readyz answers 503 before the port closes, so that no new review is sent to it. */
	shutdownDelayMs: number;
}

/**
 * The settings: a flag takes precedence over its environment variable, and that over the default.
 * @throws UsageError that names the flag or variable whose value cannot be used
 */
export function readSettings(values: FlagValues, env: NodeJS.ProcessEnv): Settings {
	const given = new Given(values, env);
	const namespace = given.text('namespace');
	return {
		// KUBECONFIG may be a list of files, which only the default loading understands.
		kubeconfig: values.kubeconfig || undefined,
		namespace,
		port: given.port('port'),
		healthPort: given.port('healthPort'),
		eventsPort: given.port('eventsPort'),
		jobsPort: given.port('jobsPort'),
		jobsUrl: jobsUrlOf(given, namespace),
		jobHooks: given.oneOf('jobHooks', jobHooksModes),
		endedRunnerLogs: given.oneOf('endedRunnerLogs', endedRunnerLogs),
		tls: certificateFilesOf(given),
		lifetimes: lifetimesOf(given),
		clientCaFile: given.optional('clientCaFile'),
		...githubOf(given),
		githubSecret: given.text('githubSecret'),
		controllers: controllersOf(given),
		runnerImage: given.text('runnerImage'),
		dockerImage: given.text('dockerImage'),
		logLevel: given.oneOf('logLevel', logLevels),
		logFormat: given.oneOf('logFormat', logFormats),
		shutdownDelayMs: given.wholeNumber('shutdownDelaySeconds', 300) * 1000,
	};
}

/** The flags that have a default. */
type WithFallback = {
	[Name in FlagName]: (typeof flags)[Name] extends { fallback: string } ? Name : never;
}[FlagName];

/** What was given in flags and variables. An empty value is as good as none: templates leave such. */
class Given {
	readonly #values: FlagValues;
	readonly #env: NodeJS.ProcessEnv;

	constructor(values: FlagValues, env: NodeJS.ProcessEnv) {
		this.#values = values;
		this.#env = env;
	}

	optional(name: FlagName): string | undefined {
		return this.#values[name] || this.#env[variableOf(name)] || undefined;
	}

	text(name: WithFallback): string {
		return this.optional(name) ?? flags[name].fallback;
	}

	/** Refuses a value, by the name under which it was given. */
	refuse(name: FlagName, why: string): never {
		const isVariable = !this.#values[name] && this.#env[variableOf(name)];
		throw new UsageError(`${isVariable ? variableOf(name) : flagOf(name)}: ${why}`);
	}

	wholeNumber(name: WithFallback, most: number): number {
		const text = this.text(name);
		const value = Number(text);
		if (Number.isInteger(value) && value >= 0 && value <= most) return value;
		return this.refuse(name, `${text} is not a whole number from 0 to ${most}`);
	}

	port(name: WithFallback): number {
		return this.wholeNumber(name, 65_535);
	}

	oneOf<T extends string>(name: WithFallback, choices: readonly T[]): T {
		const text = this.text(name);
		const choice = choices.find((known) => known === text);
		return choice ?? this.refuse(name, `${text} is not one of ${choices.join(', ')}`);
	}

	lifetime(name: WithFallback): number {
		const text = this.text(name);
		const ms = durationMs(text);
		if (ms === undefined) return this.refuse(name, `${text} is not a duration like 90d, 24h or 30m`);
		if (ms < shortestLifetimeMs)
			return this.refuse(name, `${text} is shorter than ${shortestLifetimeMs / 1000}s`);
		if (ms > longestLifetimeMs)
			return this.refuse(name, `${text} is longer than ${longestLifetimeMs / 86_400_000}d`);
		return ms;
	}
}

function controllersOf(given: Given): readonly Controller[] {
	const chosen = given
		.text('controllers')
		.split(',')
		.flatMap((name): readonly Controller[] => {
			if (name === '*') return knownControllers;
			const known = knownControllers.find((controller) => controller === name);
			return known
				? [known]
				: given.refuse('controllers', `${name} is not one of ${knownControllers.join(', ')}, *`);
		});
	return [...new Set(chosen)];
}

function githubOf(given: Given): Pick<Settings, 'githubApiUrl' | 'githubUrl'> {
	const githubApiUrl = given.text('githubApiUrl');
	if (!URL.canParse(githubApiUrl) || !/^https?:/.test(githubApiUrl))
		given.refuse('githubApiUrl', `${githubApiUrl} is not an http or https URL`);
	const githubUrl = given.optional('githubUrl') ?? githubUrlOf(githubApiUrl);
	if (hostOf(githubUrl) === undefined) given.refuse('githubUrl', `${githubUrl} is not an http or https URL`);
	return { githubApiUrl, githubUrl: githubUrl.replace(/\/*$/, '/') };
}

function certificateFilesOf(given: Given): Settings['tls'] {
	const certFile = given.optional('tlsCertFile');
	const keyFile = given.optional('tlsPrivateKeyFile');
	if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile };
	if (certFile === keyFile) return undefined;
	throw new UsageError(`${flagOf('tlsCertFile')} and ${flagOf('tlsPrivateKeyFile')} must be given together`);
}

function lifetimesOf(given: Given): Lifetimes {
	const servingMs = given.lifetime('certValidity');
	const authorityMs = given.lifetime('caValidity');
	if (authorityMs < servingMs)
		throw new UsageError(
			`${flagOf('caValidity')} is shorter than ${flagOf('certValidity')}: a certificate cannot outlive its CA`,
		);
	return { servingMs, authorityMs };
}

function jobsUrlOf(given: Given, namespace: string): string {
	const url = (given.optional('jobsUrl') ?? defaultJobsUrl(namespace)).replace(/\/*$/, '');
	if (URL.canParse(url) && /^https:\/\/[^?#@]+$/.test(url)) return url;
	return given.refuse('jobsUrl', `${url} is not an https URL`);
}

import { cli } from 'cleye';
import { type Controller, controllers as knownControllers } from './api/controllers.ts';
import { durationMs } from './api/duration.ts';
import { type JobHooksMode, jobHooksModes } from './api/job-hooks.ts';
import { names } from './api/keys.ts';
import {
	defaultLifetimes,
	type Lifetimes,
	longestLifetimeMs,
	shortestLifetimeMs,
} from './certificates/policy.ts';
import { hostOf } from './runner/scope.ts';
import { defaultImages, githubUrlOf } from './sets/pod/defaults.ts';
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

/** A flag or variable has a value that can't be used. The message names it and is printed as one line. */
export class BadSetting extends Error {}

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

const flags = {
	kubeconfig: {
		type: String,
		description: 'Kubeconfig file (KUBECONFIG; default: the service account of the pod, else ~/.kube/config)',
		placeholder: 'FILE',
	},
	port: { type: String, description: 'Port of the admission endpoints, HTTPS (PORT; default 9443)' },
	healthPort: {
		type: String,
		description: 'Port of /healthz, /readyz, /metrics, HTTP (HEALTH_PORT; default 8081)',
	},
	eventsPort: {
		type: String,
		description:
			"Port for GitHub's workflow_job events, HTTP, open where a webhook secret is given; 0 is none (EVENTS_PORT; default 8000)",
	},
	jobsPort: {
		type: String,
		description:
			'Port for the job hooks in runner pods, HTTPS with the same certificate; 0 is none (JOBS_PORT; default 9444)',
	},
	jobsUrl: {
		type: String,
		description: `Where job hooks reach that port (JOBS_URL; default https://${names.server}.NAMESPACE.svc:9444)`,
		placeholder: 'URL',
	},
	jobHooks: {
		type: String,
		description: `Runner pods that get job hooks: ${jobHooksModes.join(', ')} (JOB_HOOKS; default sets, those of RunnerSets and RunnerDeployments)`,
	},
	tlsCertFile: {
		type: String,
		description:
			'Serving certificate, re-read when it changes (TLS_CERT_FILE; default: one issued by a CA that the server keeps in a Secret)',
		placeholder: 'FILE',
	},
	tlsPrivateKeyFile: {
		type: String,
		description: 'Private key of that certificate (TLS_PRIVATE_KEY_FILE)',
		placeholder: 'FILE',
	},
	certValidity: {
		type: String,
		description:
			"Validity of serving certificates issued by the server's own CA: 90d, 24h (CERT_VALIDITY; default 90d)",
		placeholder: 'DURATION',
	},
	caValidity: {
		type: String,
		description: "Validity of the server's own CA (CA_VALIDITY; default 1825d)",
		placeholder: 'DURATION',
	},
	clientCaFile: {
		type: String,
		description:
			"CA of the API server's client certificate: connections to the admission port without a certificate signed by it are refused (CLIENT_CA_FILE; default: no client certificate is required)",
		placeholder: 'FILE',
	},
	githubApiUrl: {
		type: String,
		description:
			"Base URL of GitHub's REST API; for GitHub Enterprise Server https://HOST/api/v3 (GITHUB_API_URL; default https://api.github.com)",
		placeholder: 'URL',
	},
	githubUrl: {
		type: String,
		description:
			'Web address of that GitHub, where runners register (GITHUB_URL; default: as the API URL tells it)',
		placeholder: 'URL',
	},
	controllers: {
		type: String,
		description: `Controllers that the leader runs, comma separated: ${knownControllers.join(', ')} or * (CONTROLLERS; default *)`,
	},
	runnerImage: {
		type: String,
		description: `Image for runners whose template names none (RUNNER_IMAGE; default ${defaultImages.runnerImage})`,
	},
	dockerImage: {
		type: String,
		description: `Image for docker sidecars whose template names none (DOCKER_IMAGE; default ${defaultImages.dockerImage})`,
	},
	namespace: {
		type: String,
		description: `Namespace of the server's own Secrets, Lease and Service (NAMESPACE; default ${names.namespace})`,
	},
	githubSecret: {
		type: String,
		description: `Secret with the GitHub credentials, in that namespace (GITHUB_SECRET; default ${names.credentialsSecret})`,
	},
	logLevel: { type: String, description: `Log level: ${levels.join(', ')} (LOG_LEVEL; default info)` },
	logFormat: { type: String, description: 'Log format: json or text (LOG_FORMAT; default json)' },
	shutdownDelaySeconds: {
		type: String,
		description:
			'Seconds between SIGTERM and the closing of the admission port (SHUTDOWN_DELAY_SECONDS; default 3)',
	},
} as const;

/** The settings: a flag wins over its environment variable, which wins over the default. @throws BadSetting that names the flag */
export function readSettings(argv: string[], env: NodeJS.ProcessEnv, version: string): Settings {
	const parsed = cli(
		{
			name: 'runners-admission',
			version,
			flags,
			strictFlags: true,
			help: {
				description:
					'Admission webhook and controllers that keep runner pods alive while they run a job.\n' +
					'GitHub credentials: GITHUB_TOKEN, or GITHUB_APP_ID, GITHUB_APP_INSTALLATION_ID and GITHUB_APP_PRIVATE_KEY ' +
					`(or GITHUB_APP_PRIVATE_KEY_FILE), or the Secret ${names.credentialsSecret} (--github-secret).\n` +
					"Secret of GitHub's webhook: GITHUB_WEBHOOK_SECRET_TOKEN, or the key github_webhook_secret_token of that Secret.",
			},
		},
		undefined,
		argv,
	);
	if (parsed._.length > 0) throw new BadSetting(`unexpected argument ${parsed._[0]}`);
	const setting = (name: keyof typeof flags): string | undefined => {
		const variable = name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
		return parsed.flags[name] || env[variable] || undefined;
	};
	const number = (name: keyof typeof flags, fallback: number, most: number): number => {
		const value = Number(setting(name) ?? fallback);
		if (!Number.isInteger(value) || value < 0 || value > most)
			throw new BadSetting(`${flagOf(name)}: ${setting(name)} is not a whole number from 0 to ${most}`);
		return value;
	};
	const choice = <T extends string>(name: keyof typeof flags, fallback: T, choices: readonly T[]): T => {
		const value = setting(name) ?? fallback;
		if (!choices.includes(value as T))
			throw new BadSetting(`${flagOf(name)}: ${value} is not one of ${choices.join(', ')}`);
		return value as T;
	};

	const lifetime = (name: keyof typeof flags, fallbackMs: number): number => {
		const text = setting(name);
		const ms = text === undefined ? fallbackMs : durationMs(text);
		if (ms === undefined)
			throw new BadSetting(`${flagOf(name)}: ${text} is not a duration like 90d, 24h or 30m`);
		if (ms < shortestLifetimeMs)
			throw new BadSetting(`${flagOf(name)}: ${text} is shorter than ${shortestLifetimeMs / 1000}s`);
		if (ms > longestLifetimeMs)
			throw new BadSetting(`${flagOf(name)}: ${text} is longer than ${longestLifetimeMs / 86_400_000}d`);
		return ms;
	};

	const controllers = (setting('controllers') ?? '*').split(',').flatMap((name): readonly Controller[] => {
		if (name === '*') return knownControllers;
		const known = knownControllers.find((controller) => controller === name);
		if (!known)
			throw new BadSetting(`--controllers: ${name} is not one of ${knownControllers.join(', ')}, *`);
		return [known];
	});
	const githubApiUrl = setting('githubApiUrl') ?? 'https://api.github.com';
	if (!URL.canParse(githubApiUrl) || !/^https?:/.test(githubApiUrl))
		throw new BadSetting(`--github-api-url: ${githubApiUrl} is not an http or https URL`);
	const githubUrl = setting('githubUrl') ?? githubUrlOf(githubApiUrl);
	if (hostOf(githubUrl) === undefined)
		throw new BadSetting(`--github-url: ${githubUrl} is not an http or https URL`);
	const certFile = setting('tlsCertFile');
	const keyFile = setting('tlsPrivateKeyFile');
	if ((certFile === undefined) !== (keyFile === undefined))
		throw new BadSetting('--tls-cert-file and --tls-private-key-file must be given together');
	const servingMs = lifetime('certValidity', defaultLifetimes.servingMs);
	const authorityMs = lifetime('caValidity', defaultLifetimes.authorityMs);
	if (authorityMs < servingMs)
		throw new BadSetting(
			'--ca-validity is shorter than --cert-validity: a certificate can not outlive its CA',
		);

	const namespace = setting('namespace') ?? names.namespace;
	const jobsUrl = (setting('jobsUrl') ?? `https://${names.server}.${namespace}.svc:9444`).replace(/\/*$/, '');
	if (!URL.canParse(jobsUrl) || !/^https:\/\/[^?#@]+$/.test(jobsUrl))
		throw new BadSetting(`--jobs-url: ${jobsUrl} is not an https URL`);

	return {
		// KUBECONFIG may be a list of files, which only the default loading understands.
		kubeconfig: parsed.flags.kubeconfig || undefined,
		port: number('port', 9443, 65_535),
		healthPort: number('healthPort', 8081, 65_535),
		eventsPort: number('eventsPort', 8000, 65_535),
		jobsPort: number('jobsPort', 9444, 65_535),
		jobsUrl,
		jobHooks: choice('jobHooks', 'sets', jobHooksModes),
		tls: certFile && keyFile ? { certFile, keyFile } : undefined,
		lifetimes: { servingMs, authorityMs },
		clientCaFile: setting('clientCaFile'),
		githubApiUrl,
		githubUrl: githubUrl.replace(/\/*$/, '/'),
		controllers: [...new Set(controllers)],
		runnerImage: setting('runnerImage') ?? defaultImages.runnerImage,
		dockerImage: setting('dockerImage') ?? defaultImages.dockerImage,
		namespace,
		githubSecret: setting('githubSecret') ?? names.credentialsSecret,
		logLevel: choice('logLevel', 'info', levels),
		logFormat: choice('logFormat', 'json', ['json', 'text']),
		shutdownDelayMs: number('shutdownDelaySeconds', 3, 300) * 1000,
	};
}

const flagOf = (name: string) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

import { controllers } from './api/controllers.ts';
import { jobHooksModes } from './api/job-hooks.ts';
import { names } from './api/keys.ts';
import { defaultLifetimes } from './certificates/policy.ts';
import { UsageError } from './cli/argv.ts';
import { flagLines, leftWidth, section } from './cli/help-text.ts';
import { kebab } from './cli/kebab.ts';
import { nearest } from './cli/nearest.ts';
import { parseArgv } from './cli/parse-argv.ts';
import { defaultImages } from './sets/pod/defaults.ts';

/** A flag of the server. Each has an environment variable of the same name: `--health-port`, HEALTH_PORT. */
interface ServerFlag {
	/** Its title in `--help`. */
	group: 'Cluster' | 'Serving' | 'GitHub' | 'Job hooks and events' | 'Controllers' | 'Operation';
	/** The value is text; readSettings (flags.ts) checks it. */
	type: StringConstructor;
	placeholder: string;
	description: string;
	/** The value where neither the flag nor its variable is given. */
	fallback?: string;
	/** What the server then does, where that is no value. */
	otherwise?: string;
}

export const program = 'runners-admission';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export const logFormats = ['json', 'text'] as const;
export const endedRunnerLogs = ['off', 'on'] as const;

const dayMs = 86_400_000;

/** Where job hooks reach the server's Service. */
export const defaultJobsUrl = (namespace: string): string => `https://${names.server}.${namespace}.svc:9444`;

/** In the order of `--help`. */
export const flags = {
	kubeconfig: {
		group: 'Cluster',
		type: String,
		placeholder: 'FILE',
		description: 'Kubeconfig file',
		otherwise: "the pod's service account, else ~/.kube/config",
	},
	namespace: {
		group: 'Cluster',
		type: String,
		placeholder: 'NAMESPACE',
		description: "Namespace of the server's own Secrets, Lease and Service",
		fallback: names.namespace,
	},
	port: {
		group: 'Serving',
		type: String,
		placeholder: 'PORT',
		description: 'HTTPS port of the admission endpoints',
		fallback: '9443',
	},
	healthPort: {
		group: 'Serving',
		type: String,
		placeholder: 'PORT',
		description: 'HTTP port of /healthz, /readyz and /metrics',
		fallback: '8081',
	},
	tlsCertFile: {
		group: 'Serving',
		type: String,
		placeholder: 'FILE',
		description: 'Serving certificate; read again when it changes',
		otherwise: 'issued by a CA that the server keeps in a Secret',
	},
	tlsPrivateKeyFile: {
		group: 'Serving',
		type: String,
		placeholder: 'FILE',
		description: 'Private key of that certificate',
	},
	certValidity: {
		group: 'Serving',
		type: String,
		placeholder: 'DURATION',
		description: 'Validity of the certificates that the server issues, such as 90d or 24h',
		fallback: `${defaultLifetimes.servingMs / dayMs}d`,
	},
	caValidity: {
		group: 'Serving',
		type: String,
		placeholder: 'DURATION',
		description: "Validity of the server's own CA",
		fallback: `${defaultLifetimes.authorityMs / dayMs}d`,
	},
	clientCaFile: {
		group: 'Serving',
		type: String,
		placeholder: 'FILE',
		description: 'Callers of the admission port need a client certificate signed by this CA',
		otherwise: 'no client certificate is required',
	},
	githubApiUrl: {
		group: 'GitHub',
		type: String,
		placeholder: 'URL',
		description: "Base URL of GitHub's REST API; GitHub Enterprise Server: https://HOST/api/v3",
		fallback: 'https://api.github.com',
	},
	githubUrl: {
		group: 'GitHub',
		type: String,
		placeholder: 'URL',
		description: 'Web address of that GitHub, where runners register',
		otherwise: 'the one that belongs to --github-api-url',
	},
	githubSecret: {
		group: 'GitHub',
		type: String,
		placeholder: 'NAME',
		description: 'Secret with the GitHub credentials, in the namespace of --namespace',
		fallback: names.credentialsSecret,
	},
	jobHooks: {
		group: 'Job hooks and events',
		type: String,
		placeholder: jobHooksModes.join('|'),
		description: 'New runner pods that get job hooks; sets: of RunnerSets and RunnerDeployments',
		fallback: 'sets',
	},
	jobsPort: {
		group: 'Job hooks and events',
		type: String,
		placeholder: 'PORT',
		description: 'HTTPS port that job hooks call, with the same certificate; 0 disables it',
		fallback: '9444',
	},
	jobsUrl: {
		group: 'Job hooks and events',
		type: String,
		placeholder: 'URL',
		description: 'URL at which job hooks reach that port',
		otherwise: defaultJobsUrl('NAMESPACE'),
	},
	eventsPort: {
		group: 'Job hooks and events',
		type: String,
		placeholder: 'PORT',
		description: "HTTP port for GitHub's events, if there is a webhook secret; 0 disables it",
		fallback: '8000',
	},
	controllers: {
		group: 'Controllers',
		type: String,
		placeholder: 'NAMES',
		description: `Controllers that the leader runs, separated by commas, or * for all:\n${controllers.join(', ')}`,
		fallback: '*',
	},
	runnerImage: {
		group: 'Controllers',
		type: String,
		placeholder: 'IMAGE',
		description: 'Image of runners whose template names none',
		fallback: defaultImages.runnerImage,
	},
	dockerImage: {
		group: 'Controllers',
		type: String,
		placeholder: 'IMAGE',
		description: 'Image of docker sidecars whose template names none',
		fallback: defaultImages.dockerImage,
	},
	endedRunnerLogs: {
		group: 'Operation',
		type: String,
		placeholder: endedRunnerLogs.join('|'),
		description: 'Keep the last 100 log lines of runners that died, in a ConfigMap of their set',
		fallback: 'off',
	},
	logLevel: {
		group: 'Operation',
		type: String,
		placeholder: 'LEVEL',
		description: `Least severe level that is logged: ${logLevels.join(', ')}`,
		fallback: 'info',
	},
	logFormat: {
		group: 'Operation',
		type: String,
		placeholder: logFormats.join('|'),
		description: 'Log format',
		fallback: 'json',
	},
	shutdownDelaySeconds: {
		group: 'Operation',
		type: String,
		placeholder: 'SECONDS',
		description: 'Least time from SIGTERM, when /readyz starts to fail, to the closing of --port',
		fallback: '3',
	},
} as const satisfies Record<string, ServerFlag>;

export type FlagName = keyof typeof flags;
/** What was given on the command line; an empty text is as good as nothing. */
export type FlagValues = Partial<Record<FlagName, string>>;

const answers = {
	help: { type: Boolean, alias: 'h', description: 'Show this help' },
	version: { type: Boolean, description: 'Show the version' },
} as const;

/** `healthPort` -> `--health-port` */
export const flagOf = (name: FlagName): string => `--${kebab(name)}`;
/** `healthPort` -> `HEALTH_PORT` */
export const variableOf = (name: FlagName): string => kebab(name).replaceAll('-', '_').toUpperCase();

export interface CommandLine {
	help: boolean;
	version: boolean;
	values: FlagValues;
}

/** Reads the server's arguments, without checking the values. @throws UsageError */
export function readCommandLine(argv: readonly string[]): CommandLine {
	const known = { ...flags, ...answers };
	const { positionals, values } = parseArgv(argv, known);
	const [unexpected] = positionals;
	if (unexpected !== undefined) {
		const hint = nearest(unexpected.replace(/=.*/s, ''), Object.keys(known).map(kebab));
		throw new UsageError(`unexpected argument "${unexpected}"${hint ? ` (did you mean --${hint}?)` : ''}`);
	}
	const { help, version, ...rest } = values as FlagValues & Partial<Pick<CommandLine, 'help' | 'version'>>;
	return { help: help ?? false, version: version ?? false, values: rest };
}

/** The text of `runners-admission --help`, laid out as the plugin's. */
export function renderHelp(): string {
	const rows = Object.entries<ServerFlag>(flags).map(([key, flag]) => ({ key, flag, group: flag.group }));
	const entries = (of: typeof rows) =>
		of.map(({ key, flag }) => [key, helpOf(key as FlagName, flag)] as const);
	const width = leftWidth(entries(rows));
	const groups = Map.groupBy(rows, ({ group }) => group);
	const sections = [
		'Admission webhook and controllers that keep GitHub Actions runner pods alive while they run a job.',
		...[...groups].map(([title, of]) => section(title, flagLines(entries(of), width))),
		section('Other', flagLines(Object.entries(answers), width)),
		section('GitHub credentials, one of', credentials),
		section("Secret of GitHub's webhook, one of", webhookSecret),
		section('Usage', `${program} [flags]`),
		'Each flag has an environment variable, in brackets. The flag takes precedence over it.',
	];
	return `${sections.join('\n\n')}\n`;
}

function helpOf(name: FlagName, { description, fallback, otherwise, placeholder }: ServerFlag) {
	const unset = fallback ?? otherwise;
	const origin = `[$${variableOf(name)}${unset === undefined ? '' : `, default: ${unset}`}]`;
	return { placeholder, description: `${description}\n${origin}` };
}

const credentials = `GITHUB_TOKEN
GITHUB_APP_ID, GITHUB_APP_INSTALLATION_ID and GITHUB_APP_PRIVATE_KEY or GITHUB_APP_PRIVATE_KEY_FILE
the Secret named by --github-secret, with the key github_token,
or with github_app_id, github_app_installation_id and github_app_private_key`;

const webhookSecret = `GITHUB_WEBHOOK_SECRET_TOKEN
the key github_webhook_secret_token of that Secret`;

import { evictions, names } from '../../../admission/api/keys.ts';
import { connectionFlags } from '../../cli/connection-flags.ts';
import { dryRunFlag, durationFlag, integerFlag } from '../../cli/flag-types.ts';
import { outputFormat } from '../../cli/output-format.ts';
import { defineVerb } from '../../cli/verb.ts';
import { usageError } from '../../errors.ts';
import { type Mode, modes } from '../../installation/install-options.ts';
import type * as installBundle from '../../installation/main.ts';
import { namespaceFlag, requestTimeoutMs } from '../../installation/verb-flags.ts';
import { loadBeside } from '../../load-beside.ts';

const defaultTimeoutMs = 5 * 60_000;

export const install = defineVerb({
	name: 'install',
	summary: 'Install the guard in this cluster, or upgrade it to this version',
	usage:
		'install [--mode default|guard-only] [--external HOST:PORT] [--replicas N] [--image IMAGE] [--github-secret NAME] [--cert-manager] [--evictions fail-closed] [--dry-run none|client|server] [-o json|yaml] [--wait=false] [--timeout DURATION] [flags]',
	description: [
		'Applies the manifests that are built into the plugin (server-side, field manager kubectl-runners), removes objects',
		'of an earlier installation that are no longer needed, and waits until the guard answers. Run it again to upgrade or',
		'to change the mode.',
		'The mode default also manages RunnerSets and RunnerDeployments, in place of actions-runner-controller; guard-only',
		'runs alongside actions-runner-controller or scale sets. With --external the server runs outside of the cluster, at',
		'HOST:PORT.',
		'Exit code: 0 done, 1 error, 2 --timeout has passed (what was applied stays), 130 Ctrl-C.',
	].join('\n'),
	examples: [
		['The guard, RunnerSets and RunnerDeployments', 'install'],
		['Alongside a running actions-runner-controller, or scale sets', 'install --mode guard-only'],
		['See what would be applied, and what would happen to existing sets', 'install --dry-run=server'],
		['Write manifests for GitOps', 'install --dry-run=client -o yaml > runners.yaml'],
		['Run the server on this machine', 'install --external localhost:9443'],
	],
	flags: {
		...connectionFlags,
		namespace: namespaceFlag,
		mode: {
			type: modeFlag,
			placeholder: modes.join('|'),
			description: 'What to install (default "default")',
		},
		external: {
			type: externalFlag,
			placeholder: 'HOST:PORT',
			description: 'Address at which the API server reaches a server outside of the cluster',
		},
		replicas: {
			type: integerFlag('replicas'),
			placeholder: 'N',
			description: 'Number of replicas of the server',
		},
		image: { type: String, placeholder: 'IMAGE', description: 'Image of the server' },
		githubSecret: {
			type: String,
			placeholder: 'NAME',
			description: `Secret with the GitHub credentials (default ${names.credentialsSecret})`,
		},
		certManager: { type: Boolean, description: 'Let cert-manager issue the serving certificate' },
		evictions: {
			type: evictionsFlag,
			placeholder: evictions.failClosed,
			description:
				'Refuse evictions while no replica answers, in each namespace that contains only runners (default: only name them)',
		},
		forceConflicts: { type: Boolean, description: 'Take over fields that other field managers own' },
		dryRun: {
			type: dryRunFlag,
			bareValue: 'client',
			placeholder: 'none|client|server',
			description: 'Only show what would be done; with server the API server checks it',
		},
		output: {
			type: String,
			alias: 'o',
			placeholder: 'FORMAT',
			description: 'json or yaml: print the applied objects',
		},
		wait: { type: Boolean, default: true, description: 'Wait until the guard answers (default true)' },
		timeout: {
			type: durationFlag('timeout'),
			placeholder: 'DURATION',
			description: 'Longest wait, e.g. 90s; 0 is forever (default 5m)',
		},
	},
	run: async (args, flags) => {
		const format = outputFormat(flags.output, ['json', 'yaml'] as const);
		const { external, replicas, image } = flags;
		if (args.length > 0) throw usageError(`unexpected argument "${args[0]}"`);
		if (replicas !== undefined && replicas < 1) throw usageError('--replicas must be greater than 0');
		const inCluster = Object.entries({ replicas, image, 'cert-manager': flags.certManager || undefined });
		const useless = inCluster.find(([, value]) => external && value !== undefined);
		if (useless)
			throw usageError(`--${useless[0]} cannot be used with --external: it is for a server in the cluster`);

		const namespace = flags.namespace || names.namespace;
		const bundle = loadBeside<typeof installBundle>('kubectl-runners-install.cjs');
		return bundle.install({
			connection: { ...flags, namespace, requestTimeout: flags.requestTimeout ?? requestTimeoutMs },
			mode: flags.mode ?? 'default',
			namespace,
			githubSecret: flags.githubSecret || names.credentialsSecret,
			replicas,
			image: image || undefined,
			external,
			certManager: flags.certManager === true,
			failClosed: flags.evictions !== undefined,
			forceConflicts: flags.forceConflicts === true,
			dryRun: flags.dryRun ?? 'none',
			format,
			wait: flags.wait !== false,
			timeoutMs: flags.timeout ?? defaultTimeoutMs,
		});
	},
});

function modeFlag(text: string): Mode {
	const known = modes.find((mode) => mode === text);
	if (known) return known;
	throw usageError(`Invalid mode (${text}). Must be ${modes.map((mode) => `"${mode}"`).join(' or ')}.`);
}

function evictionsFlag(text: string): string {
	if (text === evictions.failClosed) return text;
	throw usageError(`Invalid evictions value (${text}). Must be "${evictions.failClosed}".`);
}

/** A Service of type ExternalName takes DNS names and IPv4 addresses. */
function externalFlag(text: string): { host: string; port: number } {
	const [, host = '', digits = ''] = /^([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?):(\d{1,5})$/.exec(text) ?? [];
	const port = Number(digits);
	if (host !== '' && port >= 1 && port <= 65_535) return { host, port };
	throw usageError(
		`Invalid --external value (${text}). Must be HOST:PORT, HOST a DNS name or an IPv4 address.`,
	);
}

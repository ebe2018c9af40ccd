import { names } from '../../../admission/api/keys.ts';
import { connectionFlags } from '../../cli/connection-flags.ts';
import { dryRunFlag, durationFlag } from '../../cli/flag-types.ts';
import { defineVerb } from '../../cli/verb.ts';
import { usageError } from '../../errors.ts';
import type * as installBundle from '../../installation/main.ts';
import { namespaceFlag, requestTimeoutMs } from '../../installation/verb-flags.ts';
import { loadBeside } from '../../load-beside.ts';

const defaultTimeoutMs = 60_000;

export const uninstall = defineVerb({
	name: 'uninstall',
	summary: 'Remove the guard and everything that it has written to the cluster',
	usage: 'uninstall [--keep-crds] [--yes] [--dry-run none|client|server] [--timeout DURATION] [flags]',
	description: [
		'Removes the webhook configurations first, so that no request waits for the server, then finalizers, marks and',
		'records on runner pods and sets, and then everything else. Runner pods stay. It also works while the server is',
		'down, if parts are missing, and after kubectl apply -k. The namespace stays if it existed before, or if it contains',
		'other objects.',
		'Exit code: 0 done, 1 error, 2 --timeout has passed.',
	].join('\n'),
	examples: [
		['See what would be removed', 'uninstall --dry-run=server'],
		['Uninstall without a confirmation', 'uninstall --yes'],
		['Keep RunnerSets and RunnerDeployments with their runners', 'uninstall --keep-crds'],
	],
	flags: {
		...connectionFlags,
		namespace: namespaceFlag,
		keepCrds: { type: Boolean, description: 'Keep the custom resource definitions, and with them all sets' },
		yes: { type: Boolean, alias: 'y', description: 'Do not ask for confirmation' },
		dryRun: {
			type: dryRunFlag,
			bareValue: 'client',
			placeholder: 'none|client|server',
			description: 'Only show what would be done; with server the API server checks it',
		},
		timeout: {
			type: durationFlag('timeout'),
			placeholder: 'DURATION',
			description: 'Longest wait until everything is gone, e.g. 90s; 0 is forever (default 1m)',
		},
	},
	run: async (args, flags) => {
		if (args.length > 0) throw usageError(`unexpected argument "${args[0]}"`);
		const namespace = flags.namespace || names.namespace;
		const bundle = loadBeside<typeof installBundle>('kubectl-runners-install.cjs');
		return bundle.uninstall({
			connection: { ...flags, namespace, requestTimeout: flags.requestTimeout ?? requestTimeoutMs },
			namespace,
			keepCrds: flags.keepCrds === true,
			yes: flags.yes === true,
			dryRun: flags.dryRun ?? 'none',
			timeoutMs: flags.timeout ?? defaultTimeoutMs,
		});
	},
});

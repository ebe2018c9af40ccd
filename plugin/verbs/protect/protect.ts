import { printable } from '../../../admission/api/printable.ts';
import { connectionFlags } from '../../cli/connection-flags.ts';
import { removalFlags } from '../../cli/removal-flags.ts';
import { defineVerb } from '../../cli/verb.ts';
import { CliError, exitCode, isCliError, usageError } from '../../errors.ts';
import { failClosedLabel, labelNamespace } from '../../evictions/label.ts';
import { occupantsOf, othersText } from '../../evictions/occupants.ts';
import type { KubeClient } from '../../kube/client.ts';
import { connect } from '../../kube/connect.ts';
import { mapLimited } from '../../kube/limited.ts';
import { listPods } from '../../kube/pods.ts';
import { print } from '../../print/out.ts';
import { printErrors, toCliError } from '../../runners/targets.ts';

export const protect = defineVerb({
	name: 'protect',
	summary: 'Refuse all evictions in a namespace of runners while no replica of the guard answers',
	usage: 'protect NAMESPACE... [--off] [--force] [--dry-run none|client|server] [flags]',
	description: [
		`Sets the label ${failClosedLabel} on the namespaces; --off removes it. It needs the right to patch`,
		'namespaces. While no replica answers, no pod of such a namespace can be evicted, idle runners and other pods',
		'included, so it is refused for a namespace that has other pods, except with --force. Deletions are not affected.',
		'"kubectl runners doctor" names the namespaces that contain only runners.',
	].join('\n'),
	examples: [
		['Protect runners whose job has just begun, even while the guard is down', 'protect ci'],
		['Let evictions that nobody reviews pass again', 'protect ci --off'],
		['See whether a namespace contains other pods', 'protect ci --dry-run'],
	],
	completes: 'namespace',
	flags: {
		...connectionFlags,
		off: { type: Boolean, description: 'Remove the label' },
		force: { type: Boolean, description: 'Also if the namespace has pods that are not of runners' },
		dryRun: {
			...removalFlags.dryRun,
			description: 'Only show what would be done; with server the API server checks it',
		},
	},
	run: async (args, flags) => {
		const names = [...new Set(args.map(namespaceName))];
		if (names.length === 0) throw usageError('name the namespaces to protect');
		const { off = false, force = false, dryRun = 'none' } = flags;
		const client = await connect(flags);
		const suffix = { none: '', client: ' (dry run)', server: ' (server dry run)' }[dryRun];
		const results = await mapLimited(names, async (name) => {
			try {
				if (!off && !force) await refuseWithOthers(client, name);
				if (dryRun !== 'client') await labelNamespace(client, name, { off, dryRun: dryRun === 'server' });
				return `namespace/${name} ${off ? withoutLabel : withLabel}${suffix}`;
			} catch (error) {
				return toCliError(error);
			}
		});
		for (const result of results) if (!isCliError(result)) print(`${printable(result)}\n`);
		const errors = results.filter(isCliError);
		printErrors(errors);
		return errors.length > 0 ? exitCode.error : exitCode.done;
	},
});

const withLabel = 'labeled: evictions there are refused while no replica of the guard answers';
const withoutLabel =
	'unlabeled: evictions there pass while no replica of the guard answers, except of busy runners';

/** NAME may be given as `namespace/NAME`, which is what kubectl prints. */
function namespaceName(arg: string): string {
	const name = arg.replace(/^(namespaces?|ns)\//, '');
	if (name === '' || name.includes('/')) throw usageError(`"${arg}" is not the name of a namespace`);
	return name;
}

async function refuseWithOthers(client: KubeClient, namespace: string): Promise<void> {
	const { pods } = await listPods(client, { namespace });
	const here = occupantsOf(pods).get(namespace);
	if (!here || here.others.size === 0) return;
	throw new CliError(
		`error: namespace "${namespace}" has ${othersText(here)}, which could not be evicted while no replica answers; --force sets the label anyway`,
	);
}

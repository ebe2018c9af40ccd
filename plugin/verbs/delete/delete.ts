import type { Pod } from '../../../admission/api/kinds.ts';
import { connectionFlags } from '../../cli/connection-flags.ts';
import { removalFlags } from '../../cli/removal-flags.ts';
import { defineVerb } from '../../cli/verb.ts';
import { exitCode, usageError } from '../../errors.ts';
import type { KubeClient } from '../../kube/client.ts';
import { connect } from '../../kube/connect.ts';
import { print, printError } from '../../print/out.ts';
import { namedRunners, printErrors, selectedRunners, type Targets } from '../../runners/targets.ts';
import { dryRunDeletion, removeRunners } from './flow.ts';

export const deleteVerb = defineVerb({
	name: 'delete',
	aliases: ['rm'],
	summary: 'Delete runner pods; busy ones finish their job first',
	usage:
		'delete (POD... | -l SELECTOR | --all) [--wait=false] [--timeout DURATION] [--now --reason TEXT] [flags]',
	description: [
		'Works like kubectl delete, for runner pods only. The deletion of a busy runner is recorded on its pod and',
		'completed when the job ends. The command waits for that, and shows which runners it waits for. Ending the command',
		'does not cancel a recorded deletion: `kubectl runners cancel` does.',
		'--now (break-glass) deletes at once and kills the job. It needs a reason, which is kept in an Event and in the log.',
		'Exit code: 0 done, 1 error, 2 --timeout has passed, 130 Ctrl-C.',
	].join('\n'),
	examples: [
		['Delete a runner as soon as its job is done, and wait for that', 'delete example-0'],
		['Record the deletion without waiting for it', 'delete example-0 --wait=false'],
		['Delete all runners of a set; wait at most an hour', 'delete -l runnerset-name=example --timeout 1h'],
		['Kill a stuck job', "delete example-0 --now --reason 'stuck since Friday, ticket 4711'"],
	],
	completes: 'runner',
	flags: {
		...connectionFlags,
		all: { type: Boolean, description: 'Delete all runners of the namespace' },
		selector: {
			type: String,
			alias: 'l',
			placeholder: 'SELECTOR',
			description: 'Delete the runners with these labels',
		},
		wait: { type: Boolean, default: true, description: 'Wait until they are gone (default true)' },
		timeout: removalFlags.timeout,
		gracePeriod: removalFlags.gracePeriod,
		now: { type: Boolean, description: 'Break-glass: delete at once and kill the job; needs --reason' },
		reason: {
			type: String,
			placeholder: 'TEXT',
			description: 'Why the job may be killed; kept in an Event and in the log',
		},
		dryRun: removalFlags.dryRun,
		ignoreNotFound: { type: Boolean, description: 'Do not fail for pods that do not exist' },
	},
	run: async (args, flags) => {
		if (flags.now && !flags.reason)
			throw usageError('--now kills the job that the runner runs: state the reason with --reason TEXT');
		if (flags.reason && !flags.now) throw usageError('--reason can only be used with --now');
		if (args.length > 0 && flags.selector)
			throw usageError('name cannot be provided when a selector is specified');
		if (args.length > 0 && flags.all) throw usageError('name cannot be provided when --all is specified');
		if (args.length === 0 && !flags.selector && !flags.all) {
			throw usageError('name the pods, or use --selector or --all');
		}

		const client = await connect(flags);
		const { pods, errors } = await chosen(client, args, flags);
		if (pods.length === 0 && errors.length === 0) printError('No resources found');
		let code: number = exitCode.done;
		if (pods.length > 0) {
			const request = {
				gracePeriodSeconds: flags.gracePeriod,
				breakGlassReason: flags.now ? flags.reason : undefined,
			};
			if (flags.dryRun === 'client') printClientDryRun(pods);
			else if (flags.dryRun === 'server') code = await dryRunDeletion(client, pods, request, errors);
			else {
				const wait = flags.wait ? { timeoutMs: flags.timeout ?? 0 } : undefined;
				code = await removeRunners(client, pods, request, wait, errors);
			}
		}
		printErrors(errors);
		return errors.length > 0 && code === exitCode.done ? exitCode.error : code;
	},
});

async function chosen(
	client: KubeClient,
	args: string[],
	flags: { selector?: string; ignoreNotFound?: boolean },
): Promise<Targets> {
	if (args.length > 0) return namedRunners(client, args, flags.ignoreNotFound === true);
	return { pods: await selectedRunners(client, flags.selector), errors: [] };
}

function printClientDryRun(pods: readonly Pod[]): void {
	for (const { metadata } of pods) {
		print(`pod "${metadata.name}" deleted from ${metadata.namespace} namespace (dry run)\n`);
	}
}

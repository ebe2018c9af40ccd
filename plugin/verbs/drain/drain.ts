import { printable } from '../../../admission/api/printable.ts';
import { isRunnerPod, podKey } from '../../../admission/runner/runner-pod.ts';
import { connectionFlags } from '../../cli/connection-flags.ts';
import { integerFlag } from '../../cli/flag-types.ts';
import { removalFlags } from '../../cli/removal-flags.ts';
import { defineVerb } from '../../cli/verb.ts';
import { type CliError, exitCode, usageError } from '../../errors.ts';
import { describeDenial } from '../../guard/denial.ts';
import type { KubeClient } from '../../kube/client.ts';
import { connect } from '../../kube/connect.ts';
import { mapLimited } from '../../kube/limited.ts';
import { listPods } from '../../kube/pods.ts';
import { print } from '../../print/out.ts';
import { askEviction } from '../../runners/ask.ts';
import { printErrors, toCliError } from '../../runners/targets.ts';
import { namesSetsByKind } from '../../sets/names.ts';
import { cordon, getNode } from './node.ts';
import { NodeDrain, otherPodsLine, podsOn } from './node-drain.ts';
import { drainSet } from './set-drain.ts';

export const drain = defineVerb({
	name: 'drain',
	summary: 'Empty a node or a set of runners; busy ones finish their job first',
	usage: 'drain (NODE | runnerset/NAME | runnerdeployment/NAME) [--timeout DURATION] [--replicas N] [flags]',
	description: [
		'A node is cordoned and its runner pods are evicted; the command shows which runners it waits for. Other pods are',
		'left alone: evict them with kubectl drain, before, after or at the same time.',
		'A set is scaled to zero; the command waits until its last runner is gone. With --replicas the set is then scaled up',
		'again, for instance to replace all its runners.',
		'Exit code: 0 done, 1 error, 2 --timeout has passed, 130 Ctrl-C. Evictions requested by then stay recorded.',
	].join('\n'),
	examples: [
		['Empty a node, however long its jobs take', 'drain worker-1'],
		['See which runners would be evicted, and which are busy', 'drain worker-1 --dry-run=server'],
		['Stop waiting after an hour (exit code 2)', 'drain worker-1 --timeout 1h'],
		['Empty a set, then start five new runners', 'drain runnerset/example --replicas=5'],
	],
	completes: 'node-or-set',
	flags: {
		...connectionFlags,
		timeout: removalFlags.timeout,
		gracePeriod: removalFlags.gracePeriod,
		replicas: {
			type: integerFlag('replicas'),
			placeholder: 'N',
			description: 'For a set: scale it to N once it is empty',
		},
		force: { type: Boolean, description: 'For a set: also if an autoscaler scales it' },
		dryRun: removalFlags.dryRun,
	},
	run: async (args, flags) => {
		if (namesSetsByKind(args)) {
			if (flags.gracePeriod !== undefined) {
				throw usageError(
					'--grace-period can only be used with a node: for runners of a set, set it in their template',
				);
			}
			const { replicas, timeout: timeoutMs = 0, dryRun = 'none' } = flags;
			const force = flags.force === true;
			return drainSet(await connect(flags), args, { replicas, timeoutMs, force, dryRun });
		}
		if (flags.replicas !== undefined)
			throw usageError('--replicas can only be used with a set, not with a node');
		if (flags.force) throw usageError('--force can only be used with a set, not with a node');
		const [node, ...more] = args.map((arg) => arg.replace(/^(nodes?|no)\//, ''));
		if (!node) throw usageError('name the node to drain');
		if (more.length > 0) throw usageError('name only one node: each drain waits for its own jobs');

		const client = await connect(flags);
		const options = { gracePeriodSeconds: flags.gracePeriod };
		const dryRun = flags.dryRun ?? 'none';
		await cordonAndSay(client, node, dryRun);
		if (dryRun !== 'none') return dryRunDrain(client, node, dryRun === 'server');
		return new NodeDrain(client, node, options).run(flags.timeout ?? 0);
	},
});

async function cordonAndSay(
	client: KubeClient,
	name: string,
	dryRun: 'none' | 'client' | 'server',
): Promise<void> {
	const node = await getNode(client, name);
	const suffix = dryRun === 'none' ? '' : ` (${dryRun === 'server' ? 'server ' : ''}dry run)`;
	if (node.spec?.unschedulable) {
		print(`node/${name} already cordoned${suffix}\n`);
		return;
	}
	if (dryRun !== 'client') await cordon(client, name, dryRun === 'server');
	print(`node/${name} cordoned${suffix}\n`);
}

async function dryRunDrain(client: KubeClient, node: string, askServer: boolean): Promise<number> {
	const { pods } = await listPods(client, podsOn(node));
	const runners = pods.filter(isRunnerPod);
	const errors: CliError[] = [];
	const suffix = askServer ? '(server dry run)' : '(dry run)';
	await mapLimited(runners, async (pod) => {
		const outcome = askServer
			? await askEviction(client, pod, { dryRun: true })
			: { kind: 'accepted' as const };
		if (outcome.kind === 'accepted') print(`pod/${pod.metadata.name} evicted ${suffix}\n`);
		else if (outcome.kind === 'failed') errors.push(toCliError(outcome.error));
		else if (outcome.kind === 'denied' || outcome.kind === 'try-again') {
			const why = outcome.kind === 'denied' ? describeDenial(outcome.denial) : outcome.message;
			print(`${podKey(pod)} not evicted yet: ${printable(why)} ${suffix}\n`);
		}
	});
	print(otherPodsLine(node, pods.length - runners.length));
	printErrors(errors);
	return errors.length > 0 ? exitCode.error : exitCode.done;
}

import { progress as keys, record } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { podPath } from '../../../admission/api/paths.ts';
import { printable } from '../../../admission/api/printable.ts';
import { isJobPod } from '../../../admission/runner/job-pod.ts';
import { isRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { connectionFlags } from '../../cli/connection-flags.ts';
import { defineVerb } from '../../cli/verb.ts';
import { CliError, exitCode, isCliError, usageError } from '../../errors.ts';
import { type KubeClient, mergePatch } from '../../kube/client.ts';
import { connect } from '../../kube/connect.ts';
import { mapLimited } from '../../kube/limited.ts';
import { despiteOtherWriters } from '../../kube/other-writers.ts';
import { getPod } from '../../kube/pods.ts';
import { print } from '../../print/out.ts';
import { jobPodRecord } from '../../runners/job-pods.ts';
import { readPod } from '../../runners/read.ts';
import { deletionRecord, isTerminating } from '../../runners/state.ts';
import { namedRunners, printErrors, toCliError } from '../../runners/targets.ts';

export const cancel = defineVerb({
	name: 'cancel',
	summary: 'Cancel a recorded deletion, so that the runner stays',
	usage: 'cancel POD... [flags]',
	description: [
		'Removes the record of the deletion from the pod, so that the runner keeps taking jobs. It fails if it is too',
		'late: once the runner is unregistered from GitHub, or the pod is terminating.',
	].join('\n'),
	examples: [['Keep a runner that would have been deleted after its job', 'cancel example-0']],
	completes: 'runner',
	flags: connectionFlags,
	run: async (args, flags) => {
		if (args.length === 0) throw usageError('name the pods whose deletion you want to cancel');
		const client = await connect(flags);
		const { pods, errors } = await namedRunners(
			client,
			args,
			false,
			(pod) => isRunnerPod(pod) || isJobPod(pod),
		);
		const results = await mapLimited(pods, (pod) =>
			cancelDeletion(client, pod).catch((error: unknown) => toCliError(error)),
		);
		for (const result of results) {
			if (isCliError(result)) errors.push(result);
			else print(`${printable(result)}\n`);
		}
		printErrors(errors);
		return errors.length > 0 ? exitCode.error : exitCode.done;
	},
});

/** Resolves with the line to print; throws if it is too late. */
function cancelDeletion(client: KubeClient, seen: Pod): Promise<string> {
	const { name } = seen.metadata;
	return despiteOtherWriters(
		seen,
		async (pod) => {
			const recorded = deletionRecord(pod) ?? jobPodRecord(pod);
			refuseIfTooLate(pod);
			const { annotations = {} } = pod.metadata;
			const isLeft = Object.values(record).some((key) => annotations[key] !== undefined);
			if (!recorded && !isLeft) return `pod/${name} has no recorded deletion`;
			await removeRecord(client, pod);
			if (!recorded) return `pod/${name} had parts of a recorded deletion, which are removed`;
			return `pod/${name} deletion cancelled (requested by ${recorded.requestedBy})`;
		},
		() => getPod(client, client.namespace, name),
	);
}

function refuseIfTooLate(pod: Pod): void {
	const { metadata } = pod;
	const completedAt = readPod(pod)?.unregistered?.at;
	if (completedAt !== undefined) {
		throw new CliError(
			`error: the deletion of pod "${metadata.name}" cannot be cancelled: its runner was unregistered from GitHub at ${printable(completedAt)}`,
		);
	}
	if (isTerminating({ metadata })) {
		throw new CliError(
			`error: the deletion of pod "${metadata.name}" cannot be cancelled: it is terminating`,
		);
	}
}

/**
 * One patch, which fails if the pod has changed since it was read: what the server has written since must not be
 * undone.
 */
async function removeRecord(client: KubeClient, { metadata }: Pod): Promise<void> {
	const keysToRemove = [...Object.values(record), keys.attempt];
	await client.call('PATCH', podPath(metadata.namespace ?? '', metadata.name), {
		contentType: mergePatch,
		body: {
			metadata: {
				uid: metadata.uid,
				resourceVersion: metadata.resourceVersion,
				annotations: Object.fromEntries(keysToRemove.map((key) => [key, null])),
			},
		},
	});
}

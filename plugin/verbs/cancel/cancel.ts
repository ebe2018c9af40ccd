import { progress as keys, record } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { connectionFlags } from '../../cli/connection-flags.ts';
import { mapLimited } from '../../cli/limited.ts';
import { defineVerb } from '../../cli/verb.ts';
import { CliError, exitCode, isCliError, usageError } from '../../errors.ts';
import { type KubeClient, mergePatch } from '../../kube/client.ts';
import { connect } from '../../kube/connect.ts';
import { ApiError } from '../../kube/failure.ts';
import { getPod, podPath } from '../../kube/pods.ts';
import { print } from '../../print/out.ts';
import { printable } from '../../print/printable.ts';
import { deletionRecord } from '../../runners/record.ts';
import { isTerminating } from '../../runners/state.ts';
import { namedRunners, printErrors, requestsAtOnce, toCliError } from '../../runners/targets.ts';

export const cancel = defineVerb({
	name: 'cancel',
	summary: 'Take back a recorded deletion: the runner stays',
	usage: 'cancel POD... [flags]',
	description: [
		'Removes the record of the deletion from the pod, so that the runner goes on taking jobs. Too late, and an',
		'error, once the runner is unregistered from GitHub or the pod is terminating.',
	].join('\n'),
	examples: [['Keep a runner that was to go after its job', 'cancel example-0']],
	completes: 'runner',
	flags: connectionFlags,
	run: async (words, flags) => {
		if (words.length === 0) throw usageError('name the pods whose deletion is taken back');
		const client = await connect(flags);
		const { pods, errors } = await namedRunners(client, words, false);
		const results = await mapLimited(pods, requestsAtOnce, (pod) =>
			takeBack(client, pod).catch((error: unknown) => toCliError(error)),
		);
		for (const result of results) {
			if (isCliError(result)) errors.push(result);
			else print(`${printable(result)}\n`);
		}
		printErrors(errors);
		return errors.length > 0 ? exitCode.error : exitCode.done;
	},
});

/** Tries that lose against another writer of the same pod before it is given up. */
const triesAgainstWriters = 5;

/** Resolves with the line to print; throws where it is too late. */
async function takeBack(client: KubeClient, seen: Pod): Promise<string> {
	let pod = seen;
	for (let attempt = 1; ; attempt++) {
		const { name } = pod.metadata;
		const recorded = deletionRecord(pod);
		refuseIfTooLate(pod);
		if (!recorded) return `pod/${name} has no recorded deletion`;
		try {
			await removeRecord(client, pod);
			return `pod/${name} deletion cancelled (was asked for by ${recorded.requestedBy})`;
		} catch (error) {
			const lostRace = error instanceof ApiError && error.status.reason === 'Conflict';
			if (!lostRace || attempt === triesAgainstWriters) throw error;
			// Somebody wrote to the pod meanwhile, perhaps that it is too late: look again before another try.
			pod = await getPod(client, client.namespace, name);
		}
	}
}

function refuseIfTooLate({ metadata }: Pod): void {
	const completedAt = metadata.annotations?.[keys.completedAt];
	if (completedAt !== undefined) {
		throw new CliError(
			`error: pod "${metadata.name}" cannot be taken back: its runner was unregistered from GitHub at ${printable(completedAt)}`,
		);
	}
	if (isTerminating({ metadata })) {
		throw new CliError(`error: pod "${metadata.name}" cannot be taken back: it is terminating`);
	}
}

/** All in one patch, and only if the pod is still as we saw it: what the server does meanwhile must not be undone. */
async function removeRecord(client: KubeClient, { metadata }: Pod): Promise<void> {
	const keysToRemove = [record.requestedAt, record.requestedBy, record.options, keys.claim];
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

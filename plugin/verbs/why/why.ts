import { humanSpan } from '../../../admission/api/duration.ts';
import { progress } from '../../../admission/api/keys.ts';
import type { RecordedOptions } from '../../../admission/api/kinds.ts';
import { printable } from '../../../admission/api/printable.ts';
import { askerOf } from '../../../admission/runner/record.ts';
import { podKey, type RunnerPod } from '../../../admission/runner/runner-pod.ts';
import { waitingOf } from '../../../admission/runner/waiting.ts';
import { connectionFlags } from '../../cli/connection-flags.ts';
import { outputFormat } from '../../cli/output-format.ts';
import { defineVerb } from '../../cli/verb.ts';
import { exitCode, usageError } from '../../errors.ts';
import { connect } from '../../kube/connect.ts';
import { getPod } from '../../kube/pods.ts';
import { ageSince } from '../../print/age.ts';
import { formatData } from '../../print/data.ts';
import { print } from '../../print/out.ts';
import { scopeOf, setOf } from '../../runners/identity.ts';
import { readPod } from '../../runners/read.ts';
import { timeOf } from '../../runners/source-states.ts';
import { bareName } from '../../runners/targets.ts';
import { endedData, endedText, explainGone } from './ended.ts';
import { idleText } from './idle.ts';
import { explainJobPod, jobPodData, jobPodText } from './job-pod.ts';
import { idleNow, jobNowOf, look, type Shown, stateNow } from './look.ts';
import { sourceText } from './source-text.ts';
import { sourcesOf } from './sources.ts';

export const why = defineVerb({
	name: 'why',
	aliases: ['explain'],
	summary: 'Say whether a pod may be deleted now and why, or why the runner of a pod that is gone died',
	usage: 'why POD [-o json|yaml] [flags]',
	description: [
		'Asks the guard with a dry-run DELETE, which changes nothing, and shows what is recorded on the pod and how to',
		'request, follow, cancel or override its deletion. It needs the right to delete the pod. It also works for the pod',
		'in which a runner runs its job (containerMode kubernetes).',
		"Sources say whether the runner works, each with its answer and since when: the runner's log (read now, which needs",
		"the right to get pods/log), job hooks, and GitHub's events, list and answer to DELETE.",
		'For an idle runner of an autoscaled set it shows how long the runner has been idle, and when it will be removed if',
		'there are too many.',
		'Of a pod that is gone it says why its runner died, if it ended otherwise than with its job within the last day: exit',
		'code, limits, node, job, and who used break-glass. That needs the right to list ConfigMaps in the namespace.',
		'Exit code 0, whatever the verdict.',
	].join('\n'),
	examples: [
		['Why is this runner not deleted?', 'why example-0'],
		['Why did this runner die?', 'why example-x7k2p-0'],
		['Output for a script', 'why example-0 -o json'],
	],
	completes: 'runner',
	flags: {
		...connectionFlags,
		output: { type: String, alias: 'o', placeholder: 'FORMAT', description: 'json or yaml' },
	},
	run: async (args, flags) => {
		const format = outputFormat(flags.output, ['json', 'yaml'] as const);
		const [name, ...more] = args;
		if (name === undefined) throw usageError('name the pod');
		if (more.length > 0) throw usageError('name only one pod');

		const client = await connect(flags);
		const nowMs = Date.now();
		const pod = await getPod(client, client.namespace, bareName(name)).catch(async (error: unknown) => {
			const ended = await explainGone(client, bareName(name), error, nowMs);
			if (!ended) throw error;
			print(format ? formatData(endedData(ended), format) : endedText(ended, nowMs));
			return undefined;
		});
		if (!pod) return exitCode.done;
		const shownJobPod = readPod(pod) ? undefined : await explainJobPod(client, pod);
		if (shownJobPod) {
			print(
				format
					? formatData(jobPodData(shownJobPod), format)
					: jobPodText(shownJobPod, describeRecord(shownJobPod.jobPod, Date.now())),
			);
			return exitCode.done;
		}
		const shown = await look(client, pod);
		print(format ? formatData(asData(shown), format) : asText(shown));
		return exitCode.done;
	},
});

export function asData(shown: Shown): object {
	const { pod, runner, verdict, log, owner } = shown;
	const { namespace, name, uid, annotations = {} } = pod.metadata;
	const { job: _, since: __, ...said } = verdict;
	const job = jobNowOf(shown);
	const idle = idleNow(shown);
	return {
		pod: { namespace, name, uid, node: pod.spec?.nodeName },
		...said,
		runner: runner && {
			set: setOf(pod),
			scope: scopeOf(pod, runner),
			id: annotations[progress.runnerId],
			state: stateNow(shown).state,
		},
		notStarted: waitingOf(pod),
		job: job && { ...job.details, name: job.name, since: timeOf(job.sinceMs) },
		idle: idle && {
			since: timeOf(idle.sinceMs),
			autoscaler: idle.autoscaler,
			surplus: idle.surplus,
			goesNotBefore: timeOf(idle.goesNotBeforeMs),
		},
		sources: runner && log && sourcesOf(pod, runner, log, owner),
		recorded: runner?.record,
	};
}

export function asText(shown: Shown): string {
	const { pod, runner, verdict, log, owner, nowMs } = shown;
	const node = pod.spec?.nodeName;
	const id = pod.metadata.annotations?.[progress.runnerId];
	const set = setOf(pod);
	const { state, by } = stateNow(shown);
	const about = [
		set && `set ${set}`,
		id && `id ${id}`,
		scopeOf(pod, runner),
		by ? `${state} (${by})` : state,
	];
	const sources = runner && log ? sourcesOf(pod, runner, log, owner) : [];
	const idle = idleNow(shown);

	const lines: [string, string | undefined][] = [
		['Pod', `${podKey(pod)}${node ? ` on node ${node}` : ''}`],
		['Deletion', `${verdict.verdict} (${verdict.reason})`],
		['Because', verdict.message],
		[runner?.record ? 'Next' : 'If deleted', verdict.next],
		['Runner', runner && about.filter(Boolean).join(', ')],
		['Not started', waitingOf(pod)?.message],
		['Job', describeJob(shown)],
		['Idle', idle && idleText(idle, nowMs)],
		...sources.map((source, index): [string, string] => [
			index === 0 ? 'Sources' : '',
			sourceText(source, nowMs),
		]),
		['Recorded', runner && describeRecord(runner, nowMs)],
		...nextSteps(shown),
	];
	return lines
		.filter((line): line is [string, string] => Boolean(line[1]))
		.map(([label, text]) => `${(label && `${label}:`).padEnd(13)}${printable(text)}\n`)
		.join('');
}

function describeJob(shown: Shown): string | undefined {
	const job = jobNowOf(shown);
	if (!job) return undefined;
	const age =
		job.sinceMs === undefined ? '' : `, busy for ${humanSpan(Math.max(0, shown.nowMs - job.sinceMs))}`;
	return `${job.name ?? 'which job is not known'}${age}${job.details?.url ? `, ${job.details.url}` : ''}`;
}

function describeRecord({ record }: Pick<RunnerPod, 'record'>, nowMs: number): string {
	if (!record) return 'no deletion is waiting';
	const { options, requestedBy, requestedAt } = record;
	return `${describeOptions(options)}, requested by ${askerOf({ user: requestedBy, options })} ${ageSince(requestedAt, nowMs)} ago`;
}

/** "an eviction, grace period 30s": what was asked for. */
export function describeOptions({ via, gracePeriodSeconds, propagationPolicy }: RecordedOptions): string {
	return [
		via === 'eviction' ? 'an eviction' : 'a deletion',
		gracePeriodSeconds !== undefined && `grace period ${gracePeriodSeconds}s`,
		propagationPolicy && `propagation ${propagationPolicy}`,
	]
		.filter(Boolean)
		.join(', ');
}

/** What can be typed now. */
function nextSteps({ pod, runner, verdict: { verdict } }: Shown): [string, string][] {
	const { name, namespace } = pod.metadata;
	const waits = runner?.record !== undefined && !runner.terminating;
	const steps: [string, string][] = [];
	if (verdict === 'denied' && !waits)
		steps.push(['To request', `kubectl runners delete ${name} -n ${namespace}`]);
	if (waits) {
		steps.push(['To follow', `kubectl runners wait ${name} -n ${namespace}`]);
		steps.push(['To cancel', `kubectl runners cancel ${name} -n ${namespace}`]);
	}
	if (verdict === 'denied') {
		steps.push([
			'To override',
			`kubectl runners delete ${name} -n ${namespace} --now --reason TEXT   (kills the job)`,
		]);
	}
	return steps;
}

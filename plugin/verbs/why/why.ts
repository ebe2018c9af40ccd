import { busy, progress } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { connectionFlags } from '../../cli/connection-flags.ts';
import { defineVerb } from '../../cli/verb.ts';
import { exitCode, usageError } from '../../errors.ts';
import { connect } from '../../kube/connect.ts';
import { getPod } from '../../kube/pods.ts';
import { ageSince } from '../../print/age.ts';
import { formatData, outputFormat } from '../../print/objects.ts';
import { print } from '../../print/out.ts';
import { printable } from '../../print/printable.ts';
import { jobOf } from '../../runners/columns.ts';
import { isRunner, scopeOf, setOf } from '../../runners/recognise.ts';
import { deletionRecord, describeOptions } from '../../runners/record.ts';
import { isTerminating, stateOf } from '../../runners/state.ts';
import { bareName } from '../../runners/targets.ts';
import { askVerdict, type Verdict } from './verdict.ts';

export const why = defineVerb({
	name: 'why',
	aliases: ['explain'],
	summary: 'Say whether a pod may be deleted now, and why or why not',
	usage: 'why POD [-o json|yaml] [flags]',
	description: [
		'Asks the guard by a dry-run DELETE, which changes nothing, and adds what is recorded on the pod.',
		'It needs the right to delete the pod. Exit code 0, whatever the verdict.',
	].join('\n'),
	examples: [
		['What keeps this runner?', 'why example-0'],
		['For a script', 'why example-0 -o json'],
	],
	completes: 'runner',
	flags: {
		...connectionFlags,
		output: { type: String, alias: 'o', placeholder: 'FORMAT', description: 'json or yaml' },
	},
	run: async (words, flags) => {
		const format = outputFormat(flags.output, ['json', 'yaml'] as const);
		const [word, ...more] = words;
		if (word === undefined) throw usageError('name the pod');
		if (more.length > 0) throw usageError('one pod at a time');

		const client = await connect(flags);
		const pod = await getPod(client, client.namespace, bareName(word));
		const verdict = isRunner(pod) ? await askVerdict(client, pod) : notARunner;
		const nowMs = Date.now();
		print(format ? formatData(asData(pod, verdict, nowMs), format) : asText(pod, verdict, nowMs));
		return exitCode.done;
	},
});

const notARunner: Verdict = {
	verdict: 'allowed',
	reason: 'not-a-runner',
	message: 'it is not a runner pod, and the guard never holds up other pods',
};

function asData(pod: Pod, verdict: Verdict, nowMs: number): object {
	const annotations = pod.metadata.annotations ?? {};
	return {
		pod: {
			namespace: pod.metadata.namespace,
			name: pod.metadata.name,
			uid: pod.metadata.uid,
			node: pod.spec?.nodeName,
		},
		...verdict,
		runner: {
			set: setOf(pod),
			scope: scopeOf(pod),
			id: annotations[progress.runnerId],
			state: stateOf(pod, nowMs),
		},
		job: jobOf(pod) === undefined ? undefined : { name: jobOf(pod), since: annotations[busy.since] },
		recorded: deletionRecord(pod),
	};
}

function asText(pod: Pod, verdict: Verdict, nowMs: number): string {
	const annotations = pod.metadata.annotations ?? {};
	const { namespace, name } = pod.metadata;
	const since = annotations[busy.since];
	const job = jobOf(pod);
	const id = annotations[progress.runnerId];
	const runner = [setOf(pod) && `set ${setOf(pod)}`, id && `id ${id}`, scopeOf(pod), stateOf(pod, nowMs)];

	const lines: [string, string | undefined][] = [
		['Pod', `${namespace}/${name}${pod.spec?.nodeName ? ` on node ${pod.spec.nodeName}` : ''}`],
		['Deletion', `${verdict.verdict} (${verdict.reason})`],
		['Because', verdict.message],
		['Runner', isRunner(pod) ? runner.filter(Boolean).join(', ') : undefined],
		['Job', job && `${job}${since ? `, busy for ${ageSince(since, nowMs)}` : ''}`],
		['Recorded', isRunner(pod) ? describeRecord(pod, nowMs) : undefined],
		...nextSteps(pod, verdict),
	];
	return lines
		.filter((line): line is [string, string] => Boolean(line[1]))
		.map(([label, text]) => `${`${label}:`.padEnd(13)}${printable(text)}\n`)
		.join('');
}

function describeRecord(pod: Pod, nowMs: number): string {
	const recorded = deletionRecord(pod);
	if (!recorded) return 'no deletion is waiting';
	const { requestedAt, requestedBy, options } = recorded;
	return `${describeOptions(options)}, asked for by ${requestedBy} ${ageSince(requestedAt, nowMs)} ago; completed when the job ends`;
}

/** What can be typed now. */
function nextSteps(pod: Pod, { verdict }: Verdict): [string, string][] {
	const { name, namespace } = pod.metadata;
	const waits = deletionRecord(pod) !== undefined && !isTerminating(pod);
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

import { connectionFlags } from '../../cli/connection-flags.ts';
import { durationFlag } from '../../cli/flag-types.ts';
import { outputFormat } from '../../cli/output-format.ts';
import { defineVerb } from '../../cli/verb.ts';
import { exitCode, usageError } from '../../errors.ts';
import { connect } from '../../kube/connect.ts';
import { deadline } from '../../kube/deadline.ts';
import { formatData } from '../../print/data.ts';
import { print } from '../../print/out.ts';
import { diagnose } from './checks/index.ts';
import { fetchFacts } from './fetch.ts';
import { worst } from './finding.ts';
import { findingsText } from './report-text.ts';

const defaultTimeoutMs = 30_000;

export const doctor = defineVerb({
	name: 'doctor',
	summary:
		'Check the guard: webhooks, certificates, leader, GitHub credentials and events, unguarded and stuck pods',
	usage: 'doctor [-n NAMESPACE] [-o json|yaml] [--timeout DURATION] [flags]',
	description: [
		'Changes nothing. A dry-run delete of a runner pod proves that the API server reaches the guard.',
		'Each check ends as ok, warning or error, and says what to do next. A check that you lack a right for is a warning',
		'that names the right. -n is the namespace of the server; by default, the namespace that the webhooks name.',
		'Exit code: 0 without errors (warnings allowed), 1 with errors.',
	].join('\n'),
	examples: [
		['Does the guard work?', 'doctor'],
		[
			'For a script: the checks that are not ok',
			'doctor -o json | jq \'.checks[] | select(.level != "ok")\'',
		],
	],
	flags: {
		...connectionFlags,
		output: { type: String, alias: 'o', placeholder: 'FORMAT', description: 'json or yaml' },
		timeout: {
			type: durationFlag('timeout'),
			placeholder: 'DURATION',
			description: 'Timeout for all checks together (default 30s)',
		},
	},
	run: async (args, flags) => {
		const format = outputFormat(flags.output, ['json', 'yaml'] as const);
		if (args.length > 0) throw usageError(`unexpected argument "${args[0]}"`);
		const timeoutMs = flags.timeout ?? defaultTimeoutMs;
		if (timeoutMs <= 0) throw usageError('--timeout must be positive');

		const client = await connect(flags);
		const facts = await fetchFacts(client, flags.namespace || undefined, deadline(timeoutMs));
		const checks = diagnose(facts);
		const ok = worst(checks.map(({ level }) => level)) !== 'error';
		print(format ? formatData({ ok, namespace: facts.namespace, checks }, format) : findingsText(checks));
		return ok ? exitCode.done : exitCode.error;
	},
});

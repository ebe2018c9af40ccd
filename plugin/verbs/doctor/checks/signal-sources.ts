import { humanSpan } from '../../../../admission/api/duration.ts';
import { jobHooks } from '../../../../admission/api/keys.ts';
import type { Pod } from '../../../../admission/api/kinds.ts';
import { printable } from '../../../../admission/api/printable.ts';
import { podKey } from '../../../../admission/runner/runner-pod.ts';
import { readPod } from '../../../runners/read.ts';
import { jobOf } from '../../../runners/state.ts';
import type { Check } from '../facts.ts';
import { count } from '../finding.ts';

/** A hook runs when the actions of its job have been downloaded: by then it should have reported the job. */
const silentAfterMs = 2 * 60_000;

/** Which runners report their jobs through job hooks, and which should but do not. */
export const hooks: Check = ({ pods, nowMs }) => {
	const check = 'job-hooks';
	if (pods.kind !== 'found') return undefined; // the check "runner-pods" says so
	const runners = pods.value.flatMap((pod) => {
		const runner = readPod(pod);
		return runner?.process.state === 'running' && !runner.terminating ? [{ pod, runner }] : [];
	});
	const withHooks = runners.filter(({ pod }) => pod.metadata.annotations?.[jobHooks.script] !== undefined);
	const reporting = withHooks.filter(({ runner }) => runner.signals.some(({ by }) => by === 'hook'));
	const silent = withHooks.flatMap(({ pod, runner }) => {
		const sinceMs = reporting.some((one) => one.pod === pod) ? undefined : jobOf(pod, runner)?.sinceMs;
		const forMs = sinceMs === undefined ? 0 : nowMs - sinceMs;
		return forMs < silentAfterMs
			? []
			: [`${podKey(pod)}: has had a job for ${humanSpan(forMs)}, but its job hooks have not reported it`];
	});
	const message =
		runners.length === 0
			? 'no running runners'
			: `${withHooks.length} of ${count(runners.length, 'running runner')} with job hooks, of which ${reporting.length} ${reporting.length === 1 ? 'has' : 'have'} reported a job`;
	const details = [...silent, ...withoutHooks(runners.map(({ pod }) => pod))];
	if (silent.length === 0) return { check, level: 'ok', message, ...(details.length > 0 ? { details } : {}) };
	return {
		check,
		level: 'warning',
		message: `${message}; ${silent.length} should have but ${silent.length === 1 ? 'has' : 'have'} not`,
		details,
		advice: [
			'does the job\'s log say "could not report to runners-admission"? Then a NetworkPolicy or a proxy is in the way. If it says nothing, its image does not run the hooks. Until then the runner\'s log and GitHub show when it works',
		],
	};
};

/** Why runners have no job hooks, as far as the server has noted it: a line for each reason. */
function withoutHooks(pods: readonly Pod[]): string[] {
	const byReason = new Map<string, string[]>();
	for (const pod of pods) {
		const { [jobHooks.absent]: reason, [jobHooks.script]: script } = pod.metadata.annotations ?? {};
		if (reason === undefined || script !== undefined) continue;
		const text = printable(reason);
		byReason.set(text, [...(byReason.get(text) ?? []), podKey(pod)]);
	}
	return [...byReason].map(([reason, [first, ...others]]) => {
		const more = others.length > 0 ? ` and ${others.length} more` : '';
		return `${first}${more}: without job hooks: ${reason}`;
	});
}

/** An older error says nothing about now. */
const recentMs = 60 * 60_000;

/** Whether the server can read the runners' logs, as it reports itself. */
export const logs: Check = ({ report, nowMs }) => {
	const check = 'runner-logs';
	if (report.kind !== 'found' || !report.value.logs) return undefined;
	const { readable, unreadable, lastError } = report.value.logs;
	const ageMs = nowMs - Date.parse(lastError?.at ?? '');
	if (!lastError || !(ageMs < recentMs)) {
		const all = readable + unreadable;
		return {
			check,
			level: 'ok',
			message: all === 0 ? 'none needed yet' : `${readable} of ${all} reads succeeded`,
		};
	}
	return {
		check,
		level: 'warning',
		message: `${unreadable} of ${readable + unreadable} reads failed: in place of a log, GitHub's list is read twice, a minute apart`,
		details: [`${lastError.pod}, ${humanSpan(Math.max(0, ageMs))} ago: ${lastError.message}`],
		advice: [
			/forbidden/i.test(lastError.message)
				? 'the server lacks the right to get pods/log: run kubectl runners install again'
				: 'check that kubectl logs -c runner works for that pod; if not, its kubelet cannot be reached',
		],
	};
};

const kinds: Record<string, string> = {
	'removed-while-busy':
		'GitHub confirmed the removal of a runner that then had a job: the job is probably lost',
	'idle-while-busy': 'GitHub showed a working runner as idle',
	'absent-while-busy': "GitHub's list lacked a working runner",
};

/** How often GitHub was wrong about a runner. */
export const contradictions: Check = ({ report }) => {
	const check = 'github-answers';
	if (report.kind !== 'found' || !report.value.contradictions) return undefined;
	const found = Object.entries(report.value.contradictions).filter(([, times]) => times > 0);
	const times = found.reduce((sum, [, one]) => sum + one, 0);
	if (times === 0) return { check, level: 'ok', message: 'no source has contradicted GitHub' };
	return {
		check,
		level: 'warning',
		message: `GitHub was wrong about a runner ${times === 1 ? 'once' : `${times} times`} since the leader started`,
		details: found.map(([kind, one]) => `${one}: ${kinds[kind] ?? printable(kind)}`),
		advice: [
			'the Events of the pods name the runners and jobs; see docs/runbook.md#runnersgithubcontradictions',
		],
	};
};

import type { HorizontalRunnerAutoscaler } from '../../../admission/api/autoscale.ts';
import { humanSpan } from '../../../admission/api/duration.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { printable } from '../../../admission/api/printable.ts';
import { waitingOf } from '../../../admission/runner/waiting.ts';
import {
	reasonsOf as autoscalerReasons,
	autoscalerStateOf,
	demandText,
	nextChangeText,
} from '../../autoscalers/state.ts';
import { ageSince } from '../../print/age.ts';
import { table } from '../../print/table.ts';
import { deletionRecord, jobOf, stateOf } from '../../runners/state.ts';
import { refOf } from '../../sets/api.ts';
import type { SetWithRunners } from '../../sets/follow.ts';
import { shortName } from '../../sets/names.ts';
import { countsOf, reasonsOf, setStateOf } from '../../sets/state.ts';

/** The tree: each set, below it its runners, and below each runner its job, one line each. */
export function treeLines(sets: readonly SetWithRunners[], namespaces: boolean, nowMs: number): string[] {
	const rows = sets.flatMap((one) => setRows(one, namespaces, nowMs));
	return table([['NAME', 'STATE', 'AGE', 'DETAILS'], ...rows])
		.split('\n')
		.map((line) => line.trimEnd())
		.filter(Boolean);
}

function setRows(
	{ set, runners, autoscaler }: SetWithRunners,
	namespaces: boolean,
	nowMs: number,
): string[][] {
	const { namespace, creationTimestamp } = set.metadata;
	const name = `${namespaces ? `${namespace}/` : ''}${shortName(refOf(set))}`;
	const details = [countsOf(set), ...reasonsOf(set)].map(printable).join('; ');
	return [
		[name, setStateOf(set), ageSince(creationTimestamp, nowMs), details],
		...(autoscaler ? [autoscalerRow(autoscaler, runners.length === 0, nowMs)] : []),
		...runners.flatMap((pod, index) => runnerRows(pod, index === runners.length - 1, nowMs)),
	];
}

function autoscalerRow(autoscaler: HorizontalRunnerAutoscaler, isLast: boolean, nowMs: number): string[] {
	const { name, creationTimestamp } = autoscaler.metadata;
	return [
		`${isLast ? '└─' : '├─'} autoscaler ${name}`,
		autoscalerStateOf(autoscaler),
		ageSince(creationTimestamp, nowMs),
		autoscalerDetails(autoscaler, nowMs),
	];
}

/** Without `nowMs` for a log, whose lines contain no ages. */
function autoscalerDetails(autoscaler: HorizontalRunnerAutoscaler, nowMs?: number): string {
	return [demandText(autoscaler), nextChangeText(autoscaler, nowMs), ...autoscalerReasons(autoscaler)]
		.filter((part) => part !== undefined)
		.map(printable)
		.join('; ');
}

function runnerRows(pod: Pod, isLast: boolean, nowMs: number): string[][] {
	const { name, creationTimestamp } = pod.metadata;
	const rows = [
		[
			`${isLast ? '└─' : '├─'} ${name}`,
			stateOf(pod, nowMs),
			ageSince(creationTimestamp, nowMs),
			runnerDetails(pod),
		],
	];
	const job = jobOf(pod);
	if (job) {
		const age = job.sinceMs === undefined ? '<unknown>' : humanSpan(nowMs - job.sinceMs);
		rows.push([`${isLast ? ' ' : '│'}  └─ job ${job.name ?? '<unknown>'}`, 'running', age, '']);
	}
	return rows;
}

function runnerDetails(pod: Pod): string {
	const asked = deletionRecord(pod);
	return [
		pod.spec?.nodeName === undefined ? '' : `on ${pod.spec.nodeName}`,
		asked ? `deletion requested by ${printable(asked.requestedBy)}` : '',
		waitingOf(pod)?.message ?? '',
	]
		.filter(Boolean)
		.join(', ');
}

/** The log line of each set and runner, by name. Without ages, which would change every line all the time. */
export function statusTexts(
	sets: readonly SetWithRunners[],
	namespaces: boolean,
	nowMs: number,
): Map<string, string> {
	const texts = new Map<string, string>();
	for (const { set, runners, autoscaler } of sets) {
		const ref = shortName(refOf(set));
		const name = namespaces ? `${set.metadata.namespace}/${ref}` : ref;
		texts.set(name, [setStateOf(set), countsOf(set), ...reasonsOf(set)].map(printable).join('; '));
		if (autoscaler) {
			const text = [autoscalerStateOf(autoscaler), autoscalerDetails(autoscaler)].join('; ');
			texts.set(`${name} autoscaler ${autoscaler.metadata.name}`, text);
		}
		for (const pod of runners) {
			const job = jobOf(pod)?.name;
			texts.set(`${name} ${pod.metadata.name}`, [stateOf(pod, nowMs), job].filter(Boolean).join(': '));
		}
	}
	return texts;
}

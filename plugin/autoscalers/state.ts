import type { AutoscalerConditionType, HorizontalRunnerAutoscaler } from '../../admission/api/autoscale.ts';
import { humanSpan } from '../../admission/api/duration.ts';

/**
 * The state of an autoscaler for people: the first of these conditions that is true. `unseen`: the server has not
 * reconciled its newest spec yet. `active`: the number is what jobs, metrics and schedule ask for.
 */
type AutoscalerState =
	| 'active'
	| 'unseen'
	| 'deleting'
	| 'target-missing'
	| 'target-taken'
	| 'spec-invalid'
	| 'no-trigger'
	| 'starting'
	| 'replicas-contested'
	| 'metric-failing'
	| 'at-maximum'
	| 'override-skipped'
	| 'too-many-jobs'
	| 'runners-ignore-jobs'
	| 'runners-late'
	| 'jobs-not-given'
	| 'jobs-suspect'
	| 'no-maximum';

/** What keeps it from acting comes first. */
const inOrder: readonly (readonly [AutoscalerConditionType, AutoscalerState])[] = [
	['TargetMissing', 'target-missing'],
	['TargetTaken', 'target-taken'],
	['SpecInvalid', 'spec-invalid'],
	['NoTrigger', 'no-trigger'],
	['Starting', 'starting'],
	['ReplicasContested', 'replicas-contested'],
	['MetricFailing', 'metric-failing'],
	['AtMaximum', 'at-maximum'],
	['OverrideSkipped', 'override-skipped'],
	['TooManyJobs', 'too-many-jobs'],
	['RunnersIgnoreJobs', 'runners-ignore-jobs'],
	['RunnersLate', 'runners-late'],
	['NotGivenToRunners', 'jobs-not-given'],
	['JobsSuspect', 'jobs-suspect'],
	['NoMaximum', 'no-maximum'],
];

/** Those that somebody should look at; the others pass by themselves, or are as wanted. */
export const failures: readonly AutoscalerConditionType[] = [
	'TargetMissing',
	'TargetTaken',
	'SpecInvalid',
	'NoTrigger',
	'ReplicasContested',
	'MetricFailing',
	'OverrideSkipped',
	'TooManyJobs',
	'RunnersIgnoreJobs',
	'RunnersLate',
	'NotGivenToRunners',
	'JobsSuspect',
	'NoMaximum',
];

export function autoscalerStateOf(autoscaler: HorizontalRunnerAutoscaler): AutoscalerState {
	const { metadata, status } = autoscaler;
	if (metadata.deletionTimestamp !== undefined) return 'deleting';
	if (!status?.conditions || (status.observedGeneration ?? 0) < (metadata.generation ?? 0)) return 'unseen';
	return inOrder.find(([type]) => isTrue(autoscaler, type))?.[1] ?? 'active';
}

export function isTrue({ status }: HorizontalRunnerAutoscaler, type: AutoscalerConditionType): boolean {
	return status?.conditions?.some((one) => one.type === type && one.status === 'True') === true;
}

/**
 * The messages of its conditions that are true. That of `ScalingActive`, which explains the number, is left out where jobs and
 * limits explain it already.
 */
export function reasonsOf({ spec, status }: HorizontalRunnerAutoscaler): string[] {
	const others = [spec.metrics, spec.capacityReservations, spec.scheduledOverrides];
	const explained = others.every((list) => !list?.length) && status?.desiredReplicas !== undefined;
	return (status?.conditions ?? []).flatMap(({ type, status: state, message }) =>
		state === 'True' && message && !(explained && type === 'ScalingActive') ? [message] : [],
	);
}

/** "min 1, max 10" */
export function limitsText({ spec }: HorizontalRunnerAutoscaler): string {
	return `min ${spec.minReplicas ?? 1}, ${spec.maxReplicas === undefined ? 'no max' : `max ${spec.maxReplicas}`}`;
}

/** "2 jobs queued, 5 open; min 1, max 10: 5 wanted" */
export function demandText(autoscaler: HorizontalRunnerAutoscaler): string {
	const {
		desiredReplicas,
		openJobs,
		waitingJobs,
		suspectJobs = 0,
		spareReplicas = 0,
		heldReplicas = 0,
	} = autoscaler.status ?? {};
	const jobs =
		openJobs === undefined && waitingJobs === undefined
			? undefined
			: [
					`${waitingJobs === 1 ? '1 job' : `${waitingJobs ?? 0} jobs`} queued, ${openJobs ?? 0} open`,
					suspectJobs > 0 && `${suspectJobs} suspect`,
				]
					.filter(Boolean)
					.join(', ');
	const wanted = [
		desiredReplicas === undefined ? undefined : `${desiredReplicas} wanted`,
		spareReplicas > 0 && `${spareReplicas} of them spare`,
		heldReplicas > 0 && `${heldReplicas} more cannot be removed yet`,
	].filter(Boolean);
	const limits = limitsText(autoscaler);
	return [jobs, wanted.length > 0 ? `${limits}: ${wanted.join(', ')}` : limits].filter(Boolean).join('; ');
}

/** "min 5 in 3h"; without `nowMs`, for a log, the time itself. */
export function nextChangeText(
	{ status }: HorizontalRunnerAutoscaler,
	nowMs: number | undefined,
): string | undefined {
	const { time, minReplicas } = status?.nextScheduledChange ?? {};
	if (!time) return undefined;
	const when = nowMs === undefined ? `at ${time}` : `in ${humanSpan(Math.max(0, Date.parse(time) - nowMs))}`;
	return `${minReplicas === undefined ? 'the schedule changes' : `min ${minReplicas}`} ${when}`;
}

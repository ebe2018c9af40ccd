import type {
	AutoscalerConditionType,
	AutoscalerStatus,
	HorizontalRunnerAutoscaler,
} from '../../api/autoscale.ts';
import { creditMs, probeEveryMs } from './policy.ts';
import type { Schedule } from './schedule.ts';
import type { Credit, Demand, Wish } from './types.ts';
import type { Finding } from './wish.ts';

/** What is known of an autoscaler when its status is written. */
export interface Found {
	/** What the last look at its target has found; undefined: there was none. */
	looked: { wish: Wish; demand: Demand; replicas: number; schedule: Schedule } | undefined;
	findings: readonly Finding[];
}

/** All conditions but ScalingActive, in the order in which they are shown; the type sees to it that none is missing. */
const failures = Object.keys({
	TargetMissing: true,
	TargetTaken: true,
	NoTrigger: true,
	NoMaximum: true,
	AtMaximum: true,
	SpecInvalid: true,
	OverrideSkipped: true,
	MetricFailing: true,
	ReplicasContested: true,
	Starting: true,
	JobsSuspect: true,
	TooManyJobs: true,
} satisfies Record<Exclude<AutoscalerConditionType, 'ScalingActive'>, true>) as AutoscalerConditionType[];

/** The status as it should be. What is not known stays as it was. */
export function statusOf(
	{ metadata, status: before = {} }: HorizontalRunnerAutoscaler,
	{ looked, findings }: Found,
	nowMs: number,
): AutoscalerStatus {
	const all = [...findings, ...(looked ? fromDemand(looked) : [])];
	const conditions = conditionsOf(before, looked, all, nowMs);
	if (!looked) return { ...before, observedGeneration: metadata.generation ?? 0, conditions };
	const { demand, wish, replicas, schedule } = looked;
	const grew = demand.desired > (before.desiredReplicas ?? Math.max(1, wish.min));
	return {
		observedGeneration: metadata.generation ?? 0,
		desiredReplicas: demand.desired,
		lastSuccessfulScaleOutTime: grew ? seconds(nowMs) : before.lastSuccessfulScaleOutTime,
		scheduledOverridesSummary: schedule.summary,
		openJobs: demand.waiting + demand.running + demand.suspect + demand.unconfirmed,
		waitingJobs: demand.waiting,
		suspectJobs: demand.suspect + demand.unconfirmed,
		spareReplicas: wish.spare,
		heldReplicas: demand.held,
		livingReplicas: demand.living,
		replicas,
		nextScheduledChange: schedule.next && {
			time: seconds(schedule.next.atMs),
			minReplicas: schedule.next.minReplicas,
		},
		credits: demand.credits.map(creditOf),
		conditions,
	};
}

const creditOf = ({ runner, sinceMs, repository, runId, runAttempt }: Credit) => ({
	runner,
	since: new Date(sinceMs).toISOString(),
	...(repository === undefined ? {} : { repository }),
	...(runId === undefined ? {} : { runId }),
	...(runAttempt === undefined ? {} : { runAttempt }),
});

function fromDemand({ wish, demand }: NonNullable<Found['looked']>): Finding[] {
	const found: Finding[] = [];
	if (demand.uncapped > demand.desired)
		found.push({
			type: 'AtMaximum',
			reason: 'MoreWanted',
			message: `${demand.uncapped} runners are wanted, and maxReplicas is ${wish.max}`,
		});
	if (demand.suspect > 0)
		found.push({
			type: 'JobsSuspect',
			reason: 'LeftByIdleRunners',
			message: `${jobs(demand.suspect)} that idle runners have left for minutes, and that GitHub has not confirmed, ${notCounted(demand.suspect)}`,
		});
	if (demand.unconfirmed > 0)
		found.push({
			type: 'JobsSuspect',
			reason: 'HeardOfLate',
			message: `${jobs(demand.unconfirmed)} first heard of long after GitHub had made ${demand.unconfirmed === 1 ? 'it, and that it' : 'them, and that it'} has not confirmed, ${notCounted(demand.unconfirmed)}`,
		});
	if (!wish.ready)
		found.push({
			type: 'Starting',
			reason: 'JobsNotKnown',
			message: 'what GitHub has queued is not known yet: runners are created, and none is removed',
		});
	return found;
}

function conditionsOf(
	before: AutoscalerStatus,
	looked: Found['looked'],
	findings: readonly Finding[],
	nowMs: number,
): AutoscalerStatus['conditions'] {
	// Who may edit the status may have written anything.
	const listed = Array.isArray(before.conditions) ? before.conditions : [];
	const old = new Map(listed.map((condition) => [condition?.type, condition]));
	const since = (type: AutoscalerConditionType, status: 'True' | 'False') => {
		const known = old.get(type);
		return known?.status === status && known.lastTransitionTime ? known.lastTransitionTime : seconds(nowMs);
	};
	const stops = findings.find(({ type }) => type === 'TargetMissing' || type === 'TargetTaken');
	const active = stops
		? { status: 'False' as const, reason: stops.reason, message: stops.message }
		: {
				status: 'True' as const,
				reason: 'JobsCounted',
				message: looked ? whyOf(looked, nowMs) : 'not looked at yet',
			};
	return [
		{ type: 'ScalingActive', ...active, lastTransitionTime: since('ScalingActive', active.status) },
		...failures.flatMap((type) => {
			const own = findings.filter((finding) => finding.type === type);
			const [first] = own;
			// A condition appears when it is true for the first time, and then stays with status False.
			if (!first && !old.has(type)) return [];
			const status = first ? ('True' as const) : ('False' as const);
			const message = own.map((finding) => finding.message).join('; ');
			const said = first ? { reason: first.reason, message } : { reason: 'Over', message: '' };
			return [{ type, status, ...said, lastTransitionTime: since(type, status) }];
		}),
	];
}

/** Why there are to be as many runners as there are: `3 = 2 jobs that run + 1 that waits`. */
export function whyOf(
	{ wish, demand }: Pick<NonNullable<Found['looked']>, 'wish' | 'demand'>,
	nowMs: number,
): string {
	const { desired, uncapped, held, waiting } = demand;
	// Those that have lapsed are only remembered.
	const credits = demand.credits.filter(({ sinceMs }) => nowMs - sinceMs < creditMs).length;
	const worked = Math.min(credits, waiting);
	const parts = [
		`${demand.running} run`,
		`${waiting} wait`,
		...(wish.spare > 0 ? [`${wish.spare} spare`] : []),
		...(worked > 0 ? [`${worked} of them with a runner that has just worked`] : []),
	];
	const floor = [
		`minimum ${wish.min}`,
		...(wish.suggestion === undefined ? [] : [`metrics say ${wish.suggestion}`]),
		...(wish.reserved > 0 ? [`${wish.reserved} reserved`] : []),
	];
	const counted = wish.countsJobs ? `jobs: ${parts.join(', ')}; ` : '';
	const capped = uncapped > desired ? `; maximum ${wish.max}` : '';
	const kept = held > 0 ? `; ${held} more can not go yet` : '';
	return `${desired} runners: ${counted}${floor.join(', ')}${capped}${kept}`;
}

const notCounted = (count: number): string =>
	`${count === 1 ? 'is' : 'are'} not counted; where nothing else waits, one runner tries for such jobs every ${probeEveryMs / 60_000} minutes: kubectl runners jobs`;

const jobs = (count: number) => (count === 1 ? '1 job' : `${count} jobs`);

/** RFC 3339 without milliseconds, as Kubernetes writes times. */
const seconds = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

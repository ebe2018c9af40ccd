import type {
	AutoscalerConditionType,
	AutoscalerStatus,
	HorizontalRunnerAutoscaler,
} from '../../api/autoscale.ts';
import { counted } from '../../api/printable.ts';
import type { Finding } from './desired.ts';
import { passedAfterMs, probeEveryMs } from './policy.ts';
import type { Schedule } from './schedule.ts';
import type { Demand, Desired, Runner } from './types.ts';

/** What is known of an autoscaler when its status is written. */
interface Found {
	/** What the last reconcile of its target has found; undefined: there was none. */
	reconciled: { desired: Desired; demand: Demand; replicas: number; schedule: Schedule } | undefined;
	findings: readonly Finding[];
}

/** All conditions but ScalingActive, in the order in which they are shown; the type makes sure that none is missing. */
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
	RunnersLate: true,
	RunnersIgnoreJobs: true,
	NotGivenToRunners: true,
	TooManyJobs: true,
} satisfies Record<Exclude<AutoscalerConditionType, 'ScalingActive'>, true>) as AutoscalerConditionType[];

/** The status as it should be. What is not known now stays as it was. */
export function statusOf(
	{ metadata, status: before = {} }: HorizontalRunnerAutoscaler,
	{ reconciled, findings }: Found,
	nowMs: number,
): AutoscalerStatus {
	const all = [...findings, ...(reconciled ? fromDemand(reconciled) : [])];
	const conditions = conditionsOf(before, reconciled, all, nowMs);
	if (!reconciled) return { ...before, observedGeneration: metadata.generation ?? 0, conditions };
	const { demand, desired, replicas, schedule } = reconciled;
	const grew = demand.desired > (before.desiredReplicas ?? Math.max(1, desired.min));
	return {
		observedGeneration: metadata.generation ?? 0,
		desiredReplicas: demand.desired,
		lastSuccessfulScaleOutTime: grew ? seconds(nowMs) : before.lastSuccessfulScaleOutTime,
		scheduledOverridesSummary: schedule.summary,
		openJobs:
			demand.waiting + demand.running + demand.suspect + demand.unconfirmed + demand.passing.withheld.size,
		waitingJobs: demand.waiting,
		suspectJobs: demand.suspect + demand.unconfirmed,
		spareReplicas: desired.spare,
		heldReplicas: demand.held,
		livingReplicas: demand.living,
		replicas,
		nextScheduledChange: schedule.next && {
			time: seconds(schedule.next.atMs),
			minReplicas: schedule.next.minReplicas,
		},
		conditions,
	};
}

function fromDemand({ desired, demand }: NonNullable<Found['reconciled']>): Finding[] {
	const found: Finding[] = [];
	if (demand.uncapped > demand.desired)
		found.push({
			type: 'AtMaximum',
			reason: 'MoreWanted',
			message: `${counted(demand.uncapped, 'runner')} ${demand.uncapped === 1 ? 'is' : 'are'} needed, but maxReplicas is ${desired.max}`,
		});
	if (demand.suspect > 0)
		found.push({
			type: 'JobsSuspect',
			reason: 'NotTakenByIdleRunners',
			message: `${jobs(demand.suspect)} that no idle runner has taken for minutes, and that GitHub has not confirmed, ${notCounted(demand.suspect)}`,
		});
	if (demand.unconfirmed > 0)
		found.push({
			type: 'JobsSuspect',
			reason: 'ReportedLate',
			message: `${jobs(demand.unconfirmed)} reported long after GitHub had created ${demand.unconfirmed === 1 ? 'it' : 'them'}, and not confirmed by GitHub since, ${notCounted(demand.unconfirmed)}`,
		});
	found.push(...fromSupply(demand));
	if (!desired.ready)
		found.push({
			type: 'Starting',
			reason: 'JobsNotKnown',
			message:
				'the jobs that GitHub has queued are not known yet: until then runners are created, but not removed',
		});
	return found;
}

/** What is wrong with the runners that are there. */
function fromSupply({ supply, passing }: Demand): Finding[] {
	const found: Finding[] = [];
	const { late, sick } = supply;
	if (late.length > 0) {
		const [first] = late;
		const has = late.length === 1 ? 'has' : 'have';
		found.push({
			type: 'RunnersLate',
			reason: first?.phase === 'unbound' ? 'NotScheduled' : 'NotRegistered',
			message: `${names(late)} ${has} been starting for longer than starts take, the first since ${seconds(first?.createdMs ?? 0)}: ${late.length === 1 ? 'it does' : 'they do'} not count for waiting jobs. "kubectl runners why POD" says why a runner has not started`,
		});
	}
	if (sick.length > 0)
		found.push({
			type: 'RunnersIgnoreJobs',
			reason: sick.every(({ offline }) => offline) ? 'Offline' : 'JobsTakenByOthers',
			message: `${names(sick)} ${sick.length === 1 ? 'is' : 'are'} idle, but ${sick[0]?.offline ? 'GitHub has shown the first offline for minutes' : `GitHub gave jobs that waited for ${passedAfterMs / 60_000} minutes to other runners`}: ${sick.length === 1 ? 'it does' : 'they do'} not count for waiting jobs, and ${sick.length === 1 ? 'is' : 'are'} replaced one at a time, at most a fifth of the runners in ten minutes`,
		});
	const { withheld } = passing.memory;
	const [out] = withheld.values();
	if (passing.withheld.size > 0 && out)
		found.push({
			type: 'NotGivenToRunners',
			reason: 'PassedByAllRunners',
			message: `${jobs(passing.withheld.size)} ${passing.withheld.size === 1 ? 'waits' : 'wait'} though idle runners have the labels, such as those of ${out.repository} with ${out.labels.join(', ') || 'no labels'} since ${seconds(out.sinceMs)}: not counted here. Check which repositories and workflows the runner group admits. One runner tries again at ${seconds(out.againMs)}`,
		});
	return found;
}

/** The first few, for people. */
function names(runners: readonly Runner[]): string {
	const rest = runners.length - 3;
	const first = runners.slice(0, 3).map(({ name }) => name);
	return `${runners.length === 1 ? 'runner' : 'runners'} ${first.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

function conditionsOf(
	before: AutoscalerStatus,
	reconciled: Found['reconciled'],
	findings: readonly Finding[],
	nowMs: number,
): AutoscalerStatus['conditions'] {
	// Whoever may edit the status may have written anything.
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
				message: reconciled ? whyOf(reconciled) : 'not reconciled yet',
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
			const said = first ? { reason: first.reason, message } : { reason: 'Resolved', message: '' };
			return [{ type, status, ...said, lastTransitionTime: since(type, status) }];
		}),
	];
}

/** Why this number of runners is wanted: `3 runners: 2 jobs running, 1 waiting; minimum 0`. */
export function whyOf({
	desired,
	demand,
}: Pick<NonNullable<Found['reconciled']>, 'desired' | 'demand'>): string {
	const { desired: replicas, uncapped, held, waiting } = demand;
	const parts = [
		`${jobs(demand.running)} running`,
		`${waiting} waiting`,
		...(desired.spare > 0 ? [counted(desired.spare, 'spare runner')] : []),
	];
	const floor = [
		`minimum ${desired.min}`,
		...(desired.suggestion === undefined ? [] : [`metrics suggest ${desired.suggestion}`]),
		...(desired.reserved > 0 ? [`${desired.reserved} reserved`] : []),
	];
	const byJobs = desired.countsJobs ? `${parts.join(', ')}; ` : '';
	const capped = uncapped > replicas ? `; maximum ${desired.max}` : '';
	const kept = held > 0 ? `; ${counted(held, 'surplus runner')} cannot be removed yet` : '';
	return `${counted(replicas, 'runner')}: ${byJobs}${floor.join(', ')}${capped}${kept}`;
}

const notCounted = (count: number): string =>
	`${count === 1 ? 'is' : 'are'} not counted. While nothing else waits, one runner is started every ${probeEveryMs / 60_000} minutes to try such jobs. "kubectl runners jobs" lists them`;

const jobs = (count: number) => counted(count, 'job');

/** RFC 3339 without milliseconds, as Kubernetes writes times. */
const seconds = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

/**
 * The spec and status of HorizontalRunnerAutoscalers, with ARC's fields, and of WorkflowJobs, declared once; see sets.ts for
 * how definitions and types follow from them.
 */
import { type Static, Type } from 'typebox';
import {
	longestLabel,
	longestObjectName,
	longestRepository,
	mostJobLabels,
	mostMetrics,
	mostOfNoEffect,
	mostOverrides,
	mostRepositories,
	mostReservations,
	mostTriggers,
} from '../limits.ts';
import { flag, int32, int64, list, nullable, object, oneOf, text, time } from './parts.ts';
import { conditionsOf, runnerConfig } from './sets.ts';

/** A number of ARC's metrics, as a text such as "0.75". */
const decimal = (description: string) => Type.String({ description });

/** The metrics that the server computes; see autoscale/rules/metrics.ts. */
export const metricTypes = ['TotalNumberOfQueuedAndInProgressWorkflowRuns', 'PercentageRunnersBusy'] as const;
export type MetricType = (typeof metricTypes)[number];

const metric = object('A metric that can ask for more runners, computed once a minute.', {
	type: text(`Name of the metric: ${metricTypes.join(' or ')}.`),
	repositoryNames: list(
		'Repositories whose jobs are counted, as NAME or OWNER/NAME. Required for runners of an organization or enterprise.',
		Type.String({ maxLength: longestRepository }),
		{ maxItems: mostRepositories },
	),
	scaleUpThreshold: decimal('Fraction of busy runners at or above which runners are added. Default 0.8.'),
	scaleDownThreshold: decimal('Fraction of busy runners below which runners are removed. Default 0.3.'),
	scaleUpFactor: decimal('Factor by which the number of runners is multiplied to add runners. Default 1.3.'),
	scaleDownFactor: decimal(
		'Factor by which the number of runners is multiplied to remove runners. Default 0.7.',
	),
	scaleUpAdjustment: int32('Number of runners to add; takes precedence over scaleUpFactor.'),
	scaleDownAdjustment: int32('Number of runners to remove; takes precedence over scaleDownFactor.'),
});

const trigger = object('An event that adds runners.', {
	githubEvent: object('Events of GitHub that count.', {
		workflowJob: object('Counts the jobs that wait for a runner of the set or run on one.', {}),
		checkRun: object('Accepted for compatibility with ARC; has no effect.', {
			types: list('Has no effect.', Type.String(), { maxItems: mostOfNoEffect }),
			status: text('Has no effect.'),
			names: list('Has no effect.', Type.String(), { maxItems: mostOfNoEffect }),
			repositories: list('Has no effect.', Type.String(), { maxItems: mostOfNoEffect }),
		}),
		pullRequest: object('Accepted for compatibility with ARC; has no effect.', {
			types: list('Has no effect.', Type.String(), { maxItems: mostOfNoEffect }),
			branches: list('Has no effect.', Type.String(), { maxItems: mostOfNoEffect }),
		}),
		push: object('Accepted for compatibility with ARC; has no effect.', {}),
	}),
	amount: int32('Has no effect: each waiting job gets one runner.'),
	duration: text(
		'GitHub is asked about a job that has waited for longer than this. Default 10m. ARC no longer counts such a job.',
	),
});

const scheduledOverride = object(
	'A period in which another minReplicas applies.',
	{
		startTime: time('When the period begins.'),
		endTime: time('When the period ends.'),
		minReplicas: nullable(
			int32('Minimum number of runners in this period, in place of spec.minReplicas.', { minimum: 0 }),
		),
		recurrenceRule: object('How the period is repeated.', {
			frequency: oneOf('Daily, Weekly, Monthly or Yearly. Without it the period occurs once.', [
				'Daily',
				'Weekly',
				'Monthly',
				'Yearly',
			]),
			untilTime: time('The period does not begin again after this time.'),
		}),
		timeZone: text(
			'IANA time zone, such as Europe/Berlin, in which the period is repeated. Default: the UTC offset of startTime.',
		),
	},
	{ required: ['startTime', 'endTime'] },
);

export const autoscalerSpec = object('The limits and the reasons for the number of runners of a set.', {
	scaleTargetRef: object('The set that is scaled, in the same namespace.', {
		kind: oneOf('RunnerDeployment or RunnerSet. Default RunnerDeployment.', [
			'RunnerDeployment',
			'RunnerSet',
		]),
		name: text('Name of the set.', { maxLength: longestObjectName }),
	}),
	minReplicas: int32('Minimum number of runners. Default 1, as in ARC.'),
	maxReplicas: int32(
		'Maximum number of runners. Default 100, or minReplicas if that is more; see the condition NoMaximum.',
	),
	scaleDownDelaySecondsAfterScaleOut: int32(
		'Number of seconds for which a surplus runner stays idle before it is removed. Default 600.',
	),
	metrics: list(
		'Metrics that can ask for more runners than the waiting jobs. The larger number counts.',
		metric,
		{ maxItems: mostMetrics },
	),
	scaleUpTriggers: list('Events that add runners.', trigger, { maxItems: mostTriggers }),
	capacityReservations: list(
		'Additional runners, each entry until it expires. Written by people, never by the server.',
		object('One reservation.', {
			name: text('Name of the reservation, for people.'),
			effectiveTime: time('Has no effect, as in ARC.'),
			expirationTime: time('When the reservation expires.'),
			replicas: int32('Number of additional runners.'),
		}),
		{ maxItems: mostReservations },
	),
	scheduledOverrides: list(
		'Periods in which another minReplicas applies. The first entry that is active counts.',
		scheduledOverride,
		{ maxItems: mostOverrides },
	),
	githubAPICredentialsFrom: {
		...runnerConfig.githubAPICredentialsFrom,
		description:
			'GitHub credentials for everything that is asked about the jobs of the target: waiting and running jobs, the repositories of its organization, its runner groups, and metrics. Default: those of its runners. Runners are never registered or removed with them.',
	},
	spare: object('Idle runners beyond what waiting jobs need. Default none.', {
		replicas: int32('Number of spare runners.', { minimum: 0 }),
		quantile: decimal(
			'Keeps as many spare runners as would have been enough, for this fraction of the last hour, for the jobs that arrive while a runner starts, such as "0.9". The larger of this and replicas counts.',
		),
	}),
});

/** The meaning of each condition when it is True. */
const autoscalerConditionTypes = [
	/** The number of runners is what jobs, metrics and schedule ask for; the message explains it. */
	'ScalingActive',
	/** The target does not exist, or is being deleted. */
	'TargetMissing',
	/** Another autoscaler acts on the target, so this one does not. */
	'TargetTaken',
	/** No trigger, metric or schedule acts: the number stays at minReplicas. */
	'NoTrigger',
	/** There is no maxReplicas: a default maximum applies. */
	'NoMaximum',
	/** More runners are needed than maxReplicas. */
	'AtMaximum',
	/** A field of the spec can't be used; the message names it and what counts in its place. */
	'SpecInvalid',
	/** An override can't be used and is skipped; the others count. */
	'OverrideSkipped',
	/** A metric could not be read or is wrong; the other reasons count. */
	'MetricFailing',
	/** Somebody else writes spec.replicas of the target as well. */
	'ReplicasContested',
	/** The jobs that GitHub has queued are not known yet: no runner is removed. */
	'Starting',
	/** Jobs that GitHub has not confirmed are not counted. */
	'JobsSuspect',
	/** Runners have been starting for longer than starts take: they do not count for waiting jobs. */
	'RunnersLate',
	/** Idle runners were passed over for jobs that others got: they do not count, and are replaced one at a time. */
	'RunnersIgnoreJobs',
	/** GitHub gives some jobs to none of the runners, though they have the labels: these jobs do not count here. */
	'NotGivenToRunners',
	/** More jobs are open than are recorded. */
	'TooManyJobs',
] as const;
export type AutoscalerConditionType = (typeof autoscalerConditionTypes)[number];

export const autoscalerStatus = object(
	'The number of runners and the reasons for it. Written by the server.',
	{
		observedGeneration: int64('The latest generation that the server has acted on.'),
		desiredReplicas: int32('Number of runners that are wanted.'),
		lastSuccessfulScaleOutTime: nullable(time('When desiredReplicas last increased.')),
		scheduledOverridesSummary: nullable(text('The next change of the minimum by an override.')),
		openJobs: int32('Number of jobs of this set that wait or run.'),
		waitingJobs: int32('Number of jobs of this set that wait for a runner.'),
		suspectJobs: int32('Number of waiting jobs that GitHub has not confirmed and that are not counted.'),
		spareReplicas: int32('Number of spare runners that are wanted.'),
		heldReplicas: int32('Number of surplus runners that cannot be removed yet.'),
		livingReplicas: int32('Number of runners of the set that have not ended.'),
		/** What we last wrote into the target's spec.replicas. */
		replicas: int32('The value that was last written into spec.replicas of the target.'),
		nextScheduledChange: nullable(
			object('The next change of the minimum by an override.', {
				time: time('When the minimum changes.'),
				minReplicas: int32('The minimum number of runners from then on.'),
			}),
		),
		conditions: conditionsOf<AutoscalerConditionType>(autoscalerConditionTypes),
	},
);

/** From the lowest rank. waiting: for an approval, before which no runner gets the job. */
const jobStates = ['waiting', 'queued', 'in_progress', 'completed'] as const;
export type JobState = (typeof jobStates)[number];

export const workflowJobSpec = object(
	"What GitHub has said about a job. Written by the server from GitHub's events and answers; nobody else may write it.",
	{
		host: text('Host name of the GitHub that has the job.'),
		id: int64("GitHub's id of the job."),
		repository: text('The repository of the job, as OWNER/NAME.'),
		enterprise: text('The enterprise of the repository, if an event has named it.'),
		runId: int64("GitHub's id of the workflow run."),
		runAttempt: int64('Number of the attempt of the workflow run.'),
		workflow: text('Name of the workflow.'),
		name: text('Name of the job.'),
		url: text('Web address of the job.'),
		labels: list('Labels that a runner must have to run the job.', Type.String({ maxLength: longestLabel }), {
			maxItems: mostJobLabels,
		}),
		labelsTruncated: flag(
			'Whether some of the labels are left out or cut: it is not certain which runners may have the job.',
		),
		state: oneOf('The latest state that is known; it never goes back. waiting: for an approval.', jobStates),
		createdAt: time('When GitHub created the job.'),
		startedAt: time('When the job started, as GitHub says.'),
		completedAt: time('When the job completed, as GitHub says.'),
		conclusion: text('Result of the job, such as success or cancelled.'),
		runnerName: text('Name of the runner to which GitHub has given the job.'),
		runnerGroup: text("Name of that runner's group."),
		/** The delivery's own time: within one rank the later delivery counts. */
		deliveredAt: time('When GitHub sent the event with this state.'),
		/** By the clock of the server that wrote it. */
		stateSince: time('Since when the job is known to be in this state.'),
		/** Absent: a completed job of which nothing was known before. */
		openedAt: time('When the job was first known to wait or run.'),
	},
	{ required: ['host', 'id', 'repository', 'labels', 'state'] },
);

export const workflowJobStatus = object('What the leader has found out about the job.', {
	set: object('The set that the job counts for. Absent if no set can run it.', {
		kind: text('RunnerSet or RunnerDeployment.'),
		namespace: text('Namespace of the set.'),
		name: text('Name of the set.'),
	}),
	reason: text('Why the job waits: one word for programs.'),
	message: text('Why the job waits, for people.'),
	confirmedAt: time('When GitHub last answered that the job is queued.'),
	checkedAt: time('When GitHub was last asked about the job.'),
	checked: text('What GitHub answered: queued, in_progress, completed, or unknown.'),
	/** By its job signals, or because a runner that GitHub had named has ended. */
	runner: text('Name of the runner that has the job according to its job hook or log.'),
	endedAt: time('When that runner ended. The job counts as over until GitHub says otherwise.'),
});

export type AutoscalerSpec = Static<typeof autoscalerSpec>;
export type AutoscalerStatus = Static<typeof autoscalerStatus>;
export type WorkflowJobSpec = Static<typeof workflowJobSpec>;
export type WorkflowJobStatus = Static<typeof workflowJobStatus>;

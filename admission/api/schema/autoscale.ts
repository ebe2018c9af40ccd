/**
 * The spec and status of HorizontalRunnerAutoscalers, with ARC's fields, and of WorkflowJobs, declared once; see sets.ts for
 * how definitions and types follow from them.
 */
import { type Static, Type } from 'typebox';
import { int32, int64, list, nullable, object, oneOf, text, time } from './parts.ts';
import { conditionsOf, runnerConfig } from './sets.ts';

/** A number of ARC's metrics, as a text such as "0.75". */
const decimal = (description: string) => Type.String({ description });

const metric = object('How many runners are wanted, told from what GitHub or the runners show.', {
	type: text('TotalNumberOfQueuedAndInProgressWorkflowRuns or PercentageRunnersBusy.'),
	repositoryNames: list(
		'Repositories whose runs are counted, by name, or OWNER/NAME; needed for runners of an organization.',
		Type.String(),
	),
	scaleUpThreshold: decimal('Part of busy runners from which on there are to be more. Default 0.8.'),
	scaleDownThreshold: decimal('Part of busy runners below which there are to be fewer. Default 0.3.'),
	scaleUpFactor: decimal('By which the number is multiplied then. Default 1.3.'),
	scaleDownFactor: decimal('By which the number is multiplied then. Default 0.7.'),
	scaleUpAdjustment: int32('So many more, in place of the factor.'),
	scaleDownAdjustment: int32('So many fewer, in place of the factor.'),
});

const trigger = object('What makes the set grow.', {
	githubEvent: object("GitHub's events.", {
		workflowJob: object('Jobs that wait for a runner with the labels of the set.', {}),
		checkRun: object('Accepted as ARC does, and without effect.', {
			types: list('Without effect.', Type.String()),
			status: text('Without effect.'),
			names: list('Without effect.', Type.String()),
			repositories: list('Without effect.', Type.String()),
		}),
		pullRequest: object('Accepted as ARC does, and without effect.', {
			types: list('Without effect.', Type.String()),
			branches: list('Without effect.', Type.String()),
		}),
		push: object('Accepted as ARC does, and without effect.', {}),
	}),
	amount: int32('Without effect: each waiting job is one runner.'),
	duration: text('A job that has waited for longer is asked about at GitHub. Default 10m. (ARC drops it.)'),
});

const scheduledOverride = object(
	'Another minReplicas for a time.',
	{
		startTime: time('When it begins.'),
		endTime: time('When it ends.'),
		minReplicas: nullable(int32('In place of spec.minReplicas.', { minimum: 0 })),
		recurrenceRule: object('When it comes again.', {
			frequency: oneOf('Once where it is absent.', ['Daily', 'Weekly', 'Monthly', 'Yearly']),
			untilTime: time('It does not begin after this.'),
		}),
		timeZone: text(
			'IANA time zone, such as Europe/Berlin: the days are those of its wall clock. Default: the offset of startTime.',
		),
	},
	{ required: ['startTime', 'endTime'] },
);

export const autoscalerSpec = object('Between how many runners a set has, and why.', {
	scaleTargetRef: object('The set, in the same namespace.', {
		kind: oneOf('RunnerDeployment, which is the default, or RunnerSet.', ['RunnerDeployment', 'RunnerSet']),
		name: text('Its name.'),
	}),
	minReplicas: int32('The fewest runners. Default 1, as ARC has it.'),
	maxReplicas: int32('The most runners. Without it there is a safety ceiling, see the condition NoMaximum.'),
	scaleDownDelaySecondsAfterScaleOut: int32(
		'A runner that is too many goes when it has been idle for so long. Default 600.',
	),
	metrics: list('Further reasons for runners; the larger number counts.', metric),
	scaleUpTriggers: list('Which events count.', trigger),
	capacityReservations: list(
		'Runners on top, each entry until it expires. Written by people, never by the server.',
		object('One of them.', {
			name: text('For people.'),
			effectiveTime: time('Without effect, as in ARC.'),
			expirationTime: time('Until when it counts.'),
			replicas: int32('How many runners.'),
		}),
	),
	scheduledOverrides: list(
		'Times with another minReplicas. The first one that is active counts.',
		scheduledOverride,
	),
	githubAPICredentialsFrom: runnerConfig.githubAPICredentialsFrom,
	spare: object('Idle runners on top of what waiting jobs need. Default none.', {
		replicas: int32('So many.', { minimum: 0 }),
		quantile: decimal(
			'As many as jobs came within the start-up time of a runner, in this part of the last hour: "0.9".',
		),
	}),
});

/** What each says when it is True. */
const autoscalerConditionTypes = [
	/** The number of runners is what jobs, metrics and schedule ask for; the message says why it is what it is. */
	'ScalingActive',
	/** The target does not exist, or is being deleted. */
	'TargetMissing',
	/** Another autoscaler acts on the target, and this one does not. */
	'TargetTaken',
	/** No trigger, metric or schedule acts: the number stays at minReplicas. */
	'NoTrigger',
	/** There is no maxReplicas: a safety ceiling holds. */
	'NoMaximum',
	/** More runners are wanted than maxReplicas. */
	'AtMaximum',
	/** A field of the spec can't be used; the message names it and what counts in its place. */
	'SpecInvalid',
	/** An override can't be used and is skipped; the others count. */
	'OverrideSkipped',
	/** A metric could not be read or is wrong; the other reasons count. */
	'MetricFailing',
	/** Somebody else writes spec.replicas of the target as well. */
	'ReplicasContested',
	/** What GitHub has queued is not known yet: no runner is removed. */
	'Starting',
	/** Jobs that can't be confirmed are not counted. */
	'JobsSuspect',
	/** More open jobs than are remembered. */
	'TooManyJobs',
] as const;
export type AutoscalerConditionType = (typeof autoscalerConditionTypes)[number];

export const autoscalerStatus = object('How many runners there are to be. Written by the server.', {
	observedGeneration: int64('The generation that was acted on.'),
	desiredReplicas: int32('Runners wanted.'),
	lastSuccessfulScaleOutTime: nullable(time('When desiredReplicas last grew.')),
	scheduledOverridesSummary: nullable(text('The override that is active or comes next.')),
	openJobs: int32('Jobs of this set that wait or run.'),
	waitingJobs: int32('Jobs of this set that wait for a runner.'),
	suspectJobs: int32('Waiting jobs that could not be confirmed and are not counted.'),
	spareReplicas: int32('Idle runners wanted on top.'),
	heldReplicas: int32('Runners above desiredReplicas that can not go yet.'),
	livingReplicas: int32('Runners of the set that have not ended.'),
	/** What we last wrote into the target's spec.replicas. */
	replicas: int32('What was last written into spec.replicas of the target.'),
	nextScheduledChange: nullable(
		object('The next change of the minimum by a schedule.', {
			time: time('When.'),
			minReplicas: int32('The minimum from then on.'),
		}),
	),
	conditions: conditionsOf<AutoscalerConditionType>(autoscalerConditionTypes),
});

/** From the lowest rank. waiting: for an approval, which nobody can run before. */
export const jobStates = ['waiting', 'queued', 'in_progress', 'completed'] as const;
export type JobState = (typeof jobStates)[number];

export const workflowJobSpec = object(
	"What GitHub has said of a job: facts only. Written by the server from GitHub's events and answers; nobody else may.",
	{
		host: text('Host of the GitHub that has the job.'),
		id: int64("GitHub's id of the job."),
		repository: text('OWNER/NAME.'),
		enterprise: text('The enterprise of the repository, where the event tells.'),
		runId: int64('Id of the workflow run.'),
		runAttempt: int64('Attempt of the run.'),
		workflow: text('Name of the workflow.'),
		name: text('Name of the job.'),
		url: text('Address of its page.'),
		labels: list('What it runs on, as GitHub says it.', Type.String()),
		state: oneOf('Its furthest state.', jobStates),
		createdAt: time('When GitHub made it.'),
		startedAt: time('When it started, by GitHub.'),
		completedAt: time('When it completed, by GitHub.'),
		conclusion: text('How it ended.'),
		runnerName: text('Name of the runner that GitHub gave it.'),
		runnerGroup: text("Name of that runner's group."),
		/** The delivery's own time: within one rank the later delivery counts. */
		deliveredAt: time('When the event of this state was sent.'),
		/** By the clock of the server that wrote it. */
		stateSince: time('Since when it is known to be in this state.'),
		/** Absent: a completed job of which nothing was known before. */
		openedAt: time('When it was first known to be open.'),
	},
	{ required: ['host', 'id', 'repository', 'labels', 'state'] },
);

export const workflowJobStatus = object('What the leading server makes of it.', {
	set: object('The set that it counts for; none: no set can run it.', {
		kind: text('RunnerSet or RunnerDeployment.'),
		namespace: text('Its namespace.'),
		name: text('Its name.'),
	}),
	reason: text('Why it waits, one word, for programs.'),
	message: text('Why it waits, for people.'),
	confirmedAt: time('When GitHub last said that it is queued.'),
	checkedAt: time('When GitHub was last asked about it.'),
	checked: text('What GitHub answered: queued, in_progress, completed, or unknown.'),
	/** By its hook, or because a runner that GitHub had named has ended. */
	runner: text('The runner that has it, as far as our own witnesses tell.'),
	endedAt: time('When that runner ended: the job counts as over until GitHub says otherwise.'),
});

export type AutoscalerSpec = Static<typeof autoscalerSpec>;
export type AutoscalerStatus = Static<typeof autoscalerStatus>;
export type ScheduledOverride = Static<typeof scheduledOverride>;
export type AutoscalerMetric = Static<typeof metric>;
export type WorkflowJobSpec = Static<typeof workflowJobSpec>;
export type WorkflowJobStatus = Static<typeof workflowJobStatus>;

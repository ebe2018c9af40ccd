/**
 * HorizontalRunnerAutoscaler (ARC's kind) and WorkflowJob (ours, in the server's namespace), as they are on the wire. The
 * types of specs and status follow from the schemas in schema/autoscale.ts.
 */
import type { KubeObject } from './kinds.ts';
import type {
	AutoscalerSpec,
	AutoscalerStatus,
	WorkflowJobSpec,
	WorkflowJobStatus,
} from './schema/autoscale.ts';
import { apiVersion, type SetMeta } from './sets.ts';

export type {
	AutoscalerConditionType,
	AutoscalerSpec,
	AutoscalerStatus,
	JobState,
	MetricType,
	WorkflowJobSpec,
	WorkflowJobStatus,
} from './schema/autoscale.ts';

export const autoscaleKinds = {
	autoscaler: { apiVersion, kind: 'HorizontalRunnerAutoscaler', resource: 'horizontalrunnerautoscalers' },
	workflowJob: { apiVersion, kind: 'WorkflowJob', resource: 'workflowjobs' },
} as const;

export interface HorizontalRunnerAutoscaler extends KubeObject {
	metadata: SetMeta;
	spec: AutoscalerSpec;
	status?: AutoscalerStatus;
}

export interface WorkflowJob extends KubeObject {
	spec: WorkflowJobSpec;
	status?: WorkflowJobStatus;
}

/** Why a job waits: `status.reason` of a WorkflowJob. `status.message` says it in words, with names and times. */
export type WaitReason =
	/** No set covers its repository, is visible to it and has its labels. */
	| 'NoMatchingSet'
	/** Its set has its maximum of runners. */
	| 'AtMaximum'
	/** A runner for it is being started. */
	| 'RunnerStarting'
	/** Runners of the set are idle, but GitHub has not given it to one of them yet. */
	| 'RunnerIdle'
	/** GitHub refuses the version of the set's runners. */
	| 'RunnerOutdated'
	/** The set's runners do not start. */
	| 'StartsFailing'
	/** A ResourceQuota refuses further runners of the set. */
	| 'QuotaExceeded'
	/** The set has no GitHub credentials that work. */
	| 'CredentialsMissing'
	/** GitHub's rate limit: its set gets no registration token, or the job can't be confirmed. */
	| 'RateLimited'
	/** It waits for an approval (environment), before which no runner gets it. */
	| 'Approval'
	/** It waits for another job or run of its concurrency group. */
	| 'ConcurrencyGroup'
	/** It was reported long after GitHub had created it, and GitHub has not confirmed it yet: it does not count. */
	| 'Unconfirmed'
	/** No idle runner has taken it for minutes, and GitHub has not confirmed it: it does not count. */
	| 'Suspect'
	/** GitHub gives jobs of its repository and labels to none of its set's runners: it counts again after a while. */
	| 'NotGivenToRunners'
	/** No HorizontalRunnerAutoscaler scales its set: the number of runners is fixed. */
	| 'NotAutoscaled';

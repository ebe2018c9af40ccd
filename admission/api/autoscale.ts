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
	AutoscalerMetric,
	AutoscalerSpec,
	AutoscalerStatus,
	JobState,
	ScheduledOverride,
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

import type {
	AutoscalerConditionType,
	AutoscalerSpec,
	AutoscalerStatus,
	HorizontalRunnerAutoscaler,
} from '../../../../admission/api/autoscale.ts';

export interface AutoscalerFields {
	name?: string;
	spec?: Partial<AutoscalerSpec>;
	status?: Partial<AutoscalerStatus>;
	/** Conditions that are True, with their messages. */
	conditions?: Partial<Record<AutoscalerConditionType, string>>;
	metadata?: object;
}

/** One of the RunnerSet `ci/example`, seen by the server. */
export function autoscaler({
	name = 'example',
	spec,
	status,
	conditions = {},
	metadata,
}: AutoscalerFields = {}): HorizontalRunnerAutoscaler {
	return {
		apiVersion: 'actions.summerwind.dev/v1alpha1',
		kind: 'HorizontalRunnerAutoscaler',
		metadata: {
			name,
			namespace: 'ci',
			uid: `uid-${name}`,
			generation: 2,
			resourceVersion: '7',
			creationTimestamp: '2026-11-23T11:00:00Z',
			...metadata,
		},
		spec: {
			scaleTargetRef: { kind: 'RunnerSet', name: 'example' },
			minReplicas: 1,
			maxReplicas: 10,
			scaleUpTriggers: [{ githubEvent: { workflowJob: {} } }],
			...spec,
		},
		status: {
			observedGeneration: 2,
			...status,
			conditions: Object.entries(conditions).map(([type, message]) => ({
				type: type as AutoscalerConditionType,
				status: 'True' as const,
				message,
			})),
		},
	};
}

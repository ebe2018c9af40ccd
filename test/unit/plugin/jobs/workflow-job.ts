import type { WorkflowJob, WorkflowJobSpec, WorkflowJobStatus } from '../../../../admission/api/autoscale.ts';

/** A job that is queued, of the set `ci/linux`. */
export function workflowJob(
	id: number,
	{
		spec,
		status = { set: { kind: 'RunnerSet', namespace: 'ci', name: 'linux' } },
	}: { spec?: Partial<WorkflowJobSpec>; status?: WorkflowJobStatus | undefined } = {},
): WorkflowJob {
	return {
		apiVersion: 'actions.summerwind.dev/v1alpha1',
		kind: 'WorkflowJob',
		metadata: {
			name: `job-${id}`,
			namespace: 'runners-system',
			uid: `uid-${id}`,
			resourceVersion: String(id),
		},
		spec: {
			host: 'github.com',
			id,
			repository: 'octo-org/app',
			name: `build ${id}`,
			workflow: 'CI',
			runId: 42,
			runAttempt: 1,
			url: `https://github.com/octo-org/app/actions/runs/42/job/${id}`,
			labels: ['self-hosted', 'linux'],
			state: 'queued',
			stateSince: '2026-11-23T11:55:00Z',
			openedAt: '2026-11-23T11:55:00Z',
			...spec,
		},
		...(status === undefined ? {} : { status }),
	};
}

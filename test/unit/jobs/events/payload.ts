/** A workflow_job event as GitHub sends it, cut down to what may be read and a little more. */
export function payload(
	change: {
		action?: unknown;
		job?: Record<string, unknown>;
		repository?: unknown;
		rest?: Record<string, unknown>;
	} = {},
): Record<string, unknown> {
	return {
		action: change.action ?? 'in_progress',
		workflow_job: {
			id: 7,
			run_id: 42,
			run_attempt: 2,
			workflow_name: 'CI',
			name: 'build (20)',
			status: 'in_progress',
			conclusion: null,
			created_at: '2026-11-23T12:00:40Z',
			started_at: '2026-11-23T12:00:50Z',
			completed_at: null,
			html_url: 'https://github.com/octo-org/app/actions/runs/42/job/7',
			labels: ['self-hosted', 'linux'],
			runner_id: 1,
			runner_name: 'r1',
			runner_group_id: 1,
			runner_group_name: 'Default',
			steps: [],
			...change.job,
		},
		repository: change.repository ?? {
			id: 1,
			name: 'app',
			full_name: 'octo-org/app',
			html_url: 'https://github.com/octo-org/app',
			owner: { login: 'octo-org' },
		},
		organization: { login: 'octo-org' },
		sender: { login: 'alice' },
		...change.rest,
	};
}

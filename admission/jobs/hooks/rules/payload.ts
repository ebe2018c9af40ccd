import { printable } from '../../../api/printable.ts';
import type { Job } from '../../../runner/job-signals.ts';
import type { JobReport } from '../../rules/job-signals.ts';
import type { hookVariables, What } from './layout.ts';

type Payload = Partial<Record<(typeof hookVariables)[number], unknown>>;

/**
 * What a hook reports. Its body only describes the job, and a job may have sent it itself: the token decides which pod it is
 * about.
 *
 * @param body as it was sent
 * @param githubUrl the GitHub whose runners we guard, with a slash at its end: only there an address leads
 * @returns undefined: it is not JSON, or names no job
 */
export function readPayload(what: What, body: string, githubUrl: string): JobReport | undefined {
	const payload = parse(body);
	const runId = number(payload.GITHUB_RUN_ID);
	const attempt = number(payload.GITHUB_RUN_ATTEMPT);
	const name = text(payload.GITHUB_JOB);
	const trackingId = text(payload.RUNNER_TRACKING_ID);
	const key = trackingId ?? (runId === undefined ? undefined : `${runId}/${attempt ?? 1}/${name ?? ''}`);
	if (key === undefined) return undefined;
	const repository = /^[\w.-]+\/[\w.-]+$/.exec(text(payload.GITHUB_REPOSITORY) ?? '')?.[0];
	const ours = `${text(payload.GITHUB_SERVER_URL)}/`.toLowerCase() === githubUrl.toLowerCase();
	const job: Job = {
		name: name ?? 'a job',
		repository,
		workflow: text(payload.GITHUB_WORKFLOW),
		runId,
		attempt,
	};
	if (ours && repository && runId !== undefined) job.url = `${githubUrl}${repository}/actions/runs/${runId}`;
	return { by: 'hook', says: what, key, keyRepeats: !runnersOwn.test(trackingId ?? ''), job };
}

/**
 * The RUNNER_TRACKING_ID that the runner makes for each job (actions/runner src/Runner.Worker/JobExtension.cs). A workflow may
 * empty it, to keep processes alive: then the jobs of a matrix have the same run, attempt and key.
 */
const runnersOwn = /^github_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** JSON that is not an object has none of the fields. */
function parse(body: string): Payload {
	try {
		return (JSON.parse(body) as Payload | null) ?? {};
	} catch {
		return {};
	}
}

const text = (value: unknown): string | undefined =>
	typeof value === 'string' && value !== '' ? printable(value) : undefined;

const number = (value: unknown): number | undefined =>
	typeof value === 'string' && /^[1-9]\d{0,14}$/.test(value) ? Number(value) : undefined;

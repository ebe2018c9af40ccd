import { printable } from '../../../api/printable.ts';
import type { Job } from '../../../runner/job-signals.ts';
import type { JobReport } from '../../rules/job-signals.ts';
import type { hookVariables, What } from './layout.ts';

type Said = Record<(typeof hookVariables)[number], unknown>;

/**
 * The word of a hook. Its body only describes the job, and a job may have sent it itself: which pod it is about, the token
 * tells.
 *
 * @param body as it was sent
 * @param githubUrl the GitHub whose runners we guard, with a slash at its end: only there an address leads
 * @returns undefined: it is not JSON, or names no job
 */
export function reportOf(what: What, body: string, githubUrl: string): JobReport | undefined {
	const said = read(body);
	const runId = number(said.GITHUB_RUN_ID);
	const attempt = number(said.GITHUB_RUN_ATTEMPT);
	const name = text(said.GITHUB_JOB);
	const key =
		text(said.RUNNER_TRACKING_ID) ??
		(runId === undefined ? undefined : `${runId}/${attempt ?? 1}/${name ?? ''}`);
	if (key === undefined) return undefined;
	const repository = /^[\w.-]+\/[\w.-]+$/.exec(text(said.GITHUB_REPOSITORY) ?? '')?.[0];
	const ours = `${text(said.GITHUB_SERVER_URL)}/`.toLowerCase() === githubUrl.toLowerCase();
	const job: Job = {
		name: name ?? 'a job',
		repository,
		workflow: text(said.GITHUB_WORKFLOW),
		runId,
		attempt,
	};
	if (ours && repository && runId !== undefined) job.url = `${githubUrl}${repository}/actions/runs/${runId}`;
	return { by: 'hook', says: what, key, job };
}

/** Whatever else it is than an object has none of the fields. */
function read(body: string): Partial<Said> {
	try {
		return (JSON.parse(body) as Said | null) ?? {};
	} catch {
		return {};
	}
}

const text = (value: unknown): string | undefined =>
	typeof value === 'string' && value !== '' ? printable(value) : undefined;

const number = (value: unknown): number | undefined =>
	typeof value === 'string' && /^[1-9]\d{0,14}$/.test(value) ? Number(value) : undefined;

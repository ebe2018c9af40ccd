import { foldName, sameName } from '../runner/github-name.ts';
import { BoundedMap } from '../time/bounded-map.ts';
import { perPage } from './client.ts';
import { mostJobPages, notVisible } from './policy.ts';
import type { CallOptions, Read } from './types.ts';

/** Which jobs are asked about: those of one runner in one attempt of a run. Whoever asks may have it from a job itself. */
export interface JobsQuestion {
	/** `owner/repository` */
	repository: string;
	runId: number;
	attempt: number;
	runnerName: string;
}

/**
 * 'unknown' is no evidence: GitHub could not be asked, shows the credential nothing, has no job of this runner in the run,
 * or has one of which it has not said which runner has it.
 */
export type JobsAnswer = 'all completed' | 'not all' | 'unknown';

interface ListedJob {
	id: number;
	status: string;
	runnerName: string | undefined;
}

const route = 'GET /repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}/jobs';

/**
 * Looks up at GitHub what has become of a runner's job, by the runner's name: neither a job hook nor the runner's log knows
 * the job's id. A runner may have had several jobs of one run: only all of them together tell something.
 */
export class RunJobs {
	readonly #read: Read;
	readonly #now: () => number;
	/** Repositories that GitHub does not show: they are not asked about for a while. */
	readonly #hidden = new BoundedMap<string, true>({ most: notVisible.most, lastsMs: notVisible.againMs });

	constructor(options: { read: Read; now: () => number }) {
		this.#read = options.read;
		this.#now = options.now;
	}

	async of(question: JobsQuestion, options: Pick<CallOptions, 'signal'> = {}): Promise<JobsAnswer> {
		const { repository, runId, attempt, runnerName } = question;
		if (!isRepository(repository) || !isId(runId) || !isId(attempt)) return 'unknown';
		const key = foldName(repository);
		if (this.#hidden.has(key, this.#now())) return 'unknown';
		const jobs = await this.#all(question, options);
		if (jobs === 'not-visible') this.#hidden.set(key, true, this.#now());
		if (typeof jobs === 'string') return 'unknown';
		const own = jobs.filter((job) => sameName(runnerName, job.runnerName));
		const open = ({ status }: ListedJob) => status !== 'completed';
		if (own.some(open)) return 'not all';
		const mayBeOurs = jobs.some((job) => job.status === 'in_progress' && job.runnerName === undefined);
		return own.length === 0 || mayBeOurs ? 'unknown' : 'all completed';
	}

	/** All jobs of the attempt: the end is found by counting, and a part of a list proves nothing. */
	async #all(
		{ repository, runId, attempt }: JobsQuestion,
		options: Pick<CallOptions, 'signal'>,
	): Promise<ListedJob[] | 'not-visible' | 'unknown'> {
		const [owner = '', repo = ''] = repository.split('/');
		const found = new Map<number, ListedJob>();
		for (let page = 1; page <= mostJobPages; page++) {
			const parameters = { owner, repo, run_id: runId, attempt_number: attempt, per_page: perPage, page };
			const what = `list jobs of ${repository}, run ${runId}`;
			const answer = await this.#read(what, { route, parameters, endpoint: 'list-jobs' }, options);
			if (answer.kind !== 'read') return answer.kind === 'not-visible' ? 'not-visible' : 'unknown';
			const read = readPage(answer.body);
			if (!read) return 'unknown';
			for (const job of read.jobs) found.set(job.id, job);
			if (found.size === read.totalCount) return [...found.values()];
			if (read.jobs.length === 0 || found.size > read.totalCount) return 'unknown';
		}
		return 'unknown';
	}
}

/** Anything else could lead to another path of the API. */
const isRepository = (name: string): boolean => {
	const parts = name.split('/');
	return parts.length === 2 && parts.every((part) => /^[\w.-]{1,100}$/.test(part) && !/^\.+$/.test(part));
};

const isId = (value: number): boolean => Number.isSafeInteger(value) && value > 0;

/** The page; undefined unless every part of it can be read. */
function readPage(body: unknown): { totalCount: number; jobs: ListedJob[] } | undefined {
	if (typeof body !== 'object' || body === null) return undefined;
	const { total_count: totalCount, jobs } = body as Record<string, unknown>;
	if (typeof totalCount !== 'number' || !Array.isArray(jobs)) return undefined;
	const read = jobs.map(readJob);
	return read.every((job) => job !== undefined) ? { totalCount, jobs: read } : undefined;
}

function readJob(value: unknown): ListedJob | undefined {
	if (typeof value !== 'object' || value === null) return undefined;
	const { id, status, runner_name: runnerName } = value as Record<string, unknown>;
	if (!Number.isSafeInteger(id) || typeof status !== 'string') return undefined;
	if (runnerName !== null && runnerName !== undefined && typeof runnerName !== 'string') return undefined;
	return { id: id as number, status, runnerName: runnerName || undefined };
}

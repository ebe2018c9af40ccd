import type { Read, ReadOutcome } from '../../../../admission/github/types.ts';
import type { Answer } from '../../../sim/answer.ts';
import { JobService } from '../../../sim/job-service.ts';
import type { Jobs } from '../../../sim/jobs.ts';
import type { Registry } from '../../../sim/registry.ts';
import { matchRoute } from '../../../sim/routes.ts';
import { RunService } from '../../../sim/run-service.ts';
import { tagged } from '../../../sim/send.ts';
import type { SimulatedClock } from '../../support/clock.ts';

export interface ReadCall {
	atMs: number;
	endpoint: string;
	/** The path and what was asked of it. */
	path: string;
	status: number;
	/** It cost something of the primary limit. */
	charged: boolean;
}

interface Served {
	jobs: Jobs;
	registry: Registry;
	clock: SimulatedClock;
}

interface Shown {
	/** Whether the credential is not shown a repository or organization, in lower case. */
	isHidden: (scope: string) => boolean;
	/** In place of GitHub's answer. */
	own?: () => ReadOutcome | undefined;
	note: (call: ReadCall) => void;
}

const baseUrl = () => 'https://api.github.com';

/** What a credential reads of the simulated GitHub's jobs, without HTTP. */
export function servedRead({ jobs, registry, clock }: Served, { isHidden, own, note }: Shown): Read {
	const services = {
		jobs: new JobService(jobs, [], baseUrl),
		runs: new RunService(jobs, registry, registry.groups, baseUrl),
	};
	const serve = (path: string, query: URLSearchParams, etag: string | undefined): Answer => {
		const found = matchRoute('GET', path, registry);
		const missing = { status: 404, headers: {}, body: {} };
		const { scope } = found;
		if (scope === undefined || isHidden(scope.replace(/^\w+\//, '').toLowerCase())) return missing;
		const runs = ['runs', 'repositories', 'runner-groups'].includes(found.endpoint);
		const answer = runs ? services.runs.answer(found, scope, query) : services.jobs.answer(found, query);
		const headers = { authorization: 'token t', 'if-none-match': etag };
		return tagged({ method: 'GET', headers } as unknown as Parameters<typeof tagged>[0], answer);
	};
	return async (_what, { route, parameters, endpoint, etag }) => {
		const given = own?.();
		const query = new URLSearchParams();
		let path = route.slice('GET '.length);
		for (const [name, value] of Object.entries(parameters)) {
			if (path.includes(`{${name}}`)) path = path.replace(`{${name}}`, String(value));
			else query.set(name, String(value));
		}
		const answered = (status: number) => {
			const shown = query.get('status');
			const asked = shown === null ? path : `${path} ${shown}`;
			note({ atMs: clock.monotonic(), endpoint, path: asked, status, charged: status !== 304 });
		};
		if (given) {
			if (given.kind !== 'budget-spent') answered(given.kind === 'not-visible' ? 404 : 500);
			return given;
		}
		const { status, body, headers } = serve(path, query, etag);
		answered(status);
		if (status === 304) return { kind: 'not-modified' };
		if (status !== 200) return { kind: 'not-visible' };
		return { kind: 'read', body: JSON.parse(JSON.stringify(body)), link: '', etag: headers.etag };
	};
}

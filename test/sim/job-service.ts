/** What GitHub answers about jobs and about the deliveries of its webhooks. */
import { type Answer, docsOf, failure, notFound } from './answer.ts';
import { numberOf, presentJob, secondsOf } from './job-bodies.ts';
import type { Jobs } from './jobs.ts';
import { cut, defaultPerPage, maxPerPage, whole } from './pages.ts';
import type { Route } from './routes.ts';
import { type Scope, scopeKey } from './scope.ts';
import type { Delivery, Hook } from './webhooks.ts';

export class JobService {
	readonly #jobs: Jobs;
	readonly #hooks: readonly Hook[];
	readonly #baseUrl: () => string;

	constructor(jobs: Jobs, hooks: readonly Hook[], baseUrl: () => string) {
		this.#jobs = jobs;
		this.#hooks = hooks;
		this.#baseUrl = baseUrl;
	}

	answer(route: Route, query: URLSearchParams): Answer {
		const { endpoint, kind, scope } = route;
		const page = docsOf(endpoint, kind);
		if (scope === undefined) return notFound(page);
		switch (endpoint) {
			case 'job': {
				const job = this.#jobs.get(route.jobId ?? 0);
				if (job === undefined || repositoryOf(scope) !== job.repository.toLowerCase()) return notFound(page);
				return ok(presentJob(job, this.#baseUrl()));
			}
			case 'jobs-of-run':
			case 'jobs-of-attempt':
				return this.#ofRun(route, scope, query, page);
			default:
				return this.#deliveries(route, scope, query, page);
		}
	}

	#ofRun(route: Route, scope: Scope, query: URLSearchParams, docs: string): Answer {
		const all = this.#jobs.ofRun(repositoryOf(scope), route.runId ?? 0, route.attempt);
		if (all.length === 0) return notFound(docs);
		const { items, headers } = cut(all, query, this.#baseUrl() + route.path);
		const jobs = items.map((job) => presentJob(job, this.#baseUrl()));
		return { status: 200, headers, body: { total_count: all.length, jobs } };
	}

	#deliveries(route: Route, scope: Scope, query: URLSearchParams, docs: string): Answer {
		const hook = this.#hooks.find(({ id }) => id === route.hookId);
		if (hook === undefined || scopeKey(hook.scope) !== scopeKey(scope)) return notFound(docs);
		if (route.endpoint === 'deliveries') return this.#listDeliveries(route, hook, query);
		const delivery = hook.deliveries.find(({ id }) => id === route.deliveryId);
		if (delivery === undefined) return failure(404, 'Not Found', docs);
		if (route.endpoint === 'delivery') return ok(wholeDelivery(delivery));
		void hook.redeliver(delivery.id);
		return { status: 202, headers: {}, body: {} };
	}

	/** Newest first. The cursor has GitHub's own format: `v1_` and the id of the delivery that comes next. */
	#listDeliveries(route: Route, hook: Hook, query: URLSearchParams): Answer {
		const perPage = Math.min(whole(query.get('per_page'), defaultPerPage), maxPerPage);
		const cursor = Number(query.get('cursor')?.replace(/^v1_/, '') ?? Infinity);
		const status = query.get('status');
		const failed = ({ statusCode }: Delivery) => statusCode >= 400 && statusCode < 600;
		const all = hook.deliveries
			.toReversed()
			.filter((delivery) => status === null || failed(delivery) === (status === 'failure'))
			.filter(({ id }) => id <= cursor);
		const next = all[perPage];
		const parameters = new URLSearchParams(query);
		parameters.set('cursor', `v1_${next?.id}`);
		const link = next ? `<${this.#baseUrl()}${route.path}?${parameters}>; rel="next"` : '';
		return ok(all.slice(0, perPage).map(deliveryItem), link);
	}
}

function deliveryItem(delivery: Delivery) {
	const { id, guid, redelivery, status, statusCode, action, repository } = delivery;
	return {
		id,
		guid,
		delivered_at: secondsOf(delivery.deliveredAtMs),
		redelivery,
		duration: delivery.durationMs / 1000,
		status,
		status_code: statusCode,
		event: 'workflow_job',
		action,
		installation_id: null,
		repository_id: numberOf(repository),
		throttled_at: null,
	};
}

function wholeDelivery(delivery: Delivery) {
	const { request, response } = delivery;
	return {
		...deliveryItem(delivery),
		url: '',
		request: { headers: request.headers, payload: JSON.parse(request.body) },
		response: { headers: response.headers, payload: response.body },
	};
}

function ok(body: unknown, link = ''): Answer {
	return { status: 200, headers: link === '' ? {} : { link }, body };
}

/** `repos/Octo-Org/app` -> `octo-org/app` */
function repositoryOf(scope: Scope): string {
	return scopeKey(scope).slice('repos/'.length);
}

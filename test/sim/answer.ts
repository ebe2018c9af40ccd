/**
 * GitHub's answers: status, headers and the message of its error bodies.
 *
 * Texts marked (seen) are quoted from public reports of real answers; the others follow GitHub's documentation.
 */
import type { ScopeKind } from './scope.ts';

export interface Answer {
	status: number;
	headers: Record<string, string>;
	/** undefined: no body at all (204, 304). A string is sent as it is. */
	body?: unknown;
}

type RunnerEndpoint = 'list' | 'get' | 'delete' | 'registration-token' | 'remove-token';
type JobEndpoint = 'job' | 'jobs-of-run' | 'jobs-of-attempt';
type RunEndpoint = 'runs' | 'repositories' | 'runner-groups';
type DeliveryEndpoint = 'deliveries' | 'delivery' | 'redelivery';
export type Endpoint =
	| RunnerEndpoint
	| JobEndpoint
	| RunEndpoint
	| DeliveryEndpoint
	| 'access-token'
	| 'rate-limit'
	| 'unknown';

const ownerTexts: Record<ScopeKind, string> = {
	repos: 'a-repository',
	orgs: 'an-organization',
	enterprises: 'an-enterprise',
};

const anchors: Record<RunnerEndpoint, string> = {
	list: 'list-self-hosted-runners-for-',
	get: 'get-a-self-hosted-runner-for-',
	delete: 'delete-a-self-hosted-runner-from-',
	'registration-token': 'create-a-registration-token-for-',
	'remove-token': 'create-a-remove-token-for-',
};

const jobAnchors: Record<JobEndpoint, string> = {
	job: 'get-a-job-for-a-workflow-run',
	'jobs-of-run': 'list-jobs-for-a-workflow-run',
	'jobs-of-attempt': 'list-jobs-for-a-workflow-run-attempt',
};

const deliveryAnchors: Record<DeliveryEndpoint, string> = {
	deliveries: 'list-deliveries-for-',
	delivery: 'get-a-webhook-delivery-for-',
	redelivery: 'redeliver-a-delivery-for-',
};

const runPages: Record<RunEndpoint, string> = {
	runs: 'actions/workflow-runs#list-workflow-runs-for-a-repository',
	repositories: 'repos/repos#list-organization-repositories',
	'runner-groups': 'actions/self-hosted-runner-groups#list-self-hosted-runner-groups-for-',
};

const docs = 'https://docs.github.com/rest';

/** The page that GitHub names in an error of this endpoint. */
export function docsOf(endpoint: Endpoint, kind?: ScopeKind): string {
	if (endpoint === 'access-token') return `${docs}/apps/apps#create-an-installation-access-token-for-an-app`;
	if (endpoint === 'rate-limit')
		return `${docs}/rate-limit/rate-limit#get-rate-limit-status-for-the-authenticated-user`;
	if (endpoint === 'unknown' || kind === undefined) return docs;
	if (endpoint in jobAnchors) return `${docs}/actions/workflow-jobs#${jobAnchors[endpoint as JobEndpoint]}`;
	if (endpoint in runPages) {
		const whose = endpoint === 'runner-groups' ? ownerTexts[kind] : '';
		return `${docs}/${runPages[endpoint as RunEndpoint]}${whose}`;
	}
	if (endpoint in deliveryAnchors)
		return `${docs}/${kind}/webhooks#${deliveryAnchors[endpoint as DeliveryEndpoint]}${ownerTexts[kind]}-webhook`;
	return `${docs}/actions/self-hosted-runners#${anchors[endpoint as RunnerEndpoint]}${ownerTexts[kind]}`;
}

export function failure(status: number, message: string, documentationUrl: string = docs): Answer {
	return {
		status,
		headers: {},
		body: { message, documentation_url: documentationUrl, status: String(status) },
	};
}

/** (seen) A token that GitHub does not know. */
export const badCredentials = (): Answer => failure(401, 'Bad credentials');

/** (seen) No Authorization header where one is needed. */
export const requiresAuthentication = (page?: string): Answer =>
	failure(401, 'Requires authentication', page);

/** (seen) A personal token without the right, an app without the permission, single sign-on, an IP allow list. */
export const forbiddenMessages = {
	'personal-token': 'Must have admin rights to Repository.',
	'fine-grained-token': 'Resource not accessible by personal access token',
	app: 'Resource not accessible by integration',
	'single-sign-on':
		'Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.',
	'ip-allow-list':
		'Although you appear to have the correct authorization credentials, the organization has an IP allow list enabled, and your IP address is not permitted to access this resource.',
	suspended: 'This installation has been suspended',
} as const;

export const forbidden = (who: keyof typeof forbiddenMessages, page?: string): Answer =>
	failure(403, forbiddenMessages[who], page);

export const notFound = (page?: string): Answer => failure(404, 'Not Found', page);

export type BusyMessage = 'current' | 'older';

/**
 * 422 to DELETE of a runner that runs a job. Both texts (seen): 'current' in reports of 2025 and 2026, also for a
 * scale set's runner that is offline and busy; 'older', with its stray quote, in those of 2021 to 2023 and in ARC's source.
 */
export function runnerBusy(name: string, version: BusyMessage, page?: string): Answer {
	const message =
		version === 'current'
			? `Bad request - Runner ${name} is currently running a job and cannot be deleted.`
			: `Bad request - Runner "${name}" is still running a job"`;
	return failure(422, message, page);
}

/** Primary limit, at zero: 403 or 429, `x-ratelimit-remaining: 0` and no Retry-After. */
export function primaryLimit(who: string, requestId: string, status: 403 | 429 = 403): Answer {
	return failure(
		status,
		`API rate limit exceeded for ${who}. If you reach out to GitHub Support for help, please include the request ID ${requestId}.`,
		`${docs}/overview/rate-limits-for-the-rest-api`,
	);
}

/** Secondary limit: 403 or 429, most of the time with Retry-After, and the primary quota untouched. */
export function secondaryLimit(
	retryAfterS: number | undefined,
	requestId: string,
	status: 403 | 429 = 403,
): Answer {
	const answer = failure(
		status,
		`You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If you reach out to GitHub Support for help, please include the request ID ${requestId}.`,
		'https://docs.github.com/free-pro-team@latest/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits',
	);
	if (retryAfterS !== undefined) answer.headers['retry-after'] = String(retryAfterS);
	return answer;
}

/** What a 5xx looks like: the application's own 500 is JSON, a 502, 503 or 504 is its front end's page. */
export function serverError(status: number): Answer {
	if (status === 500) return failure(500, 'Server Error');
	return {
		status,
		headers: { 'content-type': 'text/html; charset=utf-8' },
		body: '<html><head><title>Unicorn! &middot; GitHub</title></head><body>This page is taking too long to load.</body></html>\n',
	};
}

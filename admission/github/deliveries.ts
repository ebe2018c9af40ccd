import { perPage } from './client.ts';
import { mostDeliveryPages } from './policy.ts';
import { type CallOptions, type Read, type ReadRequest, scopeKey, type Unread } from './types.ts';

/** A webhook of GitHub's, and whose it is. Those of an enterprise have no list of deliveries. */
export interface Hook {
	id: number;
	owner:
		| { kind: 'organization'; name: string }
		| { kind: 'repository'; owner: string; name: string }
		/** A GitHub App has one webhook; it is that of the credential's own App, or it shows nothing. */
		| { kind: 'app' };
}

/** A delivery that was not answered well, as the list has it: without its payload. */
export interface FailedDelivery {
	id: number;
	/** The same for a delivery that is sent again. */
	guid: string;
	atMs: number;
	event: string;
	action: string | undefined;
	/** Of the App at the owner whose event it was; undefined: the webhook is not an App's. */
	installationId: number | undefined;
}

type Limits = Pick<CallOptions, 'signal'>;

/** `octo-org`, `octo-org/app`: for messages. */
export const ownerOf = ({ owner }: Hook): string =>
	owner.kind === 'app' ? 'the GitHub App' : scopeKey(owner);

/**
 * The deliveries since `sinceMs` that failed, the newest first. An entry that cannot be read is left out, such as one whose
 * id is too large for a number: whoever asks is no worse off than without the list.
 */
export async function failedDeliveries(
	read: Read,
	hook: Hook,
	sinceMs: number,
	limits: Limits = {},
): Promise<FailedDelivery[] | Unread> {
	const found: FailedDelivery[] = [];
	let cursor: string | undefined;
	for (let page = 0; page < mostDeliveryPages; page++) {
		const query = { status: 'failure', per_page: perPage, ...(cursor === undefined ? {} : { cursor }) };
		const request = requestOf(hook, '', query, 'list-deliveries');
		const answer = await read(`list deliveries of ${ownerOf(hook)}, webhook ${hook.id}`, request, limits);
		if (answer.kind !== 'read') return answer;
		const entries: unknown[] = Array.isArray(answer.body) ? answer.body : [];
		const fresh = entries.map(readEntry).filter((entry) => entry !== undefined);
		found.push(...fresh.filter(({ atMs }) => atMs >= sinceMs));
		cursor = nextCursor(answer.link);
		if (cursor === undefined || fresh.length === 0 || fresh.some(({ atMs }) => atMs < sinceMs)) break;
	}
	return found;
}

/** What a delivery said: the payload, as GitHub signed it. */
export async function deliveredPayload(
	read: Read,
	hook: Hook,
	id: number,
	limits: Limits = {},
): Promise<{ payload: unknown } | Unread> {
	const request = requestOf(hook, '/{delivery_id}', { delivery_id: id }, 'get-delivery');
	const answer = await read(`read delivery ${id} of ${ownerOf(hook)}, webhook ${hook.id}`, request, limits);
	if (answer.kind !== 'read') return answer;
	return { payload: fieldsOf(fieldsOf(answer.body).request).payload };
}

function requestOf(
	{ id, owner }: Hook,
	path: string,
	parameters: ReadRequest['parameters'],
	endpoint: ReadRequest['endpoint'],
): ReadRequest {
	const rest = { ...parameters, ...(owner.kind === 'app' ? {} : { hook_id: id }) };
	switch (owner.kind) {
		case 'app':
			return { route: `GET /app/hook/deliveries${path}`, parameters: rest, endpoint, asApp: true };
		case 'organization':
			return {
				route: `GET /orgs/{org}/hooks/{hook_id}/deliveries${path}`,
				parameters: { ...rest, org: owner.name },
				endpoint,
			};
		case 'repository':
			return {
				route: `GET /repos/{owner}/{repo}/hooks/{hook_id}/deliveries${path}`,
				parameters: { ...rest, owner: owner.owner, repo: owner.name },
				endpoint,
			};
	}
}

/** The cursor of the next page, in the Link header. */
function nextCursor(link: string): string | undefined {
	const [, url] = /<([^>]*)>;\s*rel="next"/.exec(link) ?? [];
	return (url && URL.parse(url)?.searchParams.get('cursor')) || undefined;
}

function readEntry(value: unknown): FailedDelivery | undefined {
	const { id, guid, delivered_at, event, action, installation_id: installation } = fieldsOf(value);
	const atMs = typeof delivered_at === 'string' ? Date.parse(delivered_at) : Number.NaN;
	if (!Number.isSafeInteger(id) || typeof guid !== 'string' || Number.isNaN(atMs)) return undefined;
	if (typeof event !== 'string') return undefined;
	const installationId = Number.isSafeInteger(installation) ? (installation as number) : undefined;
	return {
		id: id as number,
		guid,
		atMs,
		event,
		action: typeof action === 'string' ? action : undefined,
		installationId,
	};
}

const fieldsOf = (value: unknown): Record<string, unknown> =>
	typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

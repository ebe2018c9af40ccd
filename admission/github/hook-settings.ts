import type { HookSettings } from '../api/report.ts';
import { type Hook, ownerOf } from './deliveries.ts';
import { fieldsOf, textOf, unusable } from './fields.ts';
import type { CallOptions, Read, ReadRequest, Unread } from './types.ts';

type Limits = Pick<CallOptions, 'signal'>;

/** How GitHub has a webhook configured. An App's takes two calls: its events are those of the App. */
export async function hookSettings(
	read: Read,
	hook: Hook,
	limits: Limits = {},
): Promise<{ kind: 'settings'; settings: HookSettings } | Unread> {
	const what = `get the settings of ${ownerOf(hook)}, webhook ${hook.id}`;
	const answer = await read(what, requestOf(hook), limits);
	if (answer.kind !== 'read') return answer;
	if (hook.owner.kind !== 'app') {
		const { active, events, config } = fieldsOf(answer.body);
		if (typeof active !== 'boolean' || !Array.isArray(events)) return unusable(what);
		return { kind: 'settings', settings: { active, events: textsOf(events), ...configOf(config) } };
	}
	const app = await read(
		what,
		{ route: 'GET /app', parameters: {}, endpoint: 'get-hook', asApp: true },
		limits,
	);
	if (app.kind !== 'read') return app;
	const { events } = fieldsOf(app.body);
	if (!Array.isArray(events)) return unusable(what);
	// An App's webhook that is switched off has no settings.
	return { kind: 'settings', settings: { active: true, events: textsOf(events), ...configOf(answer.body) } };
}

function requestOf({ id, owner }: Hook): ReadRequest {
	const endpoint = 'get-hook';
	switch (owner.kind) {
		case 'app':
			return { route: 'GET /app/hook/config', parameters: {}, endpoint, asApp: true };
		case 'organization':
			return {
				route: 'GET /orgs/{org}/hooks/{hook_id}',
				parameters: { org: owner.name, hook_id: id },
				endpoint,
			};
		case 'repository':
			return {
				route: 'GET /repos/{owner}/{repo}/hooks/{hook_id}',
				parameters: { owner: owner.owner, repo: owner.name, hook_id: id },
				endpoint,
			};
	}
}

const textsOf = (values: readonly unknown[]): string[] => values.filter((value) => typeof value === 'string');

/** Of the address only the host: its path may be a secret. */
function configOf(config: unknown): Omit<HookSettings, 'active' | 'events'> {
	const { url, content_type, insecure_ssl } = fieldsOf(config);
	const host = URL.parse(textOf(url) ?? '')?.hostname;
	const contentType = textOf(content_type);
	return {
		...(host ? { host } : {}),
		...(contentType === undefined ? {} : { contentType }),
		...(insecure_ssl === undefined ? {} : { insecureSsl: insecure_ssl === 1 || insecure_ssl === '1' }),
	};
}

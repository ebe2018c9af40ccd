import type { Hook } from '../../../github/deliveries.ts';
import { type Scope, scopeFromPath, scopeKey } from '../../../runner/scope.ts';
import { idOf, objectOf, textOf, timeOf } from '../../rules/fields.ts';
import { longestNote } from './policy.ts';

/** What later replicas need to know about a webhook; nothing of it is secret. */
export interface WebhookNote {
	hook: Hook;
	/** Whose events it may report; undefined: anybody's. */
	scopes: readonly Scope[] | undefined;
	/** When its last delivery came, or was to come, ms since the epoch. */
	seenMs: number;
	/** All of its deliveries that failed before were read, ms since the epoch. */
	readUpToMs: number | undefined;
}

/** undefined: it names so many scopes that it is too long. */
export function writeNote({ hook: { owner }, scopes, seenMs, readUpToMs }: WebhookNote): string | undefined {
	const text = JSON.stringify({
		...(owner.kind === 'app' ? { app: true } : { of: scopeKey(owner) }),
		for: scopes ? scopes.map(scopeKey) : 'any',
		heardAt: isoOf(seenMs),
		...(readUpToMs === undefined ? {} : { lookedAt: isoOf(readUpToMs) }),
	});
	return text.length > longestNote ? undefined : text;
}

/**
 * Anybody with the right to edit the ConfigMap may have written it, and its names become part of a path: each is checked as
 * those in GitHub's own events are.
 *
 * @param id of the webhook, as text
 * @param nowMs a time after it counts as now: another replica's clock may be ahead
 * @returns undefined: it can't be read
 */
export function readNote(id: string, text: string, nowMs: number): WebhookNote | undefined {
	const hookId = /^\d{1,16}$/.test(id) ? idOf(Number(id)) : undefined;
	if (hookId === undefined || text.length > longestNote) return undefined;
	const fields = objectOf(parsed(text));
	const owner = fields.app === true ? ({ kind: 'app' } as const) : scopeFromPath(textOf(fields.of) ?? '');
	const given: unknown[] | undefined = Array.isArray(fields.for) ? fields.for : undefined;
	const scopes = given?.map((scope) => scopeFromPath(textOf(scope) ?? ''));
	const known = scopes?.filter((scope) => scope !== undefined);
	const seenMs = timeOf(fields.heardAt);
	const readUpToMs = timeOf(fields.lookedAt);
	if (!owner || owner.kind === 'enterprise' || seenMs === undefined) return undefined;
	if (known ? known.length === 0 || known.length !== scopes?.length : fields.for !== 'any') return undefined;
	return {
		hook: { id: hookId, owner },
		scopes: known,
		seenMs: Math.min(seenMs, nowMs),
		readUpToMs: readUpToMs === undefined ? undefined : Math.min(readUpToMs, nowMs),
	};
}

function parsed(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

const isoOf = (ms: number) => new Date(ms).toISOString();

import { sameName } from '../../../runner/github-name.ts';
import { type Scope, scopeFromPath } from '../../../runner/scope.ts';
import { objectOf, textOf } from '../../rules/fields.ts';
import { mostSecrets } from './policy.ts';

/** A secret with which GitHub signs deliveries. */
export interface WebhookSecret {
	secret: string;
	/** Whose events it may sign: repositories, organizations and enterprises. undefined: anybody's. */
	scopes: readonly Scope[] | undefined;
}

/** `new,old` during a rotation: GitHub signs with one of them, and nobody can say when it changes over. */
export const splitSecrets = (text: string | undefined): readonly string[] => parts(text ?? '');

/** Secrets that may sign anybody's events. */
export const unscoped = (secrets: readonly string[]): WebhookSecret[] =>
	secrets.map((secret) => ({ secret, scopes: undefined }));

/**
 * Secrets that may sign the events of some alone, a line each: `octo-org, acme/app: SECRET`. Scopes are written as
 * everywhere: `ORG`, `OWNER/REPOSITORY`, `enterprises/NAME`. Blank lines, and those that begin with #, are skipped.
 *
 * @returns `unread`: the numbers of lines that can't be read, which hold secrets and are not to be logged
 */
export function readScopedSecrets(text: string): { secrets: WebhookSecret[]; unread: number[] } {
	const secrets: WebhookSecret[] = [];
	const unread: number[] = [];
	for (const [index, line] of text.split('\n').entries()) {
		if (/^\s*(#|$)/.test(line)) continue;
		const colon = line.indexOf(':');
		const scopes = parts(line.slice(0, Math.max(0, colon))).map(scopeFromPath);
		const known = scopes.filter((scope) => scope !== undefined);
		const texts = parts(line.slice(colon + 1));
		const readable = known.length > 0 && known.length === scopes.length && texts.length > 0;
		if (!readable || secrets.length + texts.length > mostSecrets) unread.push(index + 1);
		else secrets.push(...texts.map((secret) => ({ secret, scopes: known })));
	}
	return { secrets, unread };
}

/**
 * Whether the events of this payload's owner may be signed with any of these secrets. `silent`: it names no owner, as the
 * ping of an App's webhook.
 *
 * Everything that it names counts: a secret for one organization must not be believed about another's repository.
 */
export function mayReport(
	by: readonly Pick<WebhookSecret, 'scopes'>[],
	payload: unknown,
): boolean | 'silent' {
	if (by.some(({ scopes }) => scopes === undefined)) return true;
	const { repository, organization, enterprise } = objectOf(payload);
	const fullName = textOf(objectOf(repository).full_name);
	const login = textOf(objectOf(organization).login);
	const slug = textOf(objectOf(enterprise).slug);
	if (fullName === undefined && login === undefined && slug === undefined) return 'silent';
	const owner = fullName?.split('/')[0] ?? login;
	if (login !== undefined && !sameName(login, owner)) return false;
	const covers = (scope: Scope): boolean => {
		if (scope.kind === 'repository') return sameName(`${scope.owner}/${scope.name}`, fullName);
		return sameName(scope.name, scope.kind === 'organization' ? owner : slug);
	};
	return by.some(({ scopes }) => scopes?.some(covers));
}

const parts = (text: string): string[] =>
	text
		.split(',')
		.map((part) => part.trim())
		.filter((part) => part !== '');

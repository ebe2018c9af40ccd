import type { Hook } from '../../../github/deliveries.ts';
import { sameName } from '../../../runner/github-name.ts';
import { type Scope, scopeFromPath, scopeKey, unknownEnterprise } from '../../../runner/scope.ts';
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

/** For whom the secrets are that have signed something. */
export type Signers = readonly Pick<WebhookSecret, 'scopes'>[];

/**
 * Whether the events of this payload's owner may be signed with any of these secrets. `silent`: it names no owner, as the
 * ping of an App's webhook.
 *
 * Everything that it names counts: a secret for one organization must not be believed about another's repository.
 *
 * @param all every secret that is configured: that of an enterprise does not speak for an owner who has one of its own, since
 * nothing says which organizations are the enterprise's
 */
export function mayReport(by: Signers, payload: unknown, all: Signers = []): boolean | 'silent' {
	if (isAnybody(by)) return true;
	const { repository, organization, enterprise } = objectOf(payload);
	const fullName = textOf(objectOf(repository).full_name);
	const login = textOf(objectOf(organization).login);
	const slug = textOf(objectOf(enterprise).slug);
	if (fullName === undefined && login === undefined && slug === undefined) return 'silent';
	const owner = fullName?.split('/')[0] ?? login;
	if (login !== undefined && !sameName(login, owner)) return false;
	const isOwn = (scope: Scope): boolean => {
		if (scope.kind === 'repository') return sameName(`${scope.owner}/${scope.name}`, fullName);
		return scope.kind === 'organization' && sameName(scope.name, owner);
	};
	if (anyScope(by, isOwn)) return true;
	return (
		anyScope(by, ({ kind, name }) => kind === 'enterprise' && sameName(name, slug)) && !anyScope(all, isOwn)
	);
}

/**
 * The payload with the enterprise that its signer may name: an organization's secret says nothing about an enterprise, whose
 * runners would be made for its jobs. It may be given both: `octo-org, enterprises/octo: SECRET`.
 */
export function withCoveredEnterprise(by: Signers, payload: unknown): unknown {
	if (isAnybody(by)) return payload;
	const slug = textOf(objectOf(objectOf(payload).enterprise).slug);
	const may = by.flatMap(({ scopes = [] }) => scopes.filter(({ kind }) => kind === 'enterprise'));
	// GitHub Enterprise Server has one enterprise, which its events need not name.
	const named = slug === undefined && may.length === 1 ? may[0]?.name : slug;
	const covered = may.some(({ name }) => sameName(name, named));
	return { ...objectOf(payload), enterprise: { slug: covered ? named : unknownEnterprise } };
}

/** Whether the webhook of this owner may be looked at for what these secrets have signed. An App's is that of the server's own credential. */
export const coversHook = (by: Signers, owner: Hook['owner']): boolean =>
	isAnybody(by) ||
	anyScope(by, (scope) => {
		if (owner.kind === 'app' || scope.kind === 'enterprise') return true;
		if (scope.kind === 'organization')
			return sameName(scope.name, owner.kind === 'repository' ? owner.owner : owner.name);
		return owner.kind === 'repository' && sameName(scopeKey(scope), scopeKey(owner));
	});

const isAnybody = (by: Signers): boolean => by.some(({ scopes }) => scopes === undefined);

const anyScope = (by: Signers, is: (scope: Scope) => boolean): boolean =>
	by.some(({ scopes }) => scopes?.some(is));

const parts = (text: string): string[] =>
	text
		.split(',')
		.map((part) => part.trim())
		.filter((part) => part !== '');

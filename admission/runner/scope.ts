import { withoutEndSlashes } from '../api/slashes.ts';

/** Where a runner is registered at GitHub. */
export type Scope =
	| { kind: 'repository'; owner: string; name: string }
	| { kind: 'organization'; name: string }
	| { kind: 'enterprise'; name: string };

/** In place of an enterprise's name, where none counts: no scope has it (see isName). */
export const unknownEnterprise = '?';

/** The scope as text, for messages, log lines and map keys: `octo-org/app`, `octo-org`, `enterprises/octo`. */
export function scopeKey(scope: Scope): string {
	if (scope.kind === 'repository') return `${scope.owner}/${scope.name}`;
	return scope.kind === 'organization' ? scope.name : `enterprises/${scope.name}`;
}

/** The address of a scope, taken apart. */
interface ScopeUrl {
	scope: Scope;
	/** `github.com`, `ghes.example:8443`. */
	host: string;
}

/**
 * The scope in a web address, as actions/runner reads the one it is configured with (ConfigurationManager.cs), and ARC a
 * scale set's `githubConfigUrl` (github/actions/config.go): HOST/ORG, HOST/OWNER/REPO, HOST/enterprises/NAME.
 */
export function scopeFromUrl(url: string): ScopeUrl | undefined {
	const host = hostOf(url);
	if (host === undefined) return undefined;
	const path = /^https?:\/\/[^/\\?#]+\/(.*)$/i.exec(url)?.[1] ?? '';
	const scope = scopeFromPath(withoutEndSlashes(path.replace(/^\/+/, '')));
	return scope && { scope, host };
}

/** `octo-org`, `octo-org/app`, `enterprises/octo`: the scope, as scopeKey writes it. undefined for what GitHub has no name of. */
export function scopeFromPath(path: string): Scope | undefined {
	const [first = '', second, ...rest] = path.split('/', 3);
	if (!isName(first) || rest.length > 0) return undefined;
	if (second === undefined) return { kind: 'organization', name: first };
	if (!isName(second)) return undefined;
	if (first.toLowerCase() === 'enterprises') return { kind: 'enterprise', name: second };
	return { kind: 'repository', owner: first, name: second };
}

/** Names of organizations, repositories and enterprises. Anything else would be changed on its way through a URL. */
const isName = (name: string): boolean => /^[\w.-]{1,100}$/.test(name) && !/^\.+$/.test(name);

/** A longer text is no address: a host has at most 253 characters, and the names of a scope 100 each. */
const longestUrl = 2_048;

/** The host, with its port, in a web address; undefined for any other text. `www.github.com` is `github.com`, as for ARC. */
export function hostOf(url: string): string | undefined {
	if (url.length > longestUrl) return undefined;
	const { protocol, host } = URL.parse(url) ?? {};
	if (protocol !== 'https:' && protocol !== 'http:') return undefined;
	return host === 'www.github.com' ? 'github.com' : host || undefined;
}

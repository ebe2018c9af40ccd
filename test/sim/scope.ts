/**
 * Where a runner is registered, written as GitHub's API path writes it: `repos/octo-org/app`, `orgs/octo-org`,
 * `enterprises/octo`. GitHub compares these names without case.
 */
export type Scope = `repos/${string}/${string}` | `orgs/${string}` | `enterprises/${string}`;

export type ScopeKind = 'repos' | 'orgs' | 'enterprises';

/** The form two scopes are compared in. */
export function scopeKey(scope: Scope): Scope {
	return scope.toLowerCase() as Scope;
}

export function scopeKind(scope: Scope): ScopeKind {
	return scope.slice(0, scope.indexOf('/')) as ScopeKind;
}

/** `https://github.com/octo-org/app` (a scale set's `githubConfigUrl`, GHES too) -> its scope. */
export function scopeOfConfigUrl(configUrl: string): Scope | undefined {
	const [first, second] = new URL(configUrl).pathname.split('/').filter(Boolean);
	if (first === undefined) return undefined;
	if (first === 'enterprises') return second === undefined ? undefined : `enterprises/${second}`;
	return second === undefined ? `orgs/${first}` : `repos/${first}/${second}`;
}

/**
 * The env of a legacy runner container -> its scope, with the precedence of ARC's image (runner/startup.sh): organization,
 * repository, enterprise; the repository of the organization where all three are set.
 */
export function scopeOfEnv(env: ReadonlyMap<string, string>): Scope | undefined {
	const repo = env.get('RUNNER_REPO');
	const org = env.get('RUNNER_ORG');
	const enterprise = env.get('RUNNER_ENTERPRISE');
	if (org) return repo && enterprise ? `repos/${org}/${repo}` : `orgs/${org}`;
	if (repo) {
		const [owner, name] = repo.split('/');
		return owner && name ? `repos/${owner}/${name}` : undefined;
	}
	return enterprise ? `enterprises/${enterprise}` : undefined;
}

/** Where a job of this scope's runners may come from. */
export function repositoryOf(scope: Scope | undefined): string {
	const [kind, owner = 'octo-org', name = 'app'] = scope?.split('/') ?? [];
	return kind === 'enterprises' ? 'octo-org/app' : `${owner}/${name}`;
}

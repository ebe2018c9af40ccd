/** Where a runner is registered at GitHub. */
export type Scope =
	| { kind: 'repository'; owner: string; name: string }
	| { kind: 'organization'; name: string }
	| { kind: 'enterprise'; name: string };

/** The scope as text, for messages, log lines and map keys: `octo-org/app`, `octo-org`, `enterprises/octo`. */
export function scopeKey(scope: Scope): string {
	if (scope.kind === 'repository') return `${scope.owner}/${scope.name}`;
	return scope.kind === 'organization' ? scope.name : `enterprises/${scope.name}`;
}

/** The scope in the env of ARC's runner image. As in ARC, a repository wins over an organization over an enterprise. */
export function scopeFromEnvironment(env: (name: string) => string | undefined): Scope | undefined {
	const [owner, name, ...rest] = (env('RUNNER_REPO') ?? '').split('/');
	if (owner && name && rest.length === 0) return { kind: 'repository', owner, name };
	const organization = env('RUNNER_ORG');
	if (organization) return { kind: 'organization', name: organization };
	const enterprise = env('RUNNER_ENTERPRISE');
	if (enterprise) return { kind: 'enterprise', name: enterprise };
	return undefined;
}

/** The scope in a scale set's `githubConfigUrl`: https://HOST/ORG, https://HOST/ORG/REPO, https://HOST/enterprises/NAME. */
export function scopeFromConfigUrl(configUrl: string): Scope | undefined {
	if (!URL.canParse(configUrl)) return undefined;
	const [first, second, ...rest] = new URL(configUrl).pathname.split('/').filter(Boolean);
	if (!first || rest.length > 0) return undefined;
	if (!second) return { kind: 'organization', name: first };
	if (first === 'enterprises') return { kind: 'enterprise', name: second };
	return { kind: 'repository', owner: first, name: second };
}

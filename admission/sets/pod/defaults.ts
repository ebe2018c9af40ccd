import type { RunnerConfig } from '../../api/sets.ts';
import type { Scope } from '../../runner/scope.ts';

/** Values for what a template leaves open. They are not part of the template hash, so new defaults cause no rollout. */
export interface TemplateDefaults {
	runnerImage: string;
	dockerImage: string;
	/** Web address at which runners register, with a slash at its end: https://github.com/ */
	githubUrl: string;
}

/** ARC's defaults. */
export const defaultImages = {
	runnerImage: 'summerwind/actions-runner:latest',
	dockerImage: 'docker:dind',
} as const;

/** The web address that belongs to a base URL of GitHub's REST API: `https://api.github.com`, `https://api.NAME.ghe.com` or `https://HOST/api/v3`. */
export function githubUrlOf(apiUrl: string): string {
	const url = new URL(apiUrl);
	if (url.hostname === 'api.github.com') return 'https://github.com/';
	if (/^api\.[^.]+\.ghe\.com$/.test(url.hostname)) url.hostname = url.hostname.slice('api.'.length);
	url.pathname = url.pathname.replace(/\/api\/v3\/?$/, '/').replace(/\/*$/, '/');
	return url.href;
}

/** The scope in which runners of this spec register; undefined unless the spec names exactly one. */
export function scopeOf(config: RunnerConfig): Scope | undefined {
	const { repository, organization, enterprise } = config;
	if ([repository, organization, enterprise].filter(Boolean).length !== 1) return undefined;
	if (organization) return { kind: 'organization', name: organization };
	if (enterprise) return { kind: 'enterprise', name: enterprise };
	const [owner, name, ...rest] = (repository ?? '').split('/');
	return owner && name && rest.length === 0 ? { kind: 'repository', owner, name } : undefined;
}

/** Name of the Secret with these runners' GitHub credentials, in their namespace; undefined: the server's own credentials. */
export const credentialsSecretOf = (config: RunnerConfig): string | undefined =>
	config.githubAPICredentialsFrom?.secretRef?.name || undefined;

import { proxyForPeople, proxyFromEnvironment } from '../api/proxy.ts';

/** The proxy through which GitHub is called. */
export interface GitHubProxy {
	/** With its user and password: never printed. */
	url: string;
	/** Without them. */
	forPeople: string;
}

/** From these versions on, the Agents of Node can use a proxy (Node's changelog: 22.21.0 and 24.5.0). */
const canProxy = (version: string): boolean => {
	const [major = 0, minor = 0] = version.split('.').map(Number);
	return major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 21);
};

/**
 * The proxy that HTTPS_PROXY (HTTP_PROXY for an http URL) and NO_PROXY configure for GitHub; undefined: none.
 * @throws Error for people if it cannot be used: calls beside it would be blocked, or worse, would not be.
 */
export function githubProxy(
	apiUrl: string,
	env: NodeJS.ProcessEnv,
	nodeVersion: string = process.versions.node,
): GitHubProxy | undefined {
	const url = proxyFromEnvironment(new URL(apiUrl), env);
	if (url === undefined) return undefined;
	const variable = new URL(apiUrl).protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
	// Its text may hold a password, so that it is not shown.
	if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
		throw new Error(`${variable} is not a URL like http://proxy.example.com:3128`);
	if (!canProxy(nodeVersion))
		throw new Error(
			`${variable} is set, but this Node.js (${nodeVersion}) has no proxies: it has to be 22.21 or 24.5, or later`,
		);
	return { url, forPeople: proxyForPeople(url) };
}

/** Loaded only if a proxy is configured: otherwise a command that needs no server would load sockets. */
const net = () => process.getBuiltinModule('node:net');

/**
 * The proxy that the environment configures, or undefined: HTTPS_PROXY (HTTP_PROXY for http servers) unless NO_PROXY
 * exempts the host. These are the rules of Go's net/http, and so of kubectl: requests to the local host never use the
 * proxy.
 */
export function proxyFromEnvironment(server: URL, env: NodeJS.ProcessEnv = process.env): string | undefined {
	const names = server.protocol === 'https:' ? ['HTTPS_PROXY', 'https_proxy'] : ['HTTP_PROXY', 'http_proxy'];
	const proxy = names.map((name) => env[name]).find(Boolean);
	if (!proxy) return undefined;
	const host = server.hostname.replace(/^\[|\]$/g, '').toLowerCase();
	const port = server.port || (server.protocol === 'https:' ? '443' : '80');
	if (isLoopback(host)) return undefined;
	const exempt = (env.NO_PROXY || env.no_proxy || '').split(',').map((entry) => entry.trim().toLowerCase());
	if (exempt.some((entry) => entry !== '' && matches(entry, host, port))) return undefined;
	return proxy.includes('://') ? proxy : `http://${proxy}`;
}

function matches(entry: string, host: string, port: string): boolean {
	if (entry === '*') return true;
	const [address = '', prefix] = entry.split('/');
	if (prefix !== undefined) return inNetwork(host, address, Number(prefix));

	const [, name = entry, onlyPort] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
	if (net().isIP(entry) !== 0) return entry === host;
	if (onlyPort !== undefined && onlyPort !== port) return false;
	const domain = name.replace(/^\*?\./, '');
	// ".example.com" matches subdomains, "example.com" itself as well.
	return host.endsWith(`.${domain}`) || (host === domain && name === domain);
}

function inNetwork(host: string, address: string, prefix: number): boolean {
	const family = net().isIP(address) === 6 ? 'ipv6' : 'ipv4';
	if (net().isIP(address) === 0 || net().isIP(host) === 0 || !(prefix >= 0 && prefix <= 128)) return false;
	const network = new (net().BlockList)();
	network.addSubnet(address, prefix, family);
	return network.check(host, net().isIP(host) === 6 ? 'ipv6' : 'ipv4');
}

function isLoopback(host: string): boolean {
	return host === 'localhost' || host === '::1' || (net().isIP(host) === 4 && host.startsWith('127.'));
}

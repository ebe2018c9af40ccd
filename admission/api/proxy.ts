/** Loaded only if a proxy is configured: otherwise a command of the plugin that needs no server would load sockets. */
const net = () => process.getBuiltinModule('node:net');

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy that the environment configures for a server, or undefined: HTTPS_PROXY (HTTP_PROXY for http servers) unless
 * NO_PROXY exempts the host; each also in lower case. These are the rules of Go's net/http (golang.org/x/net/http/httpproxy),
 * and so of kubectl: requests to the local host never use the proxy.
 */
export function proxyFromEnvironment(server: URL, env: Environment): string | undefined {
	const names = server.protocol === 'https:' ? ['HTTPS_PROXY', 'https_proxy'] : ['HTTP_PROXY', 'http_proxy'];
	const proxy = names.map((name) => env[name]?.trim()).find(Boolean);
	if (!proxy) return undefined;
	const host = server.hostname.replace(/^\[|\]$/g, '').toLowerCase();
	const port = server.port || (server.protocol === 'https:' ? '443' : '80');
	if (isLoopback(host)) return undefined;
	const exempt = (env.NO_PROXY || env.no_proxy || '').split(',').map((entry) => entry.trim().toLowerCase());
	if (exempt.some((entry) => entry !== '' && matches(entry, host, port))) return undefined;
	return proxy.includes('://') ? proxy : `http://${proxy}`;
}

/** The proxy's URL without its user and password, for people. */
export function proxyForPeople(proxy: string): string {
	if (!URL.canParse(proxy)) return 'an unreadable URL';
	const { protocol, host } = new URL(proxy);
	return `${protocol}//${host}`;
}

function matches(entry: string, host: string, port: string): boolean {
	if (entry === '*') return true;
	const [address = '', prefix] = entry.split('/');
	if (prefix !== undefined) return /^\d{1,3}$/.test(prefix) && inNetwork(host, address, Number(prefix));
	if (net().isIP(entry) !== 0) return isAddress(host, entry);

	const [, name = entry, onlyPort] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
	if (onlyPort !== undefined && onlyPort !== port) return false;
	const literal = name.replace(/^\[(.*)\]$/, '$1');
	if (net().isIP(literal) !== 0) return isAddress(host, literal);
	const domain = name.replace(/^\*?\./, '');
	if (domain === '') return false; // only a port
	// ".example.com" matches subdomains, "example.com" itself as well.
	return host.endsWith(`.${domain}`) || (host === domain && name === domain);
}

/** Whether the host is this address, in whatever spelling. */
const isAddress = (host: string, address: string): boolean =>
	inNetwork(host, address, net().isIP(address) === 6 ? 128 : 32);

function inNetwork(host: string, address: string, prefix: number): boolean {
	const family = net().isIP(address);
	if (family === 0 || net().isIP(host) !== family || prefix > (family === 6 ? 128 : 32)) return false;
	const network = new (net().BlockList)();
	network.addSubnet(address, prefix, family === 6 ? 'ipv6' : 'ipv4');
	return network.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

function isLoopback(host: string): boolean {
	return host === 'localhost' || host === '::1' || (net().isIP(host) === 4 && host.startsWith('127.'));
}

/**
 * Replaces undici in the server's bundle (scripts/build.ts). client-node imports it for its typed API, which this project
 * does not use (see kube/client.ts); it would be 1.2 MB of code and 8 MiB of memory for nothing.
 */
export function fetch(): never {
	throw new Error("undici is not in this bundle: use kube/client.ts, not client-node's typed API");
}

export { fetch as Agent, fetch as ProxyAgent };

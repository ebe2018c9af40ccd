/**
 * Stands in for undici in the server's bundle (scripts/build.ts). client-node's KubeConfig imports it for its typed
 * API, which is not used here (kube/client.ts says why); 1.2 MB of it would be loaded for nothing: 8 MiB resident.
 */
export function fetch(): never {
	throw new Error("undici is not in this bundle: use kube/client.ts, not client-node's typed API");
}

export { fetch as Agent, fetch as ProxyAgent };

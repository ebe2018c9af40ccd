import type { KubeClient, RequestOptions } from '../../../admission/kube/client.ts';

type Stream = Parameters<KubeClient['stream']>[1];

/** A client that answers from functions. */
export function fakeClient(parts: {
	request?: (method: string, path: string, options: RequestOptions) => Promise<unknown>;
	stream?: (path: string, options: Stream) => Promise<void>;
}): KubeClient {
	return {
		server: 'https://fake',
		async request<T>(method: string, path: string, options: RequestOptions = {}) {
			if (!parts.request) throw new Error(`unexpected ${method} ${path}`);
			return (await parts.request(method, path, options)) as T;
		},
		async text(path) {
			throw new Error(`unexpected GET ${path}`);
		},
		async stream(path, options) {
			if (!parts.stream) throw new Error(`unexpected watch of ${path}`);
			await parts.stream(path, options);
		},
	};
}

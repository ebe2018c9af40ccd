import { createServer, type Server } from 'node:http';
import type { Metrics } from './metrics.ts';

/** /healthz, /readyz and /metrics over plain HTTP. `notReady` returns why the server is not ready; undefined: it is. */
export function createHealthServer(metrics: Metrics, notReady: () => string | undefined): Server {
	return createServer(async (request, response) => {
		const path = new URL(request.url ?? '/', 'http://localhost').pathname;
		if (path === '/healthz') {
			response.end('ok\n');
		} else if (path === '/readyz') {
			const why = notReady();
			response.statusCode = why ? 503 : 200;
			response.end(`${why ?? 'ok'}\n`);
		} else if (path === '/metrics') {
			response.setHeader('content-type', metrics.registry.contentType);
			response.end(await metrics.registry.metrics());
		} else {
			response.statusCode = 404;
			response.end('not found: /healthz, /readyz, /metrics\n');
		}
	});
}

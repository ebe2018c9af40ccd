/**
 * A webhook on plain `node:https` that answers at once: allowed, or denied where the path ends in the HTTP status to deny
 * with. A process of its own, as the server is. The environment has its certificate; it prints its port.
 */
import { createServer } from 'node:https';

const { TLS_CERT: cert, TLS_KEY: key } = process.env;
if (!cert || !key) throw new Error('TLS_CERT and TLS_KEY have to be set');

const server = createServer({ cert, key }, (request, response) => {
	const chunks: Buffer[] = [];
	request.on('data', (chunk: Buffer) => chunks.push(chunk));
	request.on('end', () => {
		const { uid } = (JSON.parse(Buffer.concat(chunks).toString()) as { request: { uid: string } }).request;
		const [, code] = /\/(\d+)(\?|$)/.exec(request.url ?? '') ?? [];
		const verdict = code
			? { uid, allowed: false, status: { code: Number(code), message: 'no' } }
			: { uid, allowed: true };
		response.setHeader('content-type', 'application/json');
		response.end(
			JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: verdict }),
		);
	});
});
server.keepAliveTimeout = 120_000; // client-go closes idle connections after 90 s, and must be the first
server.listen(0, '127.0.0.1', () => {
	const address = server.address();
	console.log(typeof address === 'object' && address ? address.port : 0);
});

import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import * as assert from 'uvu/assert';
import { Metrics } from '../../../admission/telemetry/metrics.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { createWebhookServer, type WebhookServer } from '../../../admission/webhook/server.ts';
import { createAuthority, issueClient, issueServer, type KeyPair } from '../../cluster/certificates.ts';
import { deletion, review } from '../../e2e/support/webhook-post.ts';
import { suite } from '../../support/suite.ts';
import { answering } from './answering.ts';

interface Context {
	webhook: WebhookServer;
	port: number;
}

const test = suite<Context>('certificates of callers (--client-ca-file)');
const [serverCa, clientCa, otherCa] = await Promise.all([
	createAuthority(),
	createAuthority(),
	createAuthority(),
]);
const apiServer = await issueClient(clientCa, 'kube-apiserver', []);

test.before(async (context) => {
	const tls = { ...(await issueServer(serverCa)), clientCa: clientCa.cert };
	context.webhook = createWebhookServer({
		...answering(() => ({ uid: 'test', allowed: true })),
		tls,
		clock: systemClock,
		metrics: new Metrics(systemClock),
		log: pino({ level: 'silent' }),
	});
	await new Promise<void>((resolve) => context.webhook.server.listen(0, '127.0.0.1', resolve));
	context.port = (context.webhook.server.address() as AddressInfo).port;
});
test.after(({ webhook }) => void webhook?.server.close());

/** The status of a review sent with this client certificate, or the error of the connection. */
function ask(port: number, pair?: KeyPair): Promise<number | string> {
	return new Promise((resolve) => {
		const call = request({
			host: '127.0.0.1',
			port,
			path: '/pods/delete',
			method: 'POST',
			agent: false,
			headers: { 'content-type': 'application/json' },
			ca: serverCa.cert,
			...pair,
		});
		call.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
		call.once('response', (response) => {
			response.resume();
			resolve(response.statusCode ?? 0);
		});
		call.end(review(deletion({ metadata: { name: 'r1' } })));
	});
}

test('the API server’s is let in; none, or one of another CA, ends in the handshake', async ({ port }) => {
	assert.is(await ask(port, apiServer), 200);
	assert.type(await ask(port), 'string');
	assert.type(await ask(port, await issueClient(otherCa, 'kube-apiserver', [])), 'string');
});
test('and so it stays when the serving certificate is replaced', async ({ webhook, port }) => {
	webhook.useCertificate(await issueServer(serverCa));
	assert.is(await ask(port, apiServer), 200);
	assert.type(await ask(port), 'string');
});

test.run();

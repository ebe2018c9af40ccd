/** The admission port over real TLS. */
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import * as assert from 'uvu/assert';
import { Metrics } from '../../../admission/telemetry/metrics.ts';
import { allowed } from '../../../admission/webhook/review.ts';
import { createWebhookServer, type WebhookServer } from '../../../admission/webhook/server.ts';
import { createAuthority, issueServer } from '../../cluster/certificates.ts';
import { suite } from '../../support/suite.ts';

const test = suite<{ webhook: WebhookServer; agent: Agent; port: number }>('webhook server');

test.before(async (context) => {
	const authority = await createAuthority();
	const handlers = { '/pods/delete': ({ uid }: { uid: string }) => allowed(uid) };
	context.webhook = createWebhookServer({
		handlers,
		tls: await issueServer(authority),
		now: Date.now,
		metrics: new Metrics(),
		log: pino({ level: 'silent' }),
	});
	const { server } = context.webhook;
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	context.port = (server.address() as AddressInfo).port;
	context.agent = new Agent({ ca: authority.cert, keepAlive: true, maxSockets: 1 });
});
test.after(({ webhook, agent }) => {
	agent?.destroy();
	webhook?.server.close();
	webhook?.server.closeAllConnections();
});

test('while it leaves it answers, and each answer ends its connection, so that none is cut under a review', async ({
	webhook,
	agent,
	port,
}) => {
	assert.is((await review(agent, port)).headers.connection, 'keep-alive');
	webhook.leave();
	const last = await review(agent, port);
	assert.is(last.statusCode, 200);
	assert.is(last.headers.connection, 'close');
});

function review(agent: Agent, port: number): Promise<IncomingMessage> {
	const body = JSON.stringify({
		apiVersion: 'admission.k8s.io/v1',
		kind: 'AdmissionReview',
		request: { uid: 'u', operation: 'DELETE', userInfo: {}, oldObject: { metadata: { name: 'a' } } },
	});
	return new Promise((resolve, reject) => {
		const headers = { 'content-type': 'application/json' };
		const call = request({ agent, host: '127.0.0.1', port, path: '/pods/delete', method: 'POST', headers });
		call.once('error', reject);
		call.once('response', (response) => response.resume().once('end', () => resolve(response)));
		call.end(body);
	});
}

test.run();

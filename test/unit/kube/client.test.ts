/** What the client does not send: a path that leads to another object, a write that has lost its permission. */

import { createServer } from 'node:http';
import { KubeConfig } from '@kubernetes/client-node';
import * as assert from 'uvu/assert';
import { createKubeClient, KubeError } from '../../../admission/kube/client.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { suite } from '../../support/suite.ts';

const test = suite<{ asked: string[]; client: ReturnType<typeof createKubeClient>; stop(): void }>(
	'API client',
);

test.before(async (context) => {
	context.asked = [];
	const server = createServer((request, response) => {
		context.asked.push(request.url ?? '');
		response.end('{}');
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const address = server.address();
	const config = new KubeConfig();
	config.loadFromClusterAndUser(
		{
			name: 'a',
			server: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
			skipTLSVerify: true,
		},
		{ name: 'a' },
	);
	context.client = createKubeClient(config, 'test', systemClock);
	context.stop = () => {
		server.close();
		server.closeAllConnections();
	};
});
test.after(({ stop }) => stop());

for (const name of [
	'..',
	'.',
	'../../kube-system/secrets/admin',
	'a/../b',
	'a//b',
	'a?fieldManager=x',
	'a#b',
	'%2e%2e',
	'a\\b',
	'a b',
	'a\r\nx: y',
	'ü',
]) {
	test(`a Secret called ${JSON.stringify(name)} is not asked for`, async ({ client, asked }) => {
		const before = asked.length;
		try {
			await client.request('GET', `/api/v1/namespaces/evil/secrets/${name}`);
			assert.unreachable();
		} catch (error) {
			assert.instance(error, KubeError);
			assert.match((error as KubeError).message, 'is not the path of an object');
		}
		assert.is(asked.length, before);
	});
}

test('names of objects go through, those of RBAC too', async ({ client, asked }) => {
	for (const path of [
		'/api/v1/namespaces/a/pods/runner-1.x',
		'/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node',
		'/api/v1/pods',
	])
		await client.request('GET', path, { query: { fieldSelector: 'metadata.name=a' } });
	assert.equal(asked.slice(-1), ['/api/v1/pods?fieldSelector=metadata.name%3Da']);
});

test('a write that may not be sent any more when it has got its connection is not sent', async ({
	client,
	asked,
}) => {
	const before = asked.length;
	for (const tries of [1, 2]) {
		let left = tries;
		const beforeSend = () => {
			if (--left === 0) throw new KubeError(0, 'NotLeading', 'too late');
		};
		const sent = client.request('POST', '/api/v1/pods', { body: {}, beforeSend });
		const reason = await sent.then(
			() => 'sent',
			(error: KubeError) => error.reason,
		);
		assert.is(reason, 'NotLeading', `at call ${tries}`);
	}
	assert.is(asked.length, before);
	await client.request('POST', '/api/v1/pods', { body: {}, beforeSend: () => {} });
	assert.is(asked.length, before + 1);
});

test.run();

/**
 * What the client does not send: a path that leads to another object, a write that has lost its permission. What it does not
 * hold: answers that are too long.
 */

import { createServer, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import * as assert from 'uvu/assert';
import { createKubeClient, isTooLarge, KubeError } from '../../../admission/kube/client.ts';
import { largeAnswersAtOnce, largeBytes, tcpKeepAliveMs } from '../../../admission/kube/policy.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { eventually } from '../../rig/eventually.ts';
import { suite } from '../../support/suite.ts';

const test = suite<{
	asked: string[];
	/** Answers in place of `{}`. */
	answers: ((response: ServerResponse) => void)[];
	client: ReturnType<typeof createKubeClient>;
	stop(): void;
}>('API client');

test.before(async (context) => {
	context.asked = [];
	context.answers = [];
	const server = createServer((request, response) => {
		context.asked.push(request.url ?? '');
		const answer = context.answers.shift();
		if (answer) answer(response);
		else response.end('{}');
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

const failure = (call: Promise<unknown>): Promise<KubeError> =>
	call.then(
		() => {
			throw new Error('it was answered');
		},
		(error: KubeError) => error,
	);
const filled = (bytes: number) => JSON.stringify({ name: 'a', filler: 'x'.repeat(bytes) });

test('TCP asks whether a silent peer is still there, while the connection is used', async ({ client }) => {
	const asked: unknown[][] = [];
	const { setKeepAlive } = Socket.prototype;
	Socket.prototype.setKeepAlive = function (this: Socket, ...given: unknown[]) {
		asked.push(given);
		return Reflect.apply(setKeepAlive, this, given);
	};
	try {
		// So many at once that one of them needs a new connection.
		await Promise.all(Array.from({ length: 8 }, () => client.request('GET', '/api/v1/pods')));
	} finally {
		Socket.prototype.setKeepAlive = setKeepAlive;
	}
	assert.ok(asked.length > 0);
	assert.ok(asked.every(([on, ms]) => on === true && ms === tcpKeepAliveMs));
});

test('an answer that is longer than the caller reads is broken off, and the next one is read', async ({
	client,
	answers,
}) => {
	let closed = false;
	answers.push((response) => {
		response.once('close', () => {
			closed = true;
		});
		response.write(filled(2_000)); // and no end
	});
	const error = await failure(client.request('GET', '/api/v1/pods', { mostBytes: 1_000 }));
	assert.ok(isTooLarge(error), String(error));
	await eventually('it is so', () => closed);
	answers.push((response) => response.end(filled(500)));
	assert.is((await client.request<{ name: string }>('GET', '/api/v1/pods', { mostBytes: 1_000 })).name, 'a');
});
test('of an answer of any length a few fields are read; an error is an error all the same', async ({
	client,
	answers,
}) => {
	const keep = { name: true } as const;
	answers.push((response) => response.end(filled(4 * largeBytes)));
	const read = await client.request('GET', '/api/v1/pods', { keep, mostBytes: 1_000 });
	assert.equal(read, { value: { name: 'a' }, whole: true });
	answers.push((response) => {
		response.statusCode = 410;
		response.end('{"reason":"Expired","message":"too old"}');
	});
	const error = await failure(client.request('GET', '/api/v1/pods', { keep }));
	assert.equal([error.code, error.reason, error.message], [410, 'Expired', 'too old']);
});
test('few long answers are held at a time; short ones pass them, and whoever gives up makes no room for more', async ({
	client,
	answers,
}) => {
	const open: ServerResponse[] = [];
	const done: number[] = [];
	const give = (response: ServerResponse) => {
		open.push(response);
		response.write(filled(2 * largeBytes).slice(0, -2));
	};
	const count = largeAnswersAtOnce + 2;
	const stop = new AbortController();
	const calls: Promise<unknown>[] = [];
	for (let index = 0; index < count; index++) {
		answers.push(give);
		const signal = index === largeAnswersAtOnce ? stop.signal : undefined;
		calls.push(
			client.request('GET', '/api/v1/pods', signal ? { signal } : {}).then(
				() => done.push(index),
				() => done.push(-1),
			),
		);
		await eventually(
			'it is so',
			() => open.length > index && (open[index]?.writableLength ?? 0) < largeBytes,
		);
	}
	await client.request('GET', '/api/v1/pods');
	stop.abort();
	await eventually('it is so', () => done.length === 1);
	open.at(-1)?.end('"}');
	await client.request('GET', '/api/v1/pods');
	assert.equal(done, [-1], 'the last one waits for one of the first, though it has come whole');
	for (const response of open.slice(0, largeAnswersAtOnce)) response.end('"}');
	await Promise.all(calls);
	assert.equal(done.toSorted(), [-1, 0, 1, 3]);
});
test('lines that come in many parts are joined once, and a long one is only named', async ({
	client,
	answers,
}) => {
	answers.push((response) => response.end(`{"a":1}\n${filled(3 * largeBytes)}\n{"b":2}\n`));
	const seen: unknown[] = [];
	await client.stream('/api/v1/pods', {
		query: {},
		signal: new AbortController().signal,
		onLine: (line) => seen.push(line),
		longestLine: largeBytes,
		long: { kept: { name: true }, onSkimmed: ({ value }) => seen.push(value) },
	});
	assert.equal(seen, ['{"a":1}', { name: 'a' }, '{"b":2}']);
});

test.run();

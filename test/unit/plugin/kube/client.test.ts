import { gzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { asCliError } from '../../../../plugin/kube/failure.ts';
import { listPods, listWholePods } from '../../../../plugin/kube/pods.ts';
import { suite } from '../../../support/suite.ts';
import { type FakeServer, fakeServer, type Handler, pod, podList, sendJson } from '../fake-server.ts';

const test = suite<{ server?: FakeServer | undefined }>('plugin: client');

test.after.each(async (context) => {
	await context.server?.stop();
	context.server = undefined;
});

async function serve(context: { server?: FakeServer | undefined }, handler: Handler): Promise<FakeServer> {
	context.server = await fakeServer(handler);
	return context.server;
}

/** What a person would read. */
async function failure(call: Promise<unknown>): Promise<string> {
	try {
		await call;
	} catch (error) {
		return asCliError(error)?.message ?? `unexpected: ${error}`;
	}
	throw new Error('it did not fail');
}

test('a list is fetched in pages of 500, in JSON where the server does not speak protobuf', async (context) => {
	const server = await serve(context, (_request, response, url) => {
		const second = url.searchParams.get('continue') === 'more';
		sendJson(response, 200, second ? podList(7, [pod('b', 2)]) : podList(7, [pod('a', 1)], 'more'));
	});
	const list = await listPods(server.client(), { namespace: 'ci', labelSelector: 'x=y' });
	assert.equal(
		list.pods.map(({ kind, metadata }) => [kind, metadata.name]),
		[
			['Pod', 'a'],
			['Pod', 'b'],
		],
	);
	assert.is(list.resourceVersion, '7');
	assert.equal(server.requests, [
		'GET /api/v1/namespaces/ci/pods?labelSelector=x=y&limit=5000',
		'GET /api/v1/namespaces/ci/pods?labelSelector=x=y&limit=5000&continue=more',
	]);
});

test('when the server has forgotten the pages (410), the list begins again', async (context) => {
	let expired = false;
	const server = await serve(context, (_request, response, url) => {
		const token = url.searchParams.get('continue');
		if (token === null) sendJson(response, 200, podList(7, [pod('a', 1)], expired ? '' : 'old'));
		else {
			expired = true;
			sendJson(response, 410, { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' });
		}
	});
	const { pods } = await listWholePods(server.client(), { namespace: 'ci' });
	assert.equal(
		pods.map(({ metadata }) => metadata.name),
		['a'],
	);
	assert.is(server.requests.length, 3);
});

test('answers may come compressed', async (context) => {
	const server = await serve(context, (request, response) => {
		assert.is(request.headers['accept-encoding'], 'gzip');
		response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
		response.end(gzipSync(JSON.stringify({ hello: 'world' })));
	});
	assert.equal(await server.client().json('GET', '/x'), { hello: 'world' });
});

test('a read that the server asks to repeat is repeated, as client-go does; a write is not', async (context) => {
	let answers = 0;
	const server = await serve(context, (request, response) => {
		answers++;
		const details = { retryAfterSeconds: 0.01 };
		const status = {
			kind: 'Status',
			reason: 'TooManyRequests',
			message: 'storage is (re)initializing',
			details,
		};
		if (request.method === 'GET' && answers === 3) sendJson(response, 200, { ok: true });
		else sendJson(response, 429, status);
	});
	assert.equal(await server.client().json('GET', '/x'), { ok: true });
	assert.is(answers, 3);
	assert.match(await failure(server.client().call('DELETE', '/x')), 'storage is (re)initializing');
	assert.is(answers, 4);
	await failure(server.client().call('GET', '/x'));
	assert.is(answers, 14, 'ten times, no more');
});

test('a read that the server asks to repeat in 30 days is not repeated at once', async (context) => {
	const server = await serve(context, (_request, response) =>
		sendJson(response, 429, { kind: 'Status', details: { retryAfterSeconds: 30 * 86_400 } }),
	);
	const stop = new AbortController();
	setTimeout(() => stop.abort(), 30);
	await failure(server.client().call('GET', '/x', { signal: stop.signal }));
	assert.is(server.requests.length, 1);
});

test('warnings come with an error as well', async (context) => {
	const server = await serve(context, (_request, response) => {
		response.setHeader('warning', '299 - "the guard answers"');
		sendJson(response, 404, { kind: 'Status', reason: 'NotFound' });
	});
	const error = await server
		.client()
		.call('GET', '/x')
		.catch((thrown: unknown) => thrown);
	assert.equal((error as { warnings: string[] }).warnings, ['the guard answers']);
});

test('warnings of admission webhooks reach the caller', async (context) => {
	const server = await serve(context, (_request, response) => {
		response.setHeader('Warning', ['299 - "first \\"quoted\\", with comma"', '299 - "second"']);
		sendJson(response, 200, {});
	});
	const client = server.client();
	const warnings: string[] = [];
	client.onWarning = (text) => warnings.push(text);
	await client.call('GET', '/x');
	assert.equal(warnings, ['first "quoted", with comma', 'second']);
});

for (const [what, code, body, message] of [
	[
		'a Status',
		403,
		{ kind: 'Status', reason: 'Forbidden', message: 'no' },
		'Error from server (Forbidden): no',
	],
	['a Status without reason', 500, { kind: 'Status', message: 'oops' }, 'Error from server: oops'],
	[
		'401',
		401,
		{ kind: 'Status', reason: 'Unauthorized' },
		'error: You must be logged in to the server (Unauthorized)',
	],
	['no Status (a proxy)', 502, 'Bad Gateway\nmore', 'Error from server: "Bad Gateway\\nmore"'],
	['nothing', 503, undefined, 'Error from server: the server answered with HTTP status 503'],
] as const) {
	test(`an error with ${what} is reported as kubectl does`, async (context) => {
		const server = await serve(context, (_request, response) => {
			if (body === undefined) response.writeHead(code).end();
			else sendJson(response, code, body);
		});
		assert.is(await failure(server.client().call('GET', '/x')), message);
	});
}

test('an error in protobuf is reported in the same way', async (context) => {
	const status = Buffer.from('\u001a\u0002no\u0022\u0009Forbidden', 'latin1'); // message (3), reason (4)
	const envelope = Buffer.concat([
		Buffer.from('k8s\0\u0012', 'latin1'),
		Buffer.from([status.length]),
		status,
	]);
	const server = await serve(context, (_request, response) => response.writeHead(403).end(envelope));
	assert.is(await failure(listPods(server.client(), {})), 'Error from server (Forbidden): no');
});

test('a server that is not there is reported as kubectl does', async (context) => {
	const server = await serve(context, () => {});
	const client = server.client();
	await server.stop();
	context.server = undefined;
	assert.is(
		await failure(client.call('GET', '/x')),
		`The connection to the server ${server.url.slice(7)} was refused - did you specify the right host or port?`,
	);
});

test('--request-timeout ends a request that gets no answer', async (context) => {
	const server = await serve(context, () => {});
	const message = await failure(server.client(50).call('GET', '/x'));
	assert.match(message, /^Unable to connect to the server: .*Client.Timeout exceeded/);
});

test('--request-timeout=720h does not end a request at once', async (context) => {
	const server = await serve(context, (_request, response) => {
		setTimeout(() => sendJson(response, 200, { ok: true }), 20);
	});
	assert.equal(await server.client(720 * 3_600_000).json('GET', '/x'), { ok: true });
});

test('a connection that breaks in the middle of an answer is an error', async (context) => {
	const server = await serve(context, (_request, response) => {
		response.writeHead(200, { 'content-length': '100' });
		response.write('half');
		setTimeout(() => response.destroy(), 20);
	});
	assert.match(await failure(server.client().call('GET', '/x')), /^Unable to connect to the server: /);
});

test('an idle connection that the server closed just now is no error: the request is sent again', async (context) => {
	let requests = 0;
	const server = await serve(context, (request, response) => {
		requests++;
		if (requests === 2) request.socket.destroy();
		else sendJson(response, 200, {});
	});
	const client = server.client();
	await client.call('GET', '/first');
	await client.call('GET', '/second');
	assert.equal(server.requests, ['GET /first', 'GET /second', 'GET /second']);
});

test.run();

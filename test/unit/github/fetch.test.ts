import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { fetchByNode } from '../../../admission/github/fetch.ts';
import { mostAnswerBytes, mostRedirects } from '../../../admission/github/policy.ts';
import { suite } from '../../support/suite.ts';

const test = suite('fetch by node:https');

/** What `work` gives with a server that answers so, and what the server was asked. */
async function served<T>(answer: RequestListener, work: (url: string) => Promise<T>) {
	const asked: { line: string; headers: NodeJS.Dict<string | string[]>; body: string }[] = [];
	const server = createServer(async (request, response) => {
		let body = '';
		for await (const chunk of request) body += chunk;
		asked.push({ line: `${request.method} ${request.url}`, headers: request.headers, body });
		answer(request, response);
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	try {
		return { value: await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), asked };
	} finally {
		server.closeAllConnections();
		server.close();
	}
}

const rejects = (work: Promise<unknown>): Promise<Error> =>
	work.then(
		() => new Error('it did not reject'),
		(error: Error) => error,
	);

const get = { method: 'GET', headers: {} };

test('body and headers are sent; status, headers and a compressed body are read', async () => {
	const text = '{"größe":1}';
	const { value, asked } = await served(
		(_, response) =>
			response
				.writeHead(201, { 'content-encoding': 'gzip', 'x-ratelimit-remaining': '7' })
				.end(gzipSync(text)),
		(url) =>
			fetchByNode(`${url}/a?b=c`, { method: 'POST', headers: { authorization: 'token t' }, body: '{}' }),
	);
	assert.is(value.status, 201);
	assert.is(value.headers.get('x-ratelimit-remaining'), '7');
	assert.is(await value.text(), text);
	assert.is(Buffer.from(await value.arrayBuffer()).toString(), text);
	assert.is(asked[0]?.line, 'POST /a?b=c');
	assert.is(asked[0]?.headers.authorization, 'token t');
	assert.is(asked[0]?.body, '{}');
});

test('after 301 a POST becomes a GET and a DELETE stays one', async () => {
	for (const [method, then] of [
		['POST', 'GET'],
		['DELETE', 'DELETE'],
	]) {
		const { value, asked } = await served(
			({ url }, response) =>
				url === '/old' ? response.writeHead(301, { location: '/new' }).end() : response.end('here'),
			(url) =>
				fetchByNode(`${url}/old`, {
					method: method ?? '',
					headers: {},
					body: method === 'POST' ? '1' : undefined,
				}),
		);
		assert.ok(value.url.endsWith('/new'), value.url);
		assert.equal(
			asked.map(({ line }) => line),
			[`${method} /old`, `${then} /new`],
		);
		assert.is(asked[1]?.body, '');
	}
});

test('a redirect to another origin rejects, and nothing is sent there', async () => {
	const { asked } = await served(
		(_, response) => response.end(),
		(other) =>
			served(
				(_, response) => response.writeHead(307, { location: `${other}/login` }).end(),
				async (url) => assert.match((await rejects(fetchByNode(url, get))).message, `redirected to ${other}`),
			),
	);
	assert.equal(asked, []);
});

test('redirects in a circle end', async () => {
	const { asked } = await served(
		(_, response) => response.writeHead(302, { location: '/' }).end(),
		async (url) => assert.match((await rejects(fetchByNode(url, get))).message, /redirects/),
	);
	assert.is(asked.length, mostRedirects + 1);
});

test('an answer that is too large rejects, also one that only grows so when it is unpacked', async () => {
	const large = Buffer.alloc(mostAnswerBytes + 1);
	for (const zipped of [false, true]) {
		await served(
			(_, response) =>
				zipped
					? response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(large))
					: response.end(large),
			async (url) => assert.match((await rejects(fetchByNode(url, get))).message, /larger than/),
		);
	}
});

test('the signal ends a call before and within the answer', async () => {
	for (const begun of [false, true]) {
		const signal = AbortSignal.timeout(100);
		await served(
			(_, response) => void (begun && response.writeHead(200).write('{')),
			async (url) => {
				assert.match((await rejects(fetchByNode(url, { ...get, signal }))).message, /aborted/);
				assert.ok(signal.aborted);
			},
		);
	}
});

test.run();

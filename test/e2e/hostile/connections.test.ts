/** Whoever reaches the admission port can connect, but silent, slow, flooding and malformed connections are soon closed. */
import { connect as connectTcp, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import * as assert from 'uvu/assert';
import { mostUnused } from '../../../admission/webhook/rules/policy.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import type { ServerProcess } from '../../rig/server-process.ts';
import { stage } from '../../rig/stage.ts';
import { suite } from '../../support/suite.ts';
import { end, Space } from '../support/space.ts';
import { deletion, knownPath, post, review } from '../support/webhook-post.ts';

interface Context {
	rig: Rig;
	space: Space;
	/** A replica that is attacked by this file alone. */
	server: ServerProcess;
	port: number;
}

const test = suite<Context>('hostile connections');

test.before(async (context) => {
	context.rig = await stage('guard');
	context.server = await context.rig.startStandby();
	context.port = context.server.port;
	context.space = await Space.make(context.rig);
	await context.space.runners(['busy']);
	await context.space.runJob('busy', { known: true });
});
test.after(async ({ rig, space, server }) => {
	await server?.stop();
	await space?.clear();
	await end(rig);
});
test.after.each(async (context) => {
	await isReviewed(context);
	const { log } = context.server;
	assert.equal(
		log.filter(({ level, msg }) => /^(error|fatal)$/.test(level) && !ofOddPods.includes(msg)),
		[],
	);
});

/** What the server says about pods of a form that no API server sends. */
const ofOddPods = ['deletion could not be judged', 'request refused'];

/** The API server is answered. */
async function isReviewed({ rig, space, port }: Context): Promise<void> {
	const request = { ...deletion(await space.pod('busy')), name: 'busy', namespace: space.name };
	const { status, text } = await post(port, await knownPath(rig, '/pods/delete'), review(request));
	assert.is(status, 200, text);
	assert.match(JSON.parse(text).response.status.message, 'is busy');
}

/** Resolves when the other side has ended the connection, with how long that took, ms. */
function ended(socket: Socket, withinMs = 90_000): Promise<number> {
	const startedMs = performance.now();
	return new Promise((resolve, reject) => {
		const timer = setTimeout(() => {
			socket.destroy();
			reject(new Error(`still open after ${withinMs} ms`));
		}, withinMs);
		socket.resume();
		socket.on('error', () => {});
		socket.once('close', () => {
			clearTimeout(timer);
			resolve(performance.now() - startedMs);
		});
	});
}

/** Nobody who knows the path has ever asked from here. */
const localAddress = '127.0.0.2';

/** From the API server's own address, unless it is another one. */
const tls = (port: number, from = {}) =>
	new Promise<Socket>((resolve, reject) => {
		const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...from });
		socket.once('secureConnect', () => resolve(socket));
		socket.once('error', reject);
	});
const many = (count: number, port: number, from = {}) =>
	Promise.all(Array.from({ length: count }, () => tls(port, from)));

/** Sends one byte after the other for as long as the connection lasts. */
async function drip(socket: Socket, text: string): Promise<void> {
	for (const byte of text) {
		if (socket.destroyed) return;
		socket.write(byte);
		await sleep(300);
	}
}

/** What the other side has sent so far. */
function said(socket: Socket): () => string {
	let text = '';
	socket.on('data', (chunk: Buffer) => {
		text += chunk;
	});
	return () => text;
}

const head = (length: number, path = '/pods/delete') =>
	`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n`;

/** How many answers of 400 have come. */
const refusals = (answer: string) => answer.match(/HTTP\/1\.1 400 /g)?.length ?? 0;

test('silence and bytes one by one, before TLS, in the headers, in the body: all are closed; the API server’s are kept', async (context) => {
	const { port, rig } = context;
	const used = await tls(port);
	const answer = said(used);
	used.write(`${head(2, await knownPath(rig, '/pods/delete'))}\r\n{}`);
	await eventually('an answer', () => refusals(answer()) === 1);
	const unused = await tls(port);

	const elsewhere = { port, host: '127.0.0.1', localAddress: '127.0.0.3' };
	const beforeTls = Array.from({ length: 100 }, () => ended(connectTcp(elsewhere)));
	const silent = await many(30, port, { localAddress });
	const inHeaders = await many(10, port);
	for (const socket of inHeaders) void drip(socket, head(2));
	const inBody = await many(10, port);
	for (const socket of inBody) {
		socket.write(`${head(1_000)}\r\n`);
		void drip(socket, 'x'.repeat(1_000));
	}
	const all = Promise.all([...silent, ...inHeaders, ...inBody].map((socket) => ended(socket)));
	await isReviewed(context);
	assert.ok(
		inBody.some((socket) => !socket.destroyed),
		'and that while it was attacked',
	);
	assert.ok(Math.min(...(await Promise.all(beforeTls))) > 3_000, 'not at once: a busy client gets its time');
	await all;

	assert.not.ok(used.destroyed || unused.destroyed, 'idle for longer than any of them');
	const first = said(unused);
	for (const socket of [used, unused]) socket.write(`${head(2, await knownPath(rig, '/pods/delete'))}\r\n{}`);
	await eventually('another answer on it', () => refusals(answer()) === 2);
	await eventually('the first answer on the other', () => refusals(first()) === 1);
	for (const socket of [used, unused]) socket.destroy();
});

test('headers over 64 KiB, in one or in many: 431, and the connection ends at once', async ({ port }) => {
	const one = `X-Large: ${'x'.repeat(70 * 1024)}\r\n`;
	const many = Array.from({ length: 5_000 }, (_, index) => `X-${index}: ${'y'.repeat(10)}\r\n`).join('');
	const silent = await tls(port, { localAddress });
	const silentEnds = ended(silent);
	for (const headers of [one, many]) {
		const socket = await tls(port);
		const answer = said(socket);
		socket.write(head(2) + headers);
		await ended(socket);
		// What was not read of it makes the connection's end a reset, which may overtake the answer.
		assert.match(answer() || 'HTTP/1.1 431 ', /^HTTP\/1\.1 431 /);
	}
	assert.not.ok(silent.destroyed, 'and not by the limit for those that say nothing');
	await silentEnds;
});

test('a request that says both how long it is and that it comes in chunks: 400, the connection ends', async ({
	port,
}) => {
	const socket = await tls(port);
	const answer = said(socket);
	socket.write(
		`${head(4)}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /pods/delete HTTP/1.1\r\nHost: a\r\n\r\n`,
	);
	await ended(socket);
	assert.match(answer(), /^HTTP\/1\.1 400 /);
	assert.is(answer().match(/HTTP\/1\.1 /g)?.length, 1, answer());
});

for (const to of ['/pods/delete', '/pods/evict', '/pods/update', 'an unknown path'] as const) {
	test(`garbage to ${to}: 400 or 415, one log line each, and the server goes on`, async ({ rig, server }) => {
		const path = to === 'an unknown path' ? '/' : await knownPath(rig, to);
		const json = { 'content-type': 'application/json' };
		const garbage: [what: string, status: number, body: string | Buffer, headers?: Record<string, string>][] =
			[
				['not JSON', 400, 'hello'],
				['nothing', 400, ''],
				['cut JSON', 400, '{"apiVersion":"admission.k8s.io/v1","kind":"Admis'],
				['binary', 400, Buffer.from([0xff, 0xfe, 0x00, 0x80])],
				['null', 400, 'null'],
				['an array', 400, '[]'],
				['a number', 400, '42'],
				['a Pod', 400, JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } })],
				['v1beta1', 400, review(deletion({}), 'admission.k8s.io/v1beta1')],
				['no request', 400, review(undefined)],
				['a null request', 400, review(null)],
				['a request without uid', 400, review({ operation: 'DELETE', userInfo: {} })],
				[
					'a request with a null user',
					400,
					review({ ...deletion({ metadata: { name: 'r1' } }), userInfo: null }),
				],
				['a DELETE without its object', 400, review(deletion(undefined))],
				['an UPDATE without objects', 400, review({ ...deletion(undefined), operation: 'UPDATE' })],
				['an object that is none', 400, review(deletion('pod'))],
				['an object without metadata', 400, review(deletion({ metadata: null }))],
				[
					'over 3 MiB without metadata',
					400,
					review({ ...deletion({}), padding: 'x'.repeat(3 * 1024 * 1024) }),
				],
				[
					'over 3 MiB in chunks, and no review',
					400,
					`"${'x'.repeat(4 * 1024 * 1024)}"`,
					{ ...json, 'transfer-encoding': 'chunked' },
				],
				['YAML', 415, 'kind: AdmissionReview', { 'content-type': 'application/yaml' }],
				['a form', 415, 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }],
				['no content type', 415, '{}', {}],
			];
		for (const [what, status, body, headers] of garbage) {
			const before = server.log.length;
			const answer = await post(server.port, path, body, headers);
			assert.is(answer.status, status, `${what}: ${answer.status} ${answer.text}`);
			const refusals = () => server.log.slice(before).filter((line) => line.msg === 'request refused');
			await eventually('the log line', () => refusals().length > 0);
			assert.equal(
				refusals().map((line) => [line.level, line.status]),
				[['warn', status]],
				what,
			);
			assert.not.match(answer.text, /node_modules|\.ts:|\.mjs:/);
		}
		assert.ok((await server.metrics()).includes('runners_admission_bad_requests_total{status="415"}'));
	});
}

test('a pod of a form that no API server sends: refused or passed on, and the server goes on', async (context) => {
	const { rig, server } = context;
	const metadata = { name: 'a', namespace: 'default' };
	const container = { name: 'runner', env: [{ name: 'RUNNER_ORG', value: 'octo-org' }] };
	const pods = [
		{ metadata: {} },
		{ metadata, spec: null },
		{ metadata, spec: { containers: 'none' } },
		{ metadata, spec: { containers: [null] } },
		{ metadata, spec: { containers: [{ ...container, env: 'none' }] } },
		{ metadata, spec: { containers: [container] }, status: null },
		{ metadata: { ...metadata, annotations: null, labels: null }, spec: { containers: [container] } },
	];
	const paths = await Promise.all(
		(['/pods/delete', '/pods/update'] as const).map((one) => knownPath(rig, one)),
	);
	for (const path of [...paths, '/']) {
		for (const pod of pods) {
			const answer = await post(server.port, path, review({ ...deletion(pod), object: pod }));
			// Of unauthenticated callers there may be too many at a time.
			const may = path === '/' ? [200, 400, 503] : [200, 400];
			assert.ok(may.includes(answer.status), `${answer.status} ${answer.text}`);
			assert.not.match(answer.text, /node_modules|\.ts:|\.mjs:/);
		}
	}
	assert.is((await fetch(`http://127.0.0.1:${server.healthPort}/healthz`)).status, 200);
});

test('another path and another method: no answer of 200, and no stack trace in it', async ({ port }) => {
	for (const [method, path] of [
		['POST', '/'],
		['POST', '/pods'],
		['GET', '/pods/delete'],
		['GET', '/metrics'],
		['POST', '/%ff'],
		['POST', '/../etc/passwd'],
	] as const) {
		const answer = await post(port, path, '', {}, method);
		assert.is(answer.status, method === 'GET' ? 405 : 415, `${method} ${path}`);
		assert.not.match(answer.text, /node_modules|\.ts:|\.mjs:/);
	}
});

for (const [who, limit] of [
	['unauthenticated callers', 512],
	['known callers', 1_000],
] as const)
	test(`1,200 connections of ${who} at once: no more than ${limit} stay, memory stays within its limit, all is as before afterwards`, async ({
		rig,
		server,
		port,
	}) => {
		const before = await server.openFiles();
		const path = await knownPath(rig, '/pods/delete');
		let most = 0;
		let settled = 0;
		const sockets = Array.from({ length: 1_200 }, () => {
			const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
			// A known caller is one from the first request on, whatever its body is.
			if (who === 'known callers') socket.once('secureConnect', () => socket.write(`${head(9, path)}\r\n`));
			let isSettled = false;
			for (const event of ['secureConnect', 'close'])
				socket.once(event, () => {
					if (!isSettled) settled++;
					isSettled = true;
				});
			return socket;
		});
		for (const socket of sockets) socket.on('error', () => {}).resume();
		const open = async () => {
			most = Math.max(most, (await server.openFiles()) - before);
			return settled === sockets.length;
		};
		await eventually('each is taken or refused', open, { withinMs: 60_000, everyMs: 20 });
		const rssMiB = await server.rssMiB();
		console.log(
			`${who}: at most ${most} of ${sockets.length} connections were open, ${rssMiB.toFixed(0)} MiB resident`,
		);
		// One that is refused is open for a moment.
		assert.ok(most <= limit + 50, `${most} open`);
		assert.ok(rssMiB < 256, `${rssMiB} MiB: the shipped limit is 256 MiB`);
		await eventually('they end', async () => (await server.openFiles()) - before <= mostUnused, {
			withinMs: 90_000,
		});
		for (const socket of sockets) socket.destroy();
		assert.is((await fetch(`http://127.0.0.1:${server.healthPort}/readyz`)).status, 200);
	});

test.run();

/** The admission port over real TLS. */

import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { pino } from 'pino';
import * as assert from 'uvu/assert';
import { routes } from '../../../admission/api/webhooks.ts';
import { Metrics } from '../../../admission/telemetry/metrics.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import type { Callers } from '../../../admission/webhook/callers.ts';
import {
	type AdmissionRequest,
	type AdmissionResponse,
	type Arrival,
	allowed,
} from '../../../admission/webhook/review.ts';
import {
	connectionLastsMs,
	largeBodyBytes,
	mostHeldBytes,
	mostRequestsOfOneConnection,
	mostUnauthenticatedBytes,
	mostUnproven,
	mostUnprovenOfOneAddress,
	mostUnused,
	mostWholeBytes,
	quietBeforeCloseMs,
	unprovenGraceMs,
} from '../../../admission/webhook/rules/policy.ts';
import { createWebhookServer, type WebhookServer } from '../../../admission/webhook/server.ts';
import { createAuthority, issueServer } from '../../cluster/certificates.ts';
import { deletion, review as reviewOf } from '../../e2e/support/webhook-post.ts';
import { eventually } from '../../rig/eventually.ts';
import { suite } from '../../support/suite.ts';
import { answering, knownPath } from './answering.ts';

interface Context {
	webhook: WebhookServer;
	callers: Callers;
	log: string[];
	metrics: Metrics;
	agent: Agent;
	port: number;
	/** How the reviews came, and who answered them. */
	seen: (Arrival & { by: 'handler' | 'unauthenticated'; request: AdmissionRequest })[];
	/** How long the answer takes; ms. */
	takesMs: number;
	/** No answer comes before this has happened. */
	held: Promise<unknown>;
	/** How often the server has waited: between reviews of unauthenticated callers. */
	waits: number;
	/** The server's monotonic time, ms; undefined: the machine's. */
	monotonicMs: number | undefined;
}

const test = suite<Context>('webhook server');

test.before(async (context) => {
	const authority = await createAuthority();
	context.log = [];
	context.metrics = new Metrics(systemClock);
	context.seen = [];
	context.takesMs = 0;
	context.held = Promise.resolve();
	context.waits = 0;
	const answer =
		(by: 'handler' | 'unauthenticated') => async (request: AdmissionRequest, arrival: Arrival) => {
			context.seen.push({ ...arrival, by, request });
			await sleep(context.takesMs);
			await context.held;
			if (request.name === 'fails') throw new Error('a mistake');
			return allowed(request.uid);
		};
	const all = answering(answer('handler'), answer('unauthenticated'));
	context.callers = all.callers;
	context.webhook = createWebhookServer({
		...all,
		tls: await issueServer(authority),
		clock: {
			...systemClock,
			monotonic: () => context.monotonicMs ?? systemClock.monotonic(),
			sleep: (ms) => {
				context.waits += 1;
				return systemClock.sleep(ms);
			},
		},
		metrics: context.metrics,
		log: pino({ level: 'debug' }, { write: (line: string) => void context.log.push(line) }),
	});
	const { server } = context.webhook;
	await new Promise<void>((resolve) =>
		server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, resolve),
	);
	context.port = (server.address() as AddressInfo).port;
	context.agent = new Agent({ ca: authority.cert, keepAlive: true, maxSockets: 1 });
});
test.before.each((context) => {
	context.seen = [];
	context.takesMs = 0;
	context.monotonicMs = undefined;
});
test.after(({ webhook, agent }) => {
	agent?.destroy();
	webhook?.server.close();
	webhook?.server.closeAllConnections();
});

test('the path tells who calls, and none gets a 4xx for it', async (context) => {
	const { agent, port, callers, seen } = context;
	const path = knownPath('/pods/delete', callers);
	const wrong = path.replace(/.{3}\/pods/, '000/pods');
	const before = Date.now();
	for (const [asked, by] of [
		[path, 'handler'],
		[knownPath('/pods/update', callers), 'handler'],
		[wrong, 'unauthenticated'],
		['/pods/delete', 'unauthenticated'],
		['/', 'unauthenticated'],
		['/%ff', 'unauthenticated'],
		['/something/else', 'unauthenticated'],
		[path.replace('/pods/delete', '/pods/nothing'), 'handler'],
	] as const) {
		const answer = await review(agent, port, asked);
		assert.is(answer.statusCode, 200, asked);
		const last = seen.pop();
		assert.equal([last?.by, last?.caller], [by, by === 'handler' ? 'known' : 'unauthenticated'], asked);
		assert.is(last?.certified, false);
		assert.ok(last !== undefined && last.atMs >= before && last.atMs <= Date.now());
	}
});
test('unauthenticated callers wait for their turn, the API server never does', async (context) => {
	const { agent, port, callers } = context;
	context.waits = 0;
	await review(agent, port, knownPath('/pods/delete', callers));
	assert.is(context.waits, 0);
	await review(agent, port, '/pods/delete');
	await eventually('the next one may go on', () => context.waits === 2, { everyMs: 5 });
});
test('what a review is about, its content tells, also by the right path of another webhook', async (context) => {
	const { agent, port, callers, metrics } = context;
	const counted = async () => {
		const line = /review_duration_seconds_count\{[^}]*"\/pods\/evict"[^}]*\} (\d+)/.exec(
			await metrics.registry.metrics(),
		);
		return Number(line?.[1] ?? 0);
	};
	const eviction = {
		operation: 'CREATE',
		subResource: 'eviction',
		object: { metadata: {} },
		oldObject: undefined,
	};
	for (const path of [...routes.map((route) => knownPath(route, callers)), '/', '/pods/delete']) {
		const before = await counted();
		assert.is((await review(agent, port, path, eviction)).statusCode, 200, path);
		assert.is(await counted(), before + 1, path);
	}
});
test('what concerns no handler is allowed, and asks none', async ({ agent, port, callers, seen }) => {
	for (const path of ['/', knownPath('/pods/delete', callers).replace('/pods/delete', '/')]) {
		const answer = await review(agent, port, path, { resource: { group: '', resource: 'configmaps' } });
		assert.is(answer.body.response.allowed, true);
	}
	assert.equal(seen, []);
});
test('neither the log nor the metrics nor an answer tells the segment', async (context) => {
	const { agent, port, callers, metrics } = context;
	const path = knownPath('/pods/delete', callers);
	const answers = [
		await review(agent, port, path),
		await review(agent, port, path, { name: 'fails' }),
		await review(agent, port, path, { uid: undefined }),
		await review(agent, port, `${path}/%ff`),
		await review(agent, port, path, {}, 'GET'),
	];
	assert.equal(
		answers.map(({ statusCode }) => statusCode),
		[200, 503, 400, 200, 405],
	);
	const shown = [...context.log, await metrics.registry.metrics(), ...answers.map(({ text }) => text)].join();
	assert.match(shown, 'a mistake');
	assert.match(shown, 'handler="/pods/delete"');
	assert.not.match(shown, /[0-9a-f]{64}/);
});
test('an answer that the API server did not wait for spoils the path, that of an unauthenticated caller does not', async (context) => {
	const { agent, port, callers } = context;
	let spoiled = 0;
	callers.whenSpoiled(() => spoiled++);
	const path = knownPath('/pods/delete', callers);
	await review(agent, port, `${path}?timeout=1s`);
	await review(agent, port, path);
	assert.is(spoiled, 0);

	context.takesMs = 30;
	await review(agent, port, `${path}?timeout=5s`);
	assert.is(spoiled, 0);
	await review(agent, port, `${path}?timeout=0s`);
	await eventually('it was late', () => spoiled === 1);

	context.takesMs = 500;
	context.seen.length = 0;
	for (const [asked, expected] of [
		[path, 2],
		['/pods/delete', 2],
	] as const) {
		// Whoever asked breaks off when the review has come, and before it is answered.
		const breakOff = new AbortController();
		const gone = review(agent, port, asked, {}, 'POST', breakOff.signal).then(
			() => assert.unreachable(),
			() => undefined,
		);
		await eventually('it has come', () => context.seen.length > 0, { everyMs: 5 });
		breakOff.abort();
		await gone;
		await context.webhook.drained();
		assert.is(spoiled, expected, `${asked}: the connection was closed before the answer`);
		context.seen.length = 0;
	}
});
test('a known caller’s connection ends after 200 requests, or with the first answer after 10 s; an unauthenticated one’s at once', async (context) => {
	const { agent, port, callers } = context;
	const path = knownPath('/pods/delete', callers);
	const endOf = async (asked: string) => (await review(agent, port, asked)).headers.connection;
	assert.is(await endOf('/'), 'close');
	// However long the machine takes for 400 requests: only their number ends the connections.
	const startMs = systemClock.monotonic();
	context.monotonicMs = startMs;
	const ends: string[] = [];
	for (let request = 1; request <= 2 * mostRequestsOfOneConnection; request++)
		if ((await endOf(path)) === 'close') ends.push(`${request}`);
	assert.equal(ends, ['200', '400']);
	assert.is(await endOf(path), 'keep-alive');
	context.monotonicMs = startMs + connectionLastsMs - 1;
	assert.is(await endOf(path), 'keep-alive');
	context.monotonicMs = startMs + connectionLastsMs;
	assert.is(await endOf(path), 'close');
});
test('a connection that the API server has opened and not used yet is answered when it is used; nobody else’s, no half request, and no more than 25', async (context) => {
	const { agent, port, callers, webhook } = context;
	const path = knownPath('/pods/delete', callers);
	assert.is((await review(agent, port, path)).statusCode, 200);
	const { server } = webhook;
	const { headersTimeout } = server;
	const timedOut: string[] = [];
	server.on('clientError', (error: NodeJS.ErrnoException) => timedOut.push(error.code ?? ''));
	const open = async (from: object = {}) => (await openTls(port, from)).resume();
	const closed = (...sockets: TLSSocket[]) =>
		eventually('they are closed', () => sockets.every((socket) => socket.destroyed));
	try {
		server.headersTimeout = 1;
		const tooMany = await Promise.all(Array.from({ length: mostUnused + 1 }, () => open()));
		await closed(...tooMany);
		timedOut.length = 0;
		const [unused, half, unknown] = [await open(), await open(), await open({ localAddress: '127.0.0.3' })];
		half.write('POST / HTTP');
		await closed(half, unknown);
		await eventually('its time is over as well', () => timedOut.length === 3);
		const begins = await open();
		await eventually('and that of another one', () => timedOut.length === 4);
		begins.write('POST / HTTP');
		await closed(begins);
		server.headersTimeout = headersTimeout;
		assert.equal(timedOut, Array(5).fill('ERR_HTTP_REQUEST_TIMEOUT'));
		unused.write(postOf(path));
		let answer = '';
		unused.on('data', (bytes) => {
			answer += bytes;
		});
		await eventually('the answer', () => /^HTTP\/1\.1 200 /.test(answer));
		unused.destroy();
	} finally {
		server.headersTimeout = headersTimeout;
	}
});
test('a handler that fails, and what cannot be read now: the API server is to ask again, on another connection', async (context) => {
	const { agent, port, callers, metrics } = context;
	const { statusCode, headers } = await review(agent, port, knownPath('/pods/delete', callers), {
		name: 'fails',
	});
	assert.equal([statusCode, headers['retry-after'], headers.connection], [503, '1', 'close']);
	assert.match(await metrics.registry.metrics(), 'bad_requests_total{status="failed"}');
});
test('large bodies of unauthenticated callers: some at a time, the API server’s always, small ones always', async (context) => {
	const { port, callers, agent } = context;
	const large = 'x'.repeat(largeBodyBytes);
	const held = hold(port, '/', largeBodyBytes, mostHeldBytes.unauthenticated / largeBodyBytes);
	await eventually('they are being read', async () => {
		const { statusCode, headers } = await review(agent, port, '/', { large });
		return statusCode === 503 && headers['retry-after'] === '1' && headers.connection === 'close';
	});
	assert.is((await review(agent, port, '/')).statusCode, 200);
	assert.is((await review(agent, port, knownPath('/pods/delete', callers), { large })).statusCode, 200);
	for (const call of held) call.destroy();
	await eventually(
		'there is room again',
		async () => (await review(agent, port, '/', { large })).statusCode === 200,
	);
});
test('too much of large bodies at a time: what is beyond is read to its end, and then answered with 503; small ones always', async (context) => {
	const { port, callers, agent } = context;
	const path = knownPath('/pods/delete', callers);
	const held = hold(port, path, 2 * mostWholeBytes.known, mostHeldBytes.known / mostWholeBytes.known);
	const large = 'x'.repeat(largeBodyBytes);
	await eventually(
		'they are being read',
		async () => (await review(agent, port, path, { large })).statusCode === 503,
	);
	assert.is((await review(agent, port, path)).statusCode, 200);
	let answered = false;
	const late = httpsRequest({
		...hanging(port),
		path,
		headers: { ...json, 'content-length': 2 * largeBodyBytes },
	});
	const status = new Promise((resolve, reject) => {
		late.once('error', reject);
		late.once('response', ({ statusCode }) => {
			answered = true;
			resolve(statusCode);
		});
	});
	late.write('x'.repeat(largeBodyBytes));
	await eventually('its headers have come', async () =>
		(await context.metrics.registry.metrics()).includes(`reviews_in_flight ${held.length + 1}\n`),
	);
	assert.is((await review(agent, port, path)).statusCode, 200);
	assert.not(answered, 'before its body has come');
	late.end('x'.repeat(largeBodyBytes));
	assert.is(await status, 503);
	for (const call of held) call.destroy();
	await eventually(
		'there is room again',
		async () => (await review(agent, port, path, { large })).statusCode === 200,
	);
});
test('what is held of a large body counts until its review has been answered', async (context) => {
	const { port, callers, agent, seen } = context;
	const path = knownPath('/pods/delete', callers);
	const large = 'x'.repeat(mostWholeBytes.known);
	context.takesMs = 500;
	const most = mostHeldBytes.known / mostWholeBytes.known;
	const many = new Agent({ ...agent.options, maxSockets: most });
	const reviews = Array.from({ length: most }, () => review(many, port, path, { large }));
	await eventually('all are being answered', () => seen.length === most, { everyMs: 5 });
	assert.is((await review(agent, port, path, { large })).statusCode, 503);
	for (const answer of await Promise.all(reviews)) assert.is(answer.statusCode, 200);
	assert.is((await review(agent, port, path, { large })).statusCode, 200);
	many.destroy();
});
test('a review of 27 MiB gets its verdict, by what is short in it, and others have their turn meanwhile', async (context) => {
	const { port, callers, agent, seen } = context;
	const path = knownPath('/pods/evict', callers);
	const longest = { delay: 0, at: performance.now() };
	const beats = setInterval(() => {
		const nowMs = performance.now();
		longest.delay = Math.max(longest.delay, nowMs - longest.at);
		longest.at = nowMs;
	}, 1);
	const metadata = { name: 'a', annotations: { a: 'x'.repeat(27 * 1024 * 1024) } };
	const change = { object: { metadata, deleteOptions: { dryRun: ['All'] } }, dryRun: true };
	const { statusCode, body } = await review(agent, port, path, change);
	clearInterval(beats);
	console.log(`longest time on the event loop, with this test's own: ${longest.delay.toFixed(0)} ms`);
	assert.equal([statusCode, body.response.uid, body.response.allowed], [200, 'test', true]);
	const [{ request }] = seen as [Context['seen'][number]];
	assert.equal([request.reduced, request.dryRun, request.name], [true, true, 'a']);
	assert.equal(request.object, {
		metadata: { name: 'a', annotations: null },
		deleteOptions: { dryRun: ['All'] },
	});
});
test('of a large review of an unauthenticated caller little is kept, and so little is parsed', async (context) => {
	const { port, callers, agent, seen } = context;
	const path = knownPath('/pods/delete', callers);
	const large = 'x'.repeat(mostWholeBytes.known);
	const text = 'y'.repeat(1_100);
	const many = Object.fromEntries(Array.from({ length: 12_000 }, (_, at) => [`k${at}`, 1]));
	for (const [to, note, status] of [
		[path, text, 200],
		['/', null, 400],
	] as const) {
		assert.is((await review(agent, port, to, { large, note: text })).statusCode, 200);
		const { request } = seen.pop() as Context['seen'][number];
		assert.equal([(request as { note?: unknown }).note, request.uid], [note, 'test']);
		assert.is((await review(agent, port, to, { large, ...many })).statusCode, status);
	}
});
test('only the server says that something was left out, and only where it was', async ({
	port,
	callers,
	agent,
	seen,
}) => {
	const path = knownPath('/pods/delete', callers);
	const large = 'x'.repeat(mostWholeBytes.known);
	for (const [change, reduced] of [
		[{ reduced: true }, undefined],
		[{ large: large.slice(0, -1_000) }, undefined],
		[{ large, reduced: false }, true],
	] as const) {
		assert.is((await review(agent, port, path, change)).statusCode, 200);
		assert.is(seen.pop()?.request.reduced, reduced);
	}
	for (const [size, reduced] of [
		[1_000, undefined],
		[mostWholeBytes.known, true],
	] as const) {
		// In chunks, without a length.
		const call = httpsRequest({ ...hanging(port), path, headers: json });
		call.write(
			reviewOf({ ...deletion({ metadata: { name: 'r1' } }), large: 'x'.repeat(size) }).slice(0, 100),
		);
		call.end(reviewOf({ ...deletion({ metadata: { name: 'r1' } }), large: 'x'.repeat(size) }).slice(100));
		const [response] = (await once(call, 'response')) as [IncomingMessage];
		response.resume();
		assert.equal([response.statusCode, seen.pop()?.request.reduced], [200, reduced]);
	}
});
test('a large body that is no JSON, or breaks off, is no review; an unauthenticated caller’s may have 27 MiB', async (context) => {
	const { port, callers, seen, log } = context;
	const send = async (path: string, body: Buffer) => {
		const call = httpsRequest({
			...hanging(port),
			path,
			headers: { ...json, 'content-length': body.length },
		});
		call.on('error', () => {}); // the rest of the body is not read
		call.end(body);
		const [response] = (await once(call, 'response')) as [IncomingMessage];
		response.resume();
		return response.statusCode;
	};
	const path = knownPath('/pods/delete', callers);
	assert.is(await send(path, Buffer.alloc(2 * mostWholeBytes.known, 'x')), 400);
	assert.is(await send('/', Buffer.alloc(mostUnauthenticatedBytes + 1, ' ')), 413);
	log.length = 0;
	const [broken] = hold(port, path, 2 * mostWholeBytes.known, 1);
	await eventually('its headers have come', () => broken?.socket?.bytesWritten);
	broken?.destroy();
	await eventually('it has been noticed', () => log.some((line) => line.includes('closed the connection')));
	assert.equal(seen, []);
});
test('where the API server waits for 15 s, the time of a review whose body takes long begins later', async (context) => {
	const { port, callers, seen } = context;
	const path = knownPath('/pods/evict', callers);
	for (const timeout of ['15s', '5s']) {
		const body = reviewOf({
			...deletion({ metadata: { name: 'r1' } }),
			large: 'x'.repeat(mostWholeBytes.known),
		});
		const headers = { ...json, 'content-length': Buffer.byteLength(body) };
		const call = httpsRequest({ ...hanging(port), path: `${path}?timeout=${timeout}`, headers });
		const answer = once(call, 'response') as Promise<[IncomingMessage]>;
		call.write(body.slice(0, 1_000));
		await once(call, 'socket');
		await sleep(100);
		const sentMs = Date.now();
		call.end(body.slice(1_000));
		(await answer)[0].resume();
		const { atMs } = seen.pop() as Arrival;
		assert.ok(timeout === '15s' ? atMs >= sentMs : atMs <= sentMs, `${timeout}: ${atMs - sentMs} ms`);
	}
});
test('1,000 connections of the API server’s own address that say nothing: half of them stay, and reviews are answered', async (context) => {
	const { agent, port, callers, webhook } = context;
	const path = knownPath('/pods/delete', callers);
	assert.is((await review(agent, port, path)).statusCode, 200);
	const delay = monitorEventLoopDelay({ resolution: 5 });
	delay.enable();
	let closed = 0;
	const sockets = Array.from({ length: 1_000 }, () => {
		const socket = connectTcp(port, '127.0.0.1');
		socket.on('error', () => {});
		socket.once('close', () => closed++);
		return socket;
	});
	const took: number[] = [];
	for (let time = 0; time < 50; time++) {
		const startedMs = performance.now();
		const fresh = new Agent({ ...agent.options, keepAlive: false });
		assert.is((await review(time % 2 ? agent : fresh, port, path)).statusCode, 200);
		took.push(performance.now() - startedMs);
	}
	delay.disable();
	const open = await new Promise<number>((resolve) =>
		webhook.server.getConnections((_, count) => resolve(count)),
	);
	const worst = Math.max(...took).toFixed(0);
	console.log(
		`${open} open, ${closed} closed; slowest review ${worst} ms; event-loop delay p99 ${(delay.percentile(99) / 1e6).toFixed(0)} ms`,
	);
	assert.ok(open <= mostUnproven + 2, `${open} open`);
	for (const socket of sockets) socket.destroy();
});
test('1,000 connections of an address that never asked: 200 get in, and 32 stay when more come a second later', async (context) => {
	const { port, webhook } = context;
	const open = () =>
		new Promise<number>((resolve) => webhook.server.getConnections((_, count) => resolve(count)));
	await eventually('nobody is there', async () => (await open()) <= 1);
	const connect = () => {
		const socket = connectTcp({ port, host: '127.0.0.1', localAddress: '127.0.0.2' });
		socket.on('error', () => {});
		return socket;
	};
	let ended = 0;
	const sockets = Array.from({ length: 1_000 }, () =>
		connect()
			.once('close', () => ended++)
			.resume(),
	);
	await eventually('most are closed', () => ended >= 800);
	assert.is(ended, 800);
	await sleep(unprovenGraceMs);
	sockets.push(connect());
	await eventually('the oldest go', async () => (await open()) <= mostUnprovenOfOneAddress + 1);
	for (const socket of sockets) socket.destroy();
});
test('while it leaves it answers, and each answer ends its connection; when it closes, what has come is answered: on a connection that was used before, and on one that was not', async (context) => {
	const { webhook, callers, agent, port, seen } = context;
	const path = knownPath('/pods/delete', callers);
	// While an earlier test's flood of connections is still closing, none is kept.
	await eventually('a connection is kept', async () => {
		const { headers } = await review(agent, port, path);
		return headers.connection === 'keep-alive';
	});
	const [used, unused, late] = await Promise.all([openTls(port), openTls(port), openTls(port)]);
	used.write(postOf(path));
	assert.match(String(await once(used, 'data')), /^HTTP\/1\.1 200 .*connection: keep-alive/is);
	webhook.leave();
	const last = await review(agent, port, path);
	assert.is(last.statusCode, 200);
	assert.is(last.headers.connection, 'close');

	const answers = [used, unused, late].map((socket) => socket.toArray());
	const { promise, resolve: go } = Promise.withResolvers<void>();
	context.held = promise;
	const before = seen.length;
	const lastMs = systemClock.monotonic();
	context.monotonicMs = lastMs;
	used.write(postOf(path));
	unused.write(postOf(path));
	const closed = webhook.close();
	await eventually('the two are being answered', () => seen.length === before + 2);
	context.monotonicMs = lastMs + quietBeforeCloseMs - 1;
	await systemClock.sleep(200);
	assert.ok(webhook.server.listening, 'the callers may ask again');
	context.monotonicMs = lastMs + quietBeforeCloseMs;
	await eventually('it listens no longer', () => !webhook.server.listening);
	late.write(postOf(path));
	await eventually('all are being answered', () => seen.length === before + 3);
	go();
	await closed;
	for (const answer of await Promise.all(answers))
		assert.match(Buffer.concat(answer).toString(), /^HTTP\/1\.1 200 .*connection: close/is);
});

/** A connection on which nothing has been asked. */
async function openTls(port: number, from: object = {}): Promise<TLSSocket> {
	const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...from });
	socket.on('error', () => {});
	await once(socket, 'secureConnect');
	return socket;
}

/** A review of a DELETE, as it goes over a connection. */
function postOf(path: string): string {
	const body = reviewOf(deletion({ metadata: { name: 'a' } }));
	return `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

const json = { 'content-type': 'application/json' };
const hanging = (port: number) => ({
	host: '127.0.0.1',
	port,
	method: 'POST',
	agent: false as const,
	rejectUnauthorized: false,
});

/** Requests of this path that say how long they are, and send no more than a byte. */
function hold(port: number, path: string, length: number, count: number): ClientRequest[] {
	return Array.from({ length: count }, () => {
		const call = httpsRequest({ ...hanging(port), path, headers: { ...json, 'content-length': length + 1 } });
		call.on('error', () => {});
		call.write('{');
		return call;
	});
}

interface Answer extends IncomingMessage {
	text: string;
	/** If it is JSON. */
	body: { response: AdmissionResponse };
}

/** Sends a review of a DELETE, changed like this, and gives up after a while. */
function review(
	agent: Agent,
	port: number,
	path: string,
	change: object = {},
	method = 'POST',
	signal: AbortSignal = AbortSignal.timeout(20_000),
): Promise<Answer> {
	const request = { ...deletion({ metadata: { name: 'a' } }), ...change };
	return new Promise((resolve, reject) => {
		const call = httpsRequest({ agent, host: '127.0.0.1', port, path, method, headers: json });
		const breakOff = () => call.destroy();
		signal.addEventListener('abort', breakOff, { once: true });
		call.once('error', reject);
		call.once('response', async (response) => {
			const text = Buffer.concat(await response.toArray()).toString();
			signal.removeEventListener('abort', breakOff); // its connection is another request's by then
			const body = text.startsWith('{') ? JSON.parse(text) : {};
			resolve(Object.assign(response, { text, body }));
		});
		call.end(reviewOf(request));
	});
}

test.run();

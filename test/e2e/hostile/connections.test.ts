/** Whoever reaches the admission port may connect, and no more: silence, drips, floods and oversized headers end soon. */
import { connect as connectTcp, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import * as assert from 'uvu/assert';
import { type Rig, startRig } from '../../rig/rig.ts';
import { suite } from '../../support/suite.ts';
import { end, Space } from '../support/space.ts';

const test = suite<{ rig: Rig; space: Space; port: number }>('hostile connections');

test.before(async (context) => {
	context.rig = await startRig();
	context.port = context.rig.servers[0]?.port ?? 0;
	context.space = await Space.make(context.rig);
});
test.after(({ rig }) => end(rig));
test.after.each(async ({ rig, space }) => {
	// The API server is heard meanwhile, or at once afterwards.
	const name = `r-${performance.now().toFixed(0)}`;
	await space.runners([name]);
	const done = await space.deleted(name);
	assert.ok(done.elapsedMs < 5_000, `${done.elapsedMs} ms`);
	assert.equal(
		rig.logs(({ level }) => level === 'error' || level === 'fatal'),
		[],
	);
});

/** Resolves when the other side has ended the connection, with how long that took, ms. */
function ended(socket: Socket, withinMs: number): Promise<number> {
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

const tls = (port: number) =>
	new Promise<Socket>((resolve, reject) => {
		const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
		socket.once('secureConnect', () => resolve(socket));
		socket.once('error', reject);
	});

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

const head = (length: number) =>
	`POST /pods/delete HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n`;

test('200 connections that never begin TLS: closed after 5 s', async ({ port }) => {
	const sockets = Array.from({ length: 200 }, () => connectTcp(port, '127.0.0.1'));
	const took = await Promise.all(sockets.map((socket) => ended(socket, 12_000)));
	assert.ok(Math.min(...took) > 3_000, 'not at once either: a busy client gets its time');
});

test('100 connections that begin no request: closed after 5 s', async ({ port }) => {
	const sockets = await Promise.all(Array.from({ length: 100 }, () => tls(port)));
	await Promise.all(sockets.map((socket) => ended(socket, 12_000)));
});

test('50 requests whose headers come byte by byte: closed after 5 s', async ({ port }) => {
	const sockets = await Promise.all(Array.from({ length: 50 }, () => tls(port)));
	for (const socket of sockets) void drip(socket, head(2));
	await Promise.all(sockets.map((socket) => ended(socket, 12_000)));
});

test('50 requests whose body comes byte by byte: closed after 10 s', async ({ port }) => {
	const sockets = await Promise.all(Array.from({ length: 50 }, () => tls(port)));
	for (const socket of sockets) {
		socket.write(`${head(1_000)}\r\n`);
		void drip(socket, 'x'.repeat(1_000));
	}
	await Promise.all(sockets.map((socket) => ended(socket, 20_000)));
});

test('a connection that has been used, as the API server’s: kept while it is idle, and used again', async ({
	port,
}) => {
	const socket = await tls(port);
	const answer = said(socket);
	for (const times of [1, 2]) {
		socket.write(`${head(2)}\r\n{}`);
		await sleep(8_000);
		assert.is(answer().match(/HTTP\/1\.1 400 /g)?.length, times, answer());
		assert.not.ok(socket.destroyed);
	}
	socket.destroy();
});

test('headers over 64 KiB, in one or in many: 431, and the connection ends', async ({ port }) => {
	const one = `X-Large: ${'x'.repeat(70 * 1024)}\r\n`;
	const many = Array.from({ length: 5_000 }, (_, index) => `X-${index}: ${'y'.repeat(10)}\r\n`).join('');
	for (const headers of [one, many]) {
		const socket = await tls(port);
		const answer = said(socket);
		socket.write(head(2) + headers);
		assert.ok((await ended(socket, 12_000)) < 3_000);
		// What was not read of it makes the connection's end a reset, which may overtake the answer.
		assert.match(answer() || 'HTTP/1.1 431 ', /^HTTP\/1\.1 431 /);
	}
});

test('a request that says both how long it is and that it comes in chunks: 400, the connection ends', async ({
	port,
}) => {
	const socket = await tls(port);
	const answer = said(socket);
	socket.write(
		`${head(4)}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /pods/delete HTTP/1.1\r\nHost: a\r\n\r\n`,
	);
	await ended(socket, 12_000);
	assert.match(answer(), /^HTTP\/1\.1 400 /);
	assert.is(answer().match(/HTTP\/1\.1 /g)?.length, 1, answer());
});

test('1,500 connections at once: those above 1,000 are refused, memory stays within its limit, all is as before afterwards', async ({
	rig,
	port,
}) => {
	const server = rig.servers[0];
	assert.ok(server);
	let greeted = 0;
	const sockets = Array.from({ length: 1_500 }, () =>
		connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
			greeted += 1;
		}),
	);
	const all = Promise.all(sockets.map((socket) => ended(socket, 40_000)));
	await sleep(4_000); // none of them is closed for its silence yet
	const open = greeted;
	const rssMiB = await server.rssMiB();
	console.log(`${open} of ${sockets.length} connections were taken, ${rssMiB.toFixed(0)} MiB resident`);
	assert.ok(open <= 1_000, `${open} open`);
	assert.ok(rssMiB < 256, `${rssMiB} MiB: the shipped limit is 256 MiB`);
	await all;
	assert.is((await fetch(`http://127.0.0.1:${server.healthPort}/readyz`)).status, 200);
});

test.run();

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import * as assert from 'uvu/assert';
import { freePort } from '../../cluster/free-port.ts';
import { suite } from '../../support/suite.ts';

const test = suite('free ports');
const module = new URL('../../cluster/free-port.ts', import.meta.url).href;
const script = `
	const { freePort } = await import('${module}');
	console.log(JSON.stringify(await Promise.all(Array.from({ length: 40 }, freePort))));
	process.stdin.resume(); // lives until its stdin ends
`;

/** A process that has taken 40 ports and goes on. */
async function other(): Promise<{ child: ChildProcess; ports: number[] }> {
	const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
		stdio: ['pipe', 'pipe', 'inherit'],
	});
	const [chunk] = (await once(child.stdout!, 'data')) as [Buffer];
	return { child, ports: JSON.parse(chunk.toString()) as number[] };
}

test('no two processes get the same port, also before anybody listens on it; no outgoing connection can have it', async () => {
	const others = await Promise.all([other(), other(), other()]);
	try {
		const own = await Promise.all(Array.from({ length: 40 }, freePort));
		const all = [...own, ...others.flatMap(({ ports }) => ports)];
		assert.is(all.length, 160);
		assert.is(new Set(all).size, 160);
		assert.ok(all.every((port) => port >= 10_000 && port < 32_768));
	} finally {
		await Promise.all(
			others.map(({ child }) => {
				child.stdin?.end();
				return once(child, 'exit');
			}),
		);
	}
});

test('a port on which somebody listens is not given', async () => {
	const port = await freePort();
	const next = createServer().listen(port + 1);
	await Promise.race([once(next, 'listening'), once(next, 'error')]);
	for (let left = 40; left > 0; left--) {
		const given = await freePort();
		assert.is(await isOpen(given), false, `port ${given}`);
	}
	next.close();
});

const isOpen = (port: number): Promise<boolean> =>
	new Promise((resolve) => {
		const socket = connect({ port, host: '127.0.0.1' });
		socket.once('connect', () => {
			socket.destroy();
			resolve(true);
		});
		socket.once('error', () => resolve(false));
	});

test.run();

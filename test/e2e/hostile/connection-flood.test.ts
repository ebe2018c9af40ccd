/** Idle connections from anywhere, kept alive, do not stop the guard: it answers the API server, which would let evictions pass. */
import { connect as connectTls, type TLSSocket } from 'node:tls';
import * as assert from 'uvu/assert';
import { type ApiCall, apiCalls, evict, remove } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { suite } from '../../support/suite.ts';
import { end, Space } from '../support/space.ts';

interface Context {
	rig: Rig;
	space: Space;
	call: ApiCall;
	stopCalls: () => void;
}

const test = suite<Context>('a flood of connections');
const names = Array.from({ length: 15 }, (_, index) => `busy-${index}`);

test.before(async (context) => {
	context.rig = await startRig();
	context.space = await Space.make(context.rig);
	const { call, stop } = apiCalls(readKubeconfig(context.rig.cluster.kubeconfig));
	Object.assign(context, { call, stopCalls: stop });
	await context.space.runners(names);
	await Promise.all(names.map((name) => context.space.runJob(name, { known: true })));
	// The server has been asked from the API server's address. Before that, the limit of new connections holds for it too.
	const { status, message } = await remove(call, context.space.name, 'busy-0');
	assert.is(status, 409, message);
});
test.after(async ({ rig, stopCalls }) => {
	stopCalls?.();
	await end(rig);
});

/** So many connections that say nothing; each that is closed is opened again after a while. */
function flood(port: number, count: number): { opened: () => number; stop: () => void } {
	const sockets = new Set<TLSSocket>();
	let opened = 0;
	let isOver = false;
	const open = () => {
		const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
		socket.on('error', () => {});
		socket.once('secureConnect', () => opened++);
		sockets.add(socket);
		socket.once('close', () => {
			sockets.delete(socket);
			if (!isOver) setTimeout(open, 5_000);
		});
	};
	for (let index = 0; index < count; index++) open();
	return {
		opened: () => opened,
		stop() {
			isOver = true;
			for (const socket of sockets) socket.destroy();
		},
	};
}

test('1,000 idle connections from the API server’s own address: no eviction passes, DELETE is answered', async ({
	rig,
	space,
	call,
}) => {
	const [server] = rig.servers;
	assert.ok(server);
	const { opened, stop } = flood(server.port, 1_000);
	const took: number[] = [];
	try {
		await eventually('they are there', () => opened() >= 512, { withinMs: 30_000 });
		for (let round = 0; round < 4; round++)
			await Promise.all(
				names.map(async (name) => {
					const startedMs = performance.now();
					const evicted = await evict(call, space.name, name);
					assert.is(evicted.status, 429, evicted.message);
					assert.match(evicted.message, 'is busy', 'and not the back-stop');
					const deleted = await remove(call, space.name, name);
					assert.is(deleted.status, 409, deleted.message);
					took.push(performance.now() - startedMs);
				}),
			);
	} finally {
		stop();
	}
	took.sort((a, b) => a - b);
	const metrics = await server.metrics();
	const lag = Number(/^nodejs_eventloop_lag_p99_seconds (\S+)/m.exec(metrics)?.[1] ?? Number.NaN);
	console.log(
		`${opened()} connections were opened; an eviction and a DELETE took ${took.at(took.length / 2)?.toFixed(0)} ms (p50), ` +
			`${took.at(-1)?.toFixed(0)} ms at most; event-loop delay p99 ${(lag * 1000).toFixed(0)} ms`,
	);
	assert.equal(space.killedJobs(), []);
});

test.run();

import * as assert from 'uvu/assert';
import { type KubeClient, KubeError } from '../../../admission/kube/client.ts';
import { type LeaderOptions, runAsLeader } from '../../../admission/kube/lease.ts';
import { suite } from '../../support/suite.ts';
import { ApiServer } from '../support/api-server.ts';
import { SimulatedClock } from '../support/clock.ts';
import { recordingLog } from '../support/log.ts';

const test = suite('leader election');
const collection = '/apis/coordination.k8s.io/v1/leases';

interface LeaseSpec {
	holderIdentity: string;
	leaseTransitions: number;
	acquireTime: string;
	renewTime: string;
	leaseDurationSeconds: number;
}

function setUp() {
	const clock = new SimulatedClock();
	const api = new ApiServer(clock);
	/** Who leads now, in the order in which they began. */
	const leading: string[] = [];
	const spec = () => api.find(collection, 'l', 'n')?.spec as LeaseSpec | undefined;

	/** A process that wants to lead; `client` is its way to the API server. */
	function candidate(identity: string, client: KubeClient = api, lead?: LeaderOptions['lead']) {
		const stop = new AbortController();
		const { log, lines } = recordingLog();
		const leads = async (signal: AbortSignal) => {
			leading.push(identity);
			await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
			leading.splice(leading.indexOf(identity), 1);
		};
		const options = { client, namespace: 'n', name: 'l', identity, lead: lead ?? leads, clock, log };
		const done = runAsLeader(options, stop.signal);
		return {
			lines,
			done,
			async stop() {
				stop.abort();
				await clock.pass(1);
				await done;
			},
		};
	}
	return { clock, api, leading, spec, candidate };
}

test('two candidates: one leads for as long as it renews; the other takes over when it stops, without waiting for expiry', async () => {
	const { clock, leading, spec, candidate } = setUp();
	const a = candidate('a');
	await clock.pass(100);
	const b = candidate('b');
	await clock.pass(10 * 60_000);
	assert.equal([leading, spec()?.holderIdentity, spec()?.leaseTransitions], [['a'], 'a', 0]);
	await a.stop();
	assert.equal([leading, spec()?.holderIdentity], [[], '']);
	const tookMs = await clock.until('b leads', () => leading.includes('b'));
	assert.ok(tookMs < 3_000, `${tookMs} ms`);
	assert.is(spec()?.leaseTransitions, 1);
	await b.stop();
	assert.equal([spec()?.holderIdentity, clock.waiting], ['', 0]);
});
test('two that start in the same moment: one leads, in a hundred minutes and more', async () => {
	const { clock, leading, candidate } = setUp();
	const both = [candidate('a'), candidate('b')];
	for (let minute = 0; minute < 100; minute++) {
		await clock.pass(60_000);
		assert.is(leading.length, 1);
	}
	for (const one of both) await one.stop();
});
test('a leader cut off from the API server has stopped before the other one leads', async () => {
	const { clock, api, leading, candidate } = setUp();
	let cut = false;
	const itsWay: KubeClient = {
		server: api.server,
		text: (path, options) => api.text(path, options),
		stream: (path, options) => api.stream(path, options),
		async request(method, path, options) {
			if (cut) throw new KubeError(0, 'NoAnswer', 'no route to host');
			return api.request(method, path, options);
		},
	};
	const a = candidate('a', itsWay);
	await clock.until('a leads', () => leading.includes('a'));
	const b = candidate('b');
	await clock.pass(60_000);
	cut = true;
	await clock.until('a has stopped', () => !leading.includes('a'), 13_000);
	assert.equal(leading, []);
	await clock.until('b leads', () => leading.includes('b'), 10_000);
	await a.stop();
	await b.stop();
});
test('nobody else leads before the lease of a leader that vanished has run out, by our own clock', async () => {
	const { clock, api, leading, spec, candidate } = setUp();
	// Left behind by a process that died; its clock was wrong by a year.
	api.put(collection, {
		metadata: { name: 'l', namespace: 'n' },
		spec: { holderIdentity: 'dead', leaseDurationSeconds: 15, renewTime: '2025-01-01T00:00:00.000000Z' },
	} as never);
	const b = candidate('b');
	const tookMs = await clock.until('b leads', () => leading.includes('b'));
	assert.ok(tookMs >= 15_000 && tookMs <= 18_000, `${tookMs} ms`);
	assert.is(spec()?.holderIdentity, 'b');
	await b.stop();
});
test('a leader cut off from the API server stops within 10 to 13 s, so before its lease of 15 s runs out', async () => {
	const { clock, api, leading, candidate } = setUp();
	const a = candidate('a');
	await clock.until('a leads', () => leading.includes('a'));
	await clock.pass(60_000);
	const up = api.fail('GET', /leases/, new KubeError(0, 'NoAnswer', 'down'));
	const tookMs = await clock.until('a has stopped', () => leading.length === 0);
	assert.ok(tookMs >= 8_000 && tookMs < 13_000, `${tookMs} ms`);
	assert.ok(a.lines.includes('warn no longer leading: the Lease could not be renewed'));
	up();
	await clock.until('it leads again when the API server is back', () => leading.includes('a'), 5_000);
	await a.stop();
});
test('a short outage costs nobody the leadership', async () => {
	const { clock, api, leading, candidate } = setUp();
	const a = candidate('a');
	const b = candidate('b');
	await clock.until('one leads', () => leading.length === 1);
	const [first] = leading;
	const up = api.fail('PUT', /leases/, new KubeError(503, '', 'restarting'));
	await clock.pass(7_000);
	up();
	await clock.pass(60_000);
	assert.equal(leading, [first]);
	await a.stop();
	await b.stop();
});
test('a leader whose loops fail gives the lease back and says so', async () => {
	const { clock, api, spec, candidate } = setUp();
	const failing = candidate('a', api, async () => {
		throw new Error('loops broke');
	});
	const error = failing.done.then(
		() => undefined,
		(thrown: Error) => thrown.message,
	);
	await clock.pass(3_000);
	assert.equal([await error, spec()?.holderIdentity], ['loops broke', '']);
});
test('when it was acquired is kept while it is renewed, and times have six digits', async () => {
	const { clock, spec, candidate } = setUp();
	const a = candidate('a');
	await clock.pass(100);
	await clock.pass(60_000);
	assert.is(spec()?.acquireTime, '2026-11-23T12:00:00.000000Z');
	assert.match(spec()?.renewTime ?? '', /^2026-11-23T12:00:5\d\.\d{3}000Z$|^2026-11-23T12:01:00\.\d{3}000Z$/);
	assert.is(spec()?.leaseDurationSeconds, 15);
	await a.stop();
});

test('a leader that was paused while another took over writes nothing more; what it reads is answered', async () => {
	const { clock, api, candidate } = setUp();
	const refused: string[] = [];
	let reads = 0;
	/** As the loops do: several writes at a time, and each goes on after what was read before. */
	const loop = async (signal: AbortSignal, client: KubeClient) => {
		for (let round = 0; !signal.aborted; round++) {
			await clock.sleep(100);
			await client.request('GET', '/api/v1/pods').then(() => reads++);
			const names = Array.from({ length: 16 }, (_, index) => `r${round}-${index}`);
			const writes = names.map((name) =>
				client.request('POST', '/api/v1/namespaces/n/pods', { body: { metadata: { name } } }),
			);
			for (const one of await Promise.allSettled(writes))
				if (one.status === 'rejected') refused.push((one.reason as KubeError).reason);
		}
	};
	const a = candidate('a', api, (signal, client) =>
		Promise.all([1, 2, 3].map(() => loop(signal, client))).then(),
	);
	await clock.pass(3_000);
	assert.ok(api.all('/api/v1/pods').length > 16);
	assert.equal([...new Set(refused)], ['AlreadyExists'], 'three loops make the same names');

	refused.length = 0;
	clock.pause(30_000);
	api.update(collection, 'l', 'n', (lease) => {
		Object.assign(lease.spec as object, { holderIdentity: 'b', renewTime: clock.iso() });
	});
	const [made, readBefore] = [api.all('/api/v1/pods').length, reads];
	await clock.pass(5_000);
	assert.equal([api.all('/api/v1/pods').length, new Set(refused)], [made, new Set(['NotLeading'])]);
	assert.ok(reads > readBefore);
	assert.ok(a.lines.includes('warn no longer leading: the Lease could not be renewed'));
	await a.stop();
});
test('... and one that nobody replaced goes on when it has renewed', async () => {
	const { clock, leading, spec, candidate } = setUp();
	const a = candidate('a');
	await clock.pass(3_000);
	clock.pause(30_000);
	await clock.pass(100);
	assert.equal([leading, spec()?.holderIdentity], [['a'], 'a']);
	await a.stop();
});
test('a wall clock that somebody sets makes nobody leader, and keeps nobody leader', async () => {
	const { clock, api, leading, candidate } = setUp();
	const a = candidate('a');
	await clock.pass(100);
	const b = candidate('b');
	await clock.pass(60_000);
	clock.set(60 * 60_000);
	await clock.pass(60_000);
	assert.equal(leading, ['a'], 'set forwards: the Lease has not expired');
	api.fail('PUT', /leases/, new KubeError(0, 'NoAnswer', 'down'));
	clock.set(-2 * 60 * 60_000);
	await clock.until('a has stopped', () => leading.length === 0, 13_000);
	await a.stop();
	await b.stop();
});
test('the deadline counts from when the renewal was begun, not from when it was answered', async () => {
	const { clock, api, candidate } = setUp();
	let slowMs = 0;
	const itsWay: KubeClient = {
		server: api.server,
		text: (path, options) => api.text(path, options),
		stream: (path, options) => api.stream(path, options),
		async request(method, path, options) {
			const answer = await api.request(method, path, options);
			if (method === 'PUT') await clock.sleep(slowMs);
			return answer as never;
		},
	};
	let writes: KubeClient | undefined;
	const a = candidate('a', itsWay, async (signal, client) => {
		writes = client;
		await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
	});
	const write = () =>
		writes
			?.request('POST', '/api/v1/namespaces/n/pods', { body: { metadata: { name: `p${clock.now()}` } } })
			.then(
				() => 'written',
				(error: KubeError) => error.reason,
			);
	await clock.pass(1_000);
	assert.is(await write(), 'written');
	slowMs = 9_000;
	await clock.pass(10_500); // begun at 2 s, answered at 11 s
	assert.is(await write(), 'written');
	await clock.pass(600); // 12.1 s
	assert.is(await write(), 'NotLeading');
	slowMs = 0;
	await a.stop();
});

test.run();

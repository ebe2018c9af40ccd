/** Several replicas with one credential: together they keep GitHub's limits, whatever happens to each of them. */
import * as assert from 'uvu/assert';
import { names } from '../../../admission/api/keys.ts';
import { collectionPath, resources } from '../../../admission/api/paths.ts';
import type { EventsReport } from '../../../admission/api/report.ts';
import { Replicas } from '../../../admission/cluster/replicas.ts';
import { Budget } from '../../../admission/github/budget.ts';
import { isFailure } from '../../../admission/github/types.ts';
import { type KubeClient, KubeError } from '../../../admission/kube/client.ts';
import { EventSightings } from '../../../admission/telemetry/event-sightings.ts';
import { suite } from '../../support/suite.ts';
import { ApiServer } from '../support/api-server.ts';
import { SimulatedClock } from '../support/clock.ts';
import { recordingLog } from '../support/log.ts';

const second = 1_000;
const minute = 60 * second;
const configMaps = collectionPath(resources.configMaps);

class Cluster {
	readonly clock = new SimulatedClock();
	readonly api = new ApiServer(this.clock);
	/** When a DELETE was sent by any of them, ms. */
	readonly sentMs: number[] = [];

	constructor() {
		this.api.latencyMs = 1;
		this.api.serve(configMaps);
		this.api.put(configMaps, { metadata: { name: names.status, namespace: 'own' } });
	}

	/** The most DELETEs that lie in any minute, of those sent from `fromMs` on. */
	most(fromMs = 0): number {
		const times = this.sentMs.filter((ms) => ms >= fromMs);
		let [most, first] = [0, 0];
		for (const [index, ms] of times.entries()) {
			while (Number(times[first]) <= ms - minute) first++;
			most = Math.max(most, index - first + 1);
		}
		return most;
	}

	annotations(): Record<string, string> {
		return this.api.find(configMaps, names.status, 'own')?.metadata.annotations ?? {};
	}
}

/** A replica that sends as many DELETEs as it may. */
class Server {
	readonly replicas: Replicas;
	readonly sightings = new EventSightings(0);
	notes: Record<string, string> = {};
	receive: (notes: Readonly<Record<string, string>>) => string[] = () => [];
	readonly lines: string[];
	readonly #stop = new AbortController();
	readonly #running: Promise<unknown>;
	#frozen: Promise<void> | undefined;
	readonly #clock: SimulatedClock;
	#thaw = () => {};
	sent = 0;
	/** Whether it sends all that it may, or nothing. */
	busy = true;

	constructor(cluster: Cluster, name: string, leads = false) {
		const { clock, api } = cluster;
		const { log, lines } = recordingLog('debug');
		this.#clock = clock;
		this.lines = lines;
		const client = {
			request: async (...call: Parameters<KubeClient['request']>) => {
				await this.#frozen;
				const answer = await api.request(...call);
				await this.#frozen;
				return answer;
			},
		} as unknown as KubeClient;
		const used = (): number => budget.used();
		const events = () => this.sightings.report();
		this.replicas = new Replicas({
			client,
			namespace: 'own',
			name,
			used,
			events,
			webhooks: { notes: () => this.notes, receive: (notes) => this.receive(notes) },
			clock,
			log,
		});
		this.replicas.leads = leads;
		const budget = new Budget({ clock, share: this.replicas.share });
		const send = async () => {
			while (!this.#stop.signal.aborted) {
				await this.#frozen;
				while (this.busy && !this.#stop.signal.aborted) {
					const ticket = budget.take('remove', 'request', 'octo-org');
					if (isFailure(ticket) || budget.start(ticket) !== 'go') break;
					budget.note(ticket, { kind: 'removed' });
					cluster.sentMs.push(clock.now());
					this.sent++;
				}
				await clock.sleep(250, this.#stop.signal);
			}
		};
		this.#running = send();
		void this.replicas.run();
	}

	freeze(): void {
		this.#frozen = new Promise((resolve) => {
			this.#thaw = resolve;
		});
	}

	thaw(): void {
		this.#thaw();
		this.#frozen = undefined;
	}

	/** It is killed: it sends and says nothing any more. */
	crash(): void {
		this.#stop.abort();
		this.freeze();
	}

	/** It leaves of its own accord. */
	async stop(): Promise<void> {
		this.thaw();
		this.#stop.abort();
		await this.#running;
		let left = false;
		void this.replicas.leave().then(() => {
			left = true;
		});
		await this.#clock.until('it has left', () => left);
	}
}

const near = (share: number, expected: number) => Math.abs(share - expected) < 1e-9;

const test = suite('replicas and the limits of GitHub');

test('one replica has all 150 DELETEs a minute, also after a restart of the API server', async () => {
	const cluster = new Cluster();
	const server = new Server(cluster, 'a', true);
	await cluster.clock.pass(3 * minute);
	assert.is(cluster.most(), 150);
	assert.ok(cluster.sentMs.length >= 450);
	cluster.api.fail('PATCH', /configmaps/, new KubeError(500, '', 'etcd'), 40);
	await cluster.clock.pass(5 * minute);
	assert.is(server.replicas.share(), 1);
	assert.is(cluster.most(), 150);
	assert.equal(
		server.lines,
		['warn the other replicas do not know that this one is alive, retrying'],
		'logged once',
	);
	await server.stop();
});

test('two replicas send 150 a minute together: the leader 100, the other one 50', async () => {
	const cluster = new Cluster();
	const [a, b] = [new Server(cluster, 'a', true), new Server(cluster, 'b')];
	await cluster.clock.pass(3 * minute);
	assert.ok(cluster.most() <= 165, `${cluster.most()} while they get to know each other`);
	const fromMs = cluster.clock.now();
	await cluster.clock.pass(5 * minute);
	assert.is(cluster.most(fromMs), 150);
	assert.equal([a.replicas.share(), b.replicas.share()], [2 / 3, 1 - 2 / 3]);
	await Promise.all([a.stop(), b.stop()]);
});

test('three: the leader 100, the others 25 each', async () => {
	const cluster = new Cluster();
	const servers = ['a', 'b', 'c'].map((name) => new Server(cluster, name, name === 'b'));
	await cluster.clock.pass(3 * minute);
	const [fromMs, before] = [cluster.clock.now(), servers.map(({ sent }) => sent)];
	await cluster.clock.pass(10 * minute);
	assert.is(cluster.most(fromMs), 150);
	const rates = servers.map(({ sent }, index) => Math.round((sent - Number(before[index])) / 10));
	assert.equal(rates, [25, 100, 25]);
	await Promise.all(servers.map((server) => server.stop()));
});

test('a second replica joins one that sends all it may: 165 in a minute at most, 150 once they know each other', async () => {
	const cluster = new Cluster();
	const a = new Server(cluster, 'a', true);
	await cluster.clock.pass(10 * minute);
	const b = new Server(cluster, 'b');
	await cluster.clock.pass(20 * second);
	assert.is(b.sent, 15, 'a tenth at first');
	await cluster.clock.pass(60 * second);
	assert.ok(near(b.replicas.share(), 1 - 2 / 3), `${b.replicas.share()}`);
	const fromMs = cluster.clock.now();
	await cluster.clock.pass(5 * minute);
	assert.ok(cluster.most() <= 165, `${cluster.most()}`);
	assert.is(cluster.most(fromMs), 150);
	await Promise.all([a.stop(), b.stop()]);
});

test('a rollout: two old ones, two new ones, the leader changes; all of it within 180 a minute', async () => {
	const cluster = new Cluster();
	const { clock } = cluster;
	const old = [new Server(cluster, 'a', true), new Server(cluster, 'b')];
	await clock.pass(5 * minute);
	const fromMs = clock.now();
	const c = new Server(cluster, 'c');
	await clock.pass(10 * second);
	await old[1]?.stop();
	const d = new Server(cluster, 'd');
	await clock.pass(10 * second);
	await old[0]?.stop();
	c.replicas.leads = true;
	await clock.pass(10 * minute);
	assert.ok(cluster.most(fromMs) <= 180, `${cluster.most(fromMs)}`);
	assert.ok(cluster.most(fromMs + 3 * minute) === 150);
	assert.equal([c.replicas.share(), d.replicas.share()], [2 / 3, 1 - 2 / 3]);
	assert.equal(Object.keys(cluster.annotations()).sort(), [
		'actions-runner/events-c',
		'actions-runner/events-d',
		'actions-runner/replica-c',
		'actions-runner/replica-d',
	]);
	await Promise.all([c.stop(), d.stop()]);
});

test('the leader dies that has used all it may: the other one has all 150 after 80 s, not sooner', async () => {
	const cluster = new Cluster();
	const [a, b] = [new Server(cluster, 'a', true), new Server(cluster, 'b')];
	await cluster.clock.pass(3 * minute);
	const fromMs = cluster.clock.now();
	a.crash();
	b.replicas.leads = true;
	await cluster.clock.pass(10 * second);
	assert.is(b.replicas.share(), 1 - 2 / 3);
	await cluster.clock.pass(60 * second);
	assert.ok(near(b.replicas.share(), 1 - 0.66 - 0.1), `${b.replicas.share()}`);
	await cluster.clock.pass(15 * second);
	assert.is(b.replicas.share(), 1);
	await cluster.clock.pass(5 * minute);
	assert.is(cluster.most(fromMs), 150);
	await b.stop();
});

test('a single replica that has used nothing is restarted: the new one has at once all 150', async () => {
	const cluster = new Cluster();
	const before = new Server(cluster, 'a', true);
	before.busy = false;
	await cluster.clock.pass(3 * minute);
	await before.stop();
	const after = new Server(cluster, 'b', true);
	await cluster.clock.pass(500);
	assert.is(after.replicas.share(), 1);
	assert.is(after.sent, 150);
	await after.stop();
});

test('a single replica that has used everything is restarted: 165 in a minute at most', async () => {
	const cluster = new Cluster();
	const before = new Server(cluster, 'a', true);
	await cluster.clock.pass(3 * minute);
	await before.stop();
	const after = new Server(cluster, 'b', true);
	await cluster.clock.pass(3 * minute);
	assert.ok(cluster.most() <= 165, `${cluster.most()}`);
	assert.is(after.replicas.share(), 1);
	await after.stop();
});

test('a replica that leaves while the API server is away: it logs that and ends', async () => {
	const cluster = new Cluster();
	const server = new Server(cluster, 'a', true);
	await cluster.clock.pass(minute);
	cluster.api.fail('PATCH', /configmaps/, new KubeError(500, '', 'etcd'), 1);
	await server.stop();
	assert.equal(server.lines, ['warn the other replicas do not know that this one is stopping']);
});

test('a single replica that has used nothing crashes: the new one has a tenth for 15 s, then nine tenths', async () => {
	const cluster = new Cluster();
	const before = new Server(cluster, 'a', true);
	before.busy = false;
	await cluster.clock.pass(3 * minute);
	before.crash();
	const after = new Server(cluster, 'b', true);
	await cluster.clock.pass(14 * second);
	assert.is(after.replicas.share(), 0.1);
	await cluster.clock.pass(6 * second);
	assert.ok(near(after.replicas.share(), 0.9), `${after.replicas.share()}`);
	assert.is(after.sent, 135);
	await after.stop();
});

test('two replicas that have used nothing crash at once: after 20 s the new ones have eight tenths together', async () => {
	const cluster = new Cluster();
	const before = [new Server(cluster, 'a', true), new Server(cluster, 'b')];
	for (const server of before) server.busy = false;
	await cluster.clock.pass(3 * minute);
	for (const server of before) server.crash();
	const after = [new Server(cluster, 'c', true), new Server(cluster, 'd')];
	await cluster.clock.pass(27 * second);
	const together = after.reduce((total, { replicas }) => total + replicas.share(), 0);
	assert.ok(near(together, 0.8), `${together}`);
	await cluster.clock.pass(3 * minute);
	assert.ok(cluster.most() <= 150, `${cluster.most()}`);
	await Promise.all(after.map((server) => server.stop()));
});

for (const sentForMs of [1_500, 3_000, 20_000, 70_000])
	for (const crashed of [1, 2])
		test(`${crashed} of ${crashed} crash ${sentForMs} ms after they began to send all they may: ${150 + 15 * crashed} in a minute at most`, async () => {
			const cluster = new Cluster();
			const names = ['a', 'b'].slice(0, crashed);
			const start = (suffix: string) =>
				names.map((name, index) => new Server(cluster, name + suffix, index === 0));
			const before = start('1');
			for (const server of before) server.busy = false;
			await cluster.clock.pass(3 * minute);
			for (const server of before) server.busy = true;
			await cluster.clock.pass(sentForMs);
			for (const server of before) server.crash();
			const after = start('2');
			await cluster.clock.pass(5 * minute);
			assert.ok(cluster.most() <= 150 + 15 * crashed, `${cluster.most()}`);
			assert.is(cluster.most(cluster.clock.now() - 2 * minute), 150);
			await Promise.all(after.map((server) => server.stop()));
		});

for (const frozenMs of [7, 30, 100, 200].map((seconds) => seconds * second))
	test(`the leader is frozen for ${frozenMs / second} s while another takes over, then goes on: 165 a minute at most`, async () => {
		const cluster = new Cluster();
		const [a, b] = [new Server(cluster, 'a', true), new Server(cluster, 'b')];
		await cluster.clock.pass(3 * minute);
		const fromMs = cluster.clock.now();
		a.freeze();
		await cluster.clock.pass(Math.min(frozenMs, 20 * second));
		if (frozenMs > 20 * second) {
			b.replicas.leads = true;
			await cluster.clock.pass(frozenMs - 20 * second);
		}
		a.thaw();
		await cluster.clock.pass(5 * second);
		if (frozenMs > 20 * second) a.replicas.leads = false;
		await cluster.clock.pass(10 * minute);
		assert.ok(cluster.most(fromMs) <= 165, `${cluster.most(fromMs)}`);
		assert.is(cluster.most(cluster.clock.now() - 5 * minute), 150);
		await Promise.all([a.stop(), b.stop()]);
	});

test('what a replica has received of events stands beside it, until it leaves or is gone', async () => {
	const cluster = new Cluster();
	const { clock } = cluster;
	const [a, b] = [new Server(cluster, 'a', true), new Server(cluster, 'b')];
	const said = (name: string) => {
		const text = cluster.annotations()[`actions-runner/events-${name}`];
		return text === undefined ? undefined : (JSON.parse(text) as EventsReport);
	};
	await clock.pass(10 * second);
	assert.equal([said('a')?.receiving, said('b')?.results], [false, {}]);
	b.sightings.receiving = true;
	b.sightings.counted('written', clock.now());
	await clock.pass(10 * second);
	assert.equal(
		[said('a')?.receiving, said('b')?.receiving, said('b')?.results],
		[false, true, { written: 1 }],
	);
	// Somebody makes the ConfigMap anew.
	cluster.api.drop(configMaps, names.status, 'own');
	cluster.api.put(configMaps, { metadata: { name: names.status, namespace: 'own' } });
	await clock.pass(15 * second);
	assert.equal(said('b')?.results, { written: 1 });
	const texts = cluster.api.calls.filter(
		({ method, body }) => method === 'PATCH' && /events-b/.test(JSON.stringify(body)),
	);
	assert.is(texts.length, 3, 'only what is new is written');
	await a.stop();
	assert.is(said('a'), undefined);
	b.crash();
	const c = new Server(cluster, 'c', true);
	await clock.pass(10 * minute);
	assert.equal([said('b'), said('c')?.receiving], [undefined, false]);
	await c.stop();
});

test('what is noted of webhooks outlives the replicas, reaches each, and goes when nobody needs it', async () => {
	const cluster = new Cluster();
	const { clock, api } = cluster;
	const kept = () =>
		Object.entries(cluster.annotations()).filter(([key]) => key.startsWith('actions-runner/webhook-'));
	const a = new Server(cluster, 'a', true);
	a.notes = { 5: 'one', 6: 'two' };
	await clock.pass(12 * second);
	const written = () =>
		api
			.callsTo('PATCH', /configmaps/)
			.flatMap(({ body }) =>
				Object.keys((body as { metadata: { annotations: object } }).metadata.annotations),
			)
			.filter((key) => key.startsWith('actions-runner/webhook-')).length;
	assert.is(written(), 2, 'only what is new is written');
	await a.stop();
	const two = [
		['actions-runner/webhook-5', 'one'],
		['actions-runner/webhook-6', 'two'],
	];
	assert.equal(kept(), two, 'after the last replica has left');
	const b = new Server(cluster, 'b', true);
	const received: object[] = [];
	b.receive = (notes) => {
		received.push(notes);
		return ['5', '6'];
	};
	await clock.pass(second);
	assert.equal(received[0], { 5: 'one', 6: 'two' }, 'with the first beat');
	b.notes = { 6: 'anew' };
	await clock.pass(6 * second);
	assert.equal(kept(), [['actions-runner/webhook-6', 'anew']], 'what is noted is not removed');
	await b.stop();
});

test('no status ConfigMap yet: a tenth, until the first leader has made it', async () => {
	const cluster = new Cluster();
	cluster.api.drop(configMaps, names.status, 'own');
	const server = new Server(cluster, 'a', true);
	await cluster.clock.pass(10 * second);
	assert.is(server.sent, 15);
	cluster.api.put(configMaps, { metadata: { name: names.status, namespace: 'own' } });
	await cluster.clock.pass(2 * second);
	assert.is(server.sent, 150);
	assert.equal(server.lines, []);
	await server.stop();
});

test('a replica that cannot report for 15 s keeps to a tenth', async () => {
	const cluster = new Cluster();
	const server = new Server(cluster, 'a', true);
	await cluster.clock.pass(minute);
	cluster.api.fail('PATCH', /configmaps/, new KubeError(500, '', 'etcd'), 1_000);
	await cluster.clock.pass(10 * second);
	assert.is(server.replicas.share(), 1);
	await cluster.clock.pass(10 * second);
	assert.is(server.replicas.share(), 0.1);
	await server.stop();
});

test('100 that died before: 32 are kept in the record, and none after 80 s', async () => {
	const cluster = new Cluster();
	cluster.api.update(configMaps, names.status, 'own', ({ metadata }) => {
		metadata.annotations = { other: 'stays' };
		for (let number = 0; number < 100; number++)
			metadata.annotations[`actions-runner/replica-dead-${number}`] = '7';
		for (const name of ['dead-3', 'of-one-that-an-older-server-removed'])
			metadata.annotations[`actions-runner/events-${name}`] = '{}';
	});
	const server = new Server(cluster, 'a', true);
	await cluster.clock.pass(7 * second);
	const kept = Object.keys(cluster.annotations()).filter((key) => !key.includes('events'));
	assert.is(kept.length, 32 + 2);
	await cluster.clock.pass(90 * second);
	assert.equal(Object.keys(cluster.annotations()).sort(), [
		'actions-runner/events-a',
		'actions-runner/replica-a',
		'other',
	]);
	assert.is(server.replicas.share(), 1);
	await server.stop();
});

test.run();

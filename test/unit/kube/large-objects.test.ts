/** Objects of more than 1 MiB of JSON in lists and watches. */
import * as assert from 'uvu/assert';
import { record } from '../../../admission/api/keys.ts';
import { type KubeClient, KubeError } from '../../../admission/kube/client.ts';
import { Informer } from '../../../admission/kube/informer.ts';
import { PageLimit } from '../../../admission/kube/page-limit.ts';
import { suite } from '../../support/suite.ts';
import { ApiServer, type Stored } from '../support/api-server.ts';
import { SimulatedClock } from '../support/clock.ts';
import { recordingLog } from '../support/log.ts';

const test = suite('large objects');
const pods = '/api/v1/pods';
const mib = 1024 * 1024;
const large = 1.1 * mib;

/** So many bytes of JSON in a sixth of the characters. */
const filler = (bytes: number) => '<'.repeat(Math.ceil(bytes / 6));

/** A pod that matters if it has a container `runner`. */
const podOf = (name: string, jsonBytes: number, container = 'runner', uid = `uid-${name}`): Stored => ({
	metadata: { name, namespace: 'ns', uid, annotations: { [record.requestedBy]: 'alice' } },
	spec: { containers: [{ env: [{ name: 'A', value: filler(jsonBytes) }], name: container }] },
});

function setUp() {
	const clock = new SimulatedClock();
	const api = new ApiServer(clock);
	const seen: string[] = [];
	const { log, lines } = recordingLog();
	/** How long answers are under way. */
	const answers = { lateMs: 0 };
	const client: KubeClient = {
		server: api.server,
		text: (...call) => api.text(...call),
		stream: (...call) => api.stream(...call),
		async request<T>(...call: Parameters<KubeClient['request']>) {
			const answer = await api.request<T>(...call);
			if (answers.lateMs > 0) await clock.sleep(answers.lateMs, call[2]?.signal);
			return answer;
		},
	};
	const informer = new Informer<Stored>({
		client,
		path: pods,
		trim: ({ metadata, spec }) => ({ metadata, spec: { size: JSON.stringify(spec).length } }),
		large: {
			kept: { spec: { containers: { '*': { name: true } } } },
			isRead: ({ spec }) => JSON.stringify(spec).includes('"runner"'),
		},
		onChange: (change, { metadata }) => seen.push(`${change} ${metadata.name}`),
		clock,
		log,
	});
	const stop = new AbortController();
	let running = Promise.resolve();
	return {
		clock,
		api,
		answers,
		seen,
		lines,
		informer,
		start() {
			running = informer.run(stop.signal);
			return clock.pass(1);
		},
		async stop() {
			stop.abort();
			await clock.settle();
			await running;
			assert.is(clock.waiting, 0, 'no timer is left behind');
		},
		alone: () => api.callsTo('GET', /\/namespaces\/ns\/pods$/).map(({ query }) => query.fieldSelector),
		lists: () => api.callsTo('GET', /^\/api\/v1\/pods$/).map(({ query }) => query.limit),
		watches: () => api.calls.filter(({ method }) => method === 'WATCH').length,
	};
}
test('a list: each page of more than 1 MiB is asked for again with fewer objects, down to one', async () => {
	const { api, informer, start, stop, lists, alone, seen } = setUp();
	for (let number = 100; number < 200; number++) api.put(pods, podOf(`a${number}`, 6_000));
	for (const name of ['b1', 'b2']) api.put(pods, podOf(name, large));
	for (let number = 100; number < 110; number++) api.put(pods, podOf(`c${number}`, 6_000));
	await start();
	assert.ok(informer.synced);
	assert.is(seen.length, 112);
	assert.equal(lists(), [100, 100, 25, 6, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2]);
	assert.equal(alone(), ['metadata.name=b1', 'metadata.name=b2']);
	await stop();
});
test('a list: a large object that does not matter is left out and named, one that does is read before the list is complete', async () => {
	const { api, clock, informer, start, stop, alone, lines } = setUp();
	api.put(pods, podOf('foreign', large, 'other'));
	api.put(pods, podOf('runner', large));
	api.put(pods, podOf('small', 10));
	const slow = api.fail('GET', /namespaces\/ns\/pods$/, { delayMs: 500 });
	await start();
	assert.not(informer.synced);
	await clock.pass(600);
	slow();
	assert.ok(informer.synced);
	assert.equal(
		[...informer.values()].map(({ metadata }) => metadata.name),
		['runner', 'small'],
	);
	assert.equal(alone(), ['metadata.name=runner']);
	assert.equal(
		[...informer.large],
		[
			['ns/foreign', 'left-out'],
			['ns/runner', 'read-alone'],
		],
	);
	assert.is(lines.length, 2);
	await stop();
});
test('a watch: a runner that grows too large stays in the cache as it was, and is read alone; the watch goes on', async () => {
	const { api, clock, informer, start, stop, alone, seen, watches } = setUp();
	api.put(pods, podOf('r1', 10));
	await start();
	const late = api.fail('GET', /namespaces\/ns\/pods$/, { delayMs: 500 }, 1);
	api.put(pods, podOf('r1', large));
	api.put(pods, podOf('r2', 10));
	await clock.pass(100);
	assert.equal(seen, ['added r1', 'added r2'], 'no deletion is reported');
	assert.ok(informer.get('ns', 'r1'));
	await clock.pass(1_000);
	late();
	assert.equal(seen, ['added r1', 'added r2', 'modified r1']);
	assert.ok(Number(informer.get('ns', 'r1')?.spec?.size) > mib / 6);
	assert.equal([alone().length, watches()], [1, 1]);
	await stop();
});
test('a watch: a foreign pod that is too large is neither read nor kept, however often it changes, and is logged once', async () => {
	const { api, clock, informer, start, stop, alone, lines, watches, seen } = setUp();
	await start();
	for (let change = 0; change < 5; change++) {
		api.put(pods, podOf('foreign', large + 60 * change, 'other'));
		await clock.pass(100);
	}
	api.put(pods, podOf('r2', 10));
	await clock.pass(1);
	assert.equal([alone(), seen, watches(), lines.length], [[], ['added r2'], 1, 1]);
	assert.equal([...informer.large], [['ns/foreign', 'left-out']]);
	api.drop(pods, 'foreign', 'ns');
	await clock.pass(1);
	assert.equal([...informer.large], []);
	await stop();
});
test('a watch: a large runner that changes all the time is read four times a second at most', async () => {
	const { api, clock, start, stop, alone } = setUp();
	await start();
	for (let change = 0; change < 40; change++) {
		api.put(pods, podOf('r1', large + 60 * change));
		await clock.pass(50);
	}
	assert.ok(alone().length >= 7 && alone().length <= 9, `${alone().length} reads in 2 s`);
	await stop();
});
test('a watch: the deletion of a large object is one', async () => {
	const { api, clock, informer, start, stop, seen } = setUp();
	api.put(pods, podOf('r1', large));
	await start();
	api.drop(pods, 'r1', 'ns');
	await clock.pass(1);
	assert.equal([seen, [...informer.large]], [['added r1', 'deleted r1'], []]);
	await stop();
});
test('what a watch shows while a large object is being read is newer', async () => {
	const { api, answers, clock, informer, start, stop, seen } = setUp();
	api.put(pods, podOf('r1', 10));
	await start();
	answers.lateMs = 500;
	for (const name of ['r1', 'r2']) api.put(pods, podOf(name, large));
	await clock.pass(100);
	api.put(pods, podOf('r1', 20));
	await clock.pass(700);
	assert.equal(seen, ['added r1', 'modified r1']);
	assert.ok(Number(informer.get('ns', 'r1')?.spec?.size) < 200);
	api.drop(pods, 'r2', 'ns'); // while it is being read
	await clock.pass(3_000);
	assert.is(informer.get('ns', 'r2'), undefined);
	assert.equal([...informer.large], []);
	await stop();
});
test('a successor of the same name is another object, large or not', async () => {
	const { api, clock, start, stop, seen } = setUp();
	api.put(pods, podOf('r1', 10));
	await start();
	api.breakWatches(); // so that its deletion is not seen apart
	api.put(pods, podOf('r1', large, 'runner', 'another'));
	await clock.pass(5_000);
	assert.equal(seen, ['added r1', 'deleted r1', 'added r1']);
	await stop();
});
test('a read that fails is tried again; an object of more than 9 MiB is not, and an error names it', async () => {
	const { api, clock, informer, start, stop, lines, alone } = setUp();
	await start();
	api.fail('GET', /namespaces\/ns\/pods$/, new KubeError(500, '', 'etcd'), 3);
	api.put(pods, podOf('r1', large));
	await clock.pass(5_000);
	assert.ok(informer.get('ns', 'r1'));
	assert.is(alone().length, 4);
	api.put(pods, podOf('r2', 9 * mib));
	await clock.pass(60_000);
	assert.is(alone().length, 5);
	assert.equal(
		[...informer.large],
		[
			['ns/r1', 'read-alone'],
			['ns/r2', 'unreadable'],
		],
	);
	assert.equal(lines, [
		'info an object is too large for lists and watches',
		'warn a large object could not be read, retrying',
		'info an object is too large for lists and watches',
		'error an object is too large to be read: make it smaller, or delete it by hand',
	]);
	await stop();
});
test('a list that is made anew forgets large objects that are gone or small', async () => {
	const { api, clock, informer, start, stop, seen } = setUp();
	for (const name of ['gone', 'small', 'stays']) api.put(pods, podOf(name, large));
	await start();
	seen.length = 0;
	api.breakWatches();
	api.drop(pods, 'gone', 'ns');
	api.put(pods, podOf('small', 10));
	api.compact();
	await clock.pass(2_000);
	assert.equal([...informer.large], [['ns/stays', 'read-alone']]);
	assert.equal(seen, ['modified small', 'deleted gone']);
	await stop();
});
test('pages: a quarter after each that was too long, twice as many after eight that were not', () => {
	const limit = new PageLimit();
	const sizes: number[] = [];
	while (limit.shrink()) sizes.push(limit.objects);
	assert.equal(sizes, [25, 6, 1]);
	for (let page = 0; page < 8 * 7; page++) limit.read();
	assert.is(limit.objects, 100);
	for (let page = 0; page < 8; page++) limit.read();
	assert.is(limit.objects, 100);
});

test.run();

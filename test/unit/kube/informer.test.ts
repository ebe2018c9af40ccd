import * as assert from 'uvu/assert';
import type { KubeObject } from '../../../admission/api/kinds.ts';
import { KubeError } from '../../../admission/kube/client.ts';
import { Informer } from '../../../admission/kube/informer.ts';
import { suite } from '../../support/suite.ts';
import { ApiServer } from '../support/api-server.ts';
import { SimulatedClock } from '../support/clock.ts';
import { recordingLog } from '../support/log.ts';

const test = suite('informer');
const pods = '/api/v1/pods';
const minute = 60_000;

/** An informer of pods against the simulated API server, not yet running. */
function setUp(
	trim: (object: KubeObject) => KubeObject | undefined = (kept) => kept,
	query = {},
	onChange: (object: KubeObject) => void = () => {},
) {
	const clock = new SimulatedClock();
	const api = new ApiServer(clock);
	const seen: string[] = [];
	const restarts: string[] = [];
	const { log, lines } = recordingLog();
	const informer = new Informer<KubeObject>({
		client: api,
		path: pods,
		query,
		trim,
		onChange: (change, object) => {
			onChange(object);
			seen.push(`${change} ${object.metadata.name}`);
		},
		onRestart: (why) => restarts.push(why),
		clock,
		log,
	});
	const stop = new AbortController();
	let running = Promise.resolve();
	const put = (name: string, uid = `uid-${name}`) =>
		api.put(pods, { metadata: { name, namespace: 'ns', uid } });
	return {
		clock,
		api,
		seen,
		restarts,
		lines,
		informer,
		put,
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
		watches: () => api.calls.filter(({ method }) => method === 'WATCH').length,
		lists: () => api.callsTo('GET', /pods$/),
	};
}

test('reads pages of 100, then follows changes from there', async () => {
	const { api, clock, seen, informer, put, start, stop, lists } = setUp();
	for (let number = 0; number < 201; number++) put(`r${number}`);
	await start();
	assert.equal([seen.length, lists().length, informer.synced], [201, 3, true]);
	assert.ok(lists().every(({ query }) => query.limit === 100));
	seen.length = 0;
	put('r5');
	api.drop(pods, 'r6', 'ns');
	put('new');
	await clock.pass(1);
	assert.equal(seen, ['modified r5', 'deleted r6', 'added new']);
	assert.is(informer.get('ns', 'r6'), undefined);
	await stop();
});
test('not synced before the last page is there', async () => {
	const { api, clock, informer, put, start, stop } = setUp();
	for (let number = 0; number < 101; number++) put(`r${number}`);
	const slow = api.fail('GET', /pods$/, { delayMs: 3_000 });
	await start();
	await clock.pass(3_500);
	assert.not(informer.synced);
	await clock.pass(3_500);
	assert.ok(informer.synced);
	slow();
	await stop();
});
test('a broken watch goes on where it was: no list, and nothing is missed', async () => {
	const { api, clock, seen, put, start, stop, lists, restarts } = setUp();
	put('a');
	await start();
	api.breakWatches();
	put('b');
	api.drop(pods, 'a', 'ns');
	await clock.pass(minute);
	assert.equal(seen, ['added a', 'added b', 'deleted a']);
	assert.equal([lists().length, restarts], [1, ['error']]);
	await stop();
});
test('410: lists again at once, and tells what was deleted meanwhile', async () => {
	const { api, clock, seen, put, start, stop, lists, restarts } = setUp();
	put('a');
	put('b');
	await start();
	api.breakWatches();
	api.drop(pods, 'b', 'ns');
	put('c');
	api.compact();
	await clock.pass(2_000);
	assert.equal(seen, ['added a', 'added b', 'added c', 'deleted b']);
	assert.equal([lists().length, restarts], [2, ['error', 'expired']]);
	await stop();
});
test('bookmarks keep a quiet watch young: when it ends, nothing is expired', async () => {
	const { api, clock, put, start, stop, lists } = setUp();
	put('a');
	await start();
	await clock.pass(2 * minute);
	for (let number = 0; number < 3; number++) api.put('/api/v1/nodes', { metadata: { name: `n${number}` } });
	await clock.pass(minute);
	api.compact();
	api.breakWatches();
	await clock.pass(minute);
	assert.is(lists().length, 1);
	await stop();
});
test('the server ends each watch after some minutes, which is no news', async () => {
	const { clock, start, stop, watches, lists, restarts, lines } = setUp();
	await start();
	await clock.pass(60 * minute);
	assert.ok(watches() >= 12 && watches() <= 16, `${watches()} watches in an hour`);
	assert.equal([lists().length, restarts, lines], [1, [], []]);
	await stop();
});
test('a connection that died without a word is given up, and followed anew', async () => {
	const { api, clock, seen, put, start, stop, watches } = setUp();
	await start();
	api.breakWatches();
	const silent = api.fail('WATCH', /pods$/, 'no answer', 1);
	await clock.pass(1_000);
	silent();
	put('a');
	await clock.pass(6 * minute);
	assert.equal(seen, ['added a']);
	assert.ok(watches() >= 3);
	await stop();
});
test('a watch that brings nothing for 90 s, not even a bookmark, is opened anew where it was', async () => {
	const { api, clock, seen, restarts, put, start, stop, lists } = setUp();
	await start();
	await clock.pass(70_000); // a bookmark has come
	api.silenceWatches();
	put('a');
	await clock.pass(75_000);
	assert.equal(seen, []);
	await clock.pass(25_000);
	assert.equal([seen, restarts, lists().length], [['added a'], ['silent'], 1]);
	await stop();
});
test('a silent watch whose history is gone: 410, and everything is listed again', async () => {
	const { api, clock, seen, restarts, put, start, stop, lists } = setUp();
	await start();
	api.silenceWatches();
	put('a');
	api.compact();
	await clock.pass(2 * minute);
	assert.equal([seen, restarts, lists().length], [['added a'], ['silent', 'expired'], 2]);
	await stop();
});
test('silent watches of many informers are not opened anew in the same moment', async () => {
	const all = Array.from({ length: 20 }, () => setUp());
	const openedMs: number[] = [];
	for (const { api, clock, start, watches } of all) {
		await start();
		api.silenceWatches();
		const startMs = clock.now();
		await clock.until('it is opened anew', () => watches() === 2, 3 * minute);
		openedMs.push(clock.now() - startMs);
	}
	assert.ok(Math.min(...openedMs) >= 90_000 && Math.max(...openedMs) <= 110_000, openedMs.join());
	await Promise.all(all.map(({ stop }) => stop()));
});
test('a server that closes every watch at once is not asked in a tight loop', async () => {
	const { api, clock, start, stop, watches } = setUp();
	const closing = api.endWatchesAtOnce();
	await start();
	await clock.pass(30_000);
	assert.ok(watches() >= 25 && watches() <= 31, `${watches()} watches in 30 s`);
	closing();
	await stop();
});
test('a list that fails is tried again, later and later to 7.5 s at most, and logged once', async () => {
	const { api, clock, informer, put, start, stop, lists, lines } = setUp();
	put('a');
	const mended = api.fail('GET', /pods$/, new KubeError(500, '', 'etcd'));
	await start();
	await clock.pass(2 * minute);
	assert.ok(lists().length >= 16 && lists().length <= 60, `${lists().length} lists in 2 min`);
	assert.equal(lines, ['warn watch keeps failing, retrying']);
	mended();
	await clock.until('it is synced', () => informer.synced, 8_000);
	await stop();
});
test('a successor under the same name is another object', async () => {
	const { api, clock, seen, put, start, stop } = setUp();
	put('a');
	await start();
	api.breakWatches(); // so that its deletion is not seen apart
	put('a', 'another');
	await clock.pass(minute);
	assert.equal(seen, ['added a', 'deleted a', 'added a']);
	await stop();
});
test('what trim leaves out is not kept, and goes when it stops fitting', async () => {
	const fits = (one: KubeObject) => (one.metadata.labels?.out ? undefined : one);
	const { api, clock, seen, informer, put, start, stop } = setUp(fits);
	put('a');
	api.put(pods, { metadata: { name: 'b', namespace: 'ns', labels: { out: 'yes' } } });
	await start();
	api.update(pods, 'a', 'ns', ({ metadata }) => {
		metadata.labels = { out: 'yes' };
	});
	await clock.pass(1);
	assert.equal([seen, [...informer.values()].length], [['added a', 'deleted a'], 0]);
	await stop();
});
test('a selector goes into the list and the watch: what stops matching is gone', async () => {
	const { api, clock, seen, start, stop } = setUp((kept) => kept, { labelSelector: 'mine' });
	api.put(pods, { metadata: { name: 'a', namespace: 'ns', labels: { mine: '' } } });
	api.put(pods, { metadata: { name: 'b', namespace: 'ns' } });
	await start();
	api.update(pods, 'a', 'ns', ({ metadata }) => {
		metadata.labels = {};
	});
	await clock.pass(1);
	assert.equal(seen, ['added a', 'deleted a']);
	await stop();
});
for (const part of ['trim', 'listener'] as const)
	test(`an object at which a ${part} throws: the others are followed, and it is logged once a minute`, async () => {
		const fails = (object: KubeObject) => {
			if (object.metadata.name === 'odd') throw new TypeError('no template');
			return object;
		};
		const { clock, seen, restarts, lines, informer, put, start, stop } = setUp(
			part === 'trim' ? fails : undefined,
			{},
			part === 'listener' ? fails : undefined,
		);
		put('a');
		put('odd');
		put('z');
		await start();
		assert.ok(informer.synced);
		put('odd', 'uid-2');
		put('later');
		await clock.pass(1);
		assert.equal(seen, ['added a', 'added z', 'added later']);
		assert.equal(restarts, []);
		assert.equal(lines, ['error a change of this object could not be followed']);
		await clock.pass(minute);
		put('odd', 'uid-3');
		await clock.pass(1);
		assert.is(lines.length, 2);
		await stop();
	});

test('the same version again is no change', async () => {
	const { api, clock, seen, put, start, stop } = setUp();
	put('a');
	await start();
	api.breakWatches();
	api.compact();
	put('b'); // moves the version on, so that what the informer knows is expired
	api.compact();
	await clock.pass(minute);
	assert.equal(seen, ['added a', 'added b']);
	await stop();
});

test.run();

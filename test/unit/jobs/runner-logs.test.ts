/** Logs are read a few at a time, whoever asks and however long they are. */
import * as assert from 'uvu/assert';
import { logWithinMs } from '../../../admission/jobs/rules/policy.ts';
import { RunnerLogs } from '../../../admission/jobs/runner-logs.ts';
import { suite } from '../../support/suite.ts';
import { SimulatedClock } from '../support/clock.ts';

const test = suite("runners' logs");
const idle = '2026-11-23 12:00:00Z: Listening for Jobs\n';
const mib = 1024 * 1024;
/** Both kinds of reads are needed, and neither finds anything. */
const endless = `${'x'.repeat(10)}\n`.repeat(25_000);

/** What the log of a pod in this namespace holds, and how long its kubelet takes. */
type Kubelet = (namespace: string) => { text: string; tookMs: number };

/** `held`: the bytes of the answers that are under way, as many as each may have. */
function setUp(kubelet: Kubelet) {
	const clock = new SimulatedClock();
	const reads: string[] = [];
	const held = { now: 0, most: 0 };
	const client: ConstructorParameters<typeof RunnerLogs>[0] = {
		async text(path, { mostBytes, timeoutMs }) {
			const [, , , , namespace = '', , name = ''] = path.split('/');
			const { text, tookMs } = kubelet(namespace);
			reads.push(name);
			held.now += mostBytes;
			held.most = Math.max(held.most, held.now);
			await clock.sleep(Math.min(tookMs, timeoutMs));
			held.now -= mostBytes;
			if (tookMs > timeoutMs) throw new Error('timed out');
			return { text: text.slice(0, mostBytes - 1), toItsEnd: true };
		},
	};
	return { clock, reads, held, logs: new RunnerLogs(client, clock) };
}
const pod = (name: string, namespace = 'ci') => ({ namespace, name });

test('42 logs of 4 MiB in 3 namespaces, read at once: 16 MiB are held at most', async () => {
	const { clock, reads, held, logs } = setUp(() => ({ text: endless, tookMs: 200 }));
	const readings = ['a', 'b', 'c'].flatMap((namespace) =>
		Array.from({ length: 14 }, (_, index) => logs.read(pod(`r${index}`, namespace))),
	);
	await clock.pass(20_000);
	assert.ok(held.most <= 16 * mib && held.most > 4 * mib, `${held.most / mib} MiB`);
	for (const reading of readings) {
		const { says, why } = (await reading) as { says: string; why: string };
		assert.is(says, 'unknown');
		assert.match(why, /^its log (does not say whether|cannot be read)/);
	}
	assert.ok(reads.length > 42, 'some were read to their end');
	assert.equal([held.now, clock.waiting], [0, 0]);
});
test('a namespace with many logs that take all their time keeps no other from being read at once', async () => {
	const slow = { text: endless, tookMs: logWithinMs - 1 };
	const { clock, logs } = setUp((namespace) => (namespace === 'ci' ? { text: idle, tookMs: 20 } : slow));
	const hostile = Array.from({ length: 100 }, (_, index) => logs.read(pod(`h${index}`, 'hostile')));
	for (let second = 0; second < 5; second++) {
		let says = 'nothing yet';
		void logs.read(pod('r1')).then((reading) => {
			({ says } = reading);
		});
		await clock.pass(30);
		assert.is(says, 'idle');
		await clock.pass(970);
	}
	for (const reading of hostile) assert.is((await reading).says, 'unknown');
});
test('a log has its place until it has been read, and not only until it has come', async () => {
	const alive = { now: 0, most: 0 };
	const client: ConstructorParameters<typeof RunnerLogs>[0] = {
		async text(_path, { mostBytes }) {
			if (mostBytes > mib) alive.most = Math.max(alive.most, ++alive.now);
			return { text: endless.slice(0, mostBytes - 1), toItsEnd: true };
		},
	};
	const logs = new RunnerLogs(client, new SimulatedClock());
	const names = Array.from({ length: 12 }, (_, index) => `r${index}`);
	await Promise.all(
		names.map(async (name, index) => {
			await logs.read(pod(name, `namespace-${index % 4}`));
			alive.now -= 1;
		}),
	);
	assert.is(alive.now, 0);
	assert.ok(alive.most <= 4, `${alive.most} at a time`); // one is counted until its caller knows
});
test('of one pod one read is under way; who asks meanwhile gets what is printed later, in one further read', async () => {
	const texts = [idle, idle.replace('Listening for Jobs', 'Running job: build')];
	const { clock, reads, logs } = setUp(() => ({ text: texts.shift() ?? '', tookMs: 20 }));
	const first = logs.read(pod('r1'));
	await clock.pass(10);
	const others = Array.from({ length: 50 }, () => logs.read(pod('r1')));
	await clock.pass(1_000);
	assert.is((await first).says, 'idle');
	for (const reading of others) assert.is((await reading).says, 'works');
	assert.is(reads.length, 2);
	await Promise.all([logs.read(pod('r1')), logs.read(pod('r1', 'other')), clock.pass(100)]);
	assert.is(reads.length, 4, 'nothing is kept');
});

test.run();

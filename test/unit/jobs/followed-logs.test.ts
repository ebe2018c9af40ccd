import * as assert from 'uvu/assert';
import { FollowedLogs } from '../../../admission/jobs/followed-logs.ts';
import { longestLine, mostFollowed } from '../../../admission/jobs/rules/policy.ts';
import { KubeError } from '../../../admission/kube/client.ts';
import { suite } from '../../support/suite.ts';
import { fakeClient } from '../kube/fake-client.ts';
import { noon, runnerPod } from '../runner/pods.ts';
import { SimulatedClock } from '../support/clock.ts';
import { recordingLog } from '../support/log.ts';

const test = suite('followed logs');

function setUp() {
	const open: {
		path: string;
		/** With its time before it. */
		print: (line: string) => void;
		raw: (line: string) => void;
		end: (error?: Error) => void;
		signal: AbortSignal;
	}[] = [];
	const client = fakeClient({
		stream: (path, { onLine, signal }) =>
			new Promise((resolve, reject) => {
				const end = (error?: Error) => (error ? reject(error) : resolve());
				signal.addEventListener('abort', () => end(new KubeError(0, 'NoAnswer', 'aborted')));
				const print = (line: string) => onLine(`2026-11-23 12:00:00Z: ${line}`);
				open.push({ path, print, raw: onLine, end, signal });
			}),
	});
	const clock = new SimulatedClock(noon);
	const { log, lines } = recordingLog('debug');
	return { open, clock, lines, logs: new FollowedLogs({ client, clock, log }) };
}
const pod = (uid = 'u1', restarts = 0, namespace = 'ci') => ({ ...runnerPod(), uid, restarts, namespace });

test('a runner whose log is followed is idle from the moment its log says so until it says otherwise', async () => {
	const { logs, open, clock } = setUp();
	let woken = 0;
	logs.follow(pod(), () => woken++);
	logs.follow(pod(), () => woken++);
	assert.is(open.length, 1);
	assert.is(open[0]?.path, '/api/v1/namespaces/ci/pods/r1/log');
	open[0]?.print('Running job: build');
	assert.is(logs.idleSinceMs(pod()), undefined);
	await clock.pass(5_000);
	open[0]?.print('Job build completed with result: Succeeded');
	assert.equal([logs.idleSinceMs(pod()), woken], [noon + 5_000, 1]);
	open[0]?.print('of no meaning');
	assert.is(logs.idleSinceMs(pod()), noon + 5_000);
	open[0]?.print('Running job: test');
	assert.is(logs.idleSinceMs(pod()), undefined);
	assert.is(logs.idleSinceMs(pod('u1', 1)), undefined, 'a restart in place is another runner');
});
test('a line that could be a start ends what an older one said: one that is not whole, one that was cut', async () => {
	const { logs, open } = setUp();
	logs.follow(pod(), () => {});
	const idle = () => {
		open[0]?.print('Listening for Jobs');
		assert.is(logs.idleSinceMs(pod()), noon);
	};
	for (const line of [
		`98 %2026-11-23 12:00:00Z: Running job: build`,
		'x'.repeat(longestLine),
		'2026-11-23 12:00:00Z: Running job: a\u2028b\r',
	]) {
		idle();
		open[0]?.raw(line);
		assert.is(logs.idleSinceMs(pod()), undefined, line.slice(0, 80));
	}
	idle();
	open[0]?.raw('x'.repeat(longestLine - 1));
	assert.is(logs.idleSinceMs(pod()), noon);
	logs.stop();
});
test('a log that ends or breaks is followed anew when it is asked for', async () => {
	const { logs, open, clock, lines } = setUp();
	logs.follow(pod(), () => {});
	open[0]?.print('Listening for Jobs');
	open[0]?.end(new KubeError(500, '', 'the kubelet is away'));
	await clock.settle();
	assert.is(logs.idleSinceMs(pod()), undefined, 'what it said is old now');
	assert.equal(lines, ['debug the log of a runner cannot be followed']);
	logs.follow(pod(), () => {});
	assert.is(open.length, 2);
});
test('what is forgotten is one pod, in silence; followed anew, the end of the old stream takes nothing away', async () => {
	const { logs, open, clock, lines } = setUp();
	for (const uid of ['u1', 'u2']) logs.follow(pod(uid), () => {});
	for (const { print } of open) print('Listening for Jobs');
	logs.forget('u1');
	assert.equal([logs.idleSinceMs(pod('u1')), logs.idleSinceMs(pod('u2'))], [undefined, noon]);
	logs.follow(pod('u1'), () => {});
	open[2]?.print('Listening for Jobs');
	await clock.settle();
	assert.is(logs.idleSinceMs(pod('u1')), noon);
	logs.stop();
	assert.is(logs.idleSinceMs(pod('u1')), undefined);
	await clock.settle();
	assert.equal(lines, []);
});
test('there are never more than so many, and what is forgotten makes room', async () => {
	const { logs, open, clock } = setUp();
	for (let index = 0; index < mostFollowed + 3; index++) logs.follow(pod(`u${index}`), () => {});
	assert.is(open.length, mostFollowed);
	logs.forget('u0');
	assert.ok(open[0]?.signal.aborted);
	logs.follow(pod('another'), () => {});
	assert.is(open.length, mostFollowed + 1);
	logs.stop();
	await clock.settle();
	assert.ok(open.every(({ signal }) => signal.aborted));
});

test('a namespace that comes late has its share: whoever has most gives up its last, until all are equal', async () => {
	const { logs, open, clock, lines } = setUp();
	const follow = (namespace: string, count: number) => {
		for (let index = 0; index < count; index++)
			logs.follow(pod(`${namespace}-${index}`, 0, namespace), () => {});
	};
	const followed = () => {
		const counts: Record<string, number> = {};
		for (const { path, signal } of open) {
			const namespace = path.split('/')[4] ?? '';
			if (!signal.aborted) counts[namespace] = (counts[namespace] ?? 0) + 1;
		}
		return counts;
	};
	follow('many', 100);
	assert.equal(followed(), { many: mostFollowed });
	follow('late', 1);
	assert.equal(followed(), { many: mostFollowed - 1, late: 1 });
	assert.not(open[0]?.signal.aborted, 'those that have been followed for longest stay');
	follow('late', 100);
	follow('many', 100);
	follow('third', 100);
	assert.equal(followed(), { many: mostFollowed / 3, late: mostFollowed / 3, third: mostFollowed / 3 });
	const { length } = open;
	for (const namespace of ['many', 'late', 'third']) follow(namespace, 100);
	assert.is(open.length, length, 'none takes a place from another for ever');
	await clock.settle();
	assert.equal(lines, []);
	logs.stop();
});

test.run();

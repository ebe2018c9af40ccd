/** What reading runners' logs comes to: the figures of /metrics and of the leader's report. */
import * as assert from 'uvu/assert';
import { readLog } from '../../../admission/jobs/read-log.ts';
import { KubeError } from '../../../admission/kube/client.ts';
import { suite } from '../../support/suite.ts';
import { fakeClient } from '../kube/fake-client.ts';
import { noon, pod, runnerPod } from '../runner/pods.ts';
import { paths, World } from '../support/world.ts';

const test = suite('log reads');

test('each reading is counted by what it said; an error is kept with its pod and time', async () => {
	const world = new World();
	world.api.put(paths.pods, pod());
	const runner = runnerPod();
	const { logReads } = world.metrics;
	const read = async (text: string) => {
		world.api.logs.set('ci/r1', text);
		const reading = world.ports.readLog(runner);
		await world.clock.pass(10);
		return (await reading).says;
	};
	assert.is(await read('2026-11-23 12:00:00Z: Listening for Jobs\n'), 'idle');
	assert.is(await read('2026-11-23 12:00:00Z: Running job: build\n'), 'works');
	assert.is(await read('nothing that tells\n'), 'unknown');
	assert.equal([logReads.readable, logReads.unreadable, logReads.lastError], [3, 0, undefined]);

	world.api.fail('GET', /\/log/, new KubeError(403, 'Forbidden', 'pods "r1" is forbidden'), 1);
	assert.is(await read(''), 'unknown');
	assert.is(logReads.unreadable, 1);
	assert.is(logReads.lastError?.pod, 'ci/r1');
	assert.match(logReads.lastError?.message ?? '', /forbidden/);
	assert.ok((logReads.lastError?.atMs ?? 0) >= noon);
	// A kubelet whose container runtime is away answers 200.
	assert.is(await read('unable to retrieve container logs for containerd://0a1b'), 'unknown');
	assert.is(logReads.unreadable, 2);
	assert.match(logReads.lastError?.message ?? '', /cannot be read: unable to retrieve container logs/);
	const metrics = await world.metrics.registry.metrics();
	for (const [says, count] of Object.entries({ idle: 1, works: 1, silent: 1, unreadable: 2 }))
		assert.match(metrics, new RegExp(`runners_log_reads_total\\{says="${says}"\\} ${count}`));
});

test('a log of megabytes gives way to others between its pieces', async () => {
	const text = 'a line of somebody\n'.repeat(200_000);
	const client = { ...fakeClient({}), text: async () => ({ text, toItsEnd: true }) };
	let turns = 0;
	const others = { isOver: false };
	const takeTurns = () => {
		turns++;
		if (!others.isOver) setImmediate(takeTurns);
	};
	setImmediate(takeTurns);
	assert.is((await readLog(client, runnerPod())).says, 'unknown');
	others.isOver = true;
	assert.ok(turns > 100, `${turns}`);
});

test.run();

/** What reading runners' logs comes to: the figures of /metrics and of the leader's report. */
import * as assert from 'uvu/assert';
import { KubeError } from '../../../admission/kube/client.ts';
import { suite } from '../../support/suite.ts';
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
	const metrics = await world.metrics.registry.metrics();
	for (const says of ['idle', 'works', 'silent', 'unreadable'])
		assert.match(metrics, new RegExp(`runners_log_reads_total\\{says="${says}"\\} 1`));
});

test.run();

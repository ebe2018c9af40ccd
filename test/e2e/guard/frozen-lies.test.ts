/**
 * Everything at once: a replica freezes, GitHub takes busy runners for idle and would remove them, and their node is drained.
 * Their job hooks have spoken 10 s before.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { type Rig, startRig } from '../../rig/rig.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';
import { end, Space } from '../support/space.ts';

const test = suite<{ rig: Rig; space: Space }>('frozen, and lied to');
const names = Array.from({ length: 15 }, (_, index) => `r-${index}`);
const jobsForMs = 10_000;
const frozenMs = 7_000;

test.before(async (context) => {
	context.rig = await startRig({ sets: true, replicas: 2, server: { args: ['--job-hooks', 'all'] } });
});
test.after(({ rig }) => end(rig));
test.after.each(async ({ rig, space }) => {
	for (const server of rig.servers) server.signal('SIGCONT');
	rig.github.clearFaults();
	await space?.clear();
});

for (const replicas of [2, 1])
	test(`one of ${replicas} replicas frozen for 7 s, jobs 10 s old, GitHub says idle and answers 204: none of 15 drained runners is lost`, async (context) => {
		const { rig } = context;
		while (rig.servers.length > replicas) await rig.terminate(rig.servers[0]!);
		await rig.guarded();
		const space = await Space.make(rig, { hintDelayMs: 120_000 });
		context.space = space;
		const node = `n-${space.name}`;
		await rig.cluster.addNode(node);
		await rig.apply(...names.map((name) => runnerSetPod(space.options(name, { nodeName: node }))));
		await space.registered(names);
		rig.github.lie({ says: 'idle', scope: space.scope });
		await Promise.all(names.map((name) => space.runJob(name)));
		await sleep(jobsForMs);
		const hooks = rig.agents.journal.filter(({ what, namespace, hook }) => {
			return what === 'hook-ran' && namespace === space.name && hook?.exitCode === 0 && hook.output === '';
		});
		assert.is(hooks.length, names.length, 'every runner has said that it works');
		const [server] = rig.servers;
		server?.signal('SIGSTOP');
		const draining = rig.kubectl(['drain', node, '--force', '--ignore-daemonsets', '--timeout=12s']);
		await sleep(frozenMs);
		server?.signal('SIGCONT');
		const { code, stderr } = await draining;
		assert.is(code, 1, 'all are busy');
		assert.match(stderr, 'r-0');
		const pods = await rig.pods(space.name);
		assert.is(pods.filter(({ metadata }) => !metadata.deletionTimestamp).length, names.length);
		assert.equal(space.removals(), [], 'GitHub is not asked about a runner that works');
		assert.equal(space.killedJobs(), []);
	});

test.run();

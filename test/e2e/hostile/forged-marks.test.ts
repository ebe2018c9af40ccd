/** Marks that somebody forged on a pod: none of them releases a runner that GitHub still has (invariants 1 and 2). */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { type Rig, startRig } from '../../rig/rig.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';
import { end, Space, says } from '../support/space.ts';
import { deletion, post, review } from '../support/webhook-post.ts';

const test = suite<{ rig: Rig; space: Space }>('forged marks');

test.before(async (context) => {
	context.rig = await startRig();
});
test.after(({ rig }) => end(rig));
test.before.each(async (context) => {
	context.space = await Space.make(context.rig);
});
test.after.each(async ({ space }) => space.clear());

const running = /is busy/;

test('a forged complete-timestamp releases nothing while GitHub has the runner (invariant 2)', async ({
	space,
}) => {
	await space.runners(['busy', 'idle']);
	await space.runJob('busy');
	for (const forged of [new Date().toISOString(), '2020-01-01T00:00:00Z', '2999-01-01T00:00:00Z', 'yes']) {
		await space.ok(
			'annotate',
			'--overwrite',
			'pod',
			'busy',
			`actions-runner/unregistration-complete-timestamp=${forged}`,
			'actions-runner/unregistration-proof=AAAA',
		);
		await space.refused('busy');
	}
	await sleep(1_000);
	assert.is((await space.pod('busy'))?.metadata.deletionTimestamp, undefined);
	await space.ok(
		'annotate',
		'pod',
		'idle',
		`actions-runner/unregistration-complete-timestamp=${new Date().toISOString()}`,
	);
	await space.deleted('idle');
	const order = space.journal('idle');
	assert.ok(order.indexOf('removed-by-github') < order.indexOf('pod-terminating'), order.join());
	assert.equal(space.killedJobs(), []);
});

test('a proof copied from another pod releases nothing (invariant 2)', async ({ rig, space }) => {
	const held = runnerSetPod(space.options('donor'));
	held.metadata.finalizers = ['test.runners/hold'];
	await rig.apply(held);
	await space.runners(['busy']);
	await space.registered(['donor']);
	await space.runJob('busy');
	await space.deleted('donor', '--wait=false');
	const donor = await space.annotations('donor');
	const keys = ['actions-runner/unregistration-complete-timestamp', 'actions-runner/unregistration-proof'];
	const copied = keys.map((key) => `${key}=${donor[key]}`);
	assert.ok(
		copied.every((pair) => !pair.endsWith('undefined')),
		copied.join(),
	);
	await space.ok('annotate', '--overwrite', 'pod', 'busy', ...copied);
	says(await space.refused('busy'), 'busy');
	await sleep(1_000);
	assert.is((await space.pod('busy'))?.metadata.deletionTimestamp, undefined);
	assert.equal(space.killedJobs(), []);
	await space.ok('patch', 'pod', 'donor', '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
});

test('the id of another, idle runner on a busy pod: neither that runner nor the job is harmed', async ({
	rig,
	space,
}) => {
	await space.runners(['busy', 'victim']);
	await space.runJob('busy');
	const victim = rig.agents.runnerId(space.name, 'victim');
	await space.ok('annotate', '--overwrite', 'pod', 'busy', `actions-runner/id=${victim}`);
	says(await space.refused('busy'), running);
	await sleep(1_000);
	assert.equal(space.removals(), [422]);
	assert.ok(rig.github.find(space.scope, 'victim'));
	assert.equal(space.killedJobs(), []);
});

test('... nor where nobody leads and the replica that answers has never seen GitHub’s list', async ({
	rig,
	space,
}) => {
	await space.runners(['busy', 'victim']);
	const victim = rig.agents.runnerId(space.name, 'victim');
	const fresh = await rig.addServer();
	rig.servers[0]?.signal('SIGSTOP'); // the leader would put the id right at once
	try {
		await space.runJob('busy');
		await space.ok('annotate', '--overwrite', 'pod', 'busy', `actions-runner/id=${victim}`);
		const answer = await post(
			fresh.port,
			'/pods/delete',
			review({ ...deletion(await space.pod('busy')), dryRun: false }),
		);
		assert.is(JSON.parse(answer.text).response.allowed, false, answer.text);
		assert.ok(rig.github.find(space.scope, 'victim'));
	} finally {
		rig.servers[0]?.signal('SIGCONT');
		await fresh.stop();
	}
	await sleep(1_000);
	assert.is((await space.pod('busy'))?.metadata.deletionTimestamp, undefined);
	assert.equal(space.killedJobs(), []);
});

test('a forged "node is gone" releases nothing while the node is there', async ({ space }) => {
	await space.runners(['a']);
	await space.runJob('a');
	await space.ok('annotate', 'pod', 'a', 'actions-runner/node-gone-since=2020-01-01T00:00:00Z');
	says(await space.refused('a'), running);
	assert.equal(space.killedJobs(), []);
});

test('record, claim and options that are no JSON and no times: read as a plain delete, nothing breaks', async ({
	space,
}) => {
	await space.runners(['a']);
	await space.runJob('a');
	await space.ok(
		'annotate',
		'pod',
		'a',
		'actions-runner/deletion-requested-by=me',
		'actions-runner/deletion-options={"via":',
		'actions-runner/unregistration-request-timestamp=soon',
		'actions-runner/unregistration-claim=x y z',
		'actions-runner/busy-since=never',
	);
	says(await space.refused('a'), running);
	await space.endJob('a');
	await space.gone('a');
	assert.equal(space.killedJobs(), []);
});

test.run();

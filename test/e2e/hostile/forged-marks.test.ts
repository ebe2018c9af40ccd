/**
 * Marks that somebody forged on a pod: none of them releases a runner that GitHub still has (invariants 1 and 2). Most are
 * refused by the webhook for updates (edits.test.ts); here they got past it, as they do while no replica runs.
 */
import * as assert from 'uvu/assert';
import { stage } from '../../rig/stage.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { says } from '../support/space.ts';
import { spaceTests } from '../support/space-tests.ts';
import { deletion, knownPath, post, review } from '../support/webhook-post.ts';

const test = spaceTests('forged marks', { prepare: () => stage('guard') });

const running = /is busy/;

test('a forged complete-timestamp releases nothing while GitHub has the runner (invariant 2)', async ({
	space,
}) => {
	const forged = {
		now: new Date().toISOString(),
		past: '2020-01-01T00:00:00Z',
		future: '2999-01-01T00:00:00Z',
		text: 'yes',
	};
	const names = Object.keys(forged);
	await space.runners([...names, 'idle']);
	for (const [name, time] of Object.entries(forged)) {
		space.assigned(name);
		await space.forge(name, {
			'actions-runner/unregistered-at': time,
			'actions-runner/unregistration-complete-timestamp': time,
			'actions-runner/unregistration-proof': 'AAAA',
		});
	}
	assert.is.not((await space.kubectl('delete', 'pod', ...names)).code, 0);
	await space.waits(...names);
	await space.forge('idle', {
		'actions-runner/unregistered-at': new Date().toISOString(),
	});
	await space.deleted('idle');
	const order = space.journal('idle');
	assert.ok(order.indexOf('removed-by-github') < order.indexOf('pod-terminating'), order.join());
	for (const name of names) assert.is((await space.pod(name))?.metadata.deletionTimestamp, undefined, name);
	assert.equal(space.killedJobs(), []);
});

test('a proof copied from another pod releases nothing (invariant 2)', async ({ rig, space }) => {
	const held = runnerSetPod(space.options('donor'));
	held.metadata.finalizers = ['test.runners/hold'];
	await rig.apply(held);
	await space.runners(['busy']);
	await space.registered(['donor']);
	space.assigned('busy');
	await space.deleted('donor', '--wait=false');
	const donor = await space.annotations('donor');
	const keys = ['actions-runner/unregistered-at', 'actions-runner/unregistration-proof'];
	const copied = Object.fromEntries(keys.map((key) => [key, donor[key] ?? '']));
	assert.not.ok(Object.values(copied).includes(''), JSON.stringify(copied));
	await space.forge('busy', copied);
	says(await space.refused('busy'), 'busy');
	await space.waits('busy');
	assert.is((await space.pod('busy'))?.metadata.deletionTimestamp, undefined);
	assert.equal(space.killedJobs(), []);
	await space.patch('donor', { metadata: { finalizers: null } });
});

test('the id of another, idle runner on a busy pod: neither that runner nor the job is harmed', async ({
	rig,
	space,
}) => {
	await space.runners(['busy', 'victim']);
	space.assigned('busy');
	const victim = rig.agents.runnerId(space.name, 'victim');
	await space.forge('busy', { 'actions-runner/runner-id': `${victim}`, 'actions-runner/id': `${victim}` });
	says(await space.refused('busy'), running);
	await space.waits('busy');
	assert.equal(space.removals(), [422]);
	assert.ok(rig.github.find(space.scope, 'victim'));
	assert.equal(space.killedJobs(), []);
});

test('... nor by a replica that has never seen GitHub’s list', async ({ rig, space }) => {
	await space.runners(['busy', 'victim']);
	space.assigned('busy');
	const forged = await space.pod('busy');
	// Only in this review: on the pod itself the leader, which has the list, would put the id right.
	Object.assign(forged?.metadata.annotations ?? {}, {
		'actions-runner/runner-id': `${rig.agents.runnerId(space.name, 'victim')}`,
	});
	const fresh = await rig.startStandby();
	try {
		const answer = await post(
			fresh.port,
			await knownPath(rig, '/pods/delete'),
			review({ ...deletion(forged), name: 'busy', namespace: space.name, dryRun: false }),
		);
		assert.is(JSON.parse(answer.text).response.allowed, false, answer.text);
	} finally {
		await fresh.stop();
	}
	assert.ok(rig.github.find(space.scope, 'victim'));
	await space.waits('busy');
	assert.is((await space.pod('busy'))?.metadata.deletionTimestamp, undefined);
	assert.equal(space.killedJobs(), []);
});

test('a forged "node is gone" releases nothing while the node is there', async ({ space }) => {
	await space.runners(['a']);
	await space.runJob('a');
	await space.forge('a', { 'actions-runner/node-gone-since': '2020-01-01T00:00:00Z' });
	says(await space.refused('a'), running);
	assert.equal(space.killedJobs(), []);
});

test('record, attempt and options that are no JSON and no times: read as a plain delete, nothing breaks', async ({
	space,
}) => {
	await space.runners(['a']);
	await space.runJob('a');
	await space.forge('a', {
		'actions-runner/deletion-requested-by': 'me',
		'actions-runner/deletion-options': '{"via":',
		'actions-runner/deletion-requested-at': 'soon',
		'actions-runner/unregistration-claim': 'x y z',
		'actions-runner/busy-since': 'never',
	});
	says(await space.refused('a'), running);
	await space.endJob('a');
	await space.gone('a');
	assert.equal(space.killedJobs(), []);
});

test.run();

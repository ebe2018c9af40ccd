/** What kubelets, controllers and people do to a runner's pod every day costs no call to the webhook for updates. */
import * as assert from 'uvu/assert';
import { busy } from '../../../admission/api/keys.ts';
import { eventually } from '../../rig/eventually.ts';
import { stage } from '../../rig/stage.ts';
import { spaceTests } from '../support/space-tests.ts';

// Alone, so that the API server's count of calls is this file's.
const test = spaceTests('everyday edits', { prepare: () => stage('replicas') });

test('a kubelet’s status, ARC’s and people’s annotations, a finalizer and the server’s own marks never reach the server', async ({
	rig,
	space,
}) => {
	const calls = async () => {
		const metrics = await rig.ok(['get', '--raw', '/metrics']);
		const count =
			/^apiserver_admission_webhook_request_total\{.*name="updates\.runners-admission\.svc".*\} (\d+)$/gm;
		return [...metrics.matchAll(count)].reduce((sum, [, calls]) => sum + Number(calls), 0);
	};
	await space.runners(['a']);
	await space.runJob('a', { known: true });
	// The last that the leader writes of a job: an edit at that moment would be tried twice by the API server.
	await eventually('its job is named', async () => (await space.pod('a'))?.metadata.annotations?.[busy.job]);
	const none = await calls();
	const refused = await space.kubectl('label', 'pod', 'a', 'actions-runner-');
	assert.is(refused.code, 1);
	const one = await calls();
	assert.is(one, none + 1);

	const conditions = [{ type: 'Ready', status: 'True', lastProbeTime: null }];
	await space.patch('a/status', { status: { conditions } });
	for (const key of ['unregistration-request-timestamp', 'unregistration-complete-timestamp', 'id'])
		await space.annotate('a', { [`actions-runner/${key}`]: '1' });
	await space.patch('a', { metadata: { labels: { team: 'a' }, finalizers: ['test/x'] } });
	await space.patch('a', { metadata: { finalizers: null } });
	await space.forge('a', { 'actions-runner/busy-since': new Date().toISOString() });
	assert.is(await calls(), one);
	assert.equal(space.killedJobs(), []);
});

test.run();

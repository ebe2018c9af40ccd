import * as assert from 'uvu/assert';
import { progress } from '../../../admission/api/keys.ts';
import { ExchangePods } from '../../../admission/cluster/exchange-pods.ts';
import { RunnerPods } from '../../../admission/cluster/runner-pods.ts';
import { writesOnlyWhile } from '../../../admission/kube/lease.ts';
import { suite } from '../../support/suite.ts';
import { World } from '../support/world.ts';

const test = suite('what an exchange with GitHub writes');

test('who no longer leads makes no attempt, but writes what GitHub has answered', async () => {
	const { api, signer, clock } = new World();
	api.latencyMs = 0;
	let leads = true;
	const asLeader = new RunnerPods(
		writesOnlyWhile(api, () => leads),
		signer,
		'github.com',
		clock.now,
	);
	const pods = new ExchangePods(asLeader, api, signer, 'github.com', clock.now);
	const made = api.put('/api/v1/pods', { metadata: { name: 'r1', namespace: 'ci', uid: 'u' } } as never);
	const pod = { namespace: 'ci', name: 'r1', uid: made.metadata.uid ?? '' };
	const write = async (key: string, value: string, onlyIfUnchanged: boolean) => {
		const version = api.find('/api/v1/pods', 'r1', 'ci')?.metadata.resourceVersion;
		const written = pods
			.patch(pod, { annotations: { [key]: value } }, onlyIfUnchanged ? version : undefined)
			.then(
				() => 'written',
				(error: { reason: string }) => error.reason,
			);
		await clock.pass(100);
		return written;
	};
	assert.is(await write(progress.attempt, 'a', true), 'written');
	leads = false;
	assert.is(await write(progress.attempt, 'b', true), 'NotLeading');
	assert.is(await write(progress.completedAt, 'now', false), 'written');
	const { annotations } = api.find('/api/v1/pods', 'r1', 'ci')?.metadata ?? {};
	assert.equal(annotations, { [progress.attempt]: 'a', [progress.completedAt]: 'now' });
});

test.run();

import * as assert from 'uvu/assert';
import { progress } from '../../../../../admission/api/keys.ts';
import type { Pod } from '../../../../../admission/api/kinds.ts';
import { readRunnerPod } from '../../../../../admission/runner/runner-pod.ts';
import { suite } from '../../../../support/suite.ts';
import { World } from '../../../support/world.ts';

const test = suite('release: which id is removed');

test("the id on the pod is its runner's also where GitHub writes the name in another case", async () => {
	const world = new World();
	world.runner('r1', { env: { RUNNER_NAME: 'R1' }, metadata: { annotations: { [progress.runnerId]: '1' } } });
	await world.start();
	const pod = readRunnerPod(world.pod('r1') as Pod)!;
	const account = await world.ports.account(pod);
	if ('kind' in account) throw new Error(account.detail);
	const listed = await world.parts.accounts.resolve(pod);
	if ('kind' in listed) throw new Error(listed.detail);
	const listing = listed.registry.refresh(pod.scope!, { maxAgeMs: 0 });
	await world.clock.until('it is listed', () => world.github.count('list') === 1, 1_000);
	await world.clock.pass(100);
	await listing;
	const idsFound: number[] = [];
	const outcome = account.unregister(pod, {
		timeoutMs: 1_000,
		priority: 'request',
		found: async (id) => void idsFound.push(id),
		stillIdle: async () => true,
	});
	await world.clock.pass(500);
	assert.equal(await outcome, { kind: 'unregistered', runnerId: 1 });
	assert.equal(idsFound, [], 'it need not be looked up');
	await world.stop();
});

test.run();

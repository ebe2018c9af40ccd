/** Events of the simulated GitHub reach the server's replicas as its runners take jobs. */
import * as assert from 'uvu/assert';
import { busy } from '../../../admission/api/keys.ts';
import { eventually } from '../../rig/eventually.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { suite } from '../../support/suite.ts';

const test = suite<{ rig: Rig }>('events in the rig');

test.before(async (context) => {
	context.rig = await startRig({
		nodes: ['node-1'],
		github: { hintDelayMs: 600_000 }, // its lists tell nothing
		server: { eventsSecret: 'a secret' },
	});
});
test.after(({ rig }) => rig?.stop());

test('a job is on its pod by its event alone', async ({ rig }) => {
	await rig.runners([{ name: 'a' }]);
	const hook = rig.addWebhook('orgs/octo-org');
	const job = await rig.agents.runJob('default', 'a');
	await eventually('it is known', async () => {
		const { metadata } = (await rig.pod('a')) ?? { metadata: undefined };
		return metadata?.annotations?.[busy.job]?.includes(`run ${job.workflowRunId}`);
	});
	await hook.idle();
	assert.equal(hook.deliveries.map(({ action, statusCode }) => [action, statusCode < 300]).sort(), [
		['in_progress', true],
		['queued', true],
	]);
});

test.run();

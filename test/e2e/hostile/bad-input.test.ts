/** Pods without what the guard needs: no scope, an odd one, no credentials. */
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import { stage } from '../../rig/stage.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { says } from '../support/space.ts';
import { spaceTests } from '../support/space-tests.ts';

const test = spaceTests('bad input', { prepare: () => stage('guard') });

test('a runner pod without a scope: refused, says what it lacks, goes when its container has stopped', async ({
	rig,
	space,
}) => {
	const pod = runnerSetPod(space.options('a', { organization: '' }));
	await rig.apply(pod);
	await eventually('runs', async () => (await space.pod('a'))?.status?.phase === 'Running');
	says(await space.refused('a'), 'no plain RUNNER_REPO, RUNNER_ORG or RUNNER_ENTERPRISE');
	const containerStatuses = (await space.pod('a'))?.status?.containerStatuses?.map((status) => ({
		...status,
		state: { terminated: { exitCode: 0, containerID: 'simulated://a' } },
	}));
	await space.patch('a/status', { status: { phase: 'Succeeded', containerStatuses } });
	await space.gone('a');
});

test('a scope that would lead to another path of GitHub’s API is not called', async ({ rig, space }) => {
	const before = rig.github.calls.length;
	await rig.apply(runnerSetPod(space.options('odd', { organization: '../user' })));
	await eventually('runs', async () => (await space.pod('odd'))?.status?.phase === 'Running');
	await space.refused('odd');
	const odd = rig.github.calls.slice(before).filter(({ endpoint }) => endpoint === 'unknown');
	assert.equal(
		odd.map((call) => `${call.method} ${call.template}`),
		[],
	);
});

test('a missing credential Secret: refused with its name, the job goes on', async ({ rig, space }) => {
	await rig.apply(runnerSetPod(space.options('a', { credentialsSecret: 'nowhere' })));
	await space.registered(['a']);
	space.assigned('a');
	says(await space.refused('a'), `Secret ${space.name}/nowhere does not exist`);
	assert.equal([space.removals(), space.killedJobs()], [[], []]);
});

test.run();

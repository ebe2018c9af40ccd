/**
 * Older kubectl clients against the guard: what drain retries, what delete says, and with which exit codes (H8). The kubectl
 * that all other tests use does the same in deletion-guard.test.ts and drain.test.ts.
 */
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import { type Kubectl, type OlderKubectl, olderKubectls, unpackKubectl } from '../../rig/kubectl-versions.ts';
import type { Rig } from '../../rig/rig.ts';
import { plainPod } from '../../rig/spaces.ts';
import { stage } from '../../rig/stage.ts';
import { suite } from '../../support/suite.ts';
import { end, Space } from '../support/space.ts';

interface Context {
	rig: Rig;
	kubectls: Map<OlderKubectl, Kubectl>;
}

const test = suite<Context>('kubectl versions');

test.before(async (context) => {
	context.rig = await stage('guard');
	context.kubectls = new Map();
	for (const version of olderKubectls)
		context.kubectls.set(version, await unpackKubectl(context.rig, version));
});
test.after(({ rig }) => end(rig));

/** A test with each older kubectl, at the same time, each in a namespace of its own. */
const withEach = (
	title: string,
	handler: (context: { rig: Rig; kubectl: Kubectl; version: OlderKubectl; space: Space }) => Promise<void>,
) =>
	test(title, async ({ rig, kubectls }) => {
		const all = [...kubectls].map(async ([version, kubectl]) => {
			const space = await Space.make(rig);
			await handler({ rig, kubectl, version, space });
			assert.is(space.killedJobs().length, 0);
			await space.clear();
		});
		await Promise.all(all);
	});

withEach('older kubectls are the versions they say', async ({ kubectl, version }) => {
	const shown = await kubectl(['version', '--client', '-o', 'json']);
	const { minor } = JSON.parse(shown.stdout).clientVersion as { minor: string };
	assert.match(minor, new RegExp(`^${version.slice(1)}`));
});

withEach(
	'delete: a busy runner is refused with the message and exit code 1, an idle one and a plain pod go with 0 (H8)',
	async ({ rig, kubectl, space }) => {
		const inSpace = (...args: string[]) => kubectl(['-n', space.name, ...args]);
		await space.runners(['working', 'idle']);
		await rig.apply(plainPod('web', space.name));
		await space.runJob('working');
		for (const flags of [[], ['--force', '--grace-period=0'], ['--wait=false'], ['--dry-run=server']]) {
			const refused = await inSpace('delete', 'pod', 'working', ...flags);
			assert.is(refused.code, 1, refused.stdout);
			assert.match(refused.stderr, 'Error from server (Conflict)');
			assert.match(refused.stderr, 'runner working is busy');
			assert.match(refused.stderr, `kubectl runners why working -n ${space.name}`);
			assert.is((await space.pod('working'))?.metadata.deletionTimestamp, undefined);
		}
		for (const name of ['idle', 'web']) {
			const gone = await inSpace('delete', 'pod', name);
			assert.is(gone.code, 0, gone.stderr);
		}
	},
);

withEach(
	'drain: 429 is printed and retried each 5 s until the job ends, exit code 0; with --timeout 1 (H8)',
	async ({ rig, kubectl, version, space }) => {
		const node = `kubectl-${version}`;
		await rig.cluster.addNode(node);
		await space.runners(['working', 'idle'], { nodeName: node });
		await space.runJob('working');
		const args = ['drain', node, '--force', '--ignore-daemonsets'];
		const late = await kubectl([...args, '--timeout=4s']);
		assert.is(late.code, 1);
		assert.match(late.stderr, /"working".*will retry after 5s.*runner working is busy/);
		assert.match(late.stderr, 'global timeout reached: 4s');
		await space.gone('idle');
		const denied = () =>
			rig.logs(({ msg, pod }) => msg === 'deletion denied' && pod === `${space.name}/working`).length;
		const deniedBefore = denied();
		const draining = kubectl(args);
		await eventually('a second try is refused', () => denied() >= deniedBefore + 2);
		await space.endJob('working');
		const drained = await draining;
		assert.is(drained.code, 0, drained.stderr);
		assert.match(drained.stdout, `node/${node} drained`);
		assert.is(drained.stderr.match(/will retry after 5s/g)?.length, 2, drained.stderr);
	},
);

test.run();

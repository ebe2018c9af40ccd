/** A new CA: job hooks whose file is old reach the server, and those that know the new one as well. */
import { connect } from 'node:tls';
import * as assert from 'uvu/assert';
import { jobHooks, names } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { eventually } from '../../rig/eventually.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { SetUnderTest } from '../../rig/runner-sets.ts';
import { suite } from '../../support/suite.ts';
import { end } from '../support/space.ts';

const test = suite<{ rig: Rig; set: SetUnderTest }>('job hooks and a new CA');

test.before(async (context) => {
	// A CA is trusted for 10 s before it is used.
	context.rig = await startRig({
		sets: true,
		server: { args: ['--ca-validity', '120s', '--cert-validity', '120s'] },
	});
	context.set = await SetUnderTest.make(context.rig, 'RunnerDeployment', { replicas: 1, until: 'online' });
});
test.after(async ({ rig, set }) => {
	set?.stop();
	await end(rig);
});

/** Whether a script that trusts these CAs would reach the server. */
function reaches(port: number, ca: string): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = connect({ host: 'localhost', servername: 'localhost', port, ca });
		socket.once('secureConnect', () => {
			socket.destroy();
			resolve(true);
		});
		socket.once('error', () => resolve(false));
	});
}

test('both reach it from the change on; the pod has the new CA before it is used', async ({ rig, set }) => {
	const [server] = rig.servers;
	const port = server?.jobsPort ?? 0;
	const [name = ''] = set.live();
	const onPod = async () => {
		const { metadata } = await rig.kube.get<Pod>(`/api/v1/namespaces/${set.namespace}/pods/${name}`);
		return metadata.annotations?.[jobHooks.authorities] ?? '';
	};
	const hook = (phase: string) =>
		eventually(`the hook ${phase} has run`, () =>
			rig.agents.journal.find(
				(entry) => entry.what === 'hook-ran' && entry.pod === name && entry.hook?.phase === phase,
			),
		);
	const old = await onPod();
	assert.ok(await reaches(port, old));

	await rig.kube.delete(`/api/v1/namespaces/${names.namespace}/secrets/${names.certificateSecret}`);
	await eventually('the new CA is in use', () => server?.log.some(({ msg }) => msg === 'CA replaced'), {
		withinMs: 60_000,
	});
	assert.ok(await reaches(port, old), 'a file that is old');
	const both = await eventually(
		'the pod has it',
		async () => ((await onPod()) === old ? undefined : onPod()),
		{ withinMs: 60_000 },
	);
	assert.ok(await reaches(port, old), 'a file that is old, still');
	assert.ok(await reaches(port, both), 'a file that is new');
	await set.work(name);
	assert.equal((await hook('started'))?.hook?.output, '');

	await eventually('hooks are served the new certificate', async () => !(await reaches(port, old)), {
		withinMs: 90_000,
		everyMs: 500,
	});
	assert.ok(await reaches(port, both), 'a file that is new, when the new certificate is served');
	await set.finish(name);
	assert.equal((await hook('completed'))?.hook?.output, '');
});

test.run();

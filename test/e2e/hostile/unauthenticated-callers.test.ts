/** Whoever reaches the port without knowing the path in the webhook configurations: no effect, and no live runner goes. */
import * as assert from 'uvu/assert';
import { readDenial } from '../../../admission/api/denial.ts';
import { probe } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import type { AdmissionResponse } from '../../../admission/webhook/review.ts';
import { stage } from '../../rig/stage.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import type { Space } from '../support/space.ts';
import { spaceTests } from '../support/space-tests.ts';
import { deletion, knownPath, post, review } from '../support/webhook-post.ts';

const test = spaceTests('unauthenticated callers', { prepare: () => stage('guard'), ownCredentials: true });

const pods = { group: '', version: 'v1', resource: 'pods' };

function forged(pod: Pod, space: Space, more: object = {}) {
	const { name } = pod.metadata;
	return { ...deletion(pod), name, namespace: space.name, userInfo: { username: 'alice' }, ...more };
}

const evictionOf = (name: string, space: Space, more: object = {}) => ({
	...deletion(undefined),
	operation: 'CREATE',
	resource: pods,
	subResource: 'eviction',
	name,
	namespace: space.name,
	object: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: space.name } },
	...more,
});

async function ask(port: number, path: string, request: object): Promise<AdmissionResponse> {
	const { status, text } = await post(port, path, review(request));
	assert.is(status, 200, text);
	return (JSON.parse(text) as { response: AdmissionResponse }).response;
}

const reasonOf = ({ status }: AdmissionResponse) => readDenial(status?.details.causes ?? [])?.reason;

test('forged reviews of a live runner, by every path that is not ours: refused, nothing recorded, asked or unregistered', async ({
	rig,
	space,
}) => {
	const server = await rig.startStandby();
	try {
		await space.runners(['idle', 'busy']);
		await space.runJob('busy', { known: true });
		const known = await knownPath(rig, '/pods/delete');
		const paths = [
			'/',
			'/pods/delete',
			'/pods/evict',
			known.replace(/.(?=\/pods)/, (last) => (last === '0' ? '1' : '0')),
			known.replace(/^\/\d+/, '/1700000000'),
		];
		for (const name of ['idle', 'busy']) {
			const pod = await space.pod(name);
			assert.ok(pod);
			const signals: Pod = structuredClone(pod);
			signals.metadata.annotations = {
				...pod.metadata.annotations,
				'actions-runner/unregistration-complete-timestamp': new Date().toISOString(),
				'actions-runner/id': '999999',
			};
			for (const path of paths) {
				for (const request of [
					forged(pod, space),
					forged(signals, space),
					forged(signals, space, { dryRun: true }),
					forged(signals, space, {
						userInfo: { username: 'system:serviceaccount:kube-system:namespace-controller' },
					}),
				]) {
					const answer = await ask(server.port, path, request);
					assert.equal(
						[answer.allowed, answer.status?.code, reasonOf(answer)],
						[false, 409, 'unknown-caller'],
					);
				}
				const evicted = await ask(server.port, path, evictionOf(name, space));
				assert.equal(
					[evicted.allowed, evicted.status?.code, reasonOf(evicted)],
					[false, 429, 'unknown-caller'],
				);
			}
			const after = await space.pod(name);
			assert.is(after?.metadata.annotations?.['actions-runner/deletion-requested-by'], undefined);
			assert.is(after?.metadata.annotations?.['actions-runner/unregistration-proof'], undefined);
		}
		assert.equal(space.removals(), []);
		assert.ok(rig.github.find(space.scope, 'idle'));
		const events = await rig.ok(['get', 'events', '-n', space.name, '-o', 'name']);
		assert.not.match(events, /DeletionRecorded/);
		// The same review by the path of the API server is carried out.
		const pod = await space.pod('idle');
		assert.ok(pod);
		assert.ok((await ask(server.port, await knownPath(rig, '/pods/delete'), forged(pod, space))).allowed);
		assert.equal(space.removals(), [204]);
		assert.equal(space.killedJobs(), []);
	} finally {
		await server.stop();
	}
});

test('a forged dry run tells nothing of Secrets, whether they exist and what is in them', async ({
	rig,
	space,
}) => {
	const server = await rig.startStandby();
	try {
		const stringData = { password: 'hunter2' };
		await rig.apply({
			apiVersion: 'v1',
			kind: 'Secret',
			metadata: { name: 'exists', namespace: space.name },
			stringData,
		});
		await space.runners(['a']);
		const answers = await Promise.all(
			['exists', 'does-not-exist'].map(async (credentialsSecret) => {
				const { spec, metadata } = runnerSetPod(space.options('a', { credentialsSecret })) as unknown as Pod;
				const { status, metadata: found } = (await space.pod('a')) as Pod;
				const pod: Pod = { spec, status, metadata: { ...metadata, uid: found.uid } } as Pod;
				return ask(server.port, '/', forged(pod, space, { dryRun: true }));
			}),
		);
		assert.equal(answers[0], answers[1]);
		assert.not.match(JSON.stringify(answers), /password|does-not-exist|credential/i);
	} finally {
		await server.stop();
	}
});

test('everything else is let through, and the probe is not answered', async ({ rig, space }) => {
	const server = await rig.startStandby();
	try {
		const dryRun = evictionOf(probe.pod, space, { dryRun: true });
		assert.equal(await ask(server.port, '/', dryRun), { uid: 'test', allowed: true });
		const known = await ask(server.port, await knownPath(rig, '/pods/evict'), dryRun);
		assert.equal(known.warnings, [probe.answer]);
		const other = {
			metadata: { name: 'web', namespace: space.name },
			spec: { containers: [{ name: 'web' }] },
		};
		assert.ok((await ask(server.port, '/', forged(other as Pod, space))).allowed);
		assert.ok((await ask(server.port, '/', { ...forged(other as Pod, space), resource: undefined })).allowed);
	} finally {
		await server.stop();
	}
});

test.run();

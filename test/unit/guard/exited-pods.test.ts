/** An exited runner's pod waits for its StatefulSet, so that none of its name is made again (invariant 6). */
import { pino } from 'pino';
import * as assert from 'uvu/assert';
import { arc } from '../../../admission/api/keys.ts';
import type { KubeObject, Pod } from '../../../admission/api/kinds.ts';
import { apiVersion } from '../../../admission/api/sets.ts';
import { deletePods } from '../../../admission/guard/delete-pods.ts';
import { leavingOwner } from '../../../admission/guard/exited-pods.ts';
import type { ReviewDependencies } from '../../../admission/guard/review-deletion.ts';
import { KubeError } from '../../../admission/kube/client.ts';
import { readRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { Metrics } from '../../../admission/telemetry/metrics.ts';
import { suite } from '../../support/suite.ts';
import { fakeClient } from '../kube/fake-client.ts';
import { noon, pod } from '../runner/pods.ts';

const test = suite('exited pods of a RunnerSet');
const self = 'system:serviceaccount:runners-system:runners-admission';
const controller = 'system:serviceaccount:kube-system:statefulset-controller';

const exited = pod({
	metadata: {
		name: 'example-abcde-0',
		labels: { 'actions-runner': '', [arc.runnerSet]: 'example' },
		ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'example-abcde', uid: 'sts-1' }],
	},
	status: {
		phase: 'Succeeded',
		containerStatuses: [{ name: 'runner', restartCount: 0, state: { terminated: { exitCode: 0 } } }],
	},
});
const standing = (change: object = {}): KubeObject => ({
	metadata: {
		name: 'example-abcde',
		uid: 'sts-1',
		ownerReferences: [{ kind: 'RunnerSet', name: 'example', uid: 'set-1', apiVersion }],
		...change,
	} as KubeObject['metadata'],
});

/** `answers`: what the API server says of the StatefulSet, the last one for ever; undefined: 404. */
function stage(...answers: (KubeObject | undefined | Error)[]) {
	const asked: string[] = [];
	const client = fakeClient({
		async request(_method, path) {
			const answer = answers[Math.min(asked.length, answers.length - 1)];
			asked.push(path);
			if (answer instanceof Error) throw answer;
			if (!answer) throw new KubeError(404, 'NotFound', 'not found');
			return answer;
		},
	});
	const log = pino({ level: 'silent' });
	const parts = {
		pods: { from: async (object: Pod) => readRunnerPod(object) },
		ports: { self: 'me', now: () => noon },
		leavingOwner: leavingOwner(client, self, log),
		metrics: new Metrics(),
		log,
	} as unknown as ReviewDependencies;
	const ask = (username: string, change: object = {}) =>
		deletePods(
			{
				uid: 'u',
				namespace: 'ci',
				operation: 'DELETE',
				userInfo: { username },
				oldObject: exited,
				...change,
			},
			parts,
		);
	return { asked, ask };
}

test("the StatefulSet controller's DELETE is refused at once while the StatefulSet stands", async () => {
	const { asked, ask } = stage(standing());
	const { allowed, status } = await ask(controller);
	assert.equal([allowed, status?.code, status?.details.causes[0]?.reason], [false, 409, 'owner-leaving']);
	assert.match(
		status?.message ?? '',
		'its StatefulSet is being deleted (example-abcde would make the pod again)',
	);
	assert.equal(asked, ['/apis/apps/v1/namespaces/ci/statefulsets/example-abcde']);
});
test("a person's DELETE waits until the StatefulSet has gone, and is let through", async () => {
	const { asked, ask } = stage(standing(), standing(), undefined);
	assert.ok((await ask('alice')).allowed);
	assert.is(asked.length, 3);
});
test('it is refused, and does not hang, when the StatefulSet stays', async () => {
	const fromMs = Date.now();
	const { status } = await stage(standing()).ask('alice');
	assert.is(status?.details.causes[0]?.reason, 'owner-leaving');
	assert.ok(Date.now() - fromMs < 3_000);
});
test('a StatefulSet that is being deleted, is another one, is not of a RunnerSet or is gone keeps nothing', async () => {
	for (const other of [
		{ deletionTimestamp: '2026-11-23T12:00:00Z' },
		{ uid: 'sts-2' },
		{ ownerReferences: [] },
	])
		assert.ok((await stage(standing(other)).ask(controller)).allowed);
	assert.ok((await stage(undefined).ask(controller)).allowed);
});
test('nothing is asked for a dry run, the namespace controller, our own DELETE, or a pod of no RunnerSet', async () => {
	const { asked, ask } = stage(standing());
	assert.ok((await ask('alice', { dryRun: true })).allowed);
	assert.ok((await ask('system:serviceaccount:kube-system:namespace-controller')).allowed);
	assert.ok((await ask(self)).allowed);
	const metadata = { ...exited.metadata, labels: { 'actions-runner': '' } };
	assert.ok((await ask('alice', { oldObject: { ...exited, metadata } })).allowed);
	assert.equal(asked, []);
});
test('the API server does not tell: the controller has to come again, a person is let through', async () => {
	const broken = new Error('connection reset');
	assert.not.ok((await stage(broken).ask(controller)).allowed);
	assert.ok((await stage(broken).ask('alice')).allowed);
});

test.run();

/** An exited runner's pod waits for its StatefulSet, so that none of its name is made again (invariant 6). */

import { pino } from 'pino';
import * as assert from 'uvu/assert';
import { arc } from '../../../../../admission/api/keys.ts';
import type { KubeObject, Pod } from '../../../../../admission/api/kinds.ts';
import { apiVersion, setKeys } from '../../../../../admission/api/sets.ts';
import { deletePods } from '../../../../../admission/guard/delete-pods.ts';
import { evictPods } from '../../../../../admission/guard/evict-pods.ts';
import type { ReviewDependencies } from '../../../../../admission/guard/review-deletion.ts';
import { subjects } from '../../../../../admission/guard/subjects/index.ts';
import { leavingOwner } from '../../../../../admission/guard/subjects/runner/leaving-owner.ts';
import { KubeError } from '../../../../../admission/kube/client.ts';
import { readRunnerPod } from '../../../../../admission/runner/runner-pod.ts';
import { Metrics } from '../../../../../admission/telemetry/metrics.ts';
import { systemClock } from '../../../../../admission/time/system-clock.ts';
import type { AdmissionResponse, Arrival } from '../../../../../admission/webhook/review.ts';
import { suite } from '../../../../support/suite.ts';
import { noon, pod } from '../../../runner/pods.ts';
import { ApiServer } from '../../../support/api-server.ts';
import { known } from '../../../support/arrival.ts';
import { SimulatedClock } from '../../../support/clock.ts';

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
const live = (change: object = {}): KubeObject => ({
	metadata: {
		name: 'example-abcde',
		namespace: 'ci',
		uid: 'sts-1',
		ownerReferences: [{ kind: 'RunnerSet', name: 'example', uid: 'set-1', apiVersion }],
		...change,
	} as KubeObject['metadata'],
});

const statefulSets = '/apis/apps/v1/statefulsets';

/** `there`: the StatefulSet as the API server has it, or what it answers in its place. */
function stage(there: KubeObject | KubeError | undefined) {
	const clock = new SimulatedClock(noon);
	const api = new ApiServer(clock);
	if (there instanceof KubeError) api.fail('GET', /statefulsets/, there);
	else if (there) api.put(statefulSets, there);
	const log = pino({ level: 'silent' });
	/** The pod as the API server has it. */
	const now = { pod: exited };
	const parts = {
		pods: {
			read: (object: Pod) => readRunnerPod(object),
			get: async () => {
				api.calls.push({ method: 'GET', path: 'the pod' } as (typeof api.calls)[number]);
				return now.pod;
			},
			from: async (object: Pod) => readRunnerPod(object),
		},
		ports: { self: 'me', now: clock.now, after: clock.after },
		leavingOwner: leavingOwner(api, self, clock, log),
		metrics: new Metrics(systemClock),
		log,
		clock,
	} as unknown as Parameters<typeof subjects>[0] & Omit<ReviewDependencies, 'subjects'>;
	const dependencies = { ...parts, subjects: subjects(parts) };
	/** The answer, and how long it took, ms. */
	const answer = async (asking: (arrival: Arrival) => Promise<AdmissionResponse>) => {
		const fromMs = clock.now();
		let said: AdmissionResponse | undefined;
		const answered = asking({ ...known, atMs: fromMs }).then((response) => {
			said = response;
		});
		await clock.until('it is answered', () => said, 10_000);
		await answered;
		return { ...(said as NonNullable<typeof said>), tookMs: clock.now() - fromMs };
	};
	const review = { uid: 'u', namespace: 'ci' };
	const ask = (username: string, change: object = {}) => {
		const deletion = { ...review, operation: 'DELETE' as const, userInfo: { username }, oldObject: exited };
		return answer((arrival) => deletePods({ ...deletion, ...change }, arrival, dependencies));
	};
	const evict = () => {
		const object = { metadata: { name: exited.metadata.name } };
		const eviction = { ...review, operation: 'CREATE' as const, userInfo: { username: 'alice' }, object };
		return answer((arrival) => evictPods(eviction, arrival, dependencies));
	};
	return { api, clock, now, ask, evict, asked: () => api.calls.map(({ path }) => path) };
}

test("the StatefulSet controller's DELETE is refused at once while the StatefulSet stands", async () => {
	const { asked, ask } = stage(live());
	const { allowed, status, tookMs } = await ask(controller);
	assert.equal(
		[allowed, status?.code, status?.details.causes[0]?.reason, tookMs],
		[false, 409, 'owner-leaving', 0],
	);
	assert.match(
		status?.message ?? '',
		'its StatefulSet is being deleted (example-abcde would create the pod again)',
	);
	assert.equal(asked(), ['/apis/apps/v1/namespaces/ci/statefulsets/example-abcde']);
});
test('an eviction does not show the pod: it is read, and waits as well', async () => {
	const { asked, evict } = stage(live());
	assert.is((await evict()).status?.code, 429);
	assert.equal(asked().slice(0, 2), ['the pod', '/apis/apps/v1/namespaces/ci/statefulsets/example-abcde']);
});
test("a person's DELETE waits until the StatefulSet has gone, and is let through", async () => {
	const { api, clock, ask } = stage(live());
	clock.after(450, () => api.drop(statefulSets, 'example-abcde', 'ci'));
	const { allowed, tookMs } = await ask('alice');
	assert.equal([allowed, tookMs], [true, 500]);
});
test('it is refused, and does not hang, when the StatefulSet stays', async () => {
	const { status, tookMs } = await stage(live()).ask('alice');
	assert.is(status?.details.causes[0]?.reason, 'owner-leaving');
	assert.ok(tookMs > 1_000 && tookMs <= 1_500, `${tookMs} ms`);
});
test('a StatefulSet that is being deleted, is another one, is not of a RunnerSet or is gone keeps nothing', async () => {
	for (const other of [
		{ deletionTimestamp: '2026-11-23T12:00:00Z' },
		{ uid: 'sts-2' },
		{ ownerReferences: [] },
	])
		assert.ok((await stage(live(other)).ask(controller)).allowed);
	assert.ok((await stage(undefined).ask(controller)).allowed);
});
test('one that --cascade=orphan left keeps the pod of an ephemeral runner, until the leader has deleted it', async () => {
	const labels = { [arc.runnerSet]: 'example', [setKeys.templateHash]: 'h1' };
	const orphan = stage(live({ ownerReferences: [], labels }));
	assert.not.ok((await orphan.ask(controller)).allowed);
	const variable = { name: 'RUNNER_EPHEMERAL', value: 'false' };
	const containers = exited.spec!.containers!.map((one) => ({
		...one,
		env: [...(one.env ?? []).filter(({ name }) => name !== variable.name), variable],
	}));
	orphan.now.pod = { ...exited, spec: { ...exited.spec, containers } };
	assert.ok((await orphan.ask(controller, { oldObject: orphan.now.pod })).allowed, 'a static one');
});
test('nothing is asked for a dry run, the namespace controller, our own DELETE, or a pod of no RunnerSet', async () => {
	const { asked, ask, now } = stage(live());
	assert.ok((await ask('alice', { dryRun: true })).allowed);
	assert.ok((await ask('system:serviceaccount:kube-system:namespace-controller')).allowed);
	assert.ok((await ask(self)).allowed);
	const metadata = { ...exited.metadata, labels: { 'actions-runner': '' } };
	now.pod = { ...exited, metadata };
	assert.ok((await ask('alice', { oldObject: now.pod })).allowed);
	assert.equal(asked(), []);
});
test('the API server does not tell: the controller has to come again, a person is let through', async () => {
	const broken = new KubeError(0, 'NoAnswer', 'connection reset');
	assert.not.ok((await stage(broken).ask(controller)).allowed);
	assert.ok((await stage(broken).ask('alice')).allowed);
});

test.run();

/** DELETE and eviction of the pod of a runner's job, judged and recorded. */
import * as assert from 'uvu/assert';
import { breakGlass, busy, record } from '../../../../../admission/api/keys.ts';
import type { Pod } from '../../../../../admission/api/kinds.ts';
import { deletePods } from '../../../../../admission/guard/delete-pods.ts';
import { evictPods } from '../../../../../admission/guard/evict-pods.ts';
import { unauthenticated } from '../../../../../admission/guard/unauthenticated-callers.ts';
import { KubeError } from '../../../../../admission/kube/client.ts';
import { readJobPod } from '../../../../../admission/runner/job-pod.ts';
import type { AdmissionRequest, AdmissionResponse } from '../../../../../admission/webhook/review.ts';
import { suite } from '../../../../support/suite.ts';
import { signer } from '../../../runner/pods.ts';
import { reviewParts } from '../../../support/guard.ts';
import { paths, World } from '../../../support/world.ts';
import { jobPodObject, stepPodObject } from './pods.ts';

const test = suite('reviews of job pods');
const working = '2026-11-23 12:00:30Z: Running job: build\n';

/** The runner r1, which has this log, and the pod of its job. */
function setUp(log = working, change: Parameters<typeof jobPodObject>[0] = {}) {
	const world = new World();
	const { api, clock } = world;
	world.runner('r1');
	api.logs.set('ci/r1', log);
	api.put(paths.pods, jobPodObject(change));
	const dependencies = reviewParts(world);
	async function send(asking: (atMs: number) => Promise<AdmissionResponse>) {
		let answer: AdmissionResponse | undefined;
		const sent = asking(clock.now()).then((said) => {
			answer = said;
		});
		const tookMs = await clock.until('it is answered', () => answer !== undefined, 20_000);
		await sent;
		await clock.pass(50);
		const { allowed, status } = answer as unknown as AdmissionResponse;
		return { allowed, reason: status?.details.causes[0]?.reason, code: status?.code, tookMs };
	}
	const arrival = (atMs: number) => ({ atMs, caller: 'known', certified: false }) as const;
	const base = { uid: 'review', namespace: 'ci', userInfo: { username: 'alice' } };
	const copy = () => structuredClone(world.pod('r1-workflow') as Pod);
	return {
		...world,
		world,
		dependencies,
		copy,
		remove: (change: Partial<AdmissionRequest> = {}) =>
			send((atMs) => {
				const request = { ...base, operation: 'DELETE', oldObject: copy(), ...change } as const;
				return deletePods(request, arrival(atMs), dependencies);
			}),
		evict: (change: Partial<AdmissionRequest> = {}) =>
			send((atMs) => {
				const object = { metadata: { name: 'r1-workflow' } };
				const request = { ...base, operation: 'CREATE', name: 'r1-workflow', object, ...change } as const;
				return evictPods(request, arrival(atMs), dependencies);
			}),
		recorded: () => readJobPod(copy(), signer.verifyStatement)?.record,
	};
}
const tokenOf = (name: string, uid: string) => ({
	username: 'system:serviceaccount:ci:runners',
	extra: {
		'authentication.kubernetes.io/pod-name': [name],
		'authentication.kubernetes.io/pod-uid': [uid],
	},
});

test('while the runner works: refused and recorded once, reported once, whoever asks and however often', async () => {
	const { world, remove, evict, recorded } = setUp();
	const refused = await remove();
	assert.equal([refused.allowed, refused.reason, refused.code], [false, 'busy', 409]);
	assert.equal(recorded()?.requestedBy, 'alice');
	const evicted = await evict({ userInfo: { username: 'bob' } });
	assert.equal([evicted.allowed, evicted.code], [false, 429]);
	await remove();
	assert.equal([recorded()?.requestedBy, recorded()?.options.via], ['alice', 'delete']);
	assert.equal(world.eventsOn('r1-workflow'), ['Normal DeletionRecorded']);
	assert.equal(world.eventsOn('r1'), [], 'the runner is not concerned');
	assert.is(world.annotations('r1')[record.requestedBy], undefined);
});

test('the runner is idle: a left-over goes, and an eviction does not meet the back-stop budget', async () => {
	const change = { metadata: { labels: { [busy.label]: 'unknown' } } };
	const { evict, copy } = setUp(undefined, change);
	assert.not((await evict()).allowed, 'its log says that it works');
	const idle = setUp('2026-11-23 12:00:30Z: Listening for Jobs\n', change);
	assert.ok((await idle.evict({ dryRun: true })).allowed);
	assert.is(idle.copy().metadata.labels?.[busy.label], 'unknown', 'a dry run writes nothing');
	assert.ok((await idle.evict()).allowed);
	assert.is(idle.copy().metadata.labels?.[busy.label], undefined);
	assert.is(copy().metadata.labels?.[busy.label], 'unknown');
});

test('its own runner cleans up; another runner with the same service account is refused', async () => {
	const { remove } = setUp();
	assert.not((await remove({ userInfo: tokenOf('r2', 'uid-r2') })).allowed);
	assert.not((await remove({ userInfo: tokenOf('r1', 'uid-of-another') })).allowed);
	assert.ok((await remove({ userInfo: tokenOf('r1', 'uid-r1') })).allowed);
});

test('a dry run writes nothing', async () => {
	const { remove, evict, api } = setUp();
	assert.not((await remove({ dryRun: true })).allowed);
	assert.not((await evict({ dryRun: true })).allowed);
	assert.equal(
		api.calls.filter(({ method }) => method !== 'GET'),
		[],
	);
});

test('what the review shows of the pod lets nothing go', async () => {
	const { remove, copy } = setUp();
	const reviewed = copy();
	reviewed.metadata.annotations = { [breakGlass]: 'x' };
	reviewed.status = { phase: 'Succeeded' };
	assert.not((await remove({ oldObject: reviewed })).allowed);
	const younger = copy();
	younger.metadata.uid = 'another';
	assert.not((await remove({ oldObject: younger })).allowed);
});

test('shown as ended: the answer needs no call, and is all that happens', async () => {
	const { remove, copy, api, recorded } = setUp();
	const reviewed = copy();
	reviewed.status = { phase: 'Succeeded' };
	const { allowed, tookMs } = await remove({ oldObject: reviewed });
	assert.equal([allowed, tookMs, api.calls], [true, 0, []]);
	assert.is(recorded(), undefined);
});

test('its pod and its runner’s are read at the same time; the runner that the pod names in truth counts', async () => {
	const { remove, copy, api } = setUp('2026-11-23 12:00:30Z: Listening for Jobs\n');
	api.latencyMs = 100;
	const { allowed, tookMs } = await remove();
	assert.ok(allowed);
	assert.ok(tookMs < 300, `${tookMs} ms for the pods, and then the log, at 100 ms each`);
	const busy = setUp();
	const reviewed = copy();
	reviewed.metadata.labels = { ...reviewed.metadata.labels, 'runner-pod': 'gone' };
	assert.is((await busy.remove({ oldObject: reviewed })).reason, 'busy');
});

test('break-glass lets it go, and is reported', async () => {
	const { world, remove } = setUp(working, { metadata: { annotations: { [breakGlass]: 'stuck' } } });
	assert.ok((await remove()).allowed);
	assert.equal(world.eventsOn('r1-workflow'), ['Warning BreakGlass']);
});

test('its log or its pod cannot be read: refused in time, and recorded where it can be', async () => {
	const log = setUp();
	log.api.fail('GET', /\/log$/, new KubeError(502, 'BadGateway', 'kubelet'));
	assert.equal((await log.remove()).reason, 'job-unknown');
	assert.is(log.recorded()?.requestedBy, 'alice');
	const slow = setUp();
	slow.api.fail('GET', /\/r1$/, 'no answer');
	const answer = await slow.remove();
	assert.equal([answer.allowed, answer.reason], [false, 'internal-error']);
	assert.ok(answer.tookMs < 4_500, `${answer.tookMs} ms`);
	assert.is(slow.recorded()?.requestedBy, 'alice');
	const down = setUp();
	down.api.fail('GET', /./, 'no answer');
	down.api.fail('PATCH', /./, 'no answer');
	for (const send of [down.remove, down.evict]) {
		const late = await send();
		assert.not(late.allowed);
		assert.ok(late.tookMs < 4_500, `${late.tookMs} ms`);
	}
});

test('unauthenticated callers: a live job pod is refused, its own runner and what has ended pass; nothing is written', async () => {
	const { world, dependencies, copy, api } = setUp();
	const handlers = unauthenticated({ ...dependencies, user: 'the-server' });
	const arrival = { atMs: 0, caller: 'unauthenticated', certified: false } as const;
	const ask = (change: Partial<AdmissionRequest> = {}) =>
		handlers['/pods/delete'](
			{ uid: 'r', operation: 'DELETE', userInfo: {}, oldObject: copy(), ...change },
			arrival,
		) as AdmissionResponse;
	assert.is(ask().status?.details.causes[0]?.reason, 'unknown-caller');
	assert.ok(ask({ userInfo: tokenOf('r1', 'whichever') }).allowed);
	assert.not(ask({ userInfo: tokenOf('r2', 'uid-r2') }).allowed);
	const changed = (metadata: Partial<Pod['metadata']>) => {
		const oldObject = copy();
		Object.assign(oldObject.metadata, metadata);
		return ask({ oldObject });
	};
	assert.ok(changed({ deletionTimestamp: '2026-11-23T12:00:00Z' }).allowed);
	assert.ok(changed({ annotations: { [breakGlass]: 'stuck' } }).allowed);
	const both = structuredClone(world.pod('r1') as Pod);
	both.metadata.labels = { ...both.metadata.labels, 'runner-pod': 'r1' };
	both.spec?.containers?.push({ name: 'job' });
	both.status!.phase = 'Succeeded';
	both.status!.containerStatuses![0]!.state = { running: {} };
	const asRunner = ask({ oldObject: both, userInfo: tokenOf('r1', 'uid-r1') });
	assert.match(asRunner.status?.message ?? '', /^runner r1 /);
	assert.ok(ask({ oldObject: { ...copy(), status: { phase: 'Succeeded' } } }).allowed);
	assert.equal(api.calls, []);
});

const step = 'step-0a1b2c3d';
for (const [what, runner, job, refused] of [
	['its runner works', 'r1', `r1-${step}`, true],
	['another runner works', 'r1', `r2-${step}`, false],
	['the name only begins so', 'r1', `r-${step}`, false],
	['a Job of somebody’s, of another name', 'r1', 'r1-step-nightly', false],
	['cut: the runner’s name is longer', `${'r'.repeat(49)}-abcde`, `${'r'.repeat(49)}-${step}`, true],
	['cut, and just as long', 'r'.repeat(49), `${'r'.repeat(49)}-${step}`, true],
	['cut, and no runner’s', `q${'r'.repeat(49)}`, `${'r'.repeat(49)}-${step}`, false],
] as const)
	test(`the pod of a container action without a label of the hooks, ${what}: ${refused ? 'refused' : 'allowed'}`, async () => {
		const { world, api, evict, remove } = setUp();
		api.drop(paths.pods, 'r1', 'ci');
		world.runner(runner, { env: { RUNNER_NAME: runner } });
		api.logs.set(`ci/${runner}`, working);
		const object = stepPodObject(job);
		api.put(paths.pods, object);
		const { name } = object.metadata;
		const evicted = await evict({ name, object: { metadata: { name } } });
		assert.is(evicted.allowed, !refused, `eviction: ${evicted.reason}`);
		const removed = await remove({ oldObject: structuredClone(world.pod(name) as Pod) });
		assert.is(removed.allowed, !refused);
		if (refused) assert.ok(readJobPod(world.pod(name) as Pod, signer.verifyStatement)?.record);
	});
test('more runners than anybody looks at begin alike: refused', async () => {
	const { world, api, evict } = setUp('2026-11-23 12:00:30Z: Listening for Jobs\n');
	const prefix = 'r'.repeat(49);
	for (let index = 0; index < 21; index++) world.runner(`${prefix}-${index}`, {});
	api.put(paths.pods, stepPodObject(`${prefix}-${step}`));
	const { allowed, reason } = await evict({
		name: `${prefix}-${step}`,
		object: { metadata: { name: `${prefix}-${step}` } },
	});
	assert.equal([allowed, reason], [false, 'job-unknown']);
	assert.ok(api.callsTo('GET', /pods\/r/).length < 30);
});

test('a namespace whose pods’ names alone are too much to read: refused, and nothing more is read', async () => {
	const { world, api, evict } = setUp('2026-11-23 12:00:30Z: Listening for Jobs\n');
	const prefix = 'r'.repeat(49);
	for (let index = 0; index < 11; index++)
		world.runner(`other-${index}`, { metadata: { annotations: { note: 'x'.repeat(200_000) } } });
	const name = `${prefix}-${step}`;
	api.put(paths.pods, stepPodObject(name));
	const { allowed, reason } = await evict({ name, object: { metadata: { name } } });
	assert.equal([allowed, reason], [false, 'job-unknown']);
});

test.run();

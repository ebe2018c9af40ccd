/**
 * A review is not believed: what it says of the pod and its user is enough to refuse, and to answer where the answer is all that
 * happens; for nothing else.
 */
import * as assert from 'uvu/assert';
import { breakGlass, breakGlassBy, progress, record } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { deletePods } from '../../../admission/guard/delete-pods.ts';
import { evictPods } from '../../../admission/guard/evict-pods.ts';
import type { LeavingOwner } from '../../../admission/guard/subjects/runner/leaving-owner.ts';
import { KubeError } from '../../../admission/kube/client.ts';
import { readRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { deletedBy } from '../../../admission/runner/statements.ts';
import type { AdmissionResponse } from '../../../admission/webhook/review.ts';
import { suite } from '../../support/suite.ts';
import { signer } from '../runner/pods.ts';
import { reviewParts } from '../support/guard.ts';
import { paths, World } from '../support/world.ts';

const test = suite('reviews of deletions');
const worlds: World[] = [];
// What was asked of GitHub ends, or its time limits would keep this process for half a minute.
test.after.each(async () => {
	for (const { clock } of worlds.splice(0)) await clock.pass(60_000);
});

/** A cluster, and somebody who sends reviews. */
function setUp(change: { latencyMs?: number; gitHubMs?: number; leavingOwner?: LeavingOwner } = {}) {
	const world = new World();
	worlds.push(world);
	const { api, github, clock } = world;
	api.latencyMs = change.latencyMs ?? 1;
	github.answersAfterMs = change.gitHubMs ?? 0;
	const dependencies = reviewParts(world, { leavingOwner: change.leavingOwner });
	/** The answer, and after how many ms it came. */
	async function send(asking: (at: number) => Promise<AdmissionResponse>) {
		const fromMs = clock.now();
		let answer: AdmissionResponse | undefined;
		const sent = asking(fromMs).then((said) => {
			answer = said;
		});
		const tookMs = await clock.until('it is answered', () => answer !== undefined, 20_000);
		await sent;
		const { allowed, status, warnings } = answer as unknown as AdmissionResponse;
		return { allowed, warnings, reason: status?.details.causes[0]?.reason, message: status?.message, tookMs };
	}
	const base = { uid: 'review', namespace: 'ci', userInfo: { username: 'alice' } };
	const arrival = (atMs: number, certified = false) => ({ atMs, caller: 'known', certified }) as const;
	return {
		...world,
		world,
		/** DELETE, with the pod as the review shows it. */
		remove: (oldObject: Pod, more: { dryRun?: boolean; certified?: boolean; username?: string } = {}) =>
			send((atMs) =>
				deletePods(
					{
						...base,
						userInfo: { username: more.username ?? 'alice' },
						operation: 'DELETE',
						oldObject,
						dryRun: more.dryRun === true,
					},
					arrival(atMs, more.certified),
					dependencies,
				),
			),
		evict: (name: string) =>
			send((atMs) =>
				evictPods(
					{ ...base, operation: 'CREATE', name, object: { metadata: { name } } },
					arrival(atMs),
					dependencies,
				),
			),
	};
}
const copyOf = (world: World, name: string): Pod => structuredClone(world.pod(name) as Pod);
const withEnv = (pod: Pod, name: string, value: string): Pod => {
	const variable = pod.spec?.containers?.[0]?.env?.find((one) => one.name === name);
	if (variable) variable.value = value;
	return pod;
};

test('kubectl deletes idle runners one after the other: the third answer names the verb that deletes them together', async () => {
	const { world, remove, clock } = setUp();
	for (const name of ['r1', 'r2', 'r3', 'r4', 'busy']) world.runner(name, {}, { busy: name === 'busy' });
	const kubectl = async (name: string, more = {}) => (await remove(copyOf(world, name), more)).warnings;
	assert.is(await kubectl('r1'), undefined);
	assert.is(await kubectl('r2', { dryRun: true }), undefined);
	assert.is(await kubectl('r2'), undefined);
	assert.is(await kubectl('busy'), undefined, 'refused, so it has not waited');
	const [warning = ''] = (await kubectl('r3')) ?? [];
	assert.match(warning, /kubectl runners delete/);
	assert.ok(warning.length <= 200, `${warning.length} characters`);
	assert.equal(await kubectl('r3'), [warning], 'a second review of the same DELETE');
	assert.is(await kubectl('r4'), undefined, 'once is enough');
	await clock.pass(10_000);
});
test('break-glass: who uses it is noted on the pod, signed, once; not in a dry run, and it goes on where that fails', async () => {
	const { world, remove, api } = setUp();
	const glass = { [breakGlass]: 'INC-42' };
	for (const name of ['r1', 'r2']) world.runner(name, { metadata: { annotations: glass } }, { busy: true });
	const noted = () => world.annotations('r1')[breakGlassBy];
	assert.ok((await remove(copyOf(world, 'r1'), { dryRun: true })).allowed);
	assert.is(noted(), undefined);
	for (const _review of [1, 2]) assert.ok((await remove(copyOf(world, 'r1'), { certified: true })).allowed);
	const [signature, user = ''] = noted()?.split(' ', 2) ?? [];
	assert.is(user, 'alice');
	assert.ok(signer.verifyStatement(deletedBy('uid-r1', user), signature));
	assert.is(api.callsTo('PATCH', /\/pods\/r1$/).length, 1);
	const said = world.lines.filter((line) => line === 'warn break-glass').length;
	assert.is(said, 1, 'the second review shows another version, with the note');
	api.fail('PATCH', /\/pods\/r2$/, new KubeError(500, '', 'etcd is slow'));
	assert.ok((await remove(copyOf(world, 'r2'))).allowed);
});
test('the same uid under another runner name, with a complete-timestamp: the real, busy pod keeps its job', async () => {
	const { world, remove, github } = setUp();
	world.runner('real', {}, { busy: true });
	assert.is((await remove(copyOf(world, 'real'))).reason, 'busy');
	const forged = withEnv(copyOf(world, 'real'), 'RUNNER_NAME', 'nobody');
	forged.metadata.annotations = {
		...forged.metadata.annotations,
		[progress.completedAt]: '2026-11-23T12:00:30Z',
		'actions-runner/unregistration-complete-timestamp': '2026-11-23T12:00:30Z',
		[progress.refusal]: '',
	};
	const { allowed } = await remove(forged);
	assert.not(allowed);
	const after = readRunnerPod(world.pod('real') as Pod, { verify: signer.verifyStatement });
	assert.equal([after?.unregistered, after?.terminating], [undefined, false]);
	assert.equal(
		github.calls.filter((call) => call.startsWith('remove')),
		['remove 1'],
		'the 422, once',
	);
});
test('a review that shows the runner as idle, unregistered, with break-glass or as another pod lets nothing go', async () => {
	const { world, remove, github } = setUp();
	world.runner(
		'real',
		{ metadata: { labels: { 'actions-runner': '', 'actions-runner/busy': 'true' } } },
		{ busy: true },
	);
	const signals: [string, (pod: Pod) => unknown][] = [
		['idle', (pod) => Object.assign(pod.metadata, { labels: {} })],
		[
			'unregistered',
			(pod) => Object.assign(pod.metadata.annotations ?? {}, world.unregistered('real', 1, 0)),
		],
		[
			'break-glass',
			(pod) => Object.assign(pod.metadata.annotations ?? {}, { 'actions-runner/break-glass': 'x' }),
		],
		['another uid', (pod) => Object.assign(pod.metadata, { uid: 'another' })],
	];
	for (const [what, lie] of signals) {
		const pod = copyOf(world, 'real');
		lie(pod);
		assert.not((await remove(pod)).allowed, what);
	}
	assert.equal([github.calls, world.pod('real')?.metadata.deletionTimestamp], [[], undefined]);
});
test('a runner that is shown as ended or never started: the answer needs no call, and is all that happens', async () => {
	const { world, remove, api, github } = setUp();
	world.runner('real', {}, { busy: true });
	for (const phase of ['Succeeded', 'Pending']) {
		const shown = { ...copyOf(world, 'real'), status: { phase } };
		if (phase === 'Pending') delete shown.spec?.nodeName;
		const { allowed, tookMs } = await remove(shown);
		assert.equal([allowed, tookMs], [true, 0], phase);
	}
	assert.equal([api.calls, github.calls], [[], []]);
	assert.is((await remove(copyOf(world, 'real'))).reason, 'busy', 'shown as it is');
});
test('a runner that is shown as ended, but may be made again by its StatefulSet: that is looked at, not the pod', async () => {
	const { world, remove, api } = setUp({ leavingOwner: async () => 'its-set' });
	world.runner('real', {}, { busy: true });
	const shown = copyOf(world, 'real');
	shown.metadata.labels = { 'runnerset-name': 'set' };
	shown.metadata.ownerReferences = [
		{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'its-set', uid: 'set' },
	];
	shown.status = { phase: 'Succeeded' };
	assert.is((await remove(shown)).reason, 'owner-leaving');
	assert.equal(api.calls, []);
});
test('a runner that is shown as unregistered: its pod is read while its log is, and decides', async () => {
	const { world, remove, api } = setUp({ latencyMs: 100 });
	world.runner('real', { metadata: { annotations: world.unregistered('real', 1, 10_000) } });
	const shown = copyOf(world, 'real');
	const first = await remove(shown);
	assert.ok(first.allowed);
	assert.ok(first.tookMs >= 2_000, 'however old it is by the clock of the replica that wrote it');
	api.calls.length = 0;
	const { allowed, tookMs } = await remove(shown);
	assert.ok(allowed);
	assert.ok(tookMs < 200, `${tookMs} ms for one round of calls of 100 ms`);
	assert.is(api.callsTo('GET', /\/pods\/real$/).length, 1);
	// Its proof has been taken away meanwhile, and the review is of before.
	const busyNow = { 'actions-runner': '', 'actions-runner/busy': 'true' };
	world.edit('real', {
		annotations: { [progress.completedAt]: null, [progress.proof]: null },
		labels: busyNow,
	});
	assert.is((await remove(shown)).reason, 'busy');
});
for (const [phase, patches] of [
	['Pending', 0],
	['Succeeded', 0],
	['Running', 1],
] as const)
	test(`an eviction that may go, phase ${phase}: the back-stop's label is taken off only where a budget is asked`, async () => {
		const { world, evict, api } = setUp();
		const state = phase === 'Pending' ? { waiting: {} } : { terminated: { exitCode: 0 } };
		const labels = { 'actions-runner': '', 'actions-runner/busy': 'unknown' };
		world.runner('r', { metadata: { labels } });
		api.update<Pod>(paths.pods, 'r', 'ci', (pod) => {
			pod.status = { phase, containerStatuses: [{ name: 'runner', restartCount: 0, state }] };
			if (phase === 'Pending') pod.metadata.annotations = { 'actions-runner/break-glass': 'stuck' };
		});
		assert.ok((await evict('r')).allowed);
		assert.is(api.callsTo('PATCH', /./).length, patches);
		assert.is(world.pod('r')?.metadata.labels?.['actions-runner/busy'], patches ? undefined : 'unknown');
	});
test('on no node: a DELETE ends that version or is reviewed again; an eviction may end a later one, and is recorded', async () => {
	const { world, evict, remove, github } = setUp();
	world.runner('r', { unbound: true, status: { phase: 'Pending' } });
	const { allowed, reason, message } = await evict('r');
	assert.equal([allowed, reason], [false, 'starting']);
	assert.match(message ?? '', /^runner r is starting \(not on a node yet\)\. Recorded: /);
	assert.is(JSON.parse(world.pod('r')?.metadata.annotations?.[record.options] ?? '{}').via, 'eviction');
	assert.ok((await remove(copyOf(world, 'r'))).allowed);
	assert.equal(github.calls, []);
});
test('a hook reports a job while an eviction is answered: its label stays, and the budget refuses the eviction', async () => {
	const { world, evict, api } = setUp();
	world.runner('r', { metadata: { labels: { 'actions-runner': '', 'actions-runner/busy': 'unknown' } } });
	api.update<Pod>(paths.pods, 'r', 'ci', (pod) => {
		const state = { terminated: { exitCode: 0 } };
		pod.status = { phase: 'Running', containerStatuses: [{ name: 'runner', restartCount: 0, state }] };
	});
	const request = api.request.bind(api);
	api.request = async (method, path, options) => {
		if (method === 'PATCH') world.edit('r', { labels: { 'actions-runner/busy': 'true' } });
		return request(method, path, options);
	};
	assert.ok((await evict('r')).allowed);
	assert.is(world.pod('r')?.metadata.labels?.['actions-runner/busy'], 'true');
});
test('who records a deletion on a pod that no leader has seen marks it as unknown, in the same patch', async () => {
	const label = 'actions-runner/busy';
	const { world, remove, evict, api } = setUp();
	const first = () => (api.callsTo('PATCH', /./)[0]?.body as Pod | undefined)?.metadata;
	world.runner('r', {}, { busy: true });
	await remove(copyOf(world, 'r'), { dryRun: true });
	assert.is(first(), undefined);
	assert.not((await remove(copyOf(world, 'r'))).allowed);
	assert.equal(
		[first()?.labels, record.proof in (first()?.annotations ?? {})],
		[{ [label]: 'unknown' }, true],
	);
	// Where it is registered is not known: it is denied without asking GitHub.
	world.runner('s', { env: { RUNNER_ORG: '' } });
	assert.is((await evict('s')).reason, 'scope-unknown');
	assert.is(world.pod('s')?.metadata.labels?.[label], 'unknown');
	world.runner('t', {}, { busy: true });
	api.fail('GET', /pods\/t\/log/, new Error('broken'));
	await remove(copyOf(world, 't'));
	assert.is(world.pod('t')?.metadata.labels?.[label], 'unknown');
});
test('a pod that is not there, or has another uid: nothing is written anywhere', async () => {
	const { world, remove, api } = setUp();
	world.runner('real');
	const gone = copyOf(world, 'real');
	gone.metadata.name = 'gone';
	assert.ok((await remove(gone)).allowed, 'the API server answers 404 itself');
	const other = copyOf(world, 'real');
	other.metadata.uid = 'another';
	const { allowed, message } = await remove(other);
	assert.not(allowed);
	assert.match(
		message ?? '',
		/^pod real was replaced by another pod of its name\. Nothing is recorded: ask again\.$/,
	);
	assert.equal(api.callsTo('PATCH', /./), []);
});
test('a pod that is no runner’s in truth is not recorded, whatever the review shows', async () => {
	const { world, remove, api } = setUp();
	world.runner('real');
	const shown = copyOf(world, 'real');
	api.update<Pod>('/api/v1/pods', 'real', 'ci', (pod) => {
		pod.metadata.labels = {};
		pod.spec = { containers: [{ name: 'web' }] };
	});
	assert.ok((await remove(shown)).allowed);
	assert.equal(api.callsTo('PATCH', /./), []);
});
test('who asked is not verified, and shown so, unless the API server has shown its certificate', async () => {
	const { world, remove } = setUp();
	world.runner('a', {}, { busy: true });
	world.runner('b', {}, { busy: true });
	await remove(copyOf(world, 'a'));
	await remove(copyOf(world, 'b'), { certified: true });
	const options = (name: string) => world.annotations(name)[record.options];
	assert.equal([options('a'), options('b')], ['{"via":"delete"}', '{"via":"delete","certified":true}']);
});
test('a caller that tries again and again costs no call to the API server', async () => {
	const { world, remove, api } = setUp();
	world.runner('real', { metadata: { labels: { 'actions-runner': '', 'actions-runner/busy': 'true' } } });
	await remove(copyOf(world, 'real'));
	api.calls.length = 0;
	for (let time = 0; time < 10; time++) assert.is((await remove(copyOf(world, 'real'))).reason, 'busy');
	assert.equal(api.calls, []);
});

test('a busy, recorded runner whose node has been gone for a minute is let go', async () => {
	const { world, remove, api, clock } = setUp();
	const annotations = world.nodeGone('real', clock.now() - 61_000);
	world.runner('real', {
		metadata: { annotations, labels: { 'actions-runner': '', 'actions-runner/busy': 'true' } },
	});
	world.record('real');
	assert.not((await remove(copyOf(world, 'real'))).allowed, 'the node is there');
	api.drop(paths.nodes, 'node-1');
	assert.ok((await remove(copyOf(world, 'real'))).allowed);
});

for (const [latencyMs, gitHubMs] of [
	[500, 6_000],
	[0, 6_000],
	[900, 100],
	[2_400, 0],
	[10_000, 0],
] as const)
	test(`API answers of ${latencyMs} ms, GitHub's of ${gitHubMs} ms: an eviction is refused within 4.2 s of its arrival`, async () => {
		const { world, evict, remove } = setUp({ latencyMs, gitHubMs });
		world.runner('real', {}, { busy: true });
		const shown = copyOf(world, 'real');
		for (const answer of [await evict('real'), await remove(shown)]) {
			assert.not(answer.allowed);
			assert.ok(answer.tookMs <= 4_200, `${answer.tookMs} ms`);
		}
	});
test('what is said of the record is true: recorded where it is on the pod, and not where it could not be written', async () => {
	const slow = setUp({ latencyMs: 3_000 });
	slow.world.runner('real', {}, { busy: true });
	const late = await slow.evict('real');
	const written = slow.world.annotations('real')[record.requestedBy] !== undefined;
	assert.is(/could NOT be recorded|Nothing is recorded/.test(late.message ?? ''), !written);
	const quick = setUp();
	quick.world.runner('real', {}, { busy: true });
	assert.match((await quick.evict('real')).message ?? '', 'Recorded: ');
	assert.ok(quick.world.annotations('real')[record.requestedBy]);
});

test('a request that is recorded only at the second try is reported like any other', async () => {
	const { world, remove, api, clock } = setUp();
	world.runner('real', { metadata: { labels: { 'actions-runner': '', 'actions-runner/busy': 'true' } } });
	api.fail('PATCH', /pods\/real$/, new KubeError(500, '', 'etcd'), 1);
	assert.is((await remove(copyOf(world, 'real'))).reason, 'internal-error');
	assert.ok(world.annotations('real')[record.requestedBy]);
	await clock.pass(100);
	assert.equal(world.eventsOn('real'), ['Normal DeletionRecorded']);
});

test.run();

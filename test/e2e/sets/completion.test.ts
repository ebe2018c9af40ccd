/**
 * Groups D and E: what comes in a completed runner's place, when, and under which name. In simulated time, and for both
 * kinds: test/unit/sets/reconciler.test.ts.
 */
import * as assert from 'uvu/assert';
import { untilJudged } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import { kinds, type SetUnderTest } from '../../rig/runner-sets.ts';
import { stage } from '../../rig/stage.ts';
import { setTests } from '../support/set-tests.ts';

const test = setTests('completion of sets', { prepare: () => stage('sets') });

const delay = (time: string) => ({ 'actions-runner/recreation-delay': time });
const neverRegisters = { 'test.runners/no-register': 'true' };

/**
 * kubectl delete of these pods is refused: each runs a job, and is to go afterwards. What could not be recorded, as on a
 * machine with much to do, is asked for again, as the message says.
 */
async function refusedAll({ rig, namespace }: SetUnderTest, names: string[]): Promise<void> {
	const { stderr } = await rig.kubectl(['-n', namespace, 'delete', 'pods', '--wait=false', ...names]);
	const denials = stderr.trim().split('\n');
	assert.is(denials.length, names.length, stderr);
	const again = names.filter((name) =>
		denials.some((denial) => denial.includes(`runner ${name} `) && denial.includes('NOT be recorded')),
	);
	const recorded = denials.filter((denial) => denial.includes('Recorded: the pod is deleted'));
	assert.is(recorded.length, names.length - again.length, stderr);
	assert.ok(again.length < names.length, stderr);
	if (again.length > 0) await refusedAll({ rig, namespace } as SetUnderTest, again);
}

const gone = (set: SetUnderTest, names: string[]) =>
	eventually(`${names.join()} are gone`, () => names.every((name) => !set.all().includes(name)), {
		withinMs: 60_000,
	});

/** How much too early a runner's end may seem: one so soon after a decision may count as before it (D11). */
const endSeemsEarlyMs = 300;

/** The jobs of these end, well after the number of runners was decided, and they go. */
async function complete(set: SetUnderTest, ...names: string[]): Promise<void> {
	const decidedMs = Date.parse((await set.object()).spec.effectiveTime ?? '');
	await eventually('the decision is older', () => Date.now() > decidedMs + endSeemsEarlyMs);
	await set.finish(...names);
	await gone(set, names);
}

/** An autoscaler decides again, and wants as many as before. */
const decided = (set: SetUnderTest) => set.patch({ spec: { effectiveTime: new Date().toISOString() } });

/** As a container's status would be after so long, or at its end. */
async function rewriteState(set: SetUnderTest, name: string, state: object, phase?: string): Promise<void> {
	await eventually('it runs', async () => (await set.pod(name))?.status?.phase === 'Running');
	const containerStatuses = (await set.pod(name))?.status?.containerStatuses?.map((one) => ({
		...one,
		state,
	}));
	await set.rig.kube.patch(`/api/v1/namespaces/${set.namespace}/pods/${name}/status`, {
		status: { containerStatuses, ...(phase && { phase }) },
	});
}

for (const kind of kinds) {
	test(`${kind}: 10 completions within a second, 5 of them of runners that were to be deleted: they go in a few passes, none comes back under its name, the count is right (E1, E2, invariant 6)`, async ({
		rig,
		make,
	}) => {
		const set = await make(kind, { replicas: 10 });
		const first = set.live();
		await set.work(...first);
		await refusedAll(set, first.slice(0, 5));
		const lines = rig.servers[0]?.log.length ?? 0;
		await set.finish(...first);
		await gone(set, first);
		const passes = (rig.servers[0]?.log.slice(lines) ?? []).filter(
			({ msg, remove, [kind.toLowerCase()]: key }) =>
				msg === 'reconciled' && String(key).startsWith(`${set.namespace}/`) && Number(remove) > 0,
		);
		assert.ok(passes.length <= 5, `${passes.length} passes for 10 completions`);
		await set.online(10);
		await set.rests(10);
		assert.equal([set.uids.size, set.most, set.journal('job-killed')], [20, 10, []]);
	});

	test(`${kind}: replicas raised by hand or through /scale while places are held: pods at once (D6)`, async ({
		make,
	}) => {
		const set = await make(kind, { replicas: 1, annotations: delay('10m') });
		const completeAll = async () => {
			const names = set.live();
			await set.work(...names);
			await complete(set, ...names);
			await set.rests(0);
		};
		await completeAll();
		const before = (await set.object()).spec.effectiveTime;
		await set.patch({ spec: { replicas: 2 } });
		await set.online(2);
		const stamped = (await set.object()).spec.effectiveTime;
		assert.not.equal(stamped, before);
		await completeAll();
		await set.scale(3);
		await set.reaches(3);
		assert.not.equal((await set.object()).spec.effectiveTime, stamped, 'the reconciler has stamped it');
	});

	test(`${kind} without an autoscaler: a completed runner is replaced at once, and so is a static one that somebody deletes (D9)`, async ({
		rig,
		make,
	}) => {
		const [set, fixed] = await Promise.all([
			make(kind, { replicas: 2 }),
			make(kind, { replicas: 1, config: { ephemeral: false } }),
		]);
		const [first = ''] = set.live();
		await set.work(first);
		await complete(set, first);
		await set.reaches(2);
		assert.is(set.uids.size, 3);

		const [victim = ''] = fixed.live();
		const uid = (await fixed.pod(victim))?.metadata.uid ?? '';
		// The set deletes what GitHub has unregistered: it may be quicker than the API server with the caller's own DELETE.
		// Where GitHub's answer leaves no time for the quiet period after it, the deletion is recorded.
		const ask = () => rig.kubectl(['-n', fixed.namespace, 'delete', 'pod', victim, '--wait=false']);
		const deleted = await untilJudged(ask, ({ stderr }) => stderr);
		if (deleted.code !== 0) assert.match(deleted.stderr, /NotFound|Recorded: /, deleted.stderr);
		// A StatefulSet may make a pod of the same name before the reconciler has deleted it: another runner, as good.
		await eventually('it has gone', async () => (await fixed.pod(victim))?.metadata.uid !== uid);
		// That one stays until it is unregistered, also after its StatefulSet has gone.
		await eventually('one runner is left, and its owner', async () => {
			const [live, owners] = [fixed.live(), await fixed.owners()];
			return live.length === 1 && owners.length === 1 && live[0]?.startsWith(owners[0] ?? '-');
		});
		await fixed.online(1);
		await fixed.rests(1);
	});
}

test('a set that an autoscaler drives: a completed runner is not replaced, whether it was to be deleted or not, before effectiveTime moves; then at once (D1, D2)', async ({
	make,
}) => {
	const set = await make('RunnerDeployment', { replicas: 3, annotations: delay('10m') });
	const [first = '', second = '', third = ''] = set.live();
	await set.work(first, second);
	await refusedAll(set, [second]);
	await complete(set, first, second);
	await set.rests(1);
	assert.equal(set.live(), [third]);
	const { message } = await set.conditionIs('Holding', 'True');
	assert.match(message ?? '', /^2 runners completed since effectiveTime/);

	await decided(set);
	await set.reaches(3);
	await set.rests(3);
	assert.is(set.uids.size, 5, 'two pods, not more');
});

test('a set at its maximum with a backlog: one ends, its autoscaler still wants as many, and the next job starts (D11)', async ({
	rig,
	make,
}) => {
	const set = await make('RunnerDeployment', { replicas: 2, annotations: delay('10m') });
	rig.agents.queueJobs({ scope: set.scope, count: 4 });
	const first = set.live();
	await eventually('both work', () => set.journal('job-started').length === 2);
	await complete(set, ...first.slice(0, 1));
	// As many as before: only effectiveTime tells that this decision is newer than the completion.
	await set.patch({ spec: { replicas: 2, effectiveTime: new Date().toISOString() } });
	await eventually('the third job runs', () => set.journal('job-started').length === 3, { withinMs: 60_000 });
	await set.rests(2);
	assert.is(set.uids.size, 3);
	assert.is(rig.agents.queued(), 1);
	rig.agents.clearQueue();
});

test('a set that an autoscaler drives, and nobody decides again: one correction when the delay has passed (D3)', async ({
	make,
}) => {
	const set = await make('RunnerSet', { replicas: 2, annotations: delay('8s') });
	const [first = ''] = set.live();
	await set.work(first);
	await complete(set, first);
	await set.conditionIs('Holding', 'True');
	assert.is(set.uids.size, 2, 'its place is held');
	await set.reaches(2);
	await set.conditionIs('Holding', 'False');
	await set.rests(2);
	assert.is(set.uids.size, 3);
});

test('one that cannot start holds up nothing else (E3)', async ({ make }) => {
	const set = await make('RunnerSet', { replicas: 2 });
	const [first = ''] = set.live();
	await set.patch({
		spec: { template: { metadata: { annotations: { 'test.runners/hold-start': 'ImagePullBackOff' } } } },
	});
	await set.scale(3);
	await set.reaches(3);
	const [stuck = ''] = set.live().slice(-1);
	await set.work(first);
	await complete(set, first);
	await set.reaches(3);
	await set.scale(1);
	await set.reaches(1);
	assert.not.ok(set.live().includes(stuck));
});

test('a runner that ends before it registers: the next one is not started at once, and the condition says so', async ({
	make,
}) => {
	const set = await make('RunnerDeployment', { podAnnotations: neverRegisters });
	await set.scale(1);
	await set.reaches(1);
	const [name = ''] = set.live();
	const terminated = { exitCode: 2, reason: 'Error', containerID: 'x://y' };
	await rewriteState(set, name, { terminated }, 'Failed');
	await gone(set, [name]);
	const { message } = await set.conditionIs('StartsFailing', 'True');
	assert.match(message ?? '', /the next start is at/);
});

test.run();

/** Words of hooks and events, written on the pod. */
import * as assert from 'uvu/assert';
import { autoscalerMarks, busy, progress } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import type { RunnerPods } from '../../../admission/cluster/runner-pods.ts';
import { recordReport } from '../../../admission/jobs/record-report.ts';
import type { JobReport } from '../../../admission/jobs/rules/job-signals.ts';
import { idleOf } from '../../../admission/runner/record.ts';
import { suite } from '../../support/suite.ts';
import { pod } from '../runner/pods.ts';
import { World } from '../support/world.ts';

const test = suite('record report');

const started: JobReport = {
	by: 'hook',
	says: 'started',
	key: 'github_a',
	job: { name: 'build', repository: 'octo-org/app', runId: 42 },
};
const completed: JobReport = { ...started, says: 'completed' };

function setUp() {
	const world = new World();
	world.runner('r1');
	const parts = { ...world.parts, sign: world.signer.signStatement };
	const states = () =>
		world.pods.read(world.pod('r1') as Pod)!.signals.map(({ by, key, state }) => `${by} ${key} ${state}`);
	/** The clock passes until it has been written. */
	const say = async (report: JobReport) => {
		const result = recordReport(world.pod('r1') as Pod, report, parts);
		await world.clock.pass(1_000);
		return result;
	};
	return { world, parts, states, say };
}

test('what a hook says is on the pod, with the marks of a busy runner, in one write', async () => {
	const { world, states, say } = setUp();
	assert.is(await say(started), 'written');
	assert.equal(states(), ['hook github_a working']);
	const { labels, annotations = {} } = world.pod('r1')!.metadata;
	assert.is(labels?.[busy.label], 'true');
	assert.is(annotations[busy.job], 'build (octo-org/app, run 42)');
	for (const [key, value] of Object.entries(autoscalerMarks)) assert.is(annotations[key], value);
	assert.is(world.api.callsTo('PATCH', /pods/).length, 1);
});

test('the same word again writes nothing; completed is finishing', async () => {
	const { world, states, say } = setUp();
	await say(started);
	assert.is(await say(started), 'unchanged');
	assert.is(world.api.callsTo('PATCH', /pods/).length, 1);
	await say(completed);
	assert.equal(states(), ['hook github_a finishing']);
});

test('two at once: neither word is lost', async () => {
	const { world, parts, states } = setUp();
	const object = world.pod('r1') as Pod;
	const event: JobReport = { ...started, by: 'event', key: '7' };
	const both = Promise.all([recordReport(object, started, parts), recordReport(object, event, parts)]);
	await world.clock.pass(1_000);
	assert.equal(await both, ['written', 'written']);
	assert.equal(states().toSorted(), ['event 7 working', 'hook github_a working']);
});

test("a job that starts after GitHub's 204 takes the proof away, with a warning", async () => {
	const { world, say } = setUp();
	world.edit('r1', { annotations: world.unregistered('r1', 1, world.clock.now()) });
	assert.ok(world.pods.read(world.pod('r1') as Pod)!.unregistered);
	await say(started);
	assert.is(world.annotations('r1')[progress.proof], undefined);
	assert.is(world.pods.read(world.pod('r1') as Pod)!.unregistered, undefined);
	await world.clock.pass(1_000);
	assert.ok(world.eventsOn('r1').includes('Warning JobProbablyLost'));
	assert.match(await world.metrics.registry.metrics(), /contradictions_total\{kind="removed-while-busy"\} 1/);
});

test('a runner that has ended, or another pod of its name: nothing is written', async () => {
	const { world, parts, say } = setUp();
	const before = world.pod('r1') as Pod;
	world.exit('r1');
	assert.is(await say(started), 'gone');
	world.api.drop('/api/v1/pods', 'r1', 'ci');
	world.runner('r1', { metadata: { uid: 'another' } });
	const result = recordReport(before, started, parts);
	await world.clock.pass(1_000);
	assert.is(await result, 'gone');
	assert.equal(world.annotations('r1'), {});
});

test('GitHub’s 204 is refuted by a start alone, and what its lists have shown before by any word', async () => {
	const { world, say } = setUp();
	const runner = () => world.pods.read(world.pod('r1') as Pod)!;
	const idle = idleOf(runner(), world.clock.now(), world.signer.signStatement) as Record<string, string>;
	world.edit('r1', { annotations: { ...world.unregistered('r1', 1, world.clock.now()), ...idle } });
	assert.ok(runner().idleSinceMs);
	await say(completed);
	assert.ok(runner().unregistered);
	assert.is(runner().idleSinceMs, undefined);
	await world.clock.pass(1_000);
	assert.equal(world.eventsOn('r1'), []);
});

test('a job that starts on a registered runner refutes nothing', async () => {
	const { world, say } = setUp();
	await say(started);
	await world.clock.pass(1_000);
	assert.equal(world.eventsOn('r1'), []);
});

/** With these answers of the API server to reading and writing the pod, instead of the world's. */
async function recordedWith(answers: Partial<RunnerPods>, object?: Pod) {
	const { world, parts } = setUp();
	const pods = Object.assign(Object.create(world.pods), answers, {
		read: (read: Pod) => world.pods.read(read),
	}) as RunnerPods;
	const result = recordReport(object ?? (world.pod('r1') as Pod), started, { ...parts, pods }).catch(String);
	await world.clock.pass(1_000);
	return result;
}

test('others write at every try: it is given up after ten, and said', async () => {
	let writes = 0;
	const conflicts: Partial<RunnerPods> = {
		get: async () => pod(),
		patch: async () => {
			writes += 1;
			return 'conflict';
		},
	};
	assert.match(await recordedWith(conflicts, pod()), 'pod r1 changed at every try to write on it');
	assert.is(writes, 10);
});

test('the pod goes meanwhile, or another takes its name: nothing is written on that one', async () => {
	for (const fresh of [undefined, pod({ metadata: { name: 'r1', uid: 'another' } })]) {
		const written: string[] = [];
		const patch: RunnerPods['patch'] = async ({ uid }) => {
			written.push(uid);
			return 'conflict';
		};
		assert.is(await recordedWith({ patch, get: async () => fresh }, pod()), 'gone');
		assert.equal(written, ['uid-1']);
	}
	assert.is(await recordedWith({ patch: async () => 'gone' }, pod()), 'gone');
});

test('a pod that is no runner pod: nothing is written', async () => {
	const object = pod({ spec: { containers: [{ name: 'web', image: 'web:1' }] } });
	assert.is(await recordedWith({}, object), 'gone');
});

test.run();

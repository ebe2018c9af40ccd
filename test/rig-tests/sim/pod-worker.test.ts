/** What a simulated kubelet does with a pod, in simulated time: as seen on a real node, and read in Kubernetes 1.36. */
import * as assert from 'uvu/assert';
import { podPlan, type StartOptions, startAnnotation, stopsBySigterm } from '../../sim/pod-plan.ts';
import { podStatus } from '../../sim/pod-status.ts';
import { type ContainerState, kubeletTimes, PodWorker } from '../../sim/pod-worker.ts';
import type { PodItem } from '../../sim/runner-pod.ts';
import { suite } from '../../support/suite.ts';
import { SimulatedClock } from '../../unit/support/clock.ts';

const test = suite('a kubelet that syncs');

const names = (containers: readonly string[]) => containers.map((name) => ({ name }));

/** A pod with these containers on a node, and what happens to it, each with the second at which it happens. */
class Node {
	readonly clock = new SimulatedClock(0);
	readonly events: string[] = [];
	readonly pod: PodItem;
	readonly worker: PodWorker;
	reported: ReadonlyMap<string, ContainerState> = new Map();

	constructor(
		containers: readonly string[],
		options: StartOptions = {},
		spec: Partial<PodItem['spec']> = {},
	) {
		this.pod = {
			metadata: {
				name: 'p',
				uid: 'u',
				resourceVersion: '1',
				annotations: { [startAnnotation]: JSON.stringify(options) },
			},
			spec: { restartPolicy: 'Never', containers: names(containers), ...spec },
		};
		const happens = (what: string) => this.events.push(`${this.clock.monotonic() / 1000} ${what}`);
		this.worker = new PodWorker(
			podPlan(this.pod),
			kubeletTimes,
			{
				report: (states) => {
					this.reported = states;
				},
				start: (name, restarts) => happens(`${name} starts${restarts > 0 ? ` again (${restarts})` : ''}`),
				sigterm: (name) => {
					happens(`SIGTERM ${name}`);
					if (stopsBySigterm(this.pod, name)) this.worker.ended(name, 0);
				},
				sigkill: (name) => happens(`SIGKILL ${name}`),
				finished: () => happens('gone'),
			},
			{ now: this.clock.monotonic, after: this.clock.after },
		);
		void this.worker.run();
	}

	/** As the API server shows it. */
	shown(): string {
		const states = [...this.reported].map(([name, state]) =>
			state.state === 'waiting' ? `${name}: ${state.reason}` : `${name}: ${state.state}`,
		);
		return `${podStatus(this.pod, this.reported, 0).phase}, ${states.join(', ')}`;
	}
}

const ignores = { sigterm: 'ignores' } as const;

test('one quick container runs at once; the status says so after the relist', async () => {
	const node = new Node(['runner']);
	await node.clock.settle();
	assert.equal(node.events, ['0 runner starts']);
	assert.is(node.shown(), 'Pending, runner: ContainerCreating');
	await node.clock.pass(1_000);
	assert.is(node.shown(), 'Running, runner: running');
});

test('containers start one after the other, and the status is frozen until the last has started', async () => {
	const node = new Node(['runner', 'docker'], { pullMs: { runner: 2_000, docker: 60_000 } });
	await node.clock.pass(61_900);
	assert.equal(node.events, ['2 runner starts']);
	assert.is(node.shown(), 'Pending, runner: ContainerCreating, docker: ContainerCreating');
	await node.clock.pass(1_100);
	assert.equal(node.events, ['2 runner starts', '62 docker starts']);
	assert.is(node.shown(), 'Running, runner: running, docker: running');
});

test('so it is while a postStart hook runs', async () => {
	const node = new Node(['runner'], { postStartMs: { runner: 20_000 } });
	await node.clock.pass(20_900);
	assert.is(node.shown(), 'Pending, runner: ContainerCreating');
	await node.clock.pass(100);
	assert.is(node.shown(), 'Running, runner: running');
});

test('a deletion does not end a sync: what is left in it is pulled and started, then the whole grace period begins', async () => {
	const node = new Node(['docker', 'runner'], { pullMs: { docker: 10_000, runner: 50_000 }, ...ignores });
	await node.clock.pass(5_000);
	node.worker.delete(30_000);
	await node.clock.pass(600_000);
	assert.equal(node.events, [
		'10 docker starts',
		'60 runner starts',
		'61 SIGTERM docker',
		'61 SIGTERM runner',
		'91 SIGKILL runner',
		'91 gone',
	]);
});

test('with its object gone the spec’s grace period counts', async () => {
	const spec = { terminationGracePeriodSeconds: 3600 };
	const node = new Node(['runner'], { pullMs: { runner: 10_000 }, ...ignores }, spec);
	await node.clock.pass(5_000);
	node.worker.delete();
	await node.clock.pass(3_605_900);
	assert.equal(node.events, ['10 runner starts', '11 SIGTERM runner']);
	await node.clock.pass(100);
	assert.equal(node.events.slice(2), ['3611 SIGKILL runner', '3611 gone']);
});

test('no grace period is shorter than 2 s, and a later deletion can shorten one but not lengthen it', async () => {
	const quick = new Node(['runner'], ignores);
	await quick.clock.pass(5_000);
	quick.worker.delete(1_000);
	await quick.clock.pass(60_000);
	assert.equal(quick.events.slice(1), ['5 SIGTERM runner', '7 SIGKILL runner', '7 gone']);

	const twice = new Node(['runner'], ignores);
	await twice.clock.pass(5_000);
	twice.worker.delete(30_000);
	await twice.clock.pass(10_000);
	twice.worker.delete(12_000);
	await twice.clock.pass(1_000);
	twice.worker.delete(60_000);
	await twice.clock.pass(60_000);
	assert.equal(twice.events.slice(1), ['5 SIGTERM runner', '17 SIGKILL runner', '17 gone']);
});

test('PID 1 with a handler ends at SIGTERM', async () => {
	const node = new Node(['runner', 'docker'], { pullMs: { docker: 4_000 } });
	await node.clock.pass(2_000);
	node.worker.delete(30_000);
	await node.clock.pass(60_000);
	assert.equal(node.events.slice(2), ['5 SIGTERM runner', '5 SIGTERM docker', '5 gone']);
});

test('deleted before its first sync, or until its volumes are mounted, a pod never starts', async () => {
	const first = new Node(['runner']);
	first.worker.delete(30_000);
	await first.clock.pass(60_000);
	assert.equal(first.events, ['0 gone']);
	const before = new Node(['runner'], { mountMs: 3_000 });
	await before.clock.pass(2_900);
	before.worker.delete(30_000);
	await before.clock.pass(60_000);
	assert.equal(before.events, ['2.9 gone']);
	const mounted = new Node(['runner'], { mountMs: 3_000, pullMs: { runner: 1 } });
	await mounted.clock.pass(3_000);
	mounted.worker.delete(30_000);
	await mounted.clock.pass(60_000);
	assert.is(mounted.events[0], '3.001 runner starts');
});

test('nor does it while an init container runs; a sidecar does not count', async () => {
	const initContainers = [{ name: 'init' }];
	const init = new Node(['runner'], { initMs: { init: 20_000 } }, { initContainers });
	await init.clock.pass(10_000);
	assert.is(init.shown(), 'Pending, init: running, runner: PodInitializing');
	init.worker.delete(30_000);
	await init.clock.pass(60_000);
	assert.equal(init.events, ['0 init starts', '10 SIGTERM init', '10 gone']);

	const through = new Node(['runner'], { initMs: { init: 20_000 } }, { initContainers });
	await through.clock.pass(60_000);
	assert.equal(through.events, ['0 init starts', '21 runner starts']);
	assert.is(through.shown(), 'Running, init: terminated, runner: running');

	const sidecars = [{ name: 'docker', restartPolicy: 'Always' }];
	const sidecar = new Node(['runner'], { pullMs: { runner: 5_000 } }, { initContainers: sidecars });
	await sidecar.clock.pass(2_000);
	sidecar.worker.delete(30_000);
	await sidecar.clock.pass(60_000);
	assert.equal(sidecar.events.slice(0, 2), ['0 docker starts', '6 runner starts']);
});

test('a pull that fails is tried again later; the status does not say that an attempt runs', async () => {
	const node = new Node(['runner'], { pullMs: { runner: 2_000 }, pullFailsForMs: { runner: 20_000 } });
	await node.clock.pass(3_500);
	assert.is(node.shown(), 'Pending, runner: ErrImagePull');
	await node.clock.pass(8_500);
	assert.is(node.shown(), 'Pending, runner: ImagePullBackOff'); // at 12 s the second attempt begins
	await node.clock.pass(1_000);
	assert.is(node.shown(), 'Pending, runner: ImagePullBackOff');
	await node.clock.pass(60_000);
	assert.equal(node.events, ['36 runner starts']); // 2 + 10 + 2 + 20 + 2
	assert.is(node.shown(), 'Running, runner: running');
});

test('deleted between two attempts it never starts; during one that succeeds it does', async () => {
	const options = { pullMs: { runner: 2_000 }, pullFailsForMs: { runner: 5_000 }, ...ignores };
	const between = new Node(['runner'], options);
	await between.clock.pass(11_000);
	between.worker.delete(1_000);
	await between.clock.pass(60_000);
	assert.equal(between.events, ['11 gone']);
	const during = new Node(['runner'], options);
	await during.clock.pass(12_500);
	during.worker.delete(1_000);
	await during.clock.pass(60_000);
	assert.equal(during.events, ['14 runner starts', '15 SIGTERM runner', '17 SIGKILL runner', '17 gone']);
});

test('an image that cannot be pulled does not keep the other containers from starting', async () => {
	const node = new Node(['docker', 'runner'], { pullFailsForMs: { docker: 'forever' } });
	await node.clock.pass(3_000);
	assert.equal(node.events, ['0 runner starts']);
	assert.is(node.shown(), 'Pending, docker: ImagePullBackOff, runner: running');
});

test('what has ended is started again by restartPolicy Always only; until then the status says that it has ended', async () => {
	const always = new Node(['runner'], {}, { restartPolicy: 'Always' });
	await always.clock.pass(5_000);
	always.worker.ended('runner', 0);
	await always.clock.pass(900);
	assert.is(always.shown(), 'Running, runner: running');
	await always.clock.pass(5_000);
	assert.equal(always.events, ['0 runner starts', '6 runner starts again (1)']);

	const never = new Node(['runner', 'docker']);
	await never.clock.pass(5_000);
	never.worker.ended('runner', 0);
	await never.clock.pass(60_000);
	assert.is(never.shown(), 'Running, runner: terminated, docker: running');
	assert.is(never.events.length, 2);
});

test('a condition keeps its time while it does not change', () => {
	const lastTransitionTime = '2026-11-23T12:00:00Z';
	const pod: PodItem = {
		metadata: { name: 'p', uid: 'u', resourceVersion: '1' },
		spec: { containers: names(['runner']) },
		status: { conditions: [{ type: 'Ready', status: 'False', lastTransitionTime }] },
	};
	const running = new Map([['runner', { state: 'running', restarts: 0, sinceMs: 0 } as const]]);
	const timeOf = (states: ReadonlyMap<string, ContainerState>) => {
		const conditions = podStatus(pod, states, 0).conditions as { type: string; lastTransitionTime: string }[];
		return conditions.find(({ type }) => type === 'Ready')?.lastTransitionTime;
	};
	assert.is(timeOf(new Map()), lastTransitionTime);
	assert.is(timeOf(running), '1970-01-01T00:00:00Z');
});

test('a kubelet that was restarted finds what runs, and does not start it anew', async () => {
	const clock = new SimulatedClock(0);
	const started: string[] = [];
	const pod: PodItem = {
		metadata: { name: 'p', uid: 'u', resourceVersion: '1' },
		spec: { containers: names(['runner']) },
	};
	const runtime = {
		report: () => {},
		start: (name: string) => void started.push(name),
		sigterm: () => {},
		sigkill: () => {},
		finished: () => {},
	};
	const found = new Map([['runner', { state: 'running', restarts: 0, sinceMs: 0 } as const]]);
	const worker = new PodWorker(
		podPlan(pod),
		kubeletTimes,
		runtime,
		{ now: clock.monotonic, after: clock.after },
		found,
	);
	void worker.run();
	await clock.pass(60_000);
	assert.equal(started, []);
});

test.run();

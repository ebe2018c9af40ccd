/** Both kinds of sets, in simulated time: how many runners there are, which ones go, and what is never done. */
import * as assert from 'uvu/assert';
import type { Pod } from '../../../admission/api/kinds.ts';
import { setKeys } from '../../../admission/api/sets.ts';
import { recordReport } from '../../../admission/jobs/record-report.ts';
import { KubeError } from '../../../admission/kube/client.ts';
import { suite } from '../../support/suite.ts';
import { kinds, SetsWorld } from '../support/sets-world.ts';
import { paths } from '../support/world.ts';

const test = suite('set reconciler');
const minute = 60_000;
const delay = { 'actions-runner/recreation-delay': '10m' };

for (const kind of kinds) {
	const running = async (replicas: number, change: Parameters<SetsWorld['put']>[1] = {}) => {
		const world = new SetsWorld(kind);
		world.put(replicas, change);
		await world.start();
		await world.settled(replicas);
		return world;
	};
	/** Of two runners, in a set that an autoscaler drives, one has completed a minute ago. */
	const withACompletion = async () => {
		const world = await running(2, { annotations: delay });
		const [first = ''] = world.live();
		world.job(first);
		await world.clock.pass(2_000);
		world.completes(first);
		await world.clock.pass(minute);
		return world;
	};

	test(`${kind}: as many runners as wanted, each made once; the status says so`, async () => {
		const world = await running(3);
		assert.equal([world.live().length, world.owners().length, world.mostPods], [3, 3, 3]);
		const { replicas, readyReplicas, availableReplicas, updatedReplicas, idleReplicas, busyReplicas } =
			world.status;
		assert.equal(
			[replicas, readyReplicas, availableReplicas, updatedReplicas, idleReplicas, busyReplicas],
			[3, 3, 3, 3, 3, 0],
		);
		assert.is(world.condition('Settled'), 'True');
		assert.is(
			world.status.selector,
			kind === 'RunnerSet' ? 'runnerset-name=example' : 'runner-deployment-name=example',
		);
		assert.ok(world.set()?.metadata.finalizers?.includes('actions-runner/drain'));
		const reconciled = world.lines.filter((line) => line === 'debug reconciled').length;
		assert.is(reconciled, 1, 'a look that leads to nothing is not logged');
		const [calls, looks] = [world.api.calls.length, world.looks];
		await world.clock.pass(60 * minute);
		assert.is(world.looks, looks, 'a settled set is not looked at');
		const writes = world.api.calls
			.slice(calls)
			.filter(({ method }) => method !== 'WATCH' && method !== 'GET');
		assert.equal(writes, [], 'a settled set costs no write');
		await world.end();
	});
	test(`${kind}: a set that changes all the time is looked at less often, the more runners it has`, async () => {
		const looksInASecond = async (replicas: number) => {
			const world = await running(replicas);
			await world.clock.pass(minute);
			const looks = world.looks;
			const [name = ''] = world.live();
			for (let change = 0; change < 200; change++) {
				world.edit(name, { annotations: { change: String(change) } });
				await world.clock.pass(5);
			}
			await world.end();
			return world.looks - looks;
		};
		const [few, many] = [await looksInASecond(2), await looksInASecond(200)];
		assert.ok(few > 30 && few < 45, `2 runners: ${few} times in a second`);
		assert.ok(many > 15 && many < 25, `200 runners: ${many} times in a second`);
	});
	test(`${kind}: 150 runners are made in a few seconds, never more than wanted, though the watches lag`, async () => {
		const world = new SetsWorld(kind);
		world.put(150);
		await world.start();
		assert.ok((await world.settled(150)) < 10_000);
		assert.is(world.mostPods, 150);
		await world.end();
	});
	test(`${kind}: 70 runners are made though nothing can be watched but the set`, async () => {
		const world = new SetsWorld(kind);
		world.api.fail('WATCH', /(statefulsets|runners|pods)$/, 'no answer');
		world.put(70);
		await world.start();
		await world.clock.until('all are made', () => world.owners().length === 70, 5_000);
		await world.end();
	});
	test(`${kind}: scaled to 0 before the watch shows those that were just made: their turn comes when it does`, async () => {
		const world = new SetsWorld(kind);
		world.api.fail('WATCH', /(statefulsets|runners|pods)$/, 'no answer');
		world.put(70);
		await world.start();
		await world.clock.until('all are made', () => world.owners().length === 70, 5_000);
		world.scale(0);
		const looks = world.looks;
		await world.clock.pass(3_000);
		assert.ok(world.looks - looks < 10, `looked at ${world.looks - looks} times in 3 s`);
		await world.end();
	});
	test(`${kind}: 70 runners are removed though nothing can be watched but the set`, async () => {
		const world = await running(70);
		world.api.fail('WATCH', /(statefulsets|runners|pods)$/, 'no answer');
		world.api.breakWatches();
		await world.clock.pass(10_000);
		world.scale(0);
		await world.clock.until('all are removed', () => world.owners().length === 0, 8_000);
		await world.end();
	});
	test(`${kind}: its status is written at most once a second, whatever its runners do`, async () => {
		const world = await running(1);
		const [first = ''] = world.live();
		const writes = () => world.api.callsTo('PATCH', /example\/status$/).length;
		const before = writes();
		for (let time = 0; time < 20; time++) {
			world.edit(first, { labels: { 'actions-runner/busy': time % 2 === 0 ? 'true' : null } });
			await world.clock.pass(100);
		}
		assert.ok(writes() - before <= 3, `${writes() - before} writes in 2 s`);
		await world.end();
	});
	test(`${kind}: from 5 to 3 with 3 busy: exactly the 2 idle ones go, unregistered first (C1)`, async () => {
		const world = await running(5);
		const busy = world.live().slice(1, 4);
		world.job(...busy);
		await world.clock.pass(1_000);
		const stamp = world.clock.iso(500);
		world.change(({ spec }) => {
			spec.replicas = 3;
			spec.effectiveTime = stamp;
		});
		await world.settled(3, 20_000);
		assert.equal(world.live().sort(), busy.sort());
		assert.is(world.github.count('remove'), 2);
		assert.is(world.set()?.spec?.effectiveTime, stamp, 'the time of the decision stays as it was stamped');
		await world.end();
	});
	test(`${kind}: a job is reported while GitHub is asked, which answers 204 all the same: no runner too many, and no circles (invariant 7)`, async () => {
		const world = await running(2);
		const [first = ''] = world.live();
		world.github.answersAfterMs = 500;
		world.scale(1);
		await world.clock.until('GitHub is asked', () => world.github.count('remove') > 0, 5_000);
		const chosen = world
			.live()
			.find((name) => world.annotations(name)['actions-runner/unregistration-claim']);
		assert.ok(chosen !== undefined && first);
		const report = { by: 'hook', says: 'started', key: 'github_1', job: { name: 'build' } } as const;
		const recorded = recordReport(world.pod(chosen) as Pod, report, {
			...world.parts,
			sign: world.signer.signStatement,
		});
		await world.clock.pass(50);
		assert.is(await recorded, 'written');
		await world.clock.pass(10_000);
		world.scale(2);
		await world.clock.pass(5_000);
		const looks = world.looks;
		await world.clock.pass(minute);
		assert.ok(world.looks - looks < 200, `looked at ${world.looks - looks} times in a minute`);
		assert.is(world.mostPods, 2);
		assert.ok(world.live().includes(chosen));
		assert.is(world.annotations(chosen)['actions-runner/unregistration-proof'], undefined);
		await world.end();
	});
	test(`${kind}: from 5 to 3 with all busy: none is touched, and none is replaced before 3 remain (C2)`, async () => {
		const world = await running(5);
		const all = world.live();
		world.job(...all);
		await world.clock.pass(1_000);
		world.scale(3);
		await world.clock.pass(10 * minute);
		assert.equal([world.live().length, world.github.count('remove')], [5, 0]);
		assert.is(world.condition('Draining'), 'True');
		world.completes(...all.slice(0, 2));
		await world.clock.pass(minute);
		assert.equal(world.live().sort(), all.slice(2).sort());
		world.completes(...all.slice(2, 3));
		await world.settled(3, 20_000);
		assert.not(world.live().includes(all[2] ?? ''));
		await world.end();
	});
	test(`${kind}: scaled up again before a job ends: nothing is removed, none is made (C3)`, async () => {
		const world = await running(3);
		const all = world.live();
		world.job(...all);
		await world.clock.pass(1_000);
		world.scale(1);
		await world.clock.pass(minute);
		world.scale(3);
		await world.clock.pass(minute);
		assert.equal([world.live(), world.mostPods], [all, 3]);
		await world.end();
	});
	test(`${kind}: a completed runner is replaced at once, under another name; its owner goes before its pod (D9, E1)`, async () => {
		const world = await running(2);
		const [first = '', second = ''] = world.live();
		world.job(first);
		await world.clock.pass(1_000);
		const gone: string[] = [];
		world.api.onChange((type, resource) => {
			if (type === 'DELETED') gone.push(resource);
		});
		world.completes(first);
		assert.ok((await world.settled(2, 10_000)) < 5_000);
		assert.equal([world.live().includes(first), world.live().includes(second)], [false, true]);
		assert.equal(
			gone,
			kind === 'RunnerSet' ? ['statefulsets', 'pods', 'controllerrevisions'] : ['runners', 'pods'],
		);
		await world.end();
	});
	test(`${kind} that an autoscaler drives: the place of a completed one is held until effectiveTime moves (D1, D2)`, async () => {
		const world = await running(3, { annotations: delay });
		const [first = ''] = world.live();
		world.job(first);
		await world.clock.pass(2_000);
		world.completes(first);
		await world.clock.pass(minute);
		const looks = world.looks;
		await world.clock.pass(4 * minute);
		assert.is(world.looks, looks, 'it is looked at when the delay is over');
		assert.equal([world.live().length, world.condition('Holding'), world.owners().length], [2, 'True', 2]);
		assert.is(world.status.accounting?.completions?.length, 1);
		world.scale(3);
		assert.ok((await world.settled(3, 10_000)) < 5_000);
		assert.equal([world.condition('Holding'), world.status.accounting?.completions], ['False', undefined]);
		await world.end();
	});
	test(`${kind} that an autoscaler drives: if nobody changes it there is one correction, when the delay has passed (D3)`, async () => {
		const world = await running(3, { annotations: delay });
		const two = world.live().slice(0, 2);
		world.job(...two);
		await world.clock.pass(2_000);
		world.completes(...two);
		await world.clock.pass(9 * minute);
		assert.is(world.live().length, 1);
		const tookMs = await world.settled(3, 2 * minute);
		assert.ok(tookMs >= 50_000 && tookMs < 70_000, `${tookMs} ms after 9 min`);
		await world.end();
	});
	test(`${kind}: the next leader does not fill the places that are held, whatever had been removed (D4, invariant 10)`, async () => {
		const world = await running(3, { annotations: delay });
		const two = world.live().slice(0, 2);
		world.job(...two);
		await world.clock.pass(2_000);
		world.completes(two[0] ?? '');
		await world.clock.pass(minute);
		// The second one ends, its completion is written, and the leader dies before it removes the runner.
		world.api.fail('DELETE', /(statefulsets|runners)\//, new KubeError(0, 'NoAnswer', 'dying'));
		world.completes(two[1] ?? '');
		await world.clock.pass(1_000);
		assert.is(world.status.accounting?.completions?.length, 2);
		await world.reconciler.stop();
		const next = new SetsWorld(kind, world);
		world.api.mend();
		await next.start();
		await world.clock.pass(5 * minute);
		assert.equal([world.live().length, world.status.accounting?.completions?.length], [1, 2]);
		assert.is(world.owners().length, 1);
		await Promise.all([next.end(), world.end()]);
	});
	test(`${kind}: the next leader makes none before it knows all that are there (invariants 7, 10)`, async () => {
		const world = await running(3);
		await world.reconciler.stop();
		world.mostPods = 0;
		const next = new SetsWorld(kind, world);
		world.api.fail('GET', /(statefulsets|runners|pods)$/, { delayMs: 3_000 });
		await next.start();
		await world.clock.pass(10_000);
		assert.equal([world.live().length, world.mostPods, world.owners().length], [3, 0, 3]);
		await Promise.all([next.end(), world.end()]);
	});
	test(`${kind}: the completion is written down before its runner is removed (D4)`, async () => {
		const world = await running(2, { annotations: delay });
		const [first = ''] = world.live();
		world.job(first);
		await world.clock.pass(2_000);
		const calls = world.api.calls.length;
		world.completes(first);
		await world.clock.pass(2_000);
		const order = world.api.calls
			.slice(calls)
			.filter(
				({ method, path }) => method === 'DELETE' || (method === 'PATCH' && path.endsWith('/example/status')),
			)
			.map(({ method }) => method);
		assert.equal(order.slice(0, 2), ['PATCH', 'DELETE']);
		await world.end();
	});
	test(`${kind}: changed through the scale subresource it is stamped in hindsight, and holds end (D6)`, async () => {
		const world = await withACompletion();
		const atMs = world.clock.now();
		world.change(({ spec }) => {
			spec.replicas = 3;
		});
		await world.settled(3, 20_000);
		const { effectiveTime } = (world.set()?.spec ?? {}) as { effectiveTime?: string };
		assert.ok(Math.abs(Date.parse(effectiveTime ?? '') - atMs) < 1_000, effectiveTime);
		assert.is(world.status.accounting?.effectiveTime, effectiveTime);
		await world.end();
	});
	test(`${kind}: another change of the set does not keep it from being stamped (D6)`, async () => {
		const world = await running(2);
		world.api.fail('PATCH', /\/example$/, { delayMs: 500 }, 1);
		world.change(({ spec }) => {
			spec.replicas = 1;
		});
		await world.clock.pass(100);
		world.change(({ metadata }) => {
			metadata.labels = { team: 'a' };
		});
		await world.clock.pass(10_000);
		assert.ok(world.set()?.spec?.effectiveTime);
		await world.end();
	});
	test(`${kind}: an effectiveTime of the future counts only when that time has come (D8)`, async () => {
		const world = await withACompletion();
		world.change(({ spec }) => {
			spec.effectiveTime = world.clock.iso(-60 * minute);
		});
		await world.clock.pass(3 * minute);
		assert.equal([world.live().length, world.condition('Holding')], [1, 'True']);
		await world.end();
	});
	test(`${kind}: a recreation delay longer than Node's timers: its place is kept, and the set is not looked at (D4)`, async () => {
		const world = await running(2, { annotations: { 'actions-runner/recreation-delay': '30d' } });
		const [first = ''] = world.live();
		world.job(first);
		await world.clock.pass(2_000);
		world.completes(first);
		await world.clock.pass(minute);
		assert.equal([world.live().length, world.condition('Holding')], [1, 'True']);
		const { looks } = world;
		await world.clock.pass(60 * minute);
		assert.is(world.looks, looks);
		await world.end();
	});
	test(`${kind}: a recreation delay whose end would be after the last possible date ends after 100 years, and the completion is stored (D4)`, async () => {
		const world = await running(2, { annotations: { 'actions-runner/recreation-delay': '100000000d' } });
		const [first = ''] = world.live();
		world.job(first);
		await world.clock.pass(2_000);
		world.completes(first);
		await world.clock.pass(minute);
		assert.equal([world.live().length, world.status.accounting?.completions?.length], [1, 1]);
		const holding = world.status.conditions?.find(({ type }) => type === 'Holding');
		assert.match(holding?.message ?? '', /replaced when effectiveTime advances, or at 2126-/);
		await world.end();
	});
	test(`${kind}: an effectiveTime that goes back changes nothing (D7)`, async () => {
		const world = await running(2, { annotations: delay });
		world.scale(2);
		await world.clock.pass(2_000);
		const { effectiveTime } = world.status.accounting ?? {};
		world.change(({ spec }) => {
			spec.effectiveTime = '2020-01-01T00:00:00Z';
		});
		await world.clock.pass(2_000);
		assert.is(world.status.accounting?.effectiveTime, effectiveTime);
		await world.end();
	});
	test(`${kind}: runners that end before they register: 10 s, 20 s, 40 s between starts; a condition says so, until the first one registers`, async () => {
		const world = new SetsWorld(kind);
		world.habits.fails = 1;
		world.put(2);
		const starts: number[] = [];
		world.api.onChange((type, resource) => {
			if (type === 'ADDED' && resource === 'pods') starts.push(world.clock.monotonic());
		});
		await world.start();
		await world.clock.pass(2 * minute);
		const firsts = starts.filter((_, index) => index % 2 === 0);
		const pauses = firsts.slice(1).map((ms, index) => Math.round((ms - (firsts[index] ?? 0)) / 1_000));
		assert.equal(pauses.slice(0, 3), [11, 21, 41]);
		assert.is(world.condition('StartsFailing'), 'True');
		assert.equal(world.mostPods <= 2, true);
		const events = world.eventsOn('example').filter((one) => one === 'Warning StartsFailing').length;
		assert.ok(events >= 1 && events <= 5, `${events} Events for 4 failures`);
		world.habits.fails = undefined;
		await world.settled(2, 6 * minute);
		assert.equal(
			[world.condition('StartsFailing'), world.status.accounting?.failedStarts],
			['False', undefined],
		);
		await world.end();
	});
	test(`${kind}: runners that end with 0 after 2 s without a job, as run.sh does after an error: a dozen in 10 min, not 300; over when one lasts`, async () => {
		const world = new SetsWorld(kind);
		world.habits.endsAfterMs = 2_000;
		world.put(1);
		await world.start();
		await world.clock.pass(10 * minute);
		assert.ok(world.starts >= 6 && world.starts <= 12, `${world.starts} runners`);
		assert.is(world.condition('StartsFailing'), 'True');
		world.habits.endsAfterMs = undefined;
		await world.settled(1, 6 * minute);
		assert.is(world.condition('StartsFailing'), 'True', 'those had registered too');
		await world.clock.pass(10_000);
		const { failedStarts, briefEnds } = world.status.accounting ?? {};
		assert.equal(
			[world.condition('StartsFailing'), failedStarts, briefEnds],
			['False', undefined, undefined],
		);
		await world.end();
	});
	test(`${kind}: ... also beside a runner that has had its job for hours`, async () => {
		const world = await running(1);
		world.job(...world.live());
		await world.clock.pass(minute);
		const before = world.starts;
		world.habits.endsAfterMs = 2_000;
		world.scale(2);
		await world.clock.pass(10 * minute);
		assert.ok(world.starts - before <= 12, `${world.starts - before} runners`);
		await world.end();
	});
	test(`${kind}: jobs of 3 s in a full queue, of which the lists show every third: no runner waits`, async () => {
		const world = new SetsWorld(kind);
		world.habits.endsAfterMs = 4_000;
		world.habits.showsJob = (started) => started % 3 === 0;
		world.put(3);
		await world.start();
		await world.clock.pass(10 * minute);
		assert.ok(world.starts > 300, `${world.starts} runners`);
		assert.is(world.eventsOn('example').filter((one) => one === 'Warning StartsFailing').length, 0);
		await world.end();
	});
	test(`${kind}: the wall clock runs ahead while idle runners are replaced: one that may not go yet still counts (invariant 7)`, async () => {
		const world = await running(4);
		world.mostPods = 0;
		world.change(({ spec }) => {
			const runner = kind === 'RunnerSet' ? spec : spec.template.spec;
			runner.labels = ['new'];
		});
		for (let step = 0; step < 100; step++) {
			await world.clock.pass(500);
			world.clock.set(500);
			world.change(({ metadata }) => {
				metadata.annotations = { ...metadata.annotations, look: String(step) };
			});
		}
		await world.settled(4, 5 * minute);
		assert.is(world.mostPods, 5, 'a surge of 1');
		await world.end();
	});
	test(`${kind}: another template: idle ones are replaced within the surge, a busy one finishes (G4)`, async () => {
		const world = await running(4);
		const old = world.live();
		world.job(old[0] ?? '');
		await world.clock.pass(1_000);
		world.mostPods = 0;
		world.change(({ spec }) => {
			const runner = kind === 'RunnerSet' ? spec : spec.template.spec;
			runner.labels = ['new'];
		});
		await world.clock.pass(5 * minute);
		assert.ok(world.mostPods <= 5, `${world.mostPods} at once with a surge of 1`);
		// Four new ones, and the busy one as the surge until its job is done.
		assert.equal([world.live().length, world.live().filter((name) => old.includes(name))], [5, [old[0]]]);
		assert.is(world.condition('RollingOut'), 'True');
		world.completes(old[0] ?? '');
		await world.settled(4, minute);
		assert.equal([world.status.updatedReplicas, world.condition('RollingOut')], [4, 'False']);
		await world.end();
	});
	test(`${kind} deleted: idle ones go, none is made, a busy one is waited for, then the set is gone (G1)`, async () => {
		const world = await running(3);
		const [first = ''] = world.live();
		world.job(first);
		await world.clock.pass(1_000);
		world.change(({ metadata }) => {
			metadata.deletionTimestamp = world.clock.iso();
		});
		await world.clock.pass(30 * minute);
		assert.equal(
			[world.live(), world.condition('Deleting'), world.set() !== undefined],
			[[first], 'True', true],
		);
		world.completes(first);
		await world.clock.until('the set is gone', () => !world.set(), minute);
		await world.clock.pass(2_000);
		assert.equal([world.owners(), world.live()], [[], []]);
		assert.equal(
			world.lines.filter((line) => line.startsWith('warn')),
			[],
		);
		await world.end();
	});
	test(`${kind} deleted with its namespace: its runners go, and it does not hold the namespace (G3)`, async () => {
		const world = await running(2);
		world.api.update(paths.namespaces, 'ci', undefined, ({ metadata }) => {
			metadata.deletionTimestamp = world.clock.iso();
		});
		world.change(({ metadata }) => {
			metadata.deletionTimestamp = world.clock.iso();
		});
		await world.clock.until('the set is gone', () => !world.set(), minute);
		await world.clock.pass(2_000);
		assert.equal([world.owners(), world.live()], [[], []]);
		await world.end();
	});
	test(`${kind} deleted while the creation of a runner has no answer: it stays until that runner is known of (G1)`, async () => {
		const world = new SetsWorld(kind);
		world.api.fail('POST', /(statefulsets|runners)$/, new KubeError(0, 'NoAnswer', 'timed out'));
		world.put(1);
		await world.start();
		await world.clock.until(
			'it is made',
			() => world.api.callsTo('POST', /(statefulsets|runners)$/).length > 0,
		);
		world.change(({ metadata }) => {
			metadata.deletionTimestamp = world.clock.iso();
		});
		await world.clock.pass(5_000);
		assert.ok(world.set(), 'the runner may still come');
		await world.clock.until('the set is gone', () => !world.set(), minute);
		await world.end();
	});
	test(`${kind} deleted, and kept by somebody else's finalizer alone: nothing is written on it any more`, async () => {
		const world = await running(1);
		world.change(({ metadata }) => {
			metadata.deletionTimestamp = world.clock.iso();
			metadata.finalizers = [...(metadata.finalizers ?? []), 'example.com/keep'];
		});
		const finalizers = () => world.set()?.metadata.finalizers ?? [];
		await world.clock.until('it is let go', () => !finalizers().includes('actions-runner/drain'), minute);
		await world.clock.pass(5_000);
		const writes = () => world.api.callsTo('PATCH', /\/example(\/status)?$/).length;
		const before = writes();
		world.change(({ metadata }) => {
			metadata.labels = { team: 'a' };
		});
		await world.clock.pass(5_000);
		assert.equal([finalizers(), writes()], [['example.com/keep'], before]);
		await world.end();
	});
	test(`${kind} deleted: a finalizer that somebody adds while ours is taken away is not lost`, async () => {
		const world = await running(0);
		world.api.fail('PATCH', /\/example$/, { delayMs: 500 }, 1);
		world.change(({ metadata }) => {
			metadata.deletionTimestamp = world.clock.iso();
		});
		await world.clock.pass(100);
		world.change(({ metadata }) => {
			metadata.finalizers = [...(metadata.finalizers ?? []), 'example.com/keep'];
		});
		await world.clock.pass(2_000);
		assert.equal(world.set()?.metadata.finalizers, ['example.com/keep']);
		await world.end();
	});
	test(`${kind} with the finalizer "orphan" that is not being deleted keeps its runners, and goes on`, async () => {
		const world = await running(2);
		world.change(({ metadata }) => {
			metadata.finalizers = [...(metadata.finalizers ?? []), 'orphan'];
		});
		await world.clock.pass(2_000);
		world.scale(3);
		await world.settled(3, 10_000);
		await world.end();
	});
	test(`${kind} deleted with --cascade=orphan: its runners stay as they are (G2)`, async () => {
		const world = await running(2);
		const before = world.live();
		world.change(({ metadata }) => {
			metadata.deletionTimestamp = world.clock.iso();
			metadata.finalizers = [...(metadata.finalizers ?? []), 'orphan'];
		});
		await world.clock.pass(minute);
		assert.equal([world.live(), world.owners().length, world.github.count('remove')], [before, 2, 0]);
		assert.equal(world.set()?.metadata.finalizers, ['orphan']);
		await world.end();
	});
	test(`${kind}: our clock is set back by a day after a failed start: runners come within the longest back-off, also of the next leader`, async () => {
		const world = await running(0);
		world.habits.fails = 1;
		world.scale(1);
		await world.clock.pass(20 * 1_000);
		assert.ok((world.status.accounting?.failedStarts ?? 0) > 0);
		world.habits.fails = undefined;
		const later = world.clock.iso(-25 * 60 * minute);
		world.api.update(world.sets, 'example', 'ci', ({ status }) => {
			const accounting = (status as { accounting: Record<string, unknown> }).accounting;
			Object.assign(accounting, { nextStartAt: later, effectiveTime: later });
		});
		await world.end();
		const next = new SetsWorld(kind, world);
		await next.start();
		await next.settled(1, 6 * minute);
		await next.end();
	});
	test(`${kind} at 0: idle ones go, busy ones finish, and it stays at 0 (G8)`, async () => {
		const world = await running(3);
		const [first = ''] = world.live();
		world.job(first);
		await world.clock.pass(1_000);
		world.scale(0);
		await world.clock.pass(5 * minute);
		assert.equal(world.live(), [first]);
		world.completes(first);
		await world.clock.pass(5 * minute);
		assert.equal([world.live(), world.owners(), world.condition('Settled')], [[], [], 'True']);
		await world.end();
	});
	test(`${kind} without credentials: none is made, none is removed; it goes on by itself when there are some (I7)`, async () => {
		const world = await running(2);
		world.github.credentialsMissing = 'Secret ci/none does not exist';
		world.scale(4);
		await world.clock.pass(minute);
		assert.equal([world.live().length, world.condition('CredentialsMissing')], [2, 'True']);
		world.scale(0);
		await world.clock.pass(minute);
		assert.is(world.live().length, 2);
		assert.is(world.eventsOn('example').filter((one) => one === 'Warning CredentialsMissing').length, 1);
		world.github.credentialsMissing = undefined;
		await world.settled(0, 20_000);
		assert.is(world.condition('CredentialsMissing'), 'False');
		await world.end();
	});
	test(`${kind} in a namespace that is being deleted makes nothing (G3)`, async () => {
		const world = new SetsWorld(kind);
		world.api.update(paths.namespaces, 'ci', undefined, ({ metadata }) => {
			metadata.deletionTimestamp = world.clock.iso();
		});
		world.put(3);
		await world.start();
		await world.clock.pass(5 * minute);
		assert.equal([world.owners(), world.api.callsTo('POST', /./)], [[], []]);
		await world.end();
	});
	test(`${kind} whose spec cannot be carried out says which field is wrong, and makes nothing`, async () => {
		const world = new SetsWorld(kind);
		world.put(2, { spec: { repository: 'octo-org/app' } });
		await world.start();
		await world.clock.pass(minute);
		assert.equal([world.owners(), world.condition('SpecInvalid')], [[], 'True']);
		assert.ok(world.eventsOn('example').includes('Warning SpecInvalid'));
		const looks = world.looks;
		world.scale(100);
		await world.clock.pass(10_000);
		assert.ok(world.looks - looks < 10, `looked at ${world.looks - looks} times in 10 s`);
		assert.equal([world.owners(), world.condition('SpecInvalid')], [[], 'True']);
		await world.end();
	});
	/** The set's pods: in the template of a RunnerSet, beside the runner's own fields in a RunnerDeployment. */
	const containersAre = (world: SetsWorld, containers: unknown) =>
		world.change(({ spec }) => {
			spec.template.spec = { ...spec.template.spec, containers } as never;
		});
	for (const [what, runner, message] of [
		[
			'a map in the place of a list',
			{ env: { FOO: 'bar' } },
			'spec.template.spec.containers[0].env must be a list, not an object',
		],
		[
			'a number in the place of a text',
			{ env: [{ name: 'PORT', value: 8080 }] },
			'spec.template.spec.containers[0].env[0].value must be a string: quote it ("8080")',
		],
		[
			'null in a list',
			{ env: [null] },
			'spec.template.spec.containers[0].env[0] must be an object, not null',
		],
		[
			'a number for an image',
			{ image: 20 },
			'spec.template.spec.containers[0].image must be a string: quote it ("20")',
		],
	] as const)
		test(`${kind} whose template gets ${what} says so, keeps its runners, and is scaled down and deleted like any other`, async () => {
			const world = await running(3);
			containersAre(world, [{ name: 'runner', ...runner }]);
			await world.clock.pass(10_000);
			const condition = world.status.conditions?.find(({ type }) => type === 'SpecInvalid');
			assert.equal([condition?.status, condition?.message, world.live().length], ['True', message, 3]);
			assert.ok(world.eventsOn('example').includes('Warning SpecInvalid'));
			world.scale(1);
			await world.settled(1, 20_000);
			world.change(({ metadata }) => {
				metadata.deletionTimestamp = world.clock.iso();
			});
			await world.clock.until('the set is gone', () => world.set() === undefined, minute);
			assert.equal([world.live(), world.mostPods], [[], 3]);
			await world.end();
		});
	test(`${kind} with more labels than a runner may have says so, keeps its runners, and harms no other set`, async () => {
		const world = await running(2);
		world.change(({ spec }) => {
			(kind === 'RunnerSet' ? spec : spec.template.spec).labels = new Array(100_000).fill('gpu');
		});
		world.put(1, { name: 'other' });
		await world.clock.until('the other set has its runner', () => world.live().length === 3, minute);
		const { status, message } = world.status.conditions?.find(({ type }) => type === 'SpecInvalid') ?? {};
		const field = kind === 'RunnerSet' ? 'spec.labels' : 'spec.template.spec.labels';
		assert.equal([status, message], ['True', `${field} has 100000 entries: at most 100 are supported`]);
		world.scale(1);
		await world.clock.until('it is scaled down', () => world.live().length === 2, minute);
		await world.end();
	});
	test(`${kind} that is made with a number in the place of a text makes nothing until it is mended`, async () => {
		const world = new SetsWorld(kind);
		world.put(2);
		containersAre(world, [{ name: 'runner', env: [{ name: 'ON', value: true }] }]);
		await world.start();
		await world.clock.pass(minute);
		assert.is(world.api.callsTo('POST', /(statefulsets|runners|pods)$/).length, 0);
		assert.is(world.condition('SpecInvalid'), 'True');
		containersAre(world, [{ name: 'runner', env: [{ name: 'ON', value: 'true' }] }]);
		await world.settled(2, 20_000);
		assert.is(world.condition('SpecInvalid'), 'False');
		await world.end();
	});
	test(`${kind}: a mistake of ours before anything is created is reported as an Event, and does not count as a runner`, async () => {
		const world = new SetsWorld(kind);
		world.api.fail('POST', /(statefulsets|runners)$/, new TypeError('list.map is not a function'), 2);
		world.put(2);
		await world.start();
		await world.settled(2, 10_000);
		assert.equal([world.eventsOn('example'), world.mostPods], [['Warning FailedCreate'], 2]);
		await world.end();
	});
	test(`${kind}: a mistake of ours while a pod is created is reported as an Event, and costs no place`, async () => {
		const world = new SetsWorld(kind);
		world.habits.mistake = new TypeError('text.includes is not a function');
		world.put(2);
		await world.start();
		await world.clock.pass(5_000);
		assert.is(world.eventsOn('example').filter((one) => one === 'Warning FailedCreate').length, 1);
		// A StatefulSet's own controller makes its pod all the same; nobody else makes a Runner's.
		assert.is(world.live().length, kind === 'RunnerSet' ? 2 : 0);
		world.habits.mistake = undefined;
		await world.settled(2, 20_000);
		assert.is(world.mostPods, 2);
		await world.end();
	});
	test(`${kind}: GitHub is down: nobody goes who may be busy; afterwards the surplus goes (F5)`, async () => {
		const world = await running(4);
		world.github.failure = { kind: 'github-unavailable', detail: '502' };
		world.scale(1);
		await world.clock.pass(10 * minute);
		assert.is(world.live().length, 4);
		world.github.failure = undefined;
		await world.settled(1, 45_000);
		await world.end();
	});
	test(`${kind}: this minute's DELETEs are spent: nothing is asked before the next, and then it goes on`, async () => {
		const world = await running(4);
		world.github.spentUntilMs = world.clock.now() + 50_000;
		world.scale(1);
		await world.clock.pass(49_000);
		assert.equal([world.live().length, world.github.count('remove')], [4, 0]);
		await world.settled(1, 5_000);
		await world.end();
	});
	test(`${kind}: one that is still registering is not removed between its registration and its first job (C4)`, async () => {
		const world = new SetsWorld(kind);
		world.habits.registersAfterMs = undefined;
		world.put(2);
		await world.start();
		await world.clock.until('both containers run', () => world.live().length === 2);
		await world.clock.pass(2_000);
		world.scale(1);
		await world.clock.pass(minute);
		assert.equal([world.live().length, world.github.count('remove')], [2, 0]);
		for (const name of world.live()) world.registers(name);
		await world.settled(1, 20_000);
		await world.end();
	});
	test(`${kind}: those that have not started are the first to go (C5)`, async () => {
		const world = await running(2);
		const started = world.live();
		world.habits.startsAfterMs = 50_000;
		world.scale(4);
		await world.clock.pass(5_000);
		assert.is(world.live().length, 4);
		world.scale(2);
		await world.clock.pass(10_000);
		assert.equal([world.live().sort(), world.github.count('remove')], [started.sort(), 0]);
		await world.end();
	});
	test(`${kind}: one that has not registered 10 min after its start is replaced, once, but not while GitHub's list fails (E5)`, async () => {
		const world = new SetsWorld(kind);
		world.habits.registersAfterMs = undefined;
		world.put(1);
		await world.start();
		await world.clock.until('its container runs', () =>
			world.api.all(paths.pods).some(({ status }) => status?.phase),
		);
		const [first] = world.live();
		await world.clock.pass(9 * minute);
		assert.equal(world.live(), [first]);
		world.github.failure = { kind: 'github-unavailable', detail: '503' };
		await world.clock.pass(10 * minute);
		assert.equal(world.live(), [first], 'GitHub cannot be asked');
		world.github.failure = undefined;
		world.habits.registersAfterMs = 700;
		await world.clock.until('it is replaced', () => !world.live().includes(first ?? ''), 2 * minute);
		await world.settled(1, 20_000);
		assert.is(world.mostPods, 1);
		await world.end();
	});
	test(`${kind}: 20 completions in one second are removed in one or two passes (E2)`, async () => {
		const world = await running(20, { annotations: delay });
		world.job(...world.live());
		await world.clock.pass(2_000);
		const statusWrites = () => world.api.callsTo('PATCH', /example\/status$/).length;
		const before = statusWrites();
		world.completes(...world.live());
		await world.clock.until('all are removed', () => world.owners().length === 0, 5_000);
		await world.clock.pass(3_000);
		assert.ok(statusWrites() - before <= 4, `${statusWrites() - before} status writes`);
		assert.is(world.status.accounting?.completions?.length, 20);
		await world.end();
	});
	test(`${kind}: an owner that is deleted and does not go, for somebody's finalizer, is not deleted again`, async () => {
		const world = await running(2);
		const [first = ''] = world.live();
		const owner = kind === 'RunnerSet' ? first.replace(/-0$/, '') : first;
		world.api.update(world.ownersPath, owner, 'ci', ({ metadata }) => {
			metadata.finalizers = ['example.com/keep'];
		});
		world.job(first);
		await world.clock.pass(1_000);
		world.completes(first);
		await world.clock.pass(minute);
		assert.ok(world.owners().includes(owner));
		assert.is(world.api.callsTo('DELETE', new RegExp(`(statefulsets|runners)/${owner}$`)).length, 1);
		await world.end();
	});
	test(`${kind}: a change of an owner brings a look at its set, one of somebody else's owner does not`, async () => {
		const world = await running(1);
		const looks = world.looks;
		world.api.update(world.ownersPath, world.owners()[0] ?? '', 'ci', ({ metadata }) => {
			metadata.labels = { ...metadata.labels, team: 'a' };
		});
		await world.clock.pass(1_000);
		assert.is(world.looks, looks + 1);
		const controller = {
			apiVersion: 'example.com/v1',
			kind: 'Other',
			name: 'other',
			uid: 'other',
			controller: true,
		};
		world.api.put(world.ownersPath, {
			metadata: {
				name: 'other',
				namespace: 'ci',
				labels: { [setKeys.templateHash]: 'hash' },
				ownerReferences: [controller],
			},
			spec: { template: { spec: { containers: [] } } },
		} as never);
		await world.clock.pass(1_000);
		assert.is(world.looks, looks + 1);
		await world.end();
	});
	test(`${kind}: an owner that cannot be removed does not hold up the others (E3)`, async () => {
		const world = await running(3);
		const [stuck = '', other = ''] = world.live();
		const ownerOf = (name: string) => (kind === 'RunnerSet' ? name.replace(/-0$/, '') : name);
		world.api.fail(
			'DELETE',
			new RegExp(`(statefulsets|runners)/${ownerOf(stuck)}$`),
			new KubeError(500, '', 'etcd'),
		);
		world.job(stuck, other);
		await world.clock.pass(1_000);
		world.completes(stuck, other);
		await world.clock.until('the other is gone', () => !world.owners().includes(ownerOf(other)), 5_000);
		await world.clock.pass(1_000);
		assert.ok(
			world.lines.some((line) => line.startsWith('warn') && line.includes('retrying')),
			world.lines.join(),
		);
		assert.ok(world.owners().includes(ownerOf(stuck)));
		world.api.mend();
		await world.settled(3, minute);
		await world.end();
	});
	test(`${kind}: a creation without an answer is not made twice (invariant 7)`, async () => {
		const world = new SetsWorld(kind);
		// It is carried out, and its answer is lost.
		const lost = world.api.loseAnswers('POST', kind === 'RunnerSet' ? /statefulsets$/ : /runners$/, 1);
		world.put(2);
		await world.start();
		await world.clock.pass(3 * minute);
		lost();
		assert.ok(world.mostPods <= 2, `${world.mostPods} pods at once`);
		await world.settled(2, 2 * minute);
		await world.end();
	});
	test(`${kind}: the API server fails while runners are made: tried again until all are there`, async () => {
		const world = new SetsWorld(kind);
		world.api.fail('POST', /(statefulsets|runners|pods)$/, new KubeError(500, '', 'etcd'), 7);
		world.put(3);
		await world.start();
		await world.settled(3, minute);
		assert.is(world.mostPods, 3);
		await world.end();
	});
	test(`${kind}: pods that cannot start: the set says why within seconds, with a pod's name, and when it is over`, async () => {
		const world = new SetsWorld(kind);
		world.habits.startsAfterMs = minute;
		world.put(2);
		await world.start();
		await world.clock.pass(2_000);
		const message = 'Back-off pulling image "ghcr.io/octo-org/runner:missing": not found';
		const waiting = (state: object | undefined) => {
			for (const name of world.live())
				world.api.update(paths.pods, name, 'ci', (pod) => {
					pod.spec = { ...pod.spec, nodeName: 'node-1' };
					pod.status = { phase: 'Pending', ...(state && { containerStatuses: [{ name: 'runner', state }] }) };
				});
		};
		waiting({ waiting: { reason: 'ImagePullBackOff', message } });
		await world.clock.pass(5_000);
		const found = world.status.conditions?.find(({ type }) => type === 'RunnersWaiting');
		const [first = ''] = world.live().sort();
		assert.equal(
			[found?.status, found?.reason, found?.message],
			[
				'True',
				'ImageNotPulled',
				`pod ${first}: container runner: ImagePullBackOff: ${message} (2 runners have not started)`,
			],
		);
		waiting(undefined);
		await world.clock.pass(5_000);
		assert.is(world.condition('RunnersWaiting'), 'False');
		await world.clock.pass(minute);
		await world.end();
	});
	test(`${kind}: made without the pod webhook: replaced before it is used, slowly while that is missing, and reported once for the set (E7)`, async () => {
		const world = new SetsWorld(kind);
		world.habits.injects = false;
		const made = new Set<string>();
		world.api.onChange((type, resource, { metadata }) => {
			if (type === 'ADDED' && resource === 'pods') made.add(metadata.name);
		});
		world.put(3);
		await world.start();
		await world.clock.pass(minute);
		assert.equal([made.size, world.condition('StartsFailing')], [9, 'True'], 'after 0 s, 10 s and 30 s');
		world.habits.injects = true;
		await world.settled(3, 2 * minute);
		assert.is(made.size, 12);
		assert.is(world.condition('StartsFailing'), 'False');
		assert.is(world.eventsOn('example').filter((one) => one === 'Warning PodsNotInjected').length, 1);
		await world.end();
	});
	test(`${kind}: its runners are lost one by one by others' hands: each is made again, under another name`, async () => {
		const world = await running(2);
		const before = world.owners();
		world.api.drop(world.ownersPath, before[0] ?? '', 'ci');
		await world.settled(2, 20_000);
		assert.equal(
			[world.owners().includes(before[0] ?? ''), world.owners().includes(before[1] ?? '')],
			[false, true],
		);
		await world.end();
	});
	for (const shown of [true, false]) {
		const known = shown ? 'as one that has not started' : 'as one without a pod';
		test(`${kind}: a runner with a job that the late watch still shows ${known} keeps its owner (invariant 7)`, async () => {
			const world = new SetsWorld(kind);
			world.habits.startsAfterMs = 3_000;
			const hold = () => world.api.holdWatches(paths.pods);
			let catchUp = shown ? () => {} : hold();
			world.put(2);
			await world.start();
			await world.clock.pass(2_000);
			if (shown) catchUp = hold();
			await world.clock.pass(3_000);
			const names = world.live();
			world.job(...names);
			world.scale(0);
			await world.clock.pass(3_000);
			assert.equal([names.length, world.owners().length], [2, 2]);
			catchUp();
			await world.clock.pass(1_000);
			world.completes(...names);
			await world.settled(0);
			assert.is(world.mostPods, 2);
			await world.end();
		});
	}
	test(`${kind}: a busy runner whose owner somebody deleted still counts until its job is done (invariant 7)`, async () => {
		const world = await running(2);
		const [first = '', second = ''] = world.live();
		world.job(first, second);
		await world.clock.pass(1_000);
		const owner = kind === 'RunnerSet' ? first.replace(/-0$/, '') : first;
		world.api.drop(world.ownersPath, owner, 'ci');
		await world.clock.pass(2 * minute);
		assert.equal([world.live().sort(), world.owners().length], [[first, second].sort(), 1]);
		world.completes(first);
		await world.clock.until(
			'another is made',
			() => world.live().length === 2 && !world.live().includes(first),
			minute,
		);
		await world.end();
	});
	test(`${kind}: a recorded deletion leaves its place to nobody while it waits, and no other goes for it`, async () => {
		const world = await running(3);
		const [first = ''] = world.live();
		world.job(first);
		world.record(first);
		await world.clock.pass(1_000);
		world.scale(2);
		await world.clock.pass(minute);
		assert.equal([world.live().length, world.mostPods], [3, 3]);
		await world.end();
	});
	test(`${kind}: an idle one on a cordoned node goes before one on another`, async () => {
		const world = await running(3);
		const [, chosen = ''] = world.live();
		world.api.put(paths.nodes, { metadata: { name: 'cordoned' }, spec: { unschedulable: true } } as never);
		world.api.update(paths.pods, chosen, 'ci', (pod) => {
			pod.spec = { ...pod.spec, nodeName: 'cordoned' };
		});
		await world.clock.pass(1_000);
		world.scale(2);
		await world.settled(2, 20_000);
		assert.not(world.live().includes(chosen));
		await world.end();
	});
}

test.run();

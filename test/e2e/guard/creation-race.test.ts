/**
 * Deletions while containers are created, on nodes whose kubelet does what a real one does: it finishes what it began, and
 * its status and logs say nothing of it meanwhile. A runner that registers finds a job waiting, or is idle; PID 1 has a
 * handler for SIGTERM, or none. RACERS=1000 SLOW_MS=60000 node test/e2e/guard/creation-race.test.ts is the long version;
 * SEED=... repeats the same pods and moments.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { quantile } from '../../bench/figures.ts';
import { type ApiCall, apiCalls } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import { failures, type History, startHistory } from '../../rig/history.ts';
import { random } from '../../rig/random.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { type Kind, kinds, SetUnderTest } from '../../rig/runner-sets.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { startAnnotation } from '../../sim/pod-plan.ts';
import type { JournalEntry } from '../../sim/runner-agents.ts';
import { suite } from '../../support/suite.ts';
import {
	allStopped,
	create,
	type Fate,
	graceSeconds,
	lifeOf,
	racers,
	request,
	run,
} from '../support/creation-race.ts';
import { end, Space } from '../support/space.ts';

const count = Number(process.env.RACERS ?? 60);
const slowMs = Number(process.env.SLOW_MS ?? 8_000);
/** A pull and a job have to end first; on a slow machine much else. */
const goneWithinMs = 2 * slowMs + 120_000;
/** Pods at a time. */
const atOnce = 48;
/** Longer than what is left of a sync and the grace period: no runner ends its job by luck before it is stopped. */
const jobMs = slowMs + (graceSeconds + 2) * 1_000;
/**
 * Where pulls fail, runners register so late: the bound of `cannot-start` is 4 s (docs/concepts.md), and on a slow machine the
 * simulated kubelet sees a deletion seconds later.
 */
const afterBoundMs = 10_000;
const chance = random();

interface Context {
	rig: Rig;
	history: History;
	call: ApiCall;
	/** In the first of each a job waits for every runner, in the second none does. */
	spaces: Record<'pulling' | 'failing', readonly Space[]>;
}
const test = suite<Context>(`deletions while containers are created, SEED=${chance.seed}`);
const made: SetUnderTest[] = [];
let stopCalls = () => {};

test.before(async (context) => {
	context.rig = await startRig({
		sets: true,
		nodes: [],
		agents: { registrationDelayMs: 500, kubelet: { pullBackOffMs: 2_000 } },
	});
	const { rig } = context;
	await rig.cluster.addNode('syncs-1', { syncs: true });
	context.history = await startHistory(rig);
	({ call: context.call, stop: stopCalls } = apiCalls(readKubeconfig(rig.cluster.kubeconfig)));
	const two = () => Promise.all([1, 2].map(() => Space.make(rig, { ownCredentials: true })));
	context.spaces = { pulling: await two(), failing: await two() };
	for (const { name } of context.spaces.failing) rig.agents.set(name, { registrationDelayMs: afterBoundMs });
	for (const [busy] of Object.values(context.spaces))
		if (busy) rig.agents.queueJobs({ scope: busy.scope, count, durationMs: jobMs });
});
test.after(async ({ rig, history }) => {
	stopCalls();
	for (const set of made) set.stop();
	history?.stop();
	await end(rig);
});

/** Waits until nothing of the pods is left; then no job was killed, and GitHub lists no runner. */
async function atRest({ rig }: Context, ...homes: Pick<Space, 'name' | 'scope'>[]): Promise<void> {
	const namespaces = homes.map(({ name }) => name);
	await allStopped(rig, namespaces);
	const left = () => homes.flatMap(({ scope }) => rig.github.runners(scope).map(({ name }) => name));
	await eventually('', () => left().length === 0, { withinMs: 60_000 }).catch(() => undefined);
	const killed = rig.agents.killedJobs().filter(({ namespace }) => namespaces.includes(namespace));
	assert.equal(
		killed.map((entry) => `${entry.pod}: ${entry.detail}; ${lifeOf(rig, entry)}`),
		[],
	);
	assert.equal(left(), [], 'registrations left at GitHub');
}

function set(rig: Rig, kind: Kind, sigterm: 'stops' | 'ignores'): Promise<SetUnderTest> {
	const podAnnotations = {
		[startAnnotation]: JSON.stringify({ pullMs: { docker: slowMs / 2 }, sigterm }),
	};
	const podSpec = { terminationGracePeriodSeconds: graceSeconds };
	const common = { podAnnotations, ownCredentials: true, withoutHooks: true };
	if (kind === 'RunnerDeployment')
		return SetUnderTest.make(rig, kind, { ...common, config: { dockerEnabled: true, ...podSpec } });
	const template = { metadata: { labels: { app: 'example' }, annotations: podAnnotations }, spec: podSpec };
	const spec = { template };
	return SetUnderTest.make(rig, kind, { ...common, config: { dockerEnabled: true }, spec });
}

const quantiles = (values: readonly number[]) =>
	`p50 ${(quantile(values, 0.5) / 1000).toFixed(1)} s, p95 ${(quantile(values, 0.95) / 1000).toFixed(1)} s`;

test('pods deleted, evicted, deleted by force at any moment of their creation: no job is killed, every request is carried out (invariant 1)', async (context) => {
	const { rig, call, spaces } = context;
	const race = { rig, call, random: chance, spaces, slowMs, goneWithinMs };
	const fates = await run(race, racers(race, count), atOnce);
	const killed = new Set(rig.agents.killedJobs().map(({ namespace, pod }) => `${namespace}/${pod}`));
	const print = (what: string, some: readonly Fate[]) => {
		const lost = some.filter(({ racer }) => killed.has(`${racer.space.name}/${racer.name}`)).length;
		const allowed = some.filter(({ status }) => status < 300).length;
		const again = some.filter(({ asks }) => asks > 1).length;
		const waits = quantiles(some.map(({ waitedMs = Number.NaN }) => waitedMs));
		console.log(
			`${what}: ${some.length}, ${allowed} allowed at once, ${again} asked for again, ${lost} jobs killed; ${waits}`,
		);
	};
	for (const { racer, story } of fates)
		if (killed.has(`${racer.space.name}/${racer.name}`)) console.log(`job killed: ${story}`);
	for (const [what, some] of Map.groupBy(fates, ({ racer }) => racer.what)) print(what, some);
	for (const [manner, some] of Map.groupBy(fates, ({ racer }) => racer.manner)) print(manner, some);
	print('all', fates);
	assert.equal(
		fates.filter(({ waitedMs }) => waitedMs === undefined).map(({ story }) => story),
		[],
		`not carried out within ${goneWithinMs / 1000} s`,
	);
	await atRest(context, ...spaces.pulling, ...spaces.failing);
});

test('sets scaled up and down while their pods are created: no job is killed, no runner is left (invariant 1)', async (context) => {
	const { rig } = context;
	const sets = await Promise.all(
		kinds.flatMap((kind) => [set(rig, kind, 'stops'), set(rig, kind, 'ignores')]),
	);
	const plans = sets.map(() =>
		Array.from({ length: 3 }, () => ({
			up: chance.between(2, 6),
			waitMs: chance.between(0, 5_000),
			down: chance.between(0, 2),
			pauseMs: chance.between(0, 2_000),
		})),
	);
	const waits: number[] = [];
	await Promise.all(
		sets.map(async (set, index) => {
			made.push(set);
			// Every second one has jobs waiting.
			if (index % 2 === 1) rig.agents.queueJobs({ scope: set.scope, count: 60, durationMs: jobMs });
			for (const { up, waitMs, down, pauseMs } of plans[index] ?? []) {
				await set.scale(up);
				await sleep(waitMs);
				await set.scale(down);
				await sleep(pauseMs);
			}
			await set.scale(0);
			const fromMs = Date.now();
			await set.reaches(0, goneWithinMs);
			waits.push(Date.now() - fromMs);
		}),
	);
	rig.agents.clearQueue();
	const of = (what: JournalEntry['what']) => sets.flatMap((set) => set.journal(what)).length;
	console.log(
		`${of('pod-gone')} pods of sets, ${of('container-started')} of them started, ${of('job-killed')} jobs killed; from the last scale to 0 until all are gone: ${quantiles(waits)}`,
	);
	await atRest(context, ...sets.map(({ namespace, scope }) => ({ name: namespace, scope })));
});

test('pods that never start: GitHub is not called, but once for a scale set’s', async (context) => {
	const { rig, call } = context;
	const [legacy, scaleSet] = await Promise.all([
		Space.make(rig, { ownCredentials: true }),
		Space.make(rig, { ownCredentials: true }),
	]);
	const start = { pullFailsForMs: { runner: 'forever' } } as const;
	const common = { docker: false, start };
	const unbound = { nodeSelector: { 'not-a': 'node' } };
	const asks = (['delete', 'evict', 'force'] as const).flatMap((manner) => [
		{ kind: 'legacy', space: legacy, name: `pull-${manner}`, manner, spec: {} } as const,
		{ kind: 'legacy', space: legacy, name: `unbound-${manner}`, manner, spec: unbound } as const,
		{ kind: 'scale-set', space: scaleSet, name: `set-${manner}`, manner, spec: {} } as const,
	]);
	const waits = await Promise.all(
		asks.map(async (one) => {
			await create(rig, { ...common, ...one }, one.spec);
			if (one.spec !== unbound)
				await eventually(`${one.name} cannot start`, async () => {
					const statuses = (await one.space.pod(one.name))?.status?.containerStatuses ?? [];
					return statuses.some(({ state }) => state?.waiting?.reason === 'ImagePullBackOff');
				});
			const fromMs = Date.now();
			await request(call, one);
			await one.space.gone(one.name);
			return Date.now() - fromMs;
		}),
	);
	console.log(`pods that never start: ${quantiles(waits)}`);
	await atRest(context, legacy, scaleSet);
	assert.equal(legacy.removals(), []);
	assert.equal(scaleSet.removals(), [204, 204, 204]);
	const started = rig.agents.journal.filter(({ what, namespace }) => {
		return what === 'container-started' && [legacy.name, scaleSet.name].includes(namespace);
	});
	assert.equal(started, []);
});

test('through all of it no invariant was broken, and no server logged an error', async ({ rig, history }) => {
	assert.equal(await failures(rig, history), []);
});

test.run();

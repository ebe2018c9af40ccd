/** Sets in a namespace with a ResourceQuota: how soon freed room is used, and what the set says. In simulated time: unit/sets/quota.test.ts. */
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import { kinds, type SetUnderTest } from '../../rig/runner-sets.ts';
import { stage } from '../../rig/stage.ts';
import { setTests } from '../support/set-tests.ts';

const test = setTests('sets under a quota', { prepare: () => stage('sets') });

const limit = 3;
/** Long enough that the back-off of whoever tries by himself has grown. */
const jobMs = 15_000;
const name = 'runners';

async function withQuota({ rig, namespace }: SetUnderTest): Promise<void> {
	await rig.apply({
		apiVersion: 'v1',
		kind: 'ResourceQuota',
		metadata: { name, namespace },
		spec: { hard: { pods: String(limit) } },
	});
	const path = `/api/v1/namespaces/${namespace}/resourcequotas/${name}`;
	const counted = async () =>
		(await rig.kube.get<{ status?: { hard?: object } }>(path)).status?.hard !== undefined;
	await eventually('the quota is counted', counted);
}

/** The job of a runner ends; returns how long it took until another one had its place, ms. */
async function replaced(set: SetUnderTest): Promise<number> {
	const [first = ''] = set.live();
	const others = new Set(set.live());
	await set.work(first);
	await new Promise((resolve) => setTimeout(resolve, jobMs));
	await set.finish(first);
	const fromMs = Date.now();
	const another = () => set.live().some((one) => !others.has(one));
	await eventually('its room is used', another, { withinMs: 200_000, everyMs: 20 });
	return Date.now() - fromMs;
}

for (const kind of kinds) {
	test(`${kind}: room that a runner frees is used within seconds; the set says which quota is short, until there is room (invariants 6, 7)`, async ({
		rig,
		make,
	}) => {
		const set = await make(kind, {});
		await withQuota(set);
		await set.scale(6);
		await set.online(limit);
		const { message = '' } = await set.conditionIs('QuotaExceeded', 'True');
		assert.is(message, 'quota runners: pods=3 used of pods=3, a runner needs pods=1');
		const tookMs: number[] = [];
		for (let round = 0; round < 3; round++) tookMs.push(await replaced(set));
		console.log(`${kind}: the next runner had its pod after ${tookMs.join(', ')} ms`);
		assert.ok(Math.max(...tookMs) < 10_000, tookMs.join());
		// Kubernetes' own count of a quota comes from a cache, and may allow one more for a moment on a busy machine.
		assert.ok(set.most <= limit + 1, `${set.most} pods`);
		await rig.kube.patch(`/api/v1/namespaces/${set.namespace}/resourcequotas/${name}`, {
			spec: { hard: { pods: '6' } },
		});
		await set.online(6, 60_000);
		await set.conditionIs('QuotaExceeded', 'False');
		assert.is(set.most, 6);
	});

	// So the StatefulSets that have no pod have to use it. Their controller tries again after 41, 82, 164 s.
	test(`${kind} whose ended runners are not replaced: room that one frees is used within seconds by those that wait (invariants 6, 7)`, async ({
		make,
	}) => {
		const set = await make(kind, { annotations: { 'actions-runner/recreation-delay': '10m' } });
		await withQuota(set);
		await set.scale(6);
		await set.online(limit);
		await set.conditionIs('QuotaExceeded', 'True');
		const tookMs: number[] = [];
		for (let round = 0; round < 3; round++) tookMs.push(await replaced(set));
		console.log(`${kind}, none replaced: the next runner had its pod after ${tookMs.join(', ')} ms`);
		assert.ok(Math.max(...tookMs) < 10_000, tookMs.join());
		assert.is(set.uids.size, 6);
	});
}

test.run();

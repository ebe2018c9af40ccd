/**
 * The watches of owners and pods bring nothing while all other calls work, as when an API server behind a load balancer dies
 * (invariant 7). It takes the 90 s after which a silent watch is opened anew. For ten minutes, with an autoscaler, and with
 * creations without an answer: unit/sets/silent-watches.test.ts.
 */
import * as assert from 'uvu/assert';
import { silentWatch } from '../../../admission/kube/policy.ts';
import { defaultSurge } from '../../../admission/sets/rules/policy.ts';
import { eventually } from '../../rig/eventually.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { kinds } from '../../rig/runner-sets.ts';
import { startWatchProxy, type WatchProxy } from '../../rig/watch-proxy.ts';
import { setTests } from '../support/set-tests.ts';

let proxy: WatchProxy | undefined;

async function prepare(): Promise<Rig> {
	const rig = await startRig({ sets: true, replicas: 0 });
	proxy = await startWatchProxy(rig.serverKubeconfig);
	await rig.addServer({ kubeconfig: proxy.kubeconfig });
	await rig.guarded();
	return rig;
}

const test = setTests('watches that fall silent', { prepare, cleanUp: async () => proxy?.stop() });

const [before, wanted] = [2, 10];
const watched = [
	'/api/v1/pods',
	'/apis/apps/v1/statefulsets',
	'/apis/actions.summerwind.dev/v1alpha1/runners',
];
/** Opening a watch anew, on a busy machine. */
const slackMs = 10_000;

test('both kinds scaled to 10 while nothing is shown: never more than wanted + surge; each watch is opened anew after 90 s (invariant 7)', async ({
	make,
}) => {
	const sets = await Promise.all(kinds.map((kind) => make(kind, { replicas: before })));
	const opened = watched.map((path) => [path, proxy?.open(path).length] as const);
	const silent = watched.flatMap((path) => proxy?.silence(path) ?? []);
	assert.equal([...new Set(silent.map(({ path }) => path))], watched);
	await Promise.all(sets.map((set) => set.scale(wanted)));
	await Promise.all(sets.map((set) => set.online(wanted)));
	await eventually(
		'the silent watches are given up',
		() => silent.every(({ endedMs }) => endedMs !== undefined),
		{ withinMs: silentWatch.afterMs + silentWatch.jitterMs + slackMs },
	);
	for (const { path, lastMs, endedMs = 0 } of silent) {
		const tookMs = endedMs - lastMs;
		console.log(`${path}: opened anew after ${(tookMs / 1_000).toFixed(1)} s of silence`);
		assert.ok(tookMs >= silentWatch.afterMs - 100, `${path}: ${tookMs} ms`);
		assert.ok(tookMs <= silentWatch.afterMs + silentWatch.jitterMs + slackMs, `${path}: ${tookMs} ms`);
	}
	await eventually(
		'each is open again',
		() => opened.every(([path, count]) => proxy?.open(path).length === count),
		{
			withinMs: slackMs,
		},
	);
	// What they show is used: of pods that no watch has shown, none has its runner's id.
	await Promise.all(sets.map((set) => set.registered(wanted)));
	for (const set of sets) {
		console.log(`${set.kind}: ${set.most} pods at most, ${set.uids.size} in all`);
		assert.ok(set.most <= wanted + defaultSurge(wanted), `${set.kind}: ${set.most} pods at once`);
		assert.is(set.uids.size, wanted, 'none was made needlessly');
		await set.rests(wanted);
	}
});

test.run();

/** The mass promise, what controllers do: over 50 busy runners against deleters that ask nobody and come again. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { record } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { type ApiCall, apiCalls, evict, remove } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import {
	allMarked,
	allRecorded,
	endJobs,
	type Fleet,
	startFleet,
	startJobs,
	summary,
} from '../../rig/fleet.ts';
import { type History, startHistory } from '../../rig/history.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { plainPod } from '../../rig/spaces.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { suite } from '../../support/suite.ts';

interface Context {
	rig: Rig;
	history: History;
	call: ApiCall;
	stopCalls: () => void;
	fleets: Record<'taint' | 'preempt' | 'karpenter', Fleet>;
}

const scheduler = 'system:kube-scheduler';
const karpenter = 'system:serviceaccount:kube-system:karpenter';
/** 13 busy runners on each, and no room for more. */
const fullNodes = 4;

const test = suite<Context>('fifty busy runners against controllers');

test.before(async (context) => {
	context.rig = await startRig({ nodes: [] });
	const { rig } = context;
	context.history = await startHistory(rig);
	const { call, stop } = apiCalls(readKubeconfig(rig.cluster.kubeconfig));
	Object.assign(context, { call, stopCalls: stop });
	await rig.apply({
		apiVersion: 'scheduling.k8s.io/v1',
		kind: 'PriorityClass',
		metadata: { name: 'urgent' },
		value: 1_000_000,
	});
	context.fleets = {
		taint: await startFleet(rig, 'taint'),
		preempt: await startFleet(rig, 'preempt', { fullNodes }),
		karpenter: await startFleet(rig, 'karpenter'),
	};
	for (const fleet of Object.values(context.fleets)) await startJobs(rig, fleet);
	for (const fleet of Object.values(context.fleets)) await allMarked(rig, fleet);
});
test.after(async ({ rig, history, stopCalls }) => {
	if (rig) console.log(`\n${rig.github.callsTable()}`);
	stopCalls?.();
	history?.stop();
	await rig?.stop();
});
test.after.each(({ rig, history }) => {
	assert.equal(history.violations(), []);
	assert.is(rig.github.count({ endpoint: 'delete' }), 0, 'every job was known: GitHub need not be asked');
});

async function ends({ rig }: Context, fleet: Fleet, names: readonly string[], how: string): Promise<void> {
	const { medianMs, maxMs } = summary(await endJobs(rig, fleet, names));
	console.log(
		`${how}: ${names.length} runners released ${medianMs} ms after their job (median; longest ${maxMs} ms)`,
	);
	assert.ok(medianMs <= 2_000, `median ${medianMs} ms`);
}

test('NoExecute taint on a node with 52 busy runners: no job dies, all go when their job ends though nobody asks again', async (context) => {
	const { rig, history, fleets } = context;
	await rig.ok(['taint', 'node', ...fleets.taint.nodes, 'maintenance=now:NoExecute']);
	await allRecorded(history, fleets.taint);
	await ends(context, fleets.taint, fleets.taint.names, 'NoExecute taint');
});

test('an urgent pod for each of 4 nodes full of busy runners: at most one refused DELETE each 3 s and victim; they start as jobs end', async (context) => {
	const { rig, fleets } = context;
	const { namespace, names, nodes } = fleets.preempt;
	const fromMs = Date.now();
	const urgent = nodes.map((node) => `urgent-${node}`);
	await rig.apply(
		...nodes.map((node) =>
			plainPod(`urgent-${node}`, namespace, {
				priorityClassName: 'urgent',
				nodeSelector: { 'kubernetes.io/hostname': node },
			}),
		),
	);
	await sleep(12_000);
	const tries = new Map<string, number>();
	for (const line of rig.logs(({ user, time }) => user === scheduler && Date.parse(time) >= fromMs)) {
		if (/denied|recorded/.test(line.msg)) tries.set(String(line.pod), (tries.get(String(line.pod)) ?? 0) + 1);
	}
	const seconds = (Date.now() - fromMs) / 1000;
	const most = Math.ceil(seconds / 3) + 1;
	console.log(
		`preemption: ${tries.size} victims, refused DELETEs each in ${seconds.toFixed(1)} s: ${[...tries.values()].join(' ')}`,
	);
	assert.is(tries.size, fullNodes);
	for (const [pod, count] of tries)
		assert.ok(count <= most, `${pod}: ${count} refused DELETEs in ${seconds} s`);

	const alive = await rig.pods(namespace);
	const victims = alive
		.filter((pod: Pod) => pod.metadata.annotations?.[record.requestedBy] === scheduler)
		.map((pod) => pod.metadata.name);
	assert.is(victims.length, fullNodes);
	assert.is(
		alive.filter((pod) => names.includes(pod.metadata.name) && !pod.metadata.deletionTimestamp).length,
		names.length,
	);
	await ends(context, fleets.preempt, victims, 'preemption');
	const endedMs = Date.now();
	await eventually(
		'the urgent pods run',
		async () => {
			const pods = await rig.pods(namespace);
			return (
				pods.filter((pod) => urgent.includes(pod.metadata.name) && pod.status?.phase === 'Running').length ===
				urgent.length
			);
		},
		{ withinMs: 20_000 },
	);
	console.log(`urgent pods run ${Date.now() - endedMs} ms later`);
});

test('Karpenter past its terminationGracePeriod: evictions, then DELETEs with less and less grace: no job dies', async (context) => {
	const { rig, history, call, fleets } = context;
	const { namespace, names } = fleets.karpenter;
	const uids = new Map((await rig.pods(namespace)).map((pod) => [pod.metadata.name, pod.metadata.uid]));
	const options = (name: string) => ({ preconditions: { uid: uids.get(name) } });
	const evicted = await Promise.all(
		names.map((name) => evict(call, namespace, name, options(name), karpenter)),
	);
	assert.equal(new Set(evicted.map((answer) => answer.status)), new Set([429]));
	for (const gracePeriodSeconds of [29, 20, 11, 5, 2, 1, 1]) {
		const answers = await Promise.all(
			names.map((name) => remove(call, namespace, name, { ...options(name), gracePeriodSeconds }, karpenter)),
		);
		assert.equal(new Set(answers.map((answer) => answer.status)), new Set([409]));
	}
	await allRecorded(history, fleets.karpenter);
	await ends(context, fleets.karpenter, names, 'Karpenter');
});

test.run();

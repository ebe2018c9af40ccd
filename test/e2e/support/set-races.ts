/** What disturbs the making and removing of a RunnerSet's StatefulSets: see sets/stateful-set-races.test.ts. */
import * as assert from 'uvu/assert';
import type { Pod } from '../../../admission/api/kinds.ts';
import { apiCalls } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import type { SetOptions, SetUnderTest } from '../../rig/runner-sets.ts';
import { statefulSetController } from '../../rig/stage.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { comesTo, runners, waiting } from './set-remains.ts';

export const claim = {
	metadata: { name: 'work' },
	spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
};
/** Its runners wait for their volumes, and never start. */
export const withClaims: SetOptions = {
	spec: {
		volumeClaimTemplates: [claim],
		persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Retain' },
	},
};
export const scaleAll = (all: readonly SetUnderTest[], replicas: number) =>
	Promise.all(all.map((set) => set.scale(replicas)));

/** One whose runners register, and one whose runners wait for claims. */
type Pair = readonly [SetUnderTest, SetUnderTest];

export const bothCome = ([plain, waits]: Pair, count: number) =>
	Promise.all([comesTo(plain, runners(count)), comesTo(waits, waiting(count))]);

/** The next server need not wait until the Lease of the dead one has run out. */
export async function crash(rig: Rig): Promise<void> {
	const [server] = rig.servers;
	server?.signal('SIGKILL');
	await server?.exited;
	await rig.kube.delete('/apis/coordination.k8s.io/v1/namespaces/runners-system/leases/runners-admission');
	await rig.addServer();
	await rig.guarded();
}

function signalControllers({ cluster }: Rig, signal: NodeJS.Signals): void {
	const pid = cluster.pids()['kube-controller-manager'];
	if (pid === undefined) throw new Error('no controllers run');
	process.kill(pid, signal);
}

/** It stands still until `work` is done. */
export async function withoutController(rig: Rig, work: () => Promise<unknown>): Promise<void> {
	signalControllers(rig, 'SIGSTOP');
	try {
		await work();
	} finally {
		signalControllers(rig, 'SIGCONT');
	}
}

/** It stands still two thirds of the time. */
export async function slowController(rig: Rig, work: () => Promise<unknown>): Promise<void> {
	let tick = 0;
	const timer = setInterval(() => signalControllers(rig, ++tick % 3 === 0 ? 'SIGCONT' : 'SIGSTOP'), 50);
	try {
		await work();
	} finally {
		clearInterval(timer);
		signalControllers(rig, 'SIGCONT');
	}
}

export async function restartedController(rig: Rig, work: () => Promise<unknown>): Promise<void> {
	await rig.cluster.restartControllers();
	await work();
}

/** A controller whose cache is behind would make this pod again, since its StatefulSet is still there for it. */
export async function isRefused(rig: Rig, { metadata }: Pod): Promise<void> {
	const { name, namespace, labels, ownerReferences } = metadata;
	const { call, stop } = apiCalls(readKubeconfig(rig.cluster.kubeconfig));
	const body = {
		apiVersion: 'v1',
		kind: 'Pod',
		metadata: { name, labels, ownerReferences },
		spec: { containers: [{ name: 'runner', image: 'runner' }] },
	};
	const answer = await call('POST', `/api/v1/namespaces/${namespace}/pods`, {
		body,
		as: statefulSetController,
	});
	stop();
	assert.is(answer.status, 409, answer.message);
	assert.match(answer.message, `${name} is not created: its StatefulSet`);
}

/** How many StatefulSets have their pod, according to their controller. */
export async function counted({ rig, namespace }: SetUnderTest): Promise<number> {
	const path = `/apis/apps/v1/namespaces/${namespace}/statefulsets`;
	const { items } = await rig.kube.get<{ items: { status?: { replicas?: number } }[] }>(path);
	return items.filter(({ status }) => status?.replicas === 1).length;
}

/** Events of our server on the set. */
async function eventsOn({ rig, namespace, name }: SetUnderTest): Promise<string[]> {
	const { items } = await rig.kube.get<{
		items: { reason: string; message: string; involvedObject: { kind: string; name: string } }[];
	}>(`/api/v1/namespaces/${namespace}/events`);
	return items
		.filter(({ involvedObject: { kind, name: about } }) => kind === 'RunnerSet' && about === name)
		.map(({ reason, message }) => `${reason}: ${message}`);
}

/** Our server says on the set why a runner could not be created. */
export const failedCreate = (set: SetUnderTest, why: RegExp) =>
	eventually(
		`an Event says ${why}`,
		async () => (await eventsOn(set)).some((one) => one.startsWith('FailedCreate') && why.test(one)),
		{ withinMs: 30_000 },
	);

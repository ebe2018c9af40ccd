/**
 * What actions-runner-controller (ARC, legacy mode) leaves in a cluster, and the part of its behaviour that others have
 * to coexist with: its StatefulSets, RunnerReplicaSets and Runners, its finalizers, its scale-down. As in its source.
 */
import { crdWithAnyFields } from '../sim/crd.ts';
import type { KubeItem } from '../sim/kube.ts';
import { type PodManifest, runnerDeploymentPod, runnerSetPod } from '../sim/pods.ts';
import type { PodItem } from '../sim/runner-pod.ts';
import { arcKeys } from './arc-controller.ts';
import { eventually } from './eventually.ts';
import type { Rig } from './rig.ts';

const group = 'actions.summerwind.dev/v1alpha1';
/** ARC's hash of its own template, as the pods of test/sim/pods.ts carry it. */
const hash = '5f4d8c7b9d';
const inject = { 'actions-runner-controller/inject-registration-token': 'true' };

/** A RunnerSet or RunnerDeployment that exists. Its runners are of the organization of the namespace's name. */
export interface ArcSet {
	namespace: string;
	name: string;
	uid: string;
	/** Labels of its template. */
	labels?: Record<string, string>;
}

/** ARC's definitions: RunnerReplicaSet's and, where the guard is alone, those that we have in common. */
export async function installArcCrds(rig: Rig, { common }: { common: boolean }): Promise<void> {
	await rig.apply(crdWithAnyFields('actions.summerwind.dev', 'RunnerReplicaSet'));
	const crds = new URL('../../manifests/crds', import.meta.url).pathname;
	if (common) await rig.ok(['apply', '--server-side', '-k', crds]);
	await rig.ok([
		...['wait', '--for=condition=Established', '--timeout=30s'],
		'crd/runnerreplicasets.actions.summerwind.dev',
		'crd/runnersets.actions.summerwind.dev',
	]);
}

/** Creates this number of one-pod StatefulSets of a RunnerSet, with their pods; returns the pods' names. */
export async function statefulSetsOfArc(rig: Rig, set: ArcSet, count: number): Promise<string[]> {
	const owners = names(set.name, count);
	const pods = owners.map((owner) =>
		runnerSetPod({ ...podOf(set, `${owner}-0`), labels: set.labels ?? {}, set: set.name }),
	);
	// The pods first: ARC's own webhook gives them what no StatefulSet can, and the StatefulSet adopts them.
	await rig.apply(...pods);
	await rig.apply(...owners.map((owner, index) => statefulSet(set, owner, pods[index])));
	await eventually(`the StatefulSets of ${set.name} own their pods`, async () => {
		const found = await rig.pods(set.namespace);
		return found.filter((pod) => pod.metadata.ownerReferences?.[0]?.kind === 'StatefulSet').length >= count;
	});
	return pods.map((pod) => pod.metadata.name);
}

const selectorOf = ({ labels, name }: ArcSet) => ({
	...labels,
	...inject,
	'runner-template-hash': hash,
	'runnerset-name': name,
});

const volumeClaimSpec = {
	accessModes: ['ReadWriteOnce'],
	storageClassName: 'kept-by-arc',
	resources: { requests: { storage: '1Gi' } },
};
/** A RunnerSet's `volumeClaimTemplates`, for volumeClaimsOfArc. */
export const volumeClaimTemplates = [{ metadata: { name: 'work' }, spec: volumeClaimSpec }];

/**
 * Creates a volume claim of the template `work` for each of these StatefulSets, with the labels that their controller gives it, and
 * a volume that is kept for it; returns when all are bound.
 */
export async function volumeClaimsOfArc(rig: Rig, set: ArcSet, owners: string[]): Promise<void> {
	const { resources, ...storage } = volumeClaimSpec;
	const metadata = { namespace: set.namespace, labels: selectorOf(set) };
	for (const owner of owners)
		await rig.apply(
			{
				apiVersion: 'v1',
				kind: 'PersistentVolume',
				metadata: { name: `${set.namespace}-${owner}` },
				spec: {
					...storage,
					capacity: resources.requests,
					persistentVolumeReclaimPolicy: 'Retain',
					hostPath: { path: `/tmp/${owner}` },
				},
			},
			{
				apiVersion: 'v1',
				kind: 'PersistentVolumeClaim',
				metadata: { ...metadata, name: `work-${owner}-0` },
				spec: volumeClaimSpec,
			},
		);
	const path = `/api/v1/namespaces/${set.namespace}/persistentvolumeclaims`;
	type VolumeClaim = KubeItem & { status?: { phase?: string } };
	await eventually('the volume claims are bound', async () =>
		(await rig.kube.get<{ items: VolumeClaim[] }>(path)).items.every(
			({ status }) => status?.phase === 'Bound',
		),
	);
}

function statefulSet(set: ArcSet, name: string, pod: PodManifest | undefined): object {
	const matchLabels = selectorOf(set);
	return {
		apiVersion: 'apps/v1',
		kind: 'StatefulSet',
		metadata: {
			name,
			namespace: set.namespace,
			labels: { 'runner-template-hash': hash },
			annotations: { 'sync-time': new Date().toISOString() },
			ownerReferences: [controlledBy(group, 'RunnerSet', set)],
		},
		spec: {
			replicas: 1,
			serviceName: set.name,
			selector: { matchLabels },
			updateStrategy: { type: 'OnDelete' },
			template: {
				metadata: { labels: { ...matchLabels, 'actions-runner': '' } },
				spec: { containers: pod?.spec.containers },
			},
		},
	};
}

/**
 * Creates a RunnerReplicaSet of a RunnerDeployment with this number of Runners and their pods; returns the pods' names.
 */
export async function runnersOfArc(rig: Rig, set: ArcSet, count: number): Promise<string[]> {
	const { namespace } = set;
	const labels = { ...set.labels, 'runner-deployment-name': set.name, 'runner-template-hash': hash };
	const replicaSet = `${set.name}-k7xq2`;
	const spec = { organization: namespace, dockerEnabled: false };
	const meta = (name: string, owner: object) => ({ name, namespace, labels, ownerReferences: [owner] });
	await rig.apply({
		apiVersion: group,
		kind: 'RunnerReplicaSet',
		metadata: meta(replicaSet, controlledBy(group, 'RunnerDeployment', set)),
		spec: { replicas: count, template: { metadata: { labels }, spec } },
	});
	const path = `/apis/${group}/namespaces/${namespace}`;
	const made = await rig.kube.get<KubeItem>(`${path}/runnerreplicasets/${replicaSet}`);
	const owner = controlledBy(group, 'RunnerReplicaSet', { name: replicaSet, uid: made.metadata.uid });
	const runners = names(replicaSet, count);
	for (const name of runners) {
		// Each together with its pod: a running server treats a Runner without a pod as ended.
		const runner = await rig.kube.create<KubeItem>(`${path}/runners`, {
			apiVersion: group,
			kind: 'Runner',
			metadata: { ...meta(name, owner), finalizers: ['runner.actions.summerwind.dev'] },
			spec,
		});
		const { uid } = runner.metadata;
		await rig.apply(
			runnerDeploymentPod({
				...podOf(set, name),
				labels,
				set: set.name,
				owner: controlledBy(group, 'Runner', { name, uid }),
			}),
		);
	}
	return runners;
}

const podOf = ({ namespace }: ArcSet, name: string) => ({
	name,
	namespace,
	organization: namespace,
	arcFinalizers: true,
});

const controlledBy = (apiVersion: string, kind: string, { name, uid }: { name: string; uid: string }) => ({
	apiVersion,
	kind,
	name,
	uid,
	controller: true,
	blockOwnerDeletion: true,
});

/** As generateName makes them, but the same at every run. */
const names = (prefix: string, count: number) =>
	Array.from({ length: count }, (_, index) => `${prefix}-${'bcdfghjklm'[index % 10]}x2z${index}`);

/**
 * ARC's scale-down of one runner, its "termination process": the request is written on the pod, ARC's controller of
 * runner pods (arc-controller.ts) unregisters the runner and marks the pod, and the owner is deleted.
 */
export async function scaleDownByArc(
	rig: Rig,
	{ namespace }: { namespace: string },
	pod: string,
	ownerPath: string,
): Promise<void> {
	await requestScaleDown(rig, namespace, pod);
	await eventually(`ARC has had ${pod} unregistered`, async () => {
		const { metadata } = await rig.kube.get<PodItem>(`/api/v1/namespaces/${namespace}/pods/${pod}`);
		return arcKeys.complete in (metadata.annotations ?? {});
	});
	await rig.ok(['delete', '--raw', ownerPath]);
}

/**
 * ARC's scale-down of all runners of a RunnerSet at once, as scaleDownByArc does it for one. Returns how long it took from the
 * first request to the last pod's disappearance, ms.
 */
export async function scaleAllDownByArc(rig: Rig, { namespace }: { namespace: string }): Promise<number> {
	const owners = `/apis/apps/v1/namespaces/${namespace}/statefulsets`;
	const fromMs = Date.now();
	await Promise.all(
		(await rig.pods(namespace)).map(({ metadata }) => requestScaleDown(rig, namespace, metadata.name)),
	);
	const deleted = new Set<string>();
	await eventually(
		`ARC has scaled ${namespace} down`,
		async () => {
			const left = await rig.pods(namespace);
			const unregistered = left
				.filter(({ metadata: { annotations = {} } }) => arcKeys.complete in annotations)
				.map(({ metadata }) => metadata.name.replace(/-0$/, ''))
				.filter((owner) => !deleted.has(owner));
			for (const owner of unregistered) deleted.add(owner);
			await Promise.all(unregistered.map((owner) => rig.kube.delete(`${owners}/${owner}`)));
			return left.length === 0;
		},
		{ withinMs: 300_000 },
	);
	return Date.now() - fromMs;
}

/** ARC's set wants one runner less, and has chosen this one. */
export async function requestScaleDown(rig: Rig, namespace: string, pod: string): Promise<void> {
	const at = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
	await rig.kube.patch(`/api/v1/namespaces/${namespace}/pods/${pod}`, {
		metadata: { annotations: { [arcKeys.request]: at } },
	});
}

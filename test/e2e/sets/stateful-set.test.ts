/** What is made with a StatefulSet is what the StatefulSet controller would make: it takes it over and writes next to nothing. */
import * as assert from 'uvu/assert';
import type { Pod } from '../../../admission/api/kinds.ts';
import type { StatefulSet } from '../../../admission/api/sets.ts';
import { claimsOf, podOf } from '../../../admission/sets/stateful-set/objects.ts';
import { revisionOf } from '../../../admission/sets/stateful-set/revision.ts';
import { readAudit } from '../../cluster/audit.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import type { SetUnderTest } from '../../rig/runner-sets.ts';
import { stage, statefulSetController } from '../../rig/stage.ts';
import type { KubeItem } from '../../sim/kube.ts';
import { setTests } from '../support/set-tests.ts';

const test = setTests('StatefulSets of RunnerSets', { prepare: () => stage('sets') });

const claim = (name: string) => ({
	metadata: { name, labels: { of: name }, annotations: { why: '<room> & "time"' } },
	spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
});
const container = { name: 'main', image: 'bare' };

/** Templates in which a copy of the controller's work could go wrong. */
const specs: Record<string, Record<string, unknown>> = {
	plain: { template: { spec: { containers: [container] } } },
	'odd-text': {
		template: {
			metadata: { annotations: { 'b/2': '<&> \u2028 \u00e9 \u{1f600} \u007f "\\\t', 'b/10': '', a: 'x\ny' } },
			spec: {
				containers: [
					{
						...container,
						env: [
							{ name: 'ZERO', value: '0' },
							{ name: 'EMPTY', value: '' },
							{ name: 'OF_FIELD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
						],
						resources: { requests: { cpu: '0.5', memory: '1024Mi' }, limits: { memory: '1Gi' } },
						securityContext: { privileged: false, runAsUser: 0 },
						readinessProbe: { tcpSocket: { port: 80 }, periodSeconds: 7 },
						volumeMounts: [{ name: 'data', mountPath: '/data' }],
					},
				],
				nodeSelector: { '10': 'ten', '9': 'nine', kind: 'none' },
				tolerations: [{ operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 }],
				volumes: [
					{ name: 'data', emptyDir: {} },
					{
						name: 'names',
						downwardAPI: { items: [{ path: 'n', fieldRef: { fieldPath: 'metadata.name' } }] },
					},
				],
			},
		},
		serviceName: 'odd',
	},
	claims: {
		template: {
			spec: {
				containers: [{ ...container, volumeMounts: [{ name: 'work', mountPath: '/work' }] }],
				volumes: [
					{ name: 'other', emptyDir: {} },
					{ name: 'work', emptyDir: {} },
				],
			},
		},
		volumeClaimTemplates: [claim('work'), claim('cache')],
		persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Retain' },
	},
	'kept-claims': {
		template: { spec: { containers: [container] } },
		volumeClaimTemplates: [claim('work')],
		persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Delete' },
	},
};

for (const [name, { template, ...spec }] of Object.entries(specs))
	test(`pod, claims and revision of a StatefulSet with ${name} are the controller's`, async ({
		rig,
		make,
	}) => {
		const { namespace } = await make('RunnerSet');
		const { metadata = {}, ...pod } = template as { metadata?: object };
		const labels = { app: name };
		const made = await rig.kube.create<StatefulSet>(`/apis/apps/v1/namespaces/${namespace}/statefulsets`, {
			apiVersion: 'apps/v1',
			kind: 'StatefulSet',
			metadata: { name, annotations: { of: 'the <set>' } },
			spec: {
				replicas: 1,
				revisionHistoryLimit: 0,
				podManagementPolicy: 'Parallel',
				updateStrategy: { type: 'OnDelete' },
				selector: { matchLabels: labels },
				template: { ...pod, metadata: { ...metadata, labels: { ...labels, more: 'yes' } } },
				...spec,
			},
		});
		const itsPod = await eventually(`the controller makes ${name}-0`, () => rig.pod(`${name}-0`, namespace), {
			withinMs: 60_000,
		});
		const revision = revisionOf(made);
		verify(inOrder(itsPod), inOrder(podOf(made, revision.name) as Pod), 'pod');
		const path = `/apis/apps/v1/namespaces/${namespace}/controllerrevisions`;
		const { items } = await rig.kube.get<{ items: KubeItem[] }>(path);
		const itsRevision = items.find((one) => one.metadata.ownerReferences?.[0]?.uid === made.metadata.uid);
		// Its name is a hash of all bytes of its data.
		assert.is(itsRevision?.metadata.name, revision.name);
		verify(
			{ apiVersion: 'apps/v1', kind: 'ControllerRevision', ...itsRevision },
			JSON.parse(revision.json),
			'revision',
		);
		for (const ours of claimsOf(made)) {
			const at = `/api/v1/namespaces/${namespace}/persistentvolumeclaims/${ours.metadata?.name}`;
			// With whenDeleted Delete the controller writes its owner reference only after the pod exists.
			const owned = await eventually(
				`${ours.metadata?.name} belongs to ${ours.metadata?.ownerReferences?.length ?? 0}`,
				async () => {
					const theirs = await rig.kube.get<KubeItem>(at);
					const count = theirs.metadata.ownerReferences?.length ?? 0;
					return count === (ours.metadata?.ownerReferences?.length ?? 0) ? theirs : undefined;
				},
				{ withinMs: 30_000 },
			);
			verify(owned, ours, 'claim');
		}
		await rig.kube.delete(`/apis/apps/v1/namespaces/${namespace}/statefulsets/${name}`);
	});

for (const whenDeleted of ['Delete', 'Retain'] as const)
	test(`12 runners with a claim to ${whenDeleted}: their pods stay as they were made, and the controller takes them over`, async ({
		rig,
		make,
	}) => {
		const set = await make('RunnerSet', {
			spec: {
				volumeClaimTemplates: [claim('work')],
				persistentVolumeClaimRetentionPolicy: { whenDeleted, whenScaled: 'Retain' },
			},
		});
		await set.scale(12);
		await set.reaches(12);
		const revisions = () => names(set, '/apis/apps/v1', 'controllerrevisions');
		await eventually('each has its revision', async () => (await revisions()).length === 12, {
			withinMs: 60_000,
		});
		// It has seen all of them: it has counted them in their status.
		await eventually('the controller has counted all', async () => (await counted(set)) === 12, {
			withinMs: 60_000,
		});
		assert.is(set.uids.size, 12, 'a pod was made again');
		assert.is((await revisions()).length, 12, 'the controller made another revision');
		assert.is((await names(set, '/api/v1', 'persistentvolumeclaims')).length, 12);
		// It is quicker with some of them, and changes only claims of its own.
		const writes = await byController(rig, set.namespace);
		assert.equal(
			[...new Set(writes)].filter((write) => !expectedWrites.test(write)),
			[],
		);
		const count = (what: string) =>
			writes.filter((write) => write === `${what} persistentvolumeclaims`).length;
		assert.ok(count('update') <= count('create'), `${count('update')} of ${count('create')}`);
		await set.scale(0);
		await set.reaches(0);
		const claims = whenDeleted === 'Delete' ? 0 : 12;
		await eventually(
			'what goes with them is gone',
			async () =>
				(await revisions()).length === 0 &&
				(await names(set, '/api/v1', 'persistentvolumeclaims')).length === claims,
			{ withinMs: 30_000 },
		);
		assert.is(set.uids.size, 12, 'a pod came again on the way down');
	});

/** No pod and no revision is changed, and nothing is deleted. */
const expectedWrites =
	/^(create (controllerrevisions|persistentvolumeclaims|pods|events)|update (persistentvolumeclaims|statefulsets\/status))$/;

async function byController({ cluster }: Rig, namespace: string): Promise<string[]> {
	const events = await readAudit(cluster.folder);
	return events.flatMap(({ user, verb, objectRef, responseStatus }) =>
		user.username === statefulSetController &&
		objectRef?.namespace === namespace &&
		(responseStatus?.code ?? 0) < 300
			? [`${verb} ${objectRef.resource}${objectRef.subresource ? `/${objectRef.subresource}` : ''}`]
			: [],
	);
}

async function names({ rig, namespace }: SetUnderTest, api: string, resource: string): Promise<string[]> {
	const path = `${api}/namespaces/${namespace}/${resource}`;
	return (await rig.kube.get<{ items: KubeItem[] }>(path)).items.map(({ metadata }) => metadata.name);
}

/** How many of its StatefulSets have their pod, according to their controller. */
async function counted({ rig, namespace }: SetUnderTest): Promise<number> {
	const path = `/apis/apps/v1/namespaces/${namespace}/statefulsets`;
	const { items } = await rig.kube.get<{
		items: { status?: { replicas?: number; currentRevision?: string } }[];
	}>(path);
	return items.filter(({ status }) => status?.replicas === 1 && status.currentRevision).length;
}

/** The volumes of claims are in no particular order. */
function inOrder({ metadata, spec }: Pod): object {
	const { volumes = [] } = spec as { volumes?: { name: string }[] };
	const own = volumes.filter(({ name }) => !name.startsWith('kube-api-access-'));
	return { metadata, spec: { ...spec, volumes: own.sort((a, b) => a.name.localeCompare(b.name)) } };
}

/** Everything in `ours` is in `theirs`, at the same place; lists may be longer there, as the API server's own additions are. */
function verify(theirs: unknown, ours: unknown, where: string): void {
	if (Array.isArray(ours)) {
		for (const [index, one] of ours.entries())
			verify((theirs as unknown[] | undefined)?.[index], one, `${where}[${index}]`);
	} else if (typeof ours === 'object' && ours !== null) {
		for (const [key, one] of Object.entries(ours))
			if (one !== undefined)
				verify((theirs as Record<string, unknown> | undefined)?.[key], one, `${where}.${key}`);
	} else assert.is(theirs, ours, where);
}

test.run();

/** Kubernetes' own HorizontalPodAutoscaler on a set: alone it scales it, and beside an autoscaler of ours it is reported. */
import * as assert from 'uvu/assert';
import { Autoscaled } from '../../rig/autoscaled.ts';
import { eventually } from '../../rig/eventually.ts';
import { kinds, type SetUnderTest } from '../../rig/runner-sets.ts';
import { stage } from '../../rig/stage.ts';
import { setTests } from '../support/set-tests.ts';

const test = setTests('an HPA on a set', { prepare: () => stage('sets') });

/** Its limits are kept whether it can read a metric or not, and no metric is served here. */
const hpa = ({ kind, name, namespace }: SetUnderTest, minReplicas: number, maxReplicas: number) => ({
	apiVersion: 'autoscaling/v2',
	kind: 'HorizontalPodAutoscaler',
	metadata: { name: 'by-hpa', namespace },
	spec: {
		scaleTargetRef: { apiVersion: 'actions.summerwind.dev/v1alpha1', kind, name },
		minReplicas,
		maxReplicas,
		metrics: [
			{
				type: 'External',
				external: { metric: { name: 'queued-jobs' }, target: { type: 'AverageValue', averageValue: '1' } },
			},
		],
	},
});

for (const kind of kinds) {
	test(`${kind}: an HPA scales it by its scale subresource, up and down`, async ({ rig, make }) => {
		const set = await make(kind, { replicas: 1, annotations: { 'actions-runner/recreation-delay': '10m' } });
		await rig.apply(hpa(set, 2, 3));
		await set.online(2);
		await rig.ok(['scale', kind.toLowerCase(), set.name, '--replicas=4', '-n', set.namespace]);
		await eventually(
			'the HPA scales it down to its maximum',
			async () => (await set.object()).spec.replicas === 3,
			{
				withinMs: 60_000,
			},
		);
		await set.reaches(3);
		await rig.ok(['delete', 'hpa', 'by-hpa', '-n', set.namespace]);
	});
}

test('beside a HorizontalRunnerAutoscaler an HPA has no effect, and the condition ReplicasContested names it', async ({
	rig,
	make,
}) => {
	const set = await make('RunnerDeployment');
	const autoscaled = await Autoscaled.make(set, { minReplicas: 1 });
	await set.online(1);
	await rig.apply(hpa(set, 2, 3));
	const condition = await eventually(
		'two writers are reported',
		async () => {
			const found = await autoscaled.condition('ReplicasContested');
			return found?.status === 'True' ? found : undefined;
		},
		{ withinMs: 60_000 },
	);
	assert.match(condition.message ?? '', /set spec\.replicas of the target to 2, which has no effect/);
	assert.match(condition.message ?? '', /^kube-controller-manager /);
	await eventually('the number is written again', async () => (await set.object()).spec.replicas === 1);
	await set.rests(1);
	assert.is(set.uids.size, 1, 'no runner was made for the HPA');
	await rig.ok(['delete', 'hpa', 'by-hpa', '-n', set.namespace]);
});

test.run();

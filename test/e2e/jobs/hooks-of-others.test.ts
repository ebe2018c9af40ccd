/** `--job-hooks=all`: pods of ARC and of scale sets have job hooks too, but where a namespace refuses such pods. */
import * as assert from 'uvu/assert';
import { busy, jobHooks } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { hookVolume } from '../../../admission/jobs/hooks/rules/layout.ts';
import { eventually } from '../../rig/eventually.ts';
import { startRig } from '../../rig/rig.ts';
import type { Space } from '../support/space.ts';
import { spaceTests } from '../support/space-tests.ts';

// GitHub's list is late: what is on the pods comes from the hooks.
const test = spaceTests("job hooks of others' pods", {
	prepare: () => startRig({ sets: true, server: { args: ['--job-hooks', 'all'] } }),
	hintDelayMs: 120_000,
});

const hasHooks = ({ spec }: Pod) =>
	(spec as { volumes?: { name: string }[] }).volumes?.some(({ name }) => name === hookVolume) ?? false;
const podOf = async (space: Space, name: string) => (await space.pod(name)) as Pod;

test("a scale set's runner and one of ARC's: busy when their first hook has run", async ({ rig, space }) => {
	await space.scaleSetRunners(['s-1', 's-2']);
	await space.runners(['a-1']);
	for (const name of ['s-1', 's-2', 'a-1']) {
		assert.ok(hasHooks(await podOf(space, name)), name);
		await space.runJob(name);
		await eventually(`the first hook of ${name} has run`, () =>
			rig.agents.journal.some(
				({ what, pod, namespace, hook }) =>
					what === 'hook-ran' && pod === name && namespace === space.name && hook?.exitCode === 0,
			),
		);
		const { metadata } = await podOf(space, name);
		assert.is(metadata.labels?.[busy.label], 'true', name);
		assert.match(metadata.annotations?.[busy.job] ?? '', /run \d+/);
	}
	for (const name of ['s-1', 's-2', 'a-1']) await space.endJob(name);
});

test('where a policy forbids their volume: no hooks, the reason on the pod, and the runner runs', async ({
	rig,
	space,
}) => {
	const name = `no-hooks-in-${space.name}`;
	const matchResources = {
		namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': space.name } },
	};
	const group = { apiVersion: 'admissionregistration.k8s.io/v1', metadata: { name } };
	await rig.apply(
		{
			...group,
			kind: 'ValidatingAdmissionPolicy',
			spec: {
				failurePolicy: 'Fail',
				matchConstraints: {
					resourceRules: [
						{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] },
					],
				},
				validations: [
					{
						expression: `!object.spec.?volumes.orValue([]).exists(v, v.name == '${hookVolume}')`,
						message: 'projected tokens are not welcome here',
					},
				],
			},
		},
		{
			...group,
			kind: 'ValidatingAdmissionPolicyBinding',
			spec: { policyName: name, validationActions: ['Deny'], matchResources },
		},
	);
	const container = { name: 'c', image: 'c' };
	const probe = {
		apiVersion: 'v1',
		kind: 'Pod',
		metadata: { name: 'probe', namespace: space.name },
		spec: { containers: [container], volumes: [{ name: hookVolume, emptyDir: {} }] },
	};
	await eventually('the policy is in force', async () => {
		const { code } = await rig.kubectl(['create', '--dry-run=server', '-f', '-'], JSON.stringify(probe));
		return code !== 0;
	});
	await space.scaleSetRunners(['s-1']);
	await space.scaleSetRunners(['s-2']);
	for (const one of ['s-1', 's-2']) {
		const pod = await podOf(space, one);
		assert.not(hasHooks(pod));
		assert.match(pod.metadata.annotations?.[jobHooks.absent] ?? '', 'projected tokens are not welcome here');
	}
});

test.run();

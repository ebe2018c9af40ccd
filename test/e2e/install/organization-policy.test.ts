/** The policy that docs/security.md offers to whoever shares a credential among namespaces that do not trust each other. */
import { readFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import type { KubeObject } from '../../../admission/api/kinds.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { plainPod } from '../../rig/spaces.ts';
import { stage } from '../../rig/stage.ts';
import { KubeError } from '../../sim/kube.ts';
import { runnerDeploymentPod, runnerSetPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';
import { end } from '../support/space.ts';

const test = suite<{ rig: Rig; policy: string }>('organization policy');
const namespace = 'team-a';
const own = 'octo-a';

test.before(async (context) => {
	const { rig } = Object.assign(context, { rig: await stage('sets') });
	await rig.cluster.createNamespace(namespace);
	await rig.ok(['label', 'namespace', namespace, `runners.example.com/organization=${own}`]);
	const text = await readFile(new URL('../../../docs/security.md', import.meta.url), 'utf8');
	context.policy = /```yaml\n(apiVersion: admissionregistration[^`]+)```/.exec(text)?.[1] ?? '';
	assert.ok(context.policy, 'it is in the document');
	await rig.ok(['apply', '-f', '-'], context.policy);
	const probe = runnerSetPod({ name: 'probe', namespace, organization: 'other' });
	await eventually('the API server enforces it', () => refusal(rig, probe), { withinMs: 60_000 });
});
test.after(async ({ rig, policy }) => {
	if (policy) await rig.ok(['delete', '-f', '-'], policy);
	await end(rig);
});

/** What the API server has against this object, by a dry run; undefined: nothing. */
async function refusal(rig: Rig, object: object): Promise<string | undefined> {
	const { kind, metadata } = object as KubeObject & { kind: string };
	const root = kind === 'Pod' ? '/api/v1' : '/apis/actions.summerwind.dev/v1alpha1';
	const path = `${root}/namespaces/${metadata.namespace}/${kind.toLowerCase()}s?dryRun=All`;
	try {
		await rig.kube.create(path, object);
		return undefined;
	} catch (error) {
		if (!(error instanceof KubeError)) throw error;
		return error.message;
	}
}

const set = (kind: 'RunnerSet' | 'RunnerDeployment', config: object) => ({
	apiVersion: 'actions.summerwind.dev/v1alpha1',
	kind,
	metadata: { name: 'a', namespace },
	spec:
		kind === 'RunnerSet'
			? { replicas: 0, template: {}, ...config }
			: { replicas: 0, template: { spec: config } },
});

const pod = { name: 'a', namespace };
for (const [what, object, refused] of [
	['a pod of its own organization', runnerSetPod({ ...pod, organization: own }), false],
	['a pod of a repository in it', runnerDeploymentPod({ ...pod, repository: `${own}/app` }), false],
	['a pod that is no runner', plainPod('web', namespace), false],
	['a pod of another organization', runnerSetPod({ ...pod, organization: 'octo-b' }), true],
	['a pod of one whose name begins the same', runnerSetPod({ ...pod, organization: `${own}-b` }), true],
	['a pod of another’s repository', runnerDeploymentPod({ ...pod, repository: 'octo-b/app' }), true],
	['a pod of an enterprise', runnerSetPod({ ...pod, organization: '', enterprise: 'octo' }), true],
	['a RunnerSet of its own organization', set('RunnerSet', { organization: own }), false],
	['a RunnerDeployment of its own', set('RunnerDeployment', { repository: `${own}/app` }), false],
	['a RunnerSet of another', set('RunnerSet', { organization: 'octo-b' }), true],
	['a RunnerDeployment of another', set('RunnerDeployment', { repository: 'octo-b/app' }), true],
] as const) {
	test(`${what} is ${refused ? 'refused' : 'created'}`, async ({ rig }) => {
		const said = await refusal(rig, object);
		if (refused) assert.match(said ?? '', 'may only be of its own organization');
		else assert.is(said, undefined);
	});
}

test('a namespace without the label is not bound', async ({ rig }) => {
	const free = runnerSetPod({ name: 'a', namespace: 'default', organization: 'anything' });
	assert.is(await refusal(rig, free), undefined);
});

test.run();

/** The policy that docs/security.md offers to whoever shares a credential among namespaces that do not trust each other. */
import { readFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { plainPod } from '../../rig/spaces.ts';
import { runnerDeploymentPod, runnerSetPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';

const test = suite<{ rig: Rig }>('organization policy');
const namespace = 'team-a';
const own = 'octo-a';

test.before(async (context) => {
	const { rig } = Object.assign(context, { rig: await startRig({ sets: true, replicas: 0 }) });
	// The stamp of effectiveTime is nobody's business here.
	await rig.ok(['delete', 'mutatingwebhookconfiguration', 'runners-admission']);
	await rig.cluster.createNamespace(namespace);
	await rig.ok(['label', 'namespace', namespace, `runners.example.com/organization=${own}`]);
	const text = await readFile(new URL('../../../docs/security.md', import.meta.url), 'utf8');
	const policy = /```yaml\n(apiVersion: admissionregistration[^`]+)```/.exec(text)?.[1];
	assert.ok(policy, 'it is in the document');
	await rig.ok(['apply', '-f', '-'], policy);
	await eventually('the API server enforces it', async () => {
		const tried = await create(
			rig,
			runnerSetPod({ name: 'probe', namespace, organization: 'other' }),
			'--dry-run=server',
		);
		return tried.code !== 0;
	});
});
test.after(({ rig }) => rig?.stop());

const create = (rig: Rig, object: object, ...flags: string[]) =>
	rig.kubectl(['create', ...flags, '-f', '-'], JSON.stringify(object));

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
		const done = await create(rig, object, '--dry-run=server');
		assert.is(done.code, refused ? 1 : 0, done.stderr);
		if (refused) assert.match(done.stderr, 'may only be of its own organization');
	});
}

test('a namespace without the label is not bound', async ({ rig }) => {
	const free = runnerSetPod({ name: 'a', namespace: 'default', organization: 'anything' });
	assert.is((await create(rig, free, '--dry-run=server')).code, 0);
});

test.run();

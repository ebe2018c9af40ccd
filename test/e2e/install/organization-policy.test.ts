/** The policy that docs/security.md offers to whoever shares a credential among namespaces that do not trust each other. */
import { readFile } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import type { KubeObject } from '../../../admission/api/kinds.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { plainPod } from '../../rig/spaces.ts';
import { stage } from '../../rig/stage.ts';
import { crdWithAnyFields } from '../../sim/crd.ts';
import { KubeError } from '../../sim/kube.ts';
import { type PodManifest, runnerDeploymentPod, runnerSetPod } from '../../sim/pods.ts';
import { scaleSetPod } from '../../sim/scale-set-pods.ts';
import { suite } from '../../support/suite.ts';
import { end } from '../support/space.ts';

const test = suite<{ rig: Rig; policy: string }>('organization policy');
const namespace = 'team-a';
const own = 'octo-a';
const github = 'actions.github.com';
/** The rig has the third of this group, EphemeralRunner. */
const crds = ['AutoscalingRunnerSet', 'EphemeralRunnerSet'];

test.before(async (context) => {
	const { rig } = Object.assign(context, { rig: await stage('sets') });
	for (const kind of crds) await rig.ok(['apply', '-f', '-'], JSON.stringify(crdWithAnyFields(github, kind)));
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
	await rig.ok(['delete', 'crd', ...crds.map((kind) => `${kind.toLowerCase()}s.${github}`)]);
	await end(rig);
});

/** What the API server has against this object, by a dry run; undefined: nothing. */
async function refusal(rig: Rig, object: object): Promise<string | undefined> {
	const { kind, apiVersion, metadata } = object as KubeObject & { kind: string };
	const root = kind === 'Pod' ? '/api/v1' : `/apis/${apiVersion}`;
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
type Variable = { name: string; value?: string; valueFrom?: object };

/** A pod of the own organization, with these variables in place of, or behind, those of the same name. */
function podWith(variables: Variable[], more: object = {}, behind = false): PodManifest {
	const made = runnerSetPod({ ...pod, organization: own });
	const [runner] = made.spec.containers as { env: Variable[] }[];
	if (!runner) throw new Error('no container');
	const kept = runner.env.filter(({ name }) => behind || !variables.some((one) => one.name === name));
	Object.assign(runner, { env: [...kept, ...variables] }, more);
	return made;
}

const fromConfig = { configMapKeyRef: { name: 'c', key: 'k' } };
const ofScaleSet = (organization: string, labels: Record<string, string> = {}) => {
	const githubConfigUrl = `https://github.com/${organization}`;
	const made = scaleSetPod({ ...pod, githubConfigUrl, ownerUid: 'x' });
	made.metadata.ownerReferences = [];
	Object.assign(made.metadata.labels, labels);
	return made;
};
const configured = (kind: string, githubConfigUrl: string) => ({
	apiVersion: 'actions.github.com/v1alpha1',
	kind,
	metadata: { name: 'a', namespace },
	spec: kind === 'EphemeralRunnerSet' ? { ephemeralRunnerSpec: { githubConfigUrl } } : { githubConfigUrl },
});
const urls = ['AutoscalingRunnerSet', 'EphemeralRunnerSet', 'EphemeralRunner'].flatMap((kind) =>
	[
		['of its own', `https://github.com/${own}`, false],
		['of a repository in it', `https://github.com/${own}/app`, false],
		['of another', 'https://github.com/octo-b', true],
		['of one whose name begins the same', `https://github.com/${own}-b`, true],
		['of another GitHub', `https://ghes.example/${own}`, true],
		['of an enterprise', 'https://github.com/enterprises/octo', true],
	].map(
		([what, url, refused]) => [`an ${kind} ${what}`, configured(kind, `${url}`), refused === true] as const,
	),
);

for (const [what, object, refused] of [
	...urls,
	['a scale set’s pod of its own', ofScaleSet(own), false],
	['a scale set’s pod of a repository in it', ofScaleSet(`${own}/app`), false],
	['a scale set’s pod of another', ofScaleSet('octo-b'), true],
	['a scale set’s pod of an enterprise', ofScaleSet(own, { 'actions.github.com/enterprise': 'e' }), true],
	[
		'a scale set’s pod of a repository alone',
		ofScaleSet('enterprises/', { 'actions.github.com/repository': 'r' }),
		true,
	],
	[
		'a pod with another’s scale-set label',
		runnerSetPod({ ...pod, organization: own, labels: { 'actions.github.com/organization': 'octo-b' } }),
		true,
	],
	[
		'a pod of the enterprise of the same name',
		runnerSetPod({ ...pod, organization: '', enterprise: own }),
		true,
	],
	['a variable from a ConfigMap', podWith([{ name: 'RUNNER_ORG', valueFrom: fromConfig }]), true],
	['a reference', podWith([{ name: 'RUNNER_ORG', value: `${own}/$(X)` }]), true],
	['a variable twice', podWith([{ name: 'RUNNER_ORG', value: 'octo-b' }], {}, true), true],
	['a variable twice, both its own', podWith([{ name: 'RUNNER_ORG', value: own }], {}, true), false],
	['another GitHub', podWith([{ name: 'GITHUB_URL', value: 'https://ghes.example/' }]), true],
	['its GitHub without the slash', podWith([{ name: 'GITHUB_URL', value: 'https://github.com' }]), false],
	['another GitHub from a ConfigMap', podWith([{ name: 'GITHUB_URL', valueFrom: fromConfig }]), true],
	['envFrom beside plain variables', podWith([], { envFrom: [{ configMapRef: { name: 'c' } }] }), false],
	[
		'envFrom that could name another',
		podWith([], {
			env: [{ name: 'RUNNER_NAME', value: 'a' }],
			envFrom: [{ configMapRef: { name: 'c' } }],
		}),
		true,
	],
	[
		'envFrom with a prefix that begins the same',
		podWith([], {
			env: [{ name: 'RUNNER_ORG', value: own }],
			envFrom: [{ prefix: 'RUNNER_E', configMapRef: { name: 'c' } }],
		}),
		true,
	],
	[
		'envFrom with another prefix',
		podWith([], {
			env: [{ name: 'RUNNER_ORG', value: own }],
			envFrom: [{ prefix: 'CACHE_', configMapRef: { name: 'c' } }],
		}),
		false,
	],
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

test('a pod cannot get another’s label later; other changes of it are nobody’s business', async ({ rig }) => {
	await rig.apply(plainPod('web', namespace));
	const path = `/api/v1/namespaces/${namespace}/pods/web`;
	const label = (key: string, value: string) =>
		rig.kube.patch(`${path}?dryRun=All`, { metadata: { labels: { [key]: value } } }).then(
			() => undefined,
			(error: Error) => error.message,
		);
	assert.match((await label('actions.github.com/organization', 'octo-b')) ?? '', 'of its own organization');
	assert.is(await label('actions.github.com/organization', own), undefined);
	assert.is(await label('app', 'web'), undefined);
	await rig.ok(['delete', 'pod', 'web', '-n', namespace, '--wait=false']);
});

test('a namespace without the label is not bound', async ({ rig }) => {
	const free = runnerSetPod({ name: 'a', namespace: 'default', organization: 'anything' });
	assert.is(await refusal(rig, free), undefined);
});

test.run();

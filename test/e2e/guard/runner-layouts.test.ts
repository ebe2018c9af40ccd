/** All kinds of runner pods in one namespace, each with credentials of its own; what is not known is not guessed (I5, I7). */
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import { plainPod } from '../../rig/spaces.ts';
import { stage } from '../../rig/stage.ts';
import { type PodManifest, runnerDeploymentPod, runnerSetPod } from '../../sim/pods.ts';
import { ephemeralRunner, scaleSetPod } from '../../sim/scale-set-pods.ts';
import { githubSecret, type Space, says } from '../support/space.ts';
import { spaceTests } from '../support/space-tests.ts';

const test = spaceTests('runner layouts', { prepare: () => stage('guard') });
const running = /is busy/;

const runs = (space: Space, name: string) =>
	eventually(`${name} runs`, async () => (await space.pod(name))?.status?.phase === 'Running');

test('a RunnerSet’s, a RunnerDeployment’s and a scale set’s pods beside each other: each is recognised, by its own rules (I5)', async ({
	rig,
	space,
}) => {
	const legacy = [
		runnerSetPod(space.options('set-busy')),
		runnerSetPod(space.options('set-idle')),
		runnerDeploymentPod(space.options('deployment-busy')),
		runnerDeploymentPod(space.options('deployment-idle')),
	];
	await rig.apply(...legacy);
	await space.scaleSetRunners(['scale-busy', 'scale-idle']);
	const names = ['set', 'deployment', 'scale'];
	await space.registered(names.flatMap((name) => [`${name}-busy`, `${name}-idle`]));
	await space.listed(names.map((name) => `${name}-busy`));
	for (const name of names) await space.runJob(`${name}-busy`);
	for (const name of names) {
		says(await space.refused(`${name}-busy`), running);
		await space.deleted(`${name}-idle`);
	}
	assert.equal(space.killedJobs(), []);
	for (const name of names) await space.endJob(`${name}-busy`);
	for (const name of names) await space.gone(`${name}-busy`);
});

test('layouts that look a little like a runner’s are none: created and deleted as ever, GitHub is not asked (I5)', async ({
	rig,
	space,
}) => {
	const container = (name: string, env: object[] = []) => ({ name, image: 'nginx', env });
	const variable = { name: 'RUNNER_ORG', value: space.name };
	const pod = (name: string, containers: object[], labels: Record<string, string> = {}) => ({
		apiVersion: 'v1',
		kind: 'Pod',
		metadata: { name, namespace: space.name, labels },
		spec: { containers },
	});
	const none = [
		pod('another-container', [container('actions', [variable])]),
		pod('labels-alone', [container('web')], { 'actions-runner': '', 'runnerset-name': 'x' }),
		pod('only-called-runner', [container('runner', [{ name: 'GITHUB_URL', value: 'https://github.com/' }])]),
		pod('label-of-another-value', [container('runner')], { 'actions-ephemeral-runner': 'False' }),
		plainPod('web', space.name),
	] as { metadata: { name: string } }[];
	await rig.apply(...none);
	for (const { metadata } of none) await runs(space, metadata.name);
	const before = space.calls('delete').length;
	for (const { metadata } of none) await space.deleted(metadata.name);
	assert.is(space.calls('delete').length, before);
});

test('runner pods that do not say where they are registered: kept, and the message says why; nothing is guessed from names (I5)', async ({
	rig,
	space,
}) => {
	await space.runners(['sibling']);
	// The name of a registered runner, and no scope: the sibling's may not be assumed.
	const noScope = runnerSetPod(space.options('no-scope', { organization: '', runnerName: 'sibling' }));
	const twoSlashes = runnerSetPod(space.options('odd-repository', { repository: 'a/b/c', organization: '' }));
	const fromConfig = runnerSetPod(space.options('from-config'));
	const fromField = runnerSetPod(space.options('from-field'));
	const organizationFrom = (pod: PodManifest, source: object) => {
		const [runner] = pod.spec.containers as { env: { name: string; value?: string; valueFrom?: object }[] }[];
		for (const variable of runner?.env ?? []) {
			if (variable.name !== 'RUNNER_ORG') continue;
			delete variable.value;
			variable.valueFrom = source;
		}
	};
	organizationFrom(fromConfig, { configMapKeyRef: { name: 'config', key: 'org', optional: true } });
	// A field of the pod is as certain as a plain value. This space's organization has the name of its namespace.
	organizationFrom(fromField, { fieldRef: { fieldPath: 'metadata.namespace' } });
	// ARC cuts labels at 63 characters: a value of that length is no organization.
	const long = 'o'.repeat(63);
	const cut = scaleSetPod({
		name: 'cut',
		namespace: space.name,
		githubConfigUrl: `https://github.com/${long}`,
		ownerUid: '00000000-0000-0000-0000-000000000000',
	});
	cut.metadata.ownerReferences = [];
	await rig.apply(noScope, twoSlashes, fromConfig, fromField, cut);
	for (const name of ['no-scope', 'odd-repository', 'from-config', 'from-field', 'cut'])
		await runs(space, name);
	says(await space.refused('no-scope'), 'its scope is unknown (no plain RUNNER_REPO');
	says(await space.refused('odd-repository'), 'its scope is unknown (its scope is not a valid name)');
	says(await space.refused('from-config'), 'its scope is unknown (RUNNER_ORG is from a Secret or ConfigMap)');
	says(await space.refused('from-field'), 'is still registering');
	says(await space.refused('cut'), 'its scope is unknown (no EphemeralRunner, and no signed scope)');
	assert.equal(space.removals(), []);
	assert.ok(rig.github.find(space.scope, 'sibling'));
});

test('three credentials in one namespace, each good for its own organization only: each pod is asked about with its own (I7)', async ({
	rig,
	space,
}) => {
	const organizations = ['a', 'b', 'c'].map((name) => `${space.name}-${name}`);
	for (const organization of organizations) {
		rig.github.addScope(`orgs/${organization}`);
		rig.github.tokens.add(`only-${organization}`, [`orgs/${organization}`]);
		await rig.apply(githubSecret(organization, space.name, `only-${organization}`));
	}
	const [a = '', b = '', c = ''] = organizations;
	await rig.apply(
		runnerSetPod(space.options('set', { organization: a, credentialsSecret: a })),
		runnerDeploymentPod(space.options('deployment', { organization: b, credentialsSecret: b })),
		// Its annotation names a Secret of another organization: a mistake that must not spread.
		runnerSetPod(space.options('mistaken', { organization: a, credentialsSecret: b })),
		runnerSetPod(space.options('missing', { organization: a, credentialsSecret: 'not-there' })),
	);
	const scaleSet = {
		name: 'scale',
		namespace: space.name,
		githubConfigUrl: `https://github.com/${c}`,
		githubConfigSecret: c,
	};
	await rig.apply(ephemeralRunner(scaleSet));
	const owner = await rig.kube.get<{ metadata: { uid: string } }>(
		`/apis/actions.github.com/v1alpha1/namespaces/${space.name}/ephemeralrunners/scale`,
	);
	await rig.apply(scaleSetPod({ ...scaleSet, ownerUid: owner.metadata.uid }));
	await rig.agents.waitRegistered(['set', 'deployment', 'mistaken', 'missing', 'scale'], 60_000);
	says(
		await space.refused('missing'),
		`no GitHub credentials (Secret ${space.name}/not-there does not exist`,
	);
	says(await space.refused('mistaken'), 'GitHub denies access to it');
	for (const name of ['set', 'deployment', 'scale']) await space.deleted(name);
	const removals = organizations.flatMap((organization) =>
		rig.github.calls.filter(
			({ endpoint, scope, status }) =>
				endpoint === 'delete' && status === 204 && scope === `orgs/${organization}`,
		),
	);
	assert.is(removals.length, 3);
	assert.is(new Set(removals.map(({ auth }) => auth)).size, 3, 'three tokens');
	for (const name of ['missing', 'mistaken'])
		assert.is((await space.pod(name))?.metadata.deletionTimestamp, undefined);
	// Put right, without anybody asking again.
	await rig.apply(githubSecret('not-there', space.name, `only-${a}`));
	await space.gone('missing');
	assert.equal(space.killedJobs(), []);
});

test.run();

import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import type { PodSpec, RunnerSet, RunnerSpec, TemplateContainer } from '../../../admission/api/sets.ts';
import { githubUrlOf } from '../../../admission/sets/pod/defaults.ts';
import {
	type Layout,
	runnerSetTemplate,
	runnerTemplate,
	templateHash,
} from '../../../admission/sets/pod/template.ts';
import { ignoredFields } from '../../../admission/sets/rules/ignored-fields.ts';
import { crdFiles } from '../../../scripts/crds/generate.ts';
import { suite } from '../../support/suite.ts';

const test = suite('templates of runner pods');

const defaults = { runnerImage: 'runner:1', dockerImage: 'docker:1', githubUrl: 'https://github.com/' };
const runnerSet = (spec: object = {}): RunnerSet =>
	({
		kind: 'RunnerSet',
		metadata: { name: 'example' },
		spec: { organization: 'octo-org', template: {}, ...spec },
	}) as RunnerSet;

function specOf(layout: Layout): PodSpec & { containers: TemplateContainer[] } {
	if (layout.kind === 'invalid') throw new Error(layout.message);
	return { containers: [], ...layout.template.spec };
}
const ofSet = (spec: object = {}) => specOf(runnerSetTemplate(runnerSet(spec), defaults));
const ofRunner = (spec: RunnerSpec) =>
	specOf(runnerTemplate({ metadata: { name: 'r' }, spec: { organization: 'octo-org', ...spec } }, defaults));
const container = (spec: PodSpec, name: string) => spec.containers?.find((one) => one.name === name);
const env = (spec: PodSpec, name: string) =>
	container(spec, 'runner')?.env?.find((variable) => variable.name === name)?.value;
const mounts = (spec: PodSpec, name: string) =>
	container(spec, name)?.volumeMounts?.map((mount) => `${mount.name}:${mount.mountPath}`);

test('an empty template becomes a runner and its docker sidecar, as ARC lays them out, and the runner starts last', () => {
	const spec = ofSet({ labels: ['a', 'b'] });
	assert.equal(
		spec.containers.map(({ name, image }) => [name, image]),
		[
			['docker', 'docker:1'],
			['runner', 'runner:1'],
		],
	);
	assert.is(env(spec, 'RUNNER_ORG'), 'octo-org');
	assert.is(env(spec, 'RUNNER_LABELS'), 'a,b');
	assert.is(env(spec, 'RUNNER_EPHEMERAL'), 'true');
	assert.is(env(spec, 'DOCKER_HOST'), 'unix:///run/docker.sock');
	assert.equal(mounts(spec, 'runner'), ['runner:/runner', 'work:/runner/_work', 'var-run:/run']);
	assert.equal(spec.volumes?.map(({ name }) => name).sort(), ['runner', 'var-run', 'work']);
	assert.equal(container(spec, 'docker')?.securityContext, { privileged: true });
	assert.is(spec.restartPolicy, undefined);
});

test('the pod is recognised as a runner, and asks for its token', () => {
	const layout = runnerSetTemplate(runnerSet({ template: { metadata: { labels: { app: 'x' } } } }), defaults);
	if (layout.kind === 'invalid') return assert.unreachable(layout.message);
	const labels = layout.template.metadata?.labels ?? {};
	assert.is(labels.app, 'x');
	assert.is(labels['runnerset-name'], 'example');
	assert.is(labels['actions-runner'], '');
	assert.is(labels['actions-runner-controller/inject-registration-token'], 'true');
	assert.is(labels['runner-template-hash'], templateHash(runnerSet()));
});

test('dockerd within the runner: privileged, no sidecar; not privileged under SELinux', () => {
	const written = { spec: { containers: [{ name: 'docker', resources: {} }] } };
	const spec = ofSet({ dockerdWithinRunnerContainer: true, template: written, dockerMTU: 1400 });
	assert.equal(
		spec.containers.map(({ name }) => name),
		['runner'],
	);
	assert.equal(container(spec, 'runner')?.securityContext, { privileged: true });
	assert.is(env(spec, 'DOCKERD_IN_RUNNER'), 'true');
	assert.is(env(spec, 'MTU'), '1400');
	const selinux = { spec: { securityContext: { seLinuxOptions: { level: 's0' } } } };
	const confined = ofSet({ dockerdWithinRunnerContainer: true, template: selinux });
	assert.is(container(confined, 'runner')?.securityContext, undefined);
});

test('no docker: a runner alone', () => {
	const spec = ofSet({ dockerEnabled: false });
	assert.equal(
		spec.containers.map(({ name }) => name),
		['runner'],
	);
	assert.is(env(spec, 'DOCKER_ENABLED'), 'false');
});

test("containerMode kubernetes: hooks and a work volume of the runner's own", () => {
	const workVolumeClaimTemplate = { storageClassName: 's', accessModes: ['ReadWriteOnce'], resources: {} };
	const spec = ofRunner({ containerMode: 'kubernetes', workVolumeClaimTemplate, serviceAccountName: 'jobs' });
	assert.equal(
		spec.containers.map(({ name }) => name),
		['runner'],
	);
	assert.is(env(spec, 'ACTIONS_RUNNER_REQUIRE_SAME_NODE'), 'true');
	assert.ok(spec.volumes?.find(({ name }) => name === 'work')?.ephemeral);
	assert.is(spec.serviceAccountName, 'jobs');
	assert.is(runnerSetTemplate(runnerSet({ containerMode: 'kubernetes' }), defaults).kind, 'invalid');
});

test("a volume claim of the StatefulSet's named work takes the place of the default one", () => {
	const spec = ofSet({ volumeClaimTemplates: [{ metadata: { name: 'work' }, spec: {} }] });
	assert.not.ok(spec.volumes?.some(({ name }) => name === 'work'));
	assert.ok(mounts(spec, 'runner')?.includes('work:/runner/_work'));
});

test("a Runner's own fields go to its containers; what `containers` says stands", () => {
	const spec = ofRunner({
		env: [{ name: 'A', value: 'field' }],
		resources: { limits: { cpu: '2' } },
		volumeMounts: [{ name: 'work', mountPath: '/elsewhere' }],
		volumes: [{ name: 'work', hostPath: { path: '/ssd' } }],
		dockerEnv: [{ name: 'B', value: 'docker' }],
		containers: [{ name: 'runner', image: 'own:1', resources: { limits: { cpu: '4' } } }],
		nodeSelector: { disk: 'ssd' },
	});
	assert.is(env(spec, 'A'), 'field');
	assert.equal(container(spec, 'runner')?.resources, { limits: { cpu: '4' } });
	assert.is(container(spec, 'runner')?.image, 'own:1');
	assert.equal(
		mounts(spec, 'runner')?.filter((mount) => mount.startsWith('work')),
		['work:/elsewhere'],
	);
	assert.is(spec.volumes?.filter(({ name }) => name === 'work').length, 1);
	assert.ok(container(spec, 'docker')?.env?.some(({ name }) => name === 'B'));
	assert.equal(spec.nodeSelector, { disk: 'ssd' });
	assert.is(spec.restartPolicy, 'Never');
});

test('what the user wrote is not changed by laying it out', () => {
	const set = runnerSet({ template: { spec: { containers: [{ name: 'runner', env: [] }], volumes: [] } } });
	const before = JSON.stringify(set);
	runnerSetTemplate(set, defaults);
	assert.is(JSON.stringify(set), before);
});

test('the template hash follows what the user wrote of the runner, and nothing else (G6, H6)', () => {
	const hash = (spec: object) => templateHash(runnerSet(spec));
	const base = hash({});
	assert.match(base, /^[0-9a-f]{10}$/);
	assert.is(hash({ replicas: 5, effectiveTime: 'x', serviceName: 's', updateStrategy: {} }), base);
	assert.is(hash({ template: { metadata: { labels: { a: 'b' } } } }), base);
	assert.is(hash({ template: { spec: { containers: [], nodeSelector: null } } }), base);
	assert.is.not(hash({ image: 'other' }), base);
	assert.is.not(hash({ template: { spec: { nodeSelector: { a: 'b' } } } }), base);
	assert.is.not(hash({ labels: ['a'] }), base);
	const order = { template: { spec: { a: 1, b: 2 } } };
	assert.is(hash(order), hash({ template: { spec: { b: 2, a: 1 } } }));
});

test('of a list that is longer than the schema allows, the first entries and their number make the hash', () => {
	const hash = (count: number, last = {}) => {
		const env = Array.from({ length: count }, (_, index) => ({ name: `V${index}` }));
		return templateHash(
			runnerSet({ template: { spec: { containers: [{ name: 'runner', env: [...env, last] }] } } }),
		);
	};
	assert.is.not(hash(999, { name: 'A' }), hash(999, { name: 'B' }));
	assert.is(hash(100_000, { name: 'A' }), hash(100_000, { name: 'B' }));
	assert.is.not(hash(100_000), hash(100_001));
});

test('a hash that is written on pods stays what it was: an upgrade of ours rolls nothing (H6)', () => {
	assert.is(templateHash(runnerSet({ image: 'pinned:1' })), '614659b18b');
});

test('ignored fields are named, used ones are not', () => {
	assert.equal(ignoredFields(runnerSet({ replicas: 1 })), []);
	const warnings = ignoredFields(
		runnerSet({ podManagementPolicy: 'Parallel', dockerMTU: 1, dockerEnabled: false }),
	);
	assert.is(warnings.length, 2);
	assert.match(warnings.join('\n'), /spec\.podManagementPolicy/);
});

test('runners register at the address that belongs to the API', () => {
	assert.is(githubUrlOf('https://api.github.com'), 'https://github.com/');
	assert.is(githubUrlOf('https://ghes.example/api/v3/'), 'https://ghes.example/');
	assert.is(githubUrlOf('http://127.0.0.1:8080'), 'http://127.0.0.1:8080/');
});

test('manifests/crds are what scripts/crds makes', () => {
	for (const [name, content] of Object.entries(crdFiles())) {
		assert.is(
			readFileSync(new URL(`../../../manifests/crds/${name}`, import.meta.url), 'utf8'),
			content,
			name,
		);
	}
});

test.run();

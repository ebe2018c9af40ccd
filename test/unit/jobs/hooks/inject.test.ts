import jsonpatch from 'jsonpatch';
import * as assert from 'uvu/assert';
import { jobHooks } from '../../../../admission/api/keys.ts';
import type { Container, Pod } from '../../../../admission/api/kinds.ts';
import { type HookServer, injectHooks, isHooked } from '../../../../admission/jobs/hooks/rules/inject.ts';
import { hookFolder, hooks, hookVolume } from '../../../../admission/jobs/hooks/rules/layout.ts';
import { suite } from '../../../support/suite.ts';

const test = suite('job hooks at creation');

const server: HookServer = {
	url: 'https://runners-admission.runners-system.svc:9444',
	authorities: 'PEM',
	address: '10.0.0.7',
};
const [started, completed] = hooks;
const gitHubs = 'ghcr.io/actions/actions-runner:2.330.0';
const arcs = 'summerwind/actions-runner:latest';

type Runner = Container & { volumeMounts?: { name: string; mountPath: string; subPath?: string }[] };
type Made = Pod & { spec: { volumes?: { name: string }[]; containers: Runner[] } };

interface Given {
	annotations?: Record<string, string>;
	runner?: object;
	spec?: object;
}

const pod = ({ annotations, runner, spec }: Given = {}): Pod =>
	({
		metadata: { name: 'r1', ...(annotations ? { annotations } : {}) },
		spec: { containers: [{ name: 'docker' }, { name: 'runner', image: arcs, ...runner }], ...spec },
	}) as Pod;

function made(object: Pod, by = server): Made {
	const before = JSON.stringify(object);
	const operations = injectHooks(object, by);
	assert.not(
		operations.some((one) => one.op !== 'remove' && one.value === undefined),
		'it would be lost in JSON',
	);
	assert.is(JSON.stringify(object), before);
	return jsonpatch.apply_patch(structuredClone(object), operations as never) as Made;
}

const runner = (object: Made): Runner => object.spec.containers.find(({ name }) => name === 'runner')!;
const variables = (object: Made) =>
	Object.fromEntries((runner(object).env ?? []).map(({ name, value }) => [name, value]));
const script = (object: Made) => object.metadata.annotations?.[jobHooks.script] ?? '';
const absent = (given: Given, by = server) => {
	const object = made(pod(given), by);
	assert.is(script(object), '', 'no script');
	assert.not.ok(object.spec.volumes?.some(({ name }) => name === hookVolume));
	return object.metadata.annotations?.[jobHooks.absent];
};

test('one volume: script and CAs from annotations, a token of the pod', () => {
	const object = made(pod());
	assert.is(object.metadata.annotations?.[jobHooks.authorities], 'PEM');
	assert.match(script(object), /^#!\/bin\/sh\n/);
	assert.equal(
		runner(object).volumeMounts?.map(({ mountPath, subPath }) => [mountPath, subPath]),
		[
			[hookFolder, undefined],
			[started.path, 'job-hook.sh'],
			[completed.path, 'job-hook.sh'],
		],
	);
	const text = JSON.stringify(object.spec.volumes);
	assert.match(text, '"audience":"runners-admission"');
	assert.match(text, `metadata.annotations['${jobHooks.script}']`);
	assert.equal(object.spec.containers[0], { name: 'docker' });
});

test("an image that is not GitHub's keeps its variables: it may have hooks of its own", () => {
	assert.not('env' in runner(made(pod())));
	for (const image of [gitHubs, 'ghcr.io/actions/actions-runner', 'ghcr.io/actions/actions-runner@sha256:0'])
		assert.equal(variables(made(pod({ runner: { image } }))), {
			[started.variable]: started.path,
			[completed.variable]: completed.path,
		});
	for (const image of [
		'ghcr.io/actions/actions-runner-dind:1',
		'example.com/ghcr.io/actions/actions-runner:1',
	])
		assert.equal(variables(made(pod({ runner: { image } }))), {});
});

test('a ConfigMap may set them, unseen; who asks for the variables gets them', () => {
	const envFrom = [{ configMapRef: { name: 'c' } }];
	assert.equal(variables(made(pod({ runner: { image: gitHubs, envFrom } }))), {});
	const annotations = { [jobHooks.wanted]: 'variables' };
	assert.equal(Object.keys(variables(made(pod({ annotations, runner: { envFrom } })))).length, 2);
});

test("a template's own hook is run by the script in its place; one that it has not stays unset", () => {
	const env = [
		{ name: 'A', value: 'b' },
		{ name: started.variable, value: '/opt/own.sh' },
	];
	const object = made(pod({ runner: { env } }));
	assert.equal(variables(object), { A: 'b', [started.variable]: started.path });
	assert.match(script(object), "exec bash -e '/opt/own.sh'");
	const plain = [{ name: started.variable, value: '' }];
	assert.not.match(script(made(pod({ runner: { env: plain } }))), 'exec bash');
});

test('a second pass changes nothing, and forgets no hook of the template', () => {
	const env = [{ name: completed.variable, value: '/opt/own.js' }];
	for (const given of [
		{},
		{ annotations: { a: 'b' } },
		{ runner: { env, image: gitHubs } },
		{ runner: { env: [] } },
	])
		assert.equal(injectHooks(made(pod(given)), server), []);
	assert.equal(injectHooks(made(pod({ annotations: { [jobHooks.wanted]: 'off' } })), server), []);
});

test('a template that was copied from a pod gets what the server says now', () => {
	const env = [{ name: started.variable, value: '/opt/own.sh' }];
	const other = { ...server, url: 'https://other.example:1', authorities: 'OLD' };
	const object = made(made(pod({ runner: { env } }), other));
	assert.is(object.metadata.annotations?.[jobHooks.authorities], 'PEM');
	assert.match(script(object), server.url);
	assert.match(script(object), '/opt/own.sh');
	const forged = made(
		pod({ annotations: { [jobHooks.script]: 'rm -rf /', [jobHooks.absent]: 'x', [jobHooks.before]: '{' } }),
	);
	assert.match(script(forged), server.url);
	assert.is(forged.metadata.annotations?.[jobHooks.absent], undefined);
	assert.is(forged.metadata.annotations?.[jobHooks.before], undefined);
});

test('not where the pod says so, on Windows, or where its own volume has the name', () => {
	assert.match(absent({ annotations: { [jobHooks.wanted]: 'off' } }) ?? '', 'is off');
	assert.match(absent({ spec: { os: { name: 'windows' } } }) ?? '', 'Windows');
	assert.match(absent({ spec: { nodeSelector: { 'kubernetes.io/os': 'windows' } } }) ?? '', 'Windows');
	const object = made(pod({ spec: { volumes: [{ name: hookVolume, emptyDir: {} }] } }));
	assert.match(object.metadata.annotations?.[jobHooks.absent] ?? '', 'a volume');
	assert.is(object.spec.volumes?.length, 1);
});

test('other volumes are no matter; one of its name is ours only where it is the same, in whatever order', () => {
	const work = { name: 'work', emptyDir: {} };
	const object = made(pod({ spec: { volumes: [work] } }));
	assert.equal([object.spec.volumes?.length, isHooked(object)], [2, true]);
	assert.not(isHooked(pod({ spec: { volumes: [work] } })));
	assert.not(isHooked(pod()));
	const [, ours] = object.spec.volumes ?? [];
	const reversed = (value: unknown): unknown =>
		typeof value !== 'object' || value === null || Array.isArray(value)
			? Array.isArray(value)
				? value.map(reversed)
				: value
			: Object.fromEntries(
					Object.entries(value)
						.reverse()
						.map(([key, inner]) => [key, reversed(inner)]),
				);
	assert.ok(isHooked(pod({ spec: { volumes: [work, reversed(ours)] } })));
	for (const sources of [[], null, [{ secret: { name: 's' } }]]) {
		const volumes = [work, { name: hookVolume, projected: { defaultMode: 0o444, sources } }];
		const refused = made(pod({ spec: { volumes } }));
		assert.match(refused.metadata.annotations?.[jobHooks.absent] ?? '', 'a volume');
		assert.not(isHooked(refused));
	}
});

test('a template that has one of the mounts gets the others', () => {
	const volumeMounts = [
		{ name: hookVolume, mountPath: started.path, subPath: 'job-hook.sh', readOnly: true },
	];
	const paths = runner(made(pod({ runner: { volumeMounts } }))).volumeMounts?.map(
		({ mountPath }) => mountPath,
	);
	assert.equal(paths, [started.path, hookFolder, completed.path]);
});

test('what somebody wrote as the template’s own hook is a path, or none', () => {
	const env = [{ name: started.variable, value: started.path }];
	const annotations = { [jobHooks.before]: '{"started":7}' };
	assert.not.match(script(made(pod({ annotations, runner: { env } }))), 'exec bash');
});

test('not where a mount is at, above or below one of their paths', () => {
	const inTheWay = [
		'/',
		'/etc',
		'/etc/arc/hooks/',
		'/etc/arc/hooks/job-started.d',
		completed.path,
		hookFolder,
		`${hookFolder}/token`,
	];
	for (const mountPath of inTheWay)
		assert.match(absent({ runner: { volumeMounts: [{ name: 'v', mountPath }] } }) ?? '', mountPath);
	for (const mountPath of ['/etc/arc/other', '/etc/runners-admission-too', '/runner', '/etc/ssl']) {
		const object = made(pod({ runner: { volumeMounts: [{ name: 'v', mountPath }] } }));
		assert.is(runner(object).volumeMounts?.length, 4);
	}
});

test("not where a hook of the template can't be known", () => {
	const valueFrom = { configMapKeyRef: { name: 'c', key: 'k' } };
	assert.match(absent({ runner: { env: [{ name: started.variable, valueFrom }] } }) ?? '', started.variable);
	assert.match(
		absent({ runner: { env: [{ name: completed.variable, value: '$(HOOKS)/c.sh' }] } }) ?? '',
		completed.variable,
	);
});

test("a pod that can't resolve names of the cluster gets the Service's address", () => {
	const odd = [{ hostNetwork: true }, { dnsPolicy: 'Default' }, { dnsPolicy: 'None' }];
	for (const spec of odd) {
		assert.match(script(made(pod({ spec }))), "address='10.0.0.7'");
		assert.match(absent({ spec }, { ...server, address: undefined }) ?? '', "can't resolve");
		const elsewhere = { ...server, url: 'https://hooks.example.com', address: undefined };
		assert.match(script(made(pod({ spec }), elsewhere)), "address=''");
	}
	for (const spec of [
		{},
		{ dnsPolicy: 'ClusterFirst' },
		{ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' },
	])
		assert.match(script(made(pod({ spec }))), "address=''");
});

test('not where annotations would become too many for the API server', () => {
	assert.match(absent({ annotations: { a: 'x'.repeat(200 * 1024) } }) ?? '', 'too large');
	assert.match(absent({}, { ...server, authorities: 'x'.repeat(200 * 1024) }) ?? '', 'too large');
});

test('a pod without a container runner is left alone', () => {
	assert.equal(injectHooks({ metadata: { name: 'p' }, spec: { containers: [{ name: 'app' }] } }, server), []);
});

test('a mount is compared without the slashes at its end, however many there are', () => {
	const at = (mountPath: string) => absent({ runner: { volumeMounts: [{ name: 'm', mountPath }] } });
	assert.match(at(`${hookFolder}${'/'.repeat(100_000)}`) ?? '', 'overlaps');
	made(pod({ runner: { volumeMounts: [{ name: 'm', mountPath: `/a${'/'.repeat(100_000)}b` }] } }));
});

test('every annotation counts, whatever its name, and what an earlier pass noted is read only if it can be its own', () => {
	assert.match(absent({ annotations: { toString: 'x'.repeat(192 * 1024) } }) ?? '', 'too large');
	const env = [{ name: started.variable, value: started.path }];
	const noted = (path: string) =>
		script(
			made(pod({ annotations: { [jobHooks.before]: JSON.stringify({ started: path }) }, runner: { env } })),
		);
	assert.match(noted('/opt/own.sh'), '/opt/own.sh');
	assert.not.match(noted(`/opt/${'x'.repeat(65_536)}`), '/opt/');
});

test.run();

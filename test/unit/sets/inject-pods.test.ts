import jsonpatch from 'jsonpatch';
import * as assert from 'uvu/assert';
import { jobHooks } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { injectHooks } from '../../../admission/jobs/hooks/rules/inject.ts';
import { createPods, injected, refuseUnknownCaller } from '../../../admission/sets/inject-pods.ts';
import { lacksInjection } from '../../../admission/sets/pod/injection.ts';
import { suite } from '../../support/suite.ts';

const test = suite('runner pods at creation');

const inject = { 'actions-runner-controller/inject-registration-token': 'true' };
const pod = (env: object[] | undefined, more: { annotations?: object; labels?: object } = {}): Pod =>
	({
		metadata: { name: 'example-x7k2p-0', labels: inject, ...more },
		spec: { restartPolicy: 'Always', containers: [{ name: 'docker' }, { name: 'runner', env }] },
	}) as Pod;

function created(object: Pod): Pod {
	const before = JSON.stringify(object);
	const answer = createPods({ uid: 'u', operation: 'CREATE', userInfo: {}, object });
	assert.ok(answer.allowed);
	assert.is(JSON.stringify(object), before);
	if (!answer.patch) return object;
	const patch = JSON.parse(Buffer.from(answer.patch, 'base64').toString());
	const made = jsonpatch.apply_patch(object, patch) as Pod;
	assert.equal(
		injected(object, () => []),
		made,
		'the reconcilers make the same pod without the webhook',
	);
	return made;
}
const variable = (object: Pod, name: string) =>
	object.spec?.containers?.find((one) => one.name === 'runner')?.env?.find((one) => one.name === name);

test('name, token by reference and restartPolicy are filled in', () => {
	const made = created(pod([{ name: 'RUNNER_ORG', value: 'octo-org' }]));
	assert.is(variable(made, 'RUNNER_NAME')?.value, 'example-x7k2p-0');
	assert.is(variable(made, 'RUNNER_TOKEN')?.value, undefined);
	assert.match(JSON.stringify(variable(made, 'RUNNER_TOKEN')?.valueFrom), /runner-registration-[0-9a-f]{12}/);
	assert.is(made.spec?.restartPolicy, 'Never');
});

test('the runner is asked for an exit code of its own where GitHub refuses its version, unless the pod says otherwise', () => {
	const name = 'ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE';
	assert.is(variable(created(pod([])), name)?.value, '1');
	for (const value of ['0', '']) assert.is(variable(created(pod([{ name, value }])), name)?.value, value);
});

test('an unauthenticated caller: a pod of a set is refused and not filled in, any other is created', () => {
	const ask = (object: Pod) => refuseUnknownCaller({ uid: 'u', operation: 'CREATE', userInfo: {}, object });
	const answer = ask(pod([{ name: 'RUNNER_ORG', value: 'octo-org' }]));
	assert.equal([answer.allowed, answer.patch, answer.status?.code], [false, undefined, 403]);
	assert.match(
		answer.status?.message ?? '',
		/does not recognise the caller.*try again.*kubectl runners doctor$/,
	);
	assert.ok((answer.status?.message.length ?? 0) <= 200);
	assert.equal(ask(pod([], { labels: {} })), { uid: 'u', allowed: true });
});

test('a second pass changes nothing', () => {
	const made = created(pod([{ name: 'RUNNER_ORG', value: 'octo-org' }]));
	assert.is(createPods({ uid: 'u', operation: 'CREATE', userInfo: {}, object: made }).patch, undefined);
	assert.not(lacksInjection(made), 'and it is not taken for one that was made without the webhook');
});

test('what the pod says itself stands, an empty value does not', () => {
	const given = [
		{ name: 'RUNNER_NAME', value: 'mine' },
		{ name: 'RUNNER_TOKEN', value: '' },
		{ name: 'RUNNER_REPO', value: 'octo-org/app' },
	];
	const made = created(pod(given, { annotations: { a: 'b' } }));
	assert.is(variable(made, 'RUNNER_NAME')?.value, 'mine');
	assert.ok(variable(made, 'RUNNER_TOKEN')?.valueFrom);
	assert.is(made.metadata.annotations?.a, 'b');
});

test('runners of other scopes or credentials have other Secrets', () => {
	const secret = (env: object[], annotations?: object) =>
		JSON.stringify(variable(created(pod(env, { annotations })), 'RUNNER_TOKEN')?.valueFrom);
	const org = [{ name: 'RUNNER_ORG', value: 'octo' }];
	const enterprise = [{ name: 'RUNNER_ENTERPRISE', value: 'octo' }];
	const own = { 'actions-runner/github-api-creds-secret': 'mine' };
	assert.is(new Set([secret(org), secret(enterprise), secret(org, own)]).size, 3);
});

test('a pod without a scope gets no token, and a warning', () => {
	const answer = createPods({ uid: 'u', operation: 'CREATE', userInfo: {}, object: pod(undefined) });
	assert.match(answer.warnings?.join() ?? '', /RUNNER_TOKEN/);
	assert.is(variable(created(pod(undefined)), 'RUNNER_NAME')?.value, 'example-x7k2p-0');
});

test('a pod that is too large to be kept is refused if it is a set’s, and nobody else’s is', () => {
	const create = (labels: object) =>
		createPods({
			...{ uid: 'u', operation: 'CREATE', userInfo: {}, reduced: true },
			object: { metadata: { name: 'a', labels, annotations: null }, spec: null },
		});
	const { allowed, status } = create(inject);
	assert.equal([allowed, status?.code], [false, 403]);
	assert.match(status?.message ?? '', 'too large to be filled in (over 3 MiB in its review)');
	assert.equal(create({}), { uid: 'u', allowed: true });
});

test('a pod without the label, or without a runner, is left alone (A16)', () => {
	const bare = pod([], { labels: {} });
	assert.is(created(bare), bare);
});

test('job hooks come on top, whatever the pod lacks', () => {
	const server = { url: 'https://hooks.example', authorities: 'PEM', address: undefined };
	const hooked = (object: Pod): Pod => {
		const request = { uid: 'u', operation: 'CREATE', userInfo: {}, object } as const;
		const { patch } = createPods(request, (made) => injectHooks(made, server));
		if (!patch) return object;
		return jsonpatch.apply_patch(
			structuredClone(object),
			JSON.parse(Buffer.from(patch, 'base64').toString()),
		) as Pod;
	};
	const image = 'ghcr.io/actions/actions-runner:1';
	for (const env of [undefined, [], [{ name: 'RUNNER_ORG', value: 'octo-org' }]])
		for (const more of [{}, { annotations: { a: 'b' } }]) {
			const bare = pod(env, more);
			for (const one of bare.spec?.containers ?? []) one.image = image;
			const made = hooked(bare);
			assert.ok(variable(made, 'RUNNER_NAME')?.value);
			assert.ok(variable(made, 'ACTIONS_RUNNER_HOOK_JOB_COMPLETED')?.value);
			assert.is(made.metadata.annotations?.[jobHooks.authorities], 'PEM');
			assert.is(made.metadata.annotations?.a, more.annotations?.a);
			assert.is(hooked(made), made, 'a second pass changes nothing');
		}
});

test.run();

/** What nobody should send and somebody will: garbage to the webhook's port, pods without what they need, forged marks. */
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';
import { end, Space, says } from '../support/space.ts';
import { deletion, post, review } from '../support/webhook-post.ts';

const test = suite<{ rig: Rig; space: Space }>('bad input');

test.before(async (context) => {
	context.rig = await startRig();
});
test.after(({ rig }) => end(rig));
test.before.each(async (context) => {
	context.space = await Space.make(context.rig);
});
test.after.each(async ({ space }) => space.clear());

for (const path of ['/pods/delete', '/pods/evict', '/pods/update']) {
	test(`garbage to ${path}: 400, 413 or 415, one log line each, and the server goes on`, async ({ rig }) => {
		const server = rig.servers[0];
		assert.ok(server);
		const json = { 'content-type': 'application/json' };
		const garbage: [what: string, status: number, body: string | Buffer, headers?: Record<string, string>][] =
			[
				['not JSON', 400, 'hello'],
				['nothing', 400, ''],
				['cut JSON', 400, '{"apiVersion":"admission.k8s.io/v1","kind":"Admis'],
				['binary', 400, Buffer.from([0xff, 0xfe, 0x00, 0x80])],
				['null', 400, 'null'],
				['an array', 400, '[]'],
				['a number', 400, '42'],
				['a Pod', 400, JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } })],
				['v1beta1', 400, review(deletion({}), 'admission.k8s.io/v1beta1')],
				['no request', 400, review(undefined)],
				['a null request', 400, review(null)],
				['a request without uid', 400, review({ operation: 'DELETE', userInfo: {} })],
				['a request with a null user', 400, review({ ...deletion({ metadata: {} }), userInfo: null })],
				['a DELETE without its object', 400, review(deletion(undefined))],
				['an UPDATE without objects', 400, review({ ...deletion(undefined), operation: 'UPDATE' })],
				['an object that is none', 400, review(deletion('pod'))],
				['an object without metadata', 400, review(deletion({ metadata: null }))],
				['over 3 MiB', 413, review({ ...deletion({}), padding: 'x'.repeat(3 * 1024 * 1024) })],
				[
					'over 3 MiB in chunks',
					413,
					`"${'x'.repeat(4 * 1024 * 1024)}"`,
					{ ...json, 'transfer-encoding': 'chunked' },
				],
				['YAML', 415, 'kind: AdmissionReview', { 'content-type': 'application/yaml' }],
				['a form', 415, 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }],
				['no content type', 415, '{}', {}],
			];
		for (const [what, status, body, headers] of garbage) {
			const before = server.log.length;
			const answer = await post(server.port, path, body, headers);
			assert.is(answer.status, status, `${what}: ${answer.status} ${answer.text}`);
			const told = () => server.log.slice(before).filter((line) => line.msg === 'request refused');
			await eventually('the log line', () => told().length > 0);
			assert.equal(
				told().map((line) => [line.level, line.status]),
				[['warn', status]],
				what,
			);
			assert.not.match(answer.text, /node_modules|\.ts:|\.mjs:/);
		}
		assert.ok((await server.metrics()).includes('runners_admission_bad_requests_total{status="413"}'));
	});
}

test('a pod of a form that no API server sends: refused or passed on, and the server goes on', async ({
	rig,
}) => {
	const server = rig.servers[0];
	assert.ok(server);
	const metadata = { name: 'a', namespace: 'default' };
	const container = { name: 'runner', env: [{ name: 'RUNNER_ORG', value: 'octo-org' }] };
	const pods = [
		{ metadata: {} },
		{ metadata, spec: null },
		{ metadata, spec: { containers: 'none' } },
		{ metadata, spec: { containers: [null] } },
		{ metadata, spec: { containers: [{ ...container, env: 'none' }] } },
		{ metadata, spec: { containers: [container] }, status: null },
		{ metadata: { ...metadata, annotations: null, labels: null }, spec: { containers: [container] } },
	];
	for (const path of ['/pods/delete', '/pods/update']) {
		for (const pod of pods) {
			const answer = await post(server.port, path, review({ ...deletion(pod), object: pod }));
			assert.ok([200, 400, 500].includes(answer.status), `${answer.status} ${answer.text}`);
			assert.not.match(answer.text, /node_modules|\.ts:|\.mjs:/);
		}
	}
	assert.is((await fetch(`http://127.0.0.1:${server.healthPort}/healthz`)).status, 200);
});

test('another path and another method: 404, and no stack trace in it', async ({ rig }) => {
	const port = rig.servers[0]?.port ?? 0;
	for (const [method, path] of [
		['POST', '/'],
		['POST', '/pods'],
		['GET', '/pods/delete'],
		['GET', '/metrics'],
		['POST', '/%ff'],
		['POST', '/../etc/passwd'],
	] as const) {
		const answer = await post(port, path, '', {}, method);
		assert.ok([400, 404].includes(answer.status), `${method} ${path}: ${answer.status}`);
		assert.not.match(answer.text, /node_modules|\.ts:|\.mjs:/);
	}
});

test('a runner pod without a scope: refused, says what it lacks, goes when its container has stopped', async ({
	rig,
	space,
}) => {
	const pod = runnerSetPod(space.options('a', { organization: '' }));
	await rig.apply(pod);
	await eventually('runs', async () => (await space.pod('a'))?.status?.phase === 'Running');
	says(await space.refused('a'), 'RUNNER_REPO (owner/name), RUNNER_ORG, RUNNER_ENTERPRISE');
	const containerStatuses = (await space.pod('a'))?.status?.containerStatuses?.map((status) => ({
		...status,
		state: { terminated: { exitCode: 0, containerID: 'simulated://a' } },
	}));
	await space.ok(
		'patch',
		'pod',
		'a',
		'--subresource=status',
		'--type=merge',
		'-p',
		JSON.stringify({ status: { phase: 'Succeeded', containerStatuses } }),
	);
	await space.gone('a');
});

test('a scope that would lead to another path of GitHub’s API is not called', async ({ rig, space }) => {
	const before = rig.github.calls.length;
	for (const [index, organization] of ['..', '../user', 'a/b', 'x y', '%2e%2e'].entries()) {
		const name = `odd-${index}`;
		await rig.apply(runnerSetPod(space.options(name, { organization })));
		await eventually('runs', async () => (await space.pod(name))?.status?.phase === 'Running');
		await space.refused(name);
	}
	const odd = rig.github.calls.slice(before).filter((call) => !call.scope?.startsWith('orgs/octo-'));
	assert.equal(
		odd.map((call) => `${call.method} ${call.template}`),
		[],
	);
});

test('a missing credential Secret: refused with its name and keys, the job goes on', async ({
	rig,
	space,
}) => {
	await rig.apply(runnerSetPod(space.options('a', { credentialsSecret: 'nowhere' })));
	await space.registered(['a']);
	await space.runJob('a');
	const said = await space.refused('a');
	says(said, `Secret ${space.name}/nowhere does not exist`);
	says(said, 'github_token');
	assert.equal([space.removals(), space.killedJobs()], [[], []]);
});

test.run();

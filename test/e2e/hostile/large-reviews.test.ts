/** Reviews that are larger than anybody needs, on a real API server: each gets a verdict, and size alone refuses nobody. */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import * as assert from 'uvu/assert';
import { busy, record } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { createAuthority, issueServer } from '../../cluster/certificates.ts';
import { type Answer, type ApiCall, apiCalls, evict, judged, remove } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { plainPod } from '../../rig/spaces.ts';
import { stage } from '../../rig/stage.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';
import { end, Space } from '../support/space.ts';

interface Context {
	rig: Rig;
	space: Space;
	call: ApiCall;
	stop(): void;
}
const test = suite<Context>('large reviews');
test.before(async (context) => {
	context.rig = await stage('guard');
	Object.assign(context, apiCalls(readKubeconfig(context.rig.cluster.kubeconfig)));
});
test.after(async ({ rig, stop }) => {
	stop?.();
	await end(rig);
});
test.before.each(async (context) => {
	context.space = await Space.make(context.rig);
});
test.after.each(({ space }) => space.clear());

/** In a review one of these is six bytes: \u003c. */
const lessThan = (count: number) => '<'.repeat(count);

/** A user who may do nothing but evict. */
async function evictor(space: Space): Promise<string> {
	const apiGroup = 'rbac.authorization.k8s.io';
	const rules = [{ apiGroups: [''], resources: ['pods/eviction'], verbs: ['create'] }];
	const metadata = { name: 'evictor', namespace: space.name };
	await space.rig.apply(
		{ apiVersion: `${apiGroup}/v1`, kind: 'Role', metadata, rules },
		{
			apiVersion: `${apiGroup}/v1`,
			kind: 'RoleBinding',
			metadata,
			roleRef: { apiGroup, kind: 'Role', name: 'evictor' },
			subjects: [{ apiGroup, kind: 'User', name: 'evictor' }],
		},
	);
	return 'evictor';
}

const eviction = (name: string, annotations: object, deleteOptions: object = {}) => ({
	apiVersion: 'policy/v1',
	kind: 'Eviction',
	metadata: { name, annotations },
	deleteOptions,
});

const evictWith = (call: ApiCall, space: Space, body: object, as: string): Promise<Answer> =>
	call('POST', `/api/v1/namespaces/${space.name}/pods/${(body as Pod).metadata.name}/eviction`, {
		...{ body, as, groups: [] },
	});

const recorded = async (space: Space, name: string) =>
	(await space.annotations(name))[record.requestedBy] !== undefined;

/** One of the few whom the policy lets delete a budget while its namespace lives. */
const budgetKeeper = '--as=system:serviceaccount:kube-system:namespace-controller';

/** A runner's pod that its review makes larger than 3 MiB: 0.9 MiB of it are written as 5.4. */
function largeRunnerPod(space: Space, name: string): object {
	const pod = runnerSetPod(space.options(name));
	const [runner] = pod.spec.containers as [{ env: object[] }];
	runner.env.push({ name: 'LARGE', value: lessThan(900_000) });
	return pod;
}

test('an eviction with 600,000 "<" in its own annotations, by who may only evict: a busy runner stays, though the back-stop budget is gone', async ({
	rig,
	space,
	call,
}) => {
	await space.runners(['busy']);
	await space.runJob('busy', { known: true });
	await rig.apply(plainPod('web', space.name));
	const as = await evictor(space);
	await space.ok('delete', 'poddisruptionbudget', '--all', budgetKeeper);
	const annotations = { a: lessThan(600_000) };

	const dryRun = await evictWith(call, space, eviction('busy', annotations, { dryRun: ['All'] }), as);
	assert.equal([dryRun.status, await recorded(space, 'busy')], [429, false]);
	const refused = await evictWith(call, space, eviction('busy', annotations), as);
	assert.is(refused.status, 429);
	assert.match(refused.message, 'Recorded: the pod is deleted');
	assert.ok(await recorded(space, 'busy'));
	assert.equal(space.killedJobs(), []);
	assert.is((await evictWith(call, space, eviction('web', annotations), as)).status, 201);
});

test('an eviction of 1 MB of YAML, whose aliases make 30 MiB of its review: the same', async ({
	rig,
	space,
	call,
}) => {
	await space.runners(['busy']);
	await space.runJob('busy', { known: true });
	await rig.apply(plainPod('web', space.name));
	const as = await evictor(space);
	await space.ok('delete', 'poddisruptionbudget', '--all', budgetKeeper);
	const yaml = (name: string) =>
		[
			...['apiVersion: policy/v1', 'kind: Eviction', 'metadata:', `  name: ${name}`, '  annotations:'],
			`    a: &a "${lessThan(1_000_000)}"`,
			...Array.from({ length: 4 }, (_, at) => `    a${at}: *a`),
		].join('\n');
	const send = (name: string) =>
		call('POST', `/api/v1/namespaces/${space.name}/pods/${name}/eviction`, {
			...{ text: yaml(name), type: 'application/yaml', as, groups: [] },
		});
	const refused = await send('busy');
	assert.is(refused.status, 429);
	assert.match(refused.message, 'Recorded: the pod is deleted');
	assert.equal(space.killedJobs(), []);
	assert.is((await send('web')).status, 201);
});

test('a runner pod of 0.9 MiB of "<": its DELETE is refused and recorded, and carried out when the job has ended', async ({
	rig,
	space,
	call,
}) => {
	await rig.apply(largeRunnerPod(space, 'large'));
	await space.registered(['large']);
	await space.runJob('large');
	const dryRun = await judged(() => remove(call, space.name, 'large', { dryRun: ['All'] }));
	assert.equal([dryRun.status, await recorded(space, 'large')], [409, false], dryRun.message);
	const refused = await judged(() => remove(call, space.name, 'large', { gracePeriodSeconds: 7 }));
	assert.is(refused.status, 409, refused.message);
	assert.match(refused.message, 'Recorded: the pod is deleted');
	assert.ok(await recorded(space, 'large'));
	const evicted = await evict(call, space.name, 'large');
	assert.is(evicted.status, 429, evicted.message);
	await space.endJob('large');
	await space.gone('large');
	assert.equal(space.killedJobs(), []);
});

test('edits of such a pod that cannot be compared are refused while it works, and others go through', async ({
	rig,
	space,
	call,
}) => {
	await space.bind('mallory', 'edit');
	await rig.apply(largeRunnerPod(space, 'large'));
	await space.registered(['large']);
	await space.runJob('large');
	const patch = (body: object) =>
		call('PATCH', `/api/v1/namespaces/${space.name}/pods/large`, {
			...{ body, type: 'application/merge-patch+json', as: 'mallory', groups: [] },
		});
	for (const body of [
		{ spec: { activeDeadlineSeconds: 1 } },
		{ metadata: { labels: { [busy.label]: null } } },
		{ metadata: { labels: { [busy.label]: 'false', 'actions-runner': null } } },
		{ metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'EphemeralRunner', name: 'a', uid: 'b' }] } },
	]) {
		const { status, message } = await patch(body);
		assert.is(status, 403, JSON.stringify(body));
		assert.match(message, 'too large to be checked');
	}
	assert.is((await patch({ metadata: { labels: { team: 'ci' } } })).status, 200);
	assert.equal(space.killedJobs(), []);
});

test('a large pod that is no runner’s is evicted and deleted, and one with a container `runner` edited', async ({
	rig,
	space,
	call,
}) => {
	const large = (name: string, container: string) => ({
		...plainPod(name, space.name),
		spec: { containers: [{ name: container, image: 'x', env: [{ name: 'A', value: lessThan(900_000) }] }] },
	});
	await rig.apply(large('a', 'web'), large('b', 'web'), large('c', 'runner'));
	const evicted = await evict(call, space.name, 'a');
	assert.is(evicted.status, 201, evicted.message);
	assert.is((await remove(call, space.name, 'b')).status, 200);
	const edited = await call('PATCH', `/api/v1/namespaces/${space.name}/pods/c`, {
		...{ body: { spec: { activeDeadlineSeconds: 600 } }, type: 'application/merge-patch+json' },
	});
	assert.is(edited.status, 200, edited.message);
});

test('the API server obeys 503 with Retry-After: 1 within the time of the review, whatever the failure policy', async ({
	rig,
	space,
	call,
}) => {
	const authority = await createAuthority();
	let refusals = 0;
	const ports: (number | undefined)[] = [];
	const server = createServer(
		await issueServer(authority, [`asked.${space.name}.svc`]),
		(request, response) => {
			const parts: Buffer[] = [];
			request.on('data', (part: Buffer) => parts.push(part));
			request.on('end', () => {
				ports.push(request.socket.remotePort);
				if (refusals-- > 0) {
					response.writeHead(503, { 'retry-after': '1', connection: 'close' }).end('not now\n');
					return;
				}
				const { uid } = (JSON.parse(Buffer.concat(parts).toString()) as { request: { uid: string } }).request;
				const verdict = { uid, allowed: false, status: { code: 429, message: 'the verdict' } };
				response.setHeader('content-type', 'application/json');
				response.end(
					JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: verdict }),
				);
			});
		},
	);
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const webhook = (failurePolicy: string, timeoutSeconds: number) => ({
		name: `${failurePolicy.toLowerCase()}.${space.name}.svc`,
		admissionReviewVersions: ['v1'],
		sideEffects: 'None',
		failurePolicy,
		timeoutSeconds,
		objectSelector: { matchLabels: { [space.name]: failurePolicy } },
		rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }],
		clientConfig: {
			service: { namespace: space.name, name: 'asked', port: (server.address() as AddressInfo).port },
			caBundle: Buffer.from(authority.cert).toString('base64'),
		},
	});
	const path = `/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/${space.name}`;
	const create = (failurePolicy: string, text: string) =>
		call('POST', `/api/v1/namespaces/${space.name}/configmaps`, {
			body: {
				apiVersion: 'v1',
				kind: 'ConfigMap',
				metadata: { generateName: 'a-', labels: { [space.name]: failurePolicy } },
				data: { text },
			},
		});
	try {
		await rig.apply(
			{
				apiVersion: 'v1',
				kind: 'Service',
				metadata: { name: 'asked', namespace: space.name },
				spec: { type: 'ExternalName', externalName: 'localhost' },
			},
			{
				apiVersion: 'admissionregistration.k8s.io/v1',
				kind: 'ValidatingWebhookConfiguration',
				metadata: { name: space.name },
				webhooks: [webhook('Fail', 5), webhook('Ignore', 15)],
			},
		);
		await eventually('the API server has read it', async () => (await create('Fail', '')).status === 429);
		for (const failurePolicy of ['Fail', 'Ignore'])
			for (const [times, text] of [
				[1, lessThan(450_000)],
				[3, ''],
			] as const) {
				refusals = times;
				ports.length = 0;
				const { status, message, tookMs } = await create(failurePolicy, text);
				console.log(`${failurePolicy}, ${times} x 503: ${status} after ${tookMs.toFixed(0)} ms`);
				assert.equal([status, ports.length, new Set(ports).size], [429, times + 1, times + 1]);
				assert.match(message, 'the verdict');
			}
	} finally {
		await rig.kube.delete(path, { apiVersion: 'v1', kind: 'DeleteOptions' });
		server.close();
		server.closeAllConnections();
	}
});

test.run();

import type { ServerResponse } from 'node:http';
import * as assert from 'uvu/assert';
import type { KubeClient } from '../../../../../plugin/kube/client.ts';
import { diagnose } from '../../../../../plugin/verbs/doctor/checks/index.ts';
import { fetchFacts } from '../../../../../plugin/verbs/doctor/fetch.ts';
import { unknownWebhook } from '../../../../../plugin/verbs/doctor/shipped.ts';
import { runnerSetPod } from '../../../../sim/pods.ts';
import { suite } from '../../../../support/suite.ts';
import { fakeServer, podList, sendJson } from '../../fake-server.ts';
import { configuration, report, webhooks } from './facts.ts';

const test = suite('plugin: doctor, what it asks');

/** How an API server answers this request; undefined: not found. */
type Answer = (method: string, path: string) => number | object | 'never' | undefined;

async function against(answer: Answer, look: (client: KubeClient, requests: string[]) => Promise<void>) {
	const open: ServerResponse[] = [];
	const server = await fakeServer((request, response, url) => {
		const found = answer(request.method ?? '', url.pathname);
		if (found === 'never') open.push(response);
		else if (typeof found === 'object') sendJson(response, 200, found);
		else sendJson(response, found ?? 404, { kind: 'Status', code: found ?? 404, message: 'cannot delete' });
	});
	try {
		await look(server.client(), server.requests);
	} finally {
		await server.stop();
	}
}

const guard = (policy = 'Fail') => {
	const entries = webhooks('validating').map((one, index) =>
		index === 0 ? { ...one, failurePolicy: policy } : one,
	);
	const fetched = configuration(entries);
	return fetched.kind === 'found' ? fetched.value : {};
};
const runs = { status: { phase: 'Running' } };
const pods = podList(1, [
	{ ...runnerSetPod({ name: 'r-idle', namespace: 'ci' }), ...runs },
	{
		...runnerSetPod({ name: 'r-busy', namespace: 'ci', labels: { 'actions-runner/busy': 'true' } }),
		...runs,
	},
	{ ...runnerSetPod({ name: 'r-own', namespace: 'runners-system' }), ...runs },
]);
const base: Answer = (_method, path) => {
	if (path === '/version') return { gitVersion: 'v1.36.3' };
	if (path.endsWith('/validatingwebhookconfigurations/runners-admission')) return guard();
	if (path.endsWith('/mutatingwebhookconfigurations/runners-admission'))
		return { webhooks: webhooks('mutating').filter(({ name }) => name === unknownWebhook) };
	if (path === '/api/v1/pods') return pods;
	return undefined;
};
const soon = () => AbortSignal.timeout(5_000);

test('no answer in time is the same error as in every verb', async () => {
	await against(
		() => 'never',
		async (client) => {
			try {
				await fetchFacts(client, undefined, AbortSignal.timeout(200));
				assert.unreachable();
			} catch (error) {
				assert.match(String(error), 'Unable to connect to the server: no answer within --timeout');
			}
		},
	);
});

test('a report that somebody has edited makes only its own check an error, and says so', async () => {
	const whole = report();
	const credential = { account: 'a', state: 'forbidden' };
	const edited = [
		...[null, 5, [], {}, { ...whole, version: {} }, { ...whole, certificates: [null] }],
		...[
			{ ...whole, guard: null },
			{ ...whole, guard: { unguardedSeconds: { toString: 1, valueOf: null } } },
		],
		...[null, {}, 5, [null], [{ scope: 's' }]].map((forbidden) => ({
			...whole,
			credentials: [{ ...credential, forbidden }],
		})),
	];
	for (const value of edited)
		await against(
			(method, path) =>
				path.endsWith('/configmaps/runners-admission-status')
					? { data: { status: JSON.stringify(value) } }
					: base(method, path),
			async (client) => {
				const findings = diagnose(await fetchFacts(client, undefined, soon()));
				const report = findings.find(({ check }) => check === 'report');
				assert.is(report?.level, 'error');
				assert.match(report?.message ?? '', 'somebody has edited it');
				assert.is(findings.find(({ check }) => check === 'webhooks')?.level, 'ok');
			},
		);
});

test('a list that gets no answer makes only its own check an error', async () => {
	await against(
		(method, path) => (path.includes('poddisruptionbudgets') ? 'never' : base(method, path)),
		async (client) => {
			const findings = diagnose(await fetchFacts(client, undefined, AbortSignal.timeout(3_000)));
			const evictions = findings.find(({ check }) => check === 'evictions');
			assert.is(evictions?.level, 'error');
			assert.match(evictions?.message ?? '', 'cannot be checked: no answer in time');
			assert.is(findings.find(({ check }) => check === 'webhooks')?.level, 'ok');
		},
	);
});

test('the dry-run DELETE asks about a busy runner first, and never about one in a namespace that the webhook leaves out', async () => {
	await against(
		(method, path) => (method === 'DELETE' ? {} : base(method, path)),
		async (client, requests) => {
			const { reach } = await fetchFacts(client, undefined, soon());
			assert.equal(reach, { kind: 'answered', by: 'a dry-run delete of pod ci/r-busy: allowed' });
			assert.equal(
				requests.filter((request) => !request.startsWith('GET ')),
				['DELETE /api/v1/namespaces/ci/pods/r-busy?dryRun=All'],
			);
		},
	);
});

test('pods that are gone are skipped; a webhook that ignores failures proves nothing by allowing', async () => {
	await against(base, async (client, requests) => {
		const { reach } = await fetchFacts(client, undefined, soon());
		assert.equal(reach, {
			kind: 'unreachable',
			message: 'a dry-run eviction of a pod that does not exist was not answered by the guard',
		});
		assert.is(requests.filter((request) => request.startsWith('DELETE ')).length, 2);
	});
	await against(
		(method, path) => {
			if (method === 'DELETE') return {};
			return path.includes('validatingwebhook') ? guard('Ignore') : base(method, path);
		},
		async (client) => {
			const { reach } = await fetchFacts(client, undefined, soon());
			assert.is(reach.kind, 'unproven');
		},
	);
});

test('without the right to delete pods the missing right is named', async () => {
	await against(
		(method, path) => (method === 'DELETE' ? 403 : base(method, path)),
		async (client) => {
			const { reach } = await fetchFacts(client, undefined, soon());
			assert.equal(reach, { kind: 'unproven', why: 'you may not delete pods in namespace ci' });
		},
	);
});

test('a job pod beside runners is no other pod, and one that the doctor does not recognise is', async () => {
	const beside = (name: string, container: string, labels: Record<string, string>) => ({
		metadata: { name, namespace: 'ci', labels },
		spec: { containers: [{ name: container }] },
		...runs,
	});
	const { items = [] } = pods as { items?: object[] };
	const added = [
		beside('r-busy-workflow', 'job', { 'runner-pod': 'r-busy' }),
		beside('r-busy-step', 'job', { 'batch.kubernetes.io/job-name': 'r-busy-step-0123abcd' }),
		beside('agent', 'agent', { 'actions-runner': '' }),
	];
	await against(
		(method, path) => (path === '/api/v1/pods' ? podList(1, [...items, ...added]) : base(method, path)),
		async (client) => {
			const { occupants } = await fetchFacts(client, undefined, soon());
			assert.equal(occupants.get('ci'), { runners: true, others: new Set(['agent']) });
		},
	);
});

test("the server's namespace is the one that the webhooks name, unless another is given", async () => {
	await against(base, async (client, requests) => {
		assert.is((await fetchFacts(client, undefined, soon())).namespace, 'runners-system');
		assert.is((await fetchFacts(client, 'other', soon())).namespace, 'other');
		assert.ok(
			requests.includes('GET /apis/coordination.k8s.io/v1/namespaces/other/leases/runners-admission'),
		);
	});
});

test.run();

/**
 * What the guard adds to a DELETE through the API server, beside no webhook and beside a plain Node https webhook that
 * always allows, in the same run. Decisions that need no GitHub: a runner that never started (allowed), and a known
 * busy one (denied; its record is already there, as for every retry).
 */
import { createServer } from 'node:https';
import { createAuthority, issueServer } from '../cluster/certificates.ts';
import { apiCalls, remove } from '../rig/api-call.ts';
import { eventually } from '../rig/eventually.ts';
import { startRig } from '../rig/rig.ts';
import { readKubeconfig } from '../sim/cluster-access.ts';
import { runnerSetPod } from '../sim/pods.ts';
import { median, quantile, shuffle, table } from './figures.ts';

const rounds = 4;
const perRound = 60;

const rig = await startRig({ nodes: [] });
const { call, stop } = apiCalls(readKubeconfig(rig.cluster.kubeconfig));
const authority = await createAuthority();
const plain = createServer(await issueServer(authority), async (request, response) => {
	const body = Buffer.concat(await request.toArray()).toString();
	const { request: review } = JSON.parse(body) as { request: { uid: string } };
	response.setHeader('content-type', 'application/json');
	response.end(
		JSON.stringify({
			apiVersion: 'admission.k8s.io/v1',
			kind: 'AdmissionReview',
			response: { uid: review.uid, allowed: true },
		}),
	);
});
plain.keepAliveTimeout = 120_000;
await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));

try {
	const address = plain.address();
	await rig.apply({
		apiVersion: 'admissionregistration.k8s.io/v1',
		kind: 'ValidatingWebhookConfiguration',
		metadata: { name: 'plain' },
		webhooks: [
			{
				name: 'plain.bench.svc',
				admissionReviewVersions: ['v1'],
				sideEffects: 'None',
				objectSelector: { matchLabels: { bench: 'plain' } },
				rules: [{ operations: ['DELETE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
				clientConfig: {
					url: `https://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/`,
					caBundle: Buffer.from(authority.cert).toString('base64'),
				},
			},
		],
	});
	const bare = (name: string, labels: Record<string, string>) => ({
		apiVersion: 'v1',
		kind: 'Pod',
		metadata: { name, namespace: 'default', labels },
		// As large as a runner's, since the whole object travels to the webhook.
		spec: {
			containers: [{ ...(runnerSetPod({ name }).spec.containers as object[])[0], name: 'main', env: [] }],
		},
	});
	await rig.apply({
		...runnerSetPod({ name: 'busy' }),
	});
	const busyStatus = {
		status: {
			phase: 'Running',
			containerStatuses: [
				{
					name: 'runner',
					image: 'x',
					imageID: 'x',
					ready: true,
					restartCount: 0,
					state: { running: { startedAt: new Date().toISOString() } },
				},
			],
		},
	};
	await rig.ok([
		'patch',
		'pod',
		'busy',
		'--subresource=status',
		'--type=merge',
		'-p',
		JSON.stringify(busyStatus),
	]);

	await rig.agents.waitRegistered(['busy'], 10_000);
	await rig.agents.runJob('default', 'busy');
	await eventually(
		'the busy mark',
		async () => (await rig.pod('busy'))?.metadata.labels?.['actions-runner/busy'],
	);

	const kinds: Record<string, (name: string) => object | undefined> = {
		'no webhook': (name) => bare(name, {}),
		'plain https webhook, allows': (name) => bare(name, { bench: 'plain' }),
		'guard, allows (never started)': (name) => runnerSetPod({ name }),
		'guard, denies (known busy)': () => undefined,
	};
	const took = new Map(Object.keys(kinds).map((kind) => [kind, [] as number[]]));
	for (let round = 0; round < rounds; round++) {
		for (const kind of shuffle(Object.keys(kinds), round + 1)) {
			const names = Array.from({ length: perRound }, (_, index) => `p-${round}-${index}`);
			const pods = names.map((name) => kinds[kind]?.(name)).filter((pod) => pod !== undefined);
			if (pods.length > 0) await rig.apply(...pods);
			for (const name of names) {
				const target = pods.length > 0 ? name : 'busy';
				const answer = await remove(call, 'default', target);
				const expected = pods.length > 0 ? 200 : 409;
				if (answer.status !== expected) throw new Error(`${kind}: ${answer.status} ${answer.message}`);
				if (round > 0) took.get(kind)?.push(answer.tookMs); // the first round warms up
			}
		}
	}
	const base = median(took.get('no webhook') ?? []);
	const plainAdded = median(took.get('plain https webhook, allows') ?? []) - base;
	const rows = [...took].map(([kind, values]) => {
		const added = median(values) - base;
		return [
			kind,
			median(values).toFixed(1),
			quantile(values, 0.99).toFixed(1),
			added.toFixed(1),
			(added / plainAdded).toFixed(2),
		];
	});
	console.log(
		table([
			['DELETE through the API server', 'p50 ms', 'p99 ms', 'added p50 ms', 'added, ratio to plain'],
			...rows,
		]),
	);
} finally {
	stop();
	plain.close();
	plain.closeAllConnections();
	await rig.stop();
}

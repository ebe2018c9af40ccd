/** Certificates that somebody else makes: files that change, callers that need one. */
import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { issueAuthority, issueServing } from '../../../admission/certificates/issue.ts';
import { encode } from '../../../admission/certificates/secret.ts';
import type { Authority } from '../../../admission/certificates/x509.ts';
import { createAuthority, issueClient } from '../../cluster/certificates.ts';
import { startCluster } from '../../cluster/cluster.ts';
import { type ApiCall, apiCalls, remove } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import { type Rig, startRigOn } from '../../rig/rig.ts';
import { runnerNamespace } from '../../rig/spaces.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { suite } from '../../support/suite.ts';
import { bundles, handshake, host, startProbes } from '../support/certificate-probes.ts';
import { deletion, post, review } from '../support/webhook-post.ts';

interface Context {
	folder: string;
	ca: Authority;
	rig: Rig;
	call: ApiCall;
	stopCalls: () => void;
}

const test = suite<Context>('certificates from files');
const namespace = 'files';
const busy = ['file-0', 'file-1'];
const day = 24 * 60 * 60_000;

test.before(async (context) => {
	const folder = await mkdtemp(join(tmpdir(), 'certificate-files-'));
	const ca = await issueAuthority(100 * day, Date.now());
	Object.assign(context, { folder, ca });
	const callersCa = await createAuthority();
	await writeFile(join(folder, 'callers.crt'), callersCa.cert);
	await mount(folder, ca, 'first');
	const cluster = startCluster({ args: { 'kube-apiserver': await callWithCertificate(folder, callersCa) } });
	const files = [
		'--tls-cert-file',
		join(folder, 'tls.crt'),
		'--tls-private-key-file',
		join(folder, 'tls.key'),
	];
	context.rig = await startRigOn(cluster, {
		nodes: ['node-1'],
		replicas: 0,
		sets: true,
		server: { args: [...files, '--client-ca-file', join(folder, 'callers.crt')] },
	});
	const { rig } = context;
	const { call, stop } = apiCalls(readKubeconfig(rig.cluster.kubeconfig));
	Object.assign(context, { call, stopCalls: stop });
	await rig.addServer();
	await injectAs(rig, ca);
	await rig.guarded();
	await runnerNamespace(rig, namespace);
	await rig.runners(busy.map((name) => ({ name, namespace })));
	for (const name of busy) await rig.agents.runJob(namespace, name);
});
test.after(async ({ rig, stopCalls, folder }) => {
	stopCalls?.();
	await rig?.stop();
	await rm(folder, { recursive: true });
});

/** As kubelet mounts a Secret: tls.crt and tls.key are links through one link, which is replaced in one moment. */
async function mount(folder: string, ca: Authority, version: string): Promise<void> {
	const { cert, key } = await issueServing(ca, [host], 10 * day, Date.now());
	const isFirst = version === 'first';
	await writeFile(join(folder, `${version}.crt`), cert);
	await writeFile(join(folder, `${version}.key`), key);
	for (const end of ['crt', 'key']) {
		const name = join(folder, `tls.${end}`);
		await symlink(join(folder, `${version}.${end}`), isFirst ? name : `${name}.new`);
		if (!isFirst) await rename(`${name}.new`, name);
	}
}

/** What an administrator gives the API server so that it shows a certificate (docs/operations.md). */
async function callWithCertificate(
	folder: string,
	callersCa: { cert: string; key: string },
): Promise<string[]> {
	const pair = await issueClient(callersCa, 'kube-apiserver', []);
	const write = async (name: string, content: unknown) => {
		const path = join(folder, name);
		await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
		return path;
	};
	const kubeConfigFile = await write('webhooks.kubeconfig', {
		apiVersion: 'v1',
		kind: 'Config',
		users: [
			{
				name: '*', // or runners-admission.runners-system.svc:9443, but this rig's Service has a port of its own
				user: {
					'client-certificate': await write('caller.crt', pair.cert),
					'client-key': await write('caller.key', pair.key),
				},
			},
		],
	});
	const configuration = {
		apiVersion: 'apiserver.config.k8s.io/v1',
		kind: 'WebhookAdmissionConfiguration',
		kubeConfigFile,
	};
	const path = await write('admission.json', {
		apiVersion: 'apiserver.config.k8s.io/v1',
		kind: 'AdmissionConfiguration',
		plugins: ['ValidatingAdmissionWebhook', 'MutatingAdmissionWebhook'].map((name) => ({
			name,
			configuration,
		})),
	});
	return [`--admission-control-config-file=${path}`];
}

/** cert-manager's part: it writes the CA into the webhook configurations. */
async function injectAs(rig: Rig, ca: Authority): Promise<void> {
	for (const kind of ['validating', 'mutating']) {
		const path = `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations/runners-admission`;
		const { webhooks } = await rig.kube.get<{ webhooks: object[] }>(path);
		const operations = webhooks.map((_, index) => ({
			op: 'add',
			path: `/webhooks/${index}/clientConfig/caBundle`,
			value: encode(ca.cert),
		}));
		const target = [`${kind}webhookconfiguration`, 'runners-admission', '--type=json', '-p'];
		await rig.ok(['patch', ...target, JSON.stringify(operations)]);
	}
}

test('files that are replaced are served without a restart, and no admission call fails', async ({
	rig,
	call,
	folder,
	ca,
}) => {
	const port = rig.servers[0]?.port ?? 0;
	const before = await handshake(port, ca.cert);
	const probes = startProbes(rig, call, namespace, busy);
	await mount(folder, ca, 'second');
	await eventually('the new certificate', async () => (await handshake(port, ca.cert)) !== before);
	await probes.stop();
	assert.equal(probes.failures(), []);
	assert.ok(
		(await bundles(rig)).every((bundle) => bundle === ca.cert),
		'the caBundle is not ours to write',
	);
});

test('--client-ca-file: the API server is let in with its certificate, nobody without one', async ({
	rig,
	call,
}) => {
	const answer = await remove(call, namespace, busy[0] ?? '');
	assert.match(answer.message, 'is busy');
	const port = rig.servers[0]?.port ?? 0;
	const refused = await post(port, '/pods/delete', review(deletion({ metadata: { name: 'r1' } }))).then(
		String,
		String,
	);
	assert.match(refused, /certificate required|ECONNRESET|socket hang up/);
});

test.run();

/** Own CA and serving certificate: several replicas, lives of seconds, and people who interfere. */
import { X509Certificate } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { issueAuthority, issueServing } from '../../../admission/certificates/issue.ts';
import { encode } from '../../../admission/certificates/secret.ts';
import { type ApiCall, apiCalls, remove } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import type { LogLine, ServerProcess } from '../../rig/server-process.ts';
import { runnerNamespace } from '../../rig/spaces.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { suite } from '../../support/suite.ts';
import {
	agreed,
	handshake,
	host,
	type Probes,
	secretOf,
	startProbes,
} from '../support/certificate-probes.ts';

interface Context {
	rig: Rig;
	call: ApiCall;
	stopCalls: () => void;
	/** Of every replica that ever ran. */
	everyone: ServerProcess[];
	probes: Probes | undefined;
}

const test = suite<Context>('certificates');
const namespace = 'certificates';
const busy = ['cert-0', 'cert-1', 'cert-2', 'cert-3'];
/** CAs live 48 s, are replaced after 34, and are trusted for 4 before they sign. */
const lifetimes = ['--cert-validity', '20s', '--ca-validity', '48s'];
const settings = [...lifetimes, '--shutdown-delay-seconds', '1'];

test.before(async (context) => {
	context.rig = await startRig({ nodes: ['node-1'], replicas: 0, sets: true, server: { args: settings } });
	const { call, stop } = apiCalls(readKubeconfig(context.rig.cluster.kubeconfig));
	Object.assign(context, { call, stopCalls: stop });
});
test.after(async ({ rig, stopCalls }) => {
	stopCalls?.();
	await rig?.stop();
});
test.after.each(async (context) => {
	await context.probes?.stop();
	context.probes = undefined;
});

const said = (servers: ServerProcess[], msg: string): LogLine[] =>
	servers.flatMap((server) => server.log.filter((line) => line.msg === msg));
const secondsBetween = (from: string, to: string) => ((Date.parse(to) - Date.parse(from)) / 1_000).toFixed(1);

/** The guard has answered, and so the API server trusts what it serves. */
const isRefused = async (call: ApiCall) =>
	(await remove(call, namespace, busy[0] ?? '')).message.includes('is busy');

test('three replicas that start at once on an empty cluster agree on one CA', async (context) => {
	const { rig } = context;
	context.everyone = await Promise.all([rig.addServer(), rig.addServer(), rig.addServer()]);
	await rig.guarded();
	await eventually('all agree', () => agreed(rig), { withinMs: 30_000 });
	assert.is(said(context.everyone, 'certificate Secret created').length, 1);
	assert.is(said(context.everyone, 'new CA announced').length, 0);
	const metrics = await rig.servers[0]?.metrics();
	assert.match(metrics ?? '', /runners_certificate_not_after_seconds\{certificate="serving"\} \d+/);
	assert.match(metrics ?? '', /runners_certificate_not_after_seconds\{certificate="ca"\} \d+/);

	await runnerNamespace(rig, namespace);
	await rig.runners(busy.map((name) => ({ name, namespace })));
	for (const name of busy) await rig.agents.runJob(namespace, name);
});

test('hundreds of admission calls while the CA is replaced twice and the leader changes: 0 failures (H4)', async (context) => {
	const { rig, call, everyone } = context;
	const probes = startProbes(rig, call, namespace, busy);
	context.probes = probes;
	const before = said(everyone, 'CA replaced').length;
	const replaced = (count: number) => () => said(everyone, 'CA replaced').length >= before + count;

	await eventually('the CA is replaced once', replaced(1), { withinMs: 120_000 });
	const leader = rig.servers.find((server) => server.log.some((line) => line.msg === 'leading'));
	assert.ok(leader);
	assert.is(await rig.terminate(leader), 0);
	everyone.push(await rig.addServer());
	await eventually(
		'another leads',
		() => rig.servers.some((server) => said([server], 'leading').length > 0),
		{
			withinMs: 30_000,
		},
	);
	await eventually('the CA is replaced twice', replaced(2), { withinMs: 120_000 });
	const count = () => [...probes.answers.values()].reduce((sum, one) => sum + one, 0);
	await eventually('300 calls', () => count() >= 300, { withinMs: 60_000 });
	await eventually('all agree', () => agreed(rig), { withinMs: 60_000 });
	await probes.stop();

	const announced = said(everyone, 'new CA announced')
		.map((line) => line.time)
		.sort();
	const taken = said(everyone, 'CA replaced')
		.map((line) => line.time)
		.sort();
	const served = said(everyone, 'serving certificate replaced').map((line) => line.time);
	console.log(
		`${count()} deletions and ${probes.handshakes.good} new connections; ${taken.length} CAs replaced, ` +
			`${said(everyone, 'serving certificate renewed').length} serving certificates renewed; ` +
			`${probes.failures().length} failures`,
	);
	taken.forEach((time, index) => {
		const last =
			served
				.filter((one) => Math.abs(Date.parse(one) - Date.parse(time)) < 5_000)
				.sort()
				.at(-1) ?? time;
		console.log(
			`CA ${index + 1}: trusted for ${secondsBetween(announced[index] ?? time, time)} s before it signed, ` +
				`served by all ${secondsBetween(time, last)} s later`,
		);
	});
	assert.equal(probes.failures(), []);
	assert.ok(probes.handshakes.good >= 100, `${probes.handshakes.good} new connections`);
	assert.equal(
		rig.logs((line) => line.level === 'error' || line.msg.includes('keeps failing')),
		[],
	);
	// What failed open (evictions, updates) shows nowhere else.
	const metrics = await rig.ok(['get', '--raw', '/metrics']);
	const failed = metrics
		.split('\n')
		.filter((line) =>
			/^apiserver_admission_webhook_(fail_open_count|rejection_count).*runners-admission/.test(line),
		)
		.filter((line) => /fail_open_count|calling_webhook_error|apiserver_internal_error/.test(line));
	assert.equal(failed, []);
});

const breakages: [what: string, fault: RegExp, breakIt: (rig: Rig) => Promise<unknown>][] = [
	[
		'is deleted',
		/there is no Secret/,
		(rig) => rig.ok(['-n', 'runners-system', 'delete', 'secret', 'runners-admission-tls']),
	],
	[
		'loses everything',
		/tls\.crt contains no certificate/,
		(rig) => patch(rig, { 'tls.crt': '', 'ca.crt': '', 'ca.key': '' }),
	],
];
const patch = (rig: Rig, texts: Record<string, string>) =>
	rig.ok([
		...['-n', 'runners-system', 'patch', 'secret', 'runners-admission-tls', '--type=merge', '-p'],
		JSON.stringify({
			data: Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, encode(text)])),
		}),
	]);

for (const [what, fault, breakIt] of breakages) {
	test(`the Secret ${what}: repaired, one log line, no admission call fails`, async (context) => {
		const { rig, call, everyone } = context;
		context.probes = startProbes(rig, call, namespace, busy);
		const mendings = () =>
			[
				...said(everyone, 'certificate Secret repaired'),
				...said(everyone, 'certificate Secret created'),
			].filter((line) => fault.test(String(line.fault)));
		const before = mendings().length;
		await breakIt(rig);
		await eventually('it is mended', () => mendings().length > before, { withinMs: 60_000 });
		await eventually('all agree', () => agreed(rig), { withinMs: 60_000 });
		await context.probes.stop();
		assert.is(mendings().length, before + 1);
		assert.equal(context.probes.failures(), []);
	});
}

test('paused for longer than the certificate lasts: renewed without a restart, and calls succeed (H4)', async ({
	rig,
	call,
}) => {
	const served = Buffer.from((await secretOf(rig))?.data['tls.crt'] ?? '', 'base64');
	for (const server of rig.servers) server.signal('SIGSTOP');
	await sleep(Date.parse(new X509Certificate(served).validTo) + 1_000 - Date.now());
	for (const server of rig.servers) server.signal('SIGCONT');
	await eventually('all agree', () => agreed(rig), { withinMs: 60_000 });
	await eventually('the guard answers', () => isRefused(call), { withinMs: 60_000 });
});

test('a person’s CA and certificate are taken over, and no admission call fails', async (context) => {
	const { rig, call, everyone } = context;
	const probes = startProbes(rig, call, namespace, busy);
	context.probes = probes;
	const day = 24 * 60 * 60_000;
	const ca = await issueAuthority(100 * day, Date.now());
	// For reviews, and for the job hooks, which call this rig's servers by the name localhost.
	const { cert, key } = await issueServing(ca, [host, 'localhost'], 10 * day, Date.now());
	const texts = { 'ca.crt': ca.cert, 'ca.key': ca.key, 'tls.crt': cert, 'tls.key': key };
	// As a person replaces a Secret: what does not belong to it is not there any more.
	const secret = {
		apiVersion: 'v1',
		kind: 'Secret',
		type: 'kubernetes.io/tls',
		metadata: { name: 'runners-admission-tls', namespace: 'runners-system' },
		stringData: texts,
	};
	await rig.ok(['replace', '-f', '-'], JSON.stringify(secret));
	await eventually(
		'all serve it',
		async () => {
			const served = await Promise.all(
				rig.servers.map(({ port }) => handshake(port, ca.cert).catch(() => undefined)),
			);
			return served.every((one) => one !== undefined) && new Set(served).size === 1;
		},
		{ withinMs: 60_000 },
	);
	await eventually('all agree', () => agreed(rig), { withinMs: 60_000 });
	await probes.stop();
	assert.equal(probes.failures(), []);
	assert.is((await secretOf(rig))?.data['tls.crt'], encode(cert), 'what is valid is not replaced');
	assert.is(
		said(everyone, 'certificate Secret: the CA of the certificate in use was missing and stays trusted')
			.length,
		1,
	);
});

test('caBundle taken away or overwritten: put right', async ({ rig, call }) => {
	const foreign = encode((await issueAuthority(60 * 60_000, Date.now())).cert);
	const overwritten = { op: 'add', value: foreign };
	for (const operation of [
		{ op: 'remove' }, // taken away
		overwritten,
	]) {
		for (const [kind, webhooks] of [
			['validating', 5],
			['mutating', 2],
		] as const) {
			const operations = Array.from({ length: webhooks }, (_, index) => ({
				...operation,
				path: `/webhooks/${index}/clientConfig/caBundle`,
			}));
			const target = [`${kind}webhookconfiguration`, 'runners-admission', '--type=json', '-p'];
			await rig.ok(['patch', ...target, JSON.stringify(operations)]);
		}
		await eventually('all agree', () => agreed(rig), { withinMs: 60_000 });
		await eventually('the guard answers', () => isRefused(call), { withinMs: 60_000 });
	}
});

test.run();

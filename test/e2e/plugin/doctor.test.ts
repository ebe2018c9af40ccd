/** kubectl runners doctor on a real cluster: each way in which the guard can fail, and the report that doctor reads. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { busy, guardWebhook, jobHooks, names } from '../../../admission/api/keys.ts';
import { type Report, reportKey } from '../../../admission/api/report.ts';
import { issueAuthority, issueServing } from '../../../admission/certificates/issue.ts';
import { eventually } from '../../rig/eventually.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { plainPod } from '../../rig/spaces.ts';
import { suite } from '../../support/suite.ts';
import { type Finished, type Installed, installPlugin } from '../support/plugin-process.ts';
import { end, Space } from '../support/space.ts';

interface Finding {
	check: string;
	level: string;
	message: string;
	details?: string[];
	advice?: string[];
}

interface Context {
	rig: Rig;
	plugin: Installed;
	space: Space;
	doctor: (...args: string[]) => Promise<Finished>;
	/** The findings by check, and the exit code. */
	findings: () => Promise<{ code: number | null; of: (check: string) => Finding }>;
}

const test = suite<Context>('kubectl runners doctor');

const system = 'runners-system';
const configuration = 'validatingwebhookconfiguration/runners-admission';
const configMap = `/api/v1/namespaces/${system}/configmaps/${names.status}`;

test.before(async (context) => {
	[context.rig, context.plugin] = await Promise.all([startRig({ sets: true }), installPlugin()]);
	const { rig, plugin } = context;
	context.doctor = (...args) => plugin.run(['doctor', ...args], { KUBECONFIG: rig.cluster.kubeconfig });
	context.findings = async () => {
		const { code, stdout, stderr } = await context.doctor('-o', 'json');
		if (stdout === '') throw new Error(`no findings: ${stderr}`);
		const { checks } = JSON.parse(stdout) as { checks: Finding[] };
		const of = (check: string) => {
			const found = checks.find((one) => one.check === check);
			if (!found) throw new Error(`no check ${check} in ${stdout}`);
			return found;
		};
		return { code, of };
	};
});
test.after(async ({ rig, plugin }) => {
	await Promise.all([end(rig), plugin?.remove()]);
});

async function report(rig: Rig): Promise<Report> {
	const { data } = await rig.kube.get<{ data: Record<string, string> }>(configMap);
	return JSON.parse(data[reportKey] ?? '') as Report;
}

/** The leader writes news within 10 s; what it has to learn from GitHub first takes a poll or a back-off of up to 60 s. */
function reported(rig: Rig, what: string, verify: (report: Report) => boolean): Promise<boolean> {
	return eventually(`the report says: ${what}`, async () => verify(await report(rig)), {
		withinMs: 180_000,
		everyMs: 300,
	});
}

function sample(metrics: string, name: string): number | undefined {
	const line = metrics.split('\n').find((one) => one.startsWith(`${name} `));
	return line === undefined ? undefined : Number(line.split(' ').at(-1));
}

test('without runner pods: all is well, proven by a dry-run eviction of nobody', async ({
	rig,
	findings,
}) => {
	const written = () => report(rig).catch(() => undefined);
	await eventually('the leader has written its report', written, { withinMs: 60_000 });
	const { code, of } = await findings();
	assert.is(of('reachable').level, 'ok');
	assert.match(of('reachable').message, 'a dry-run eviction of a pod that does not exist');
	assert.is(of('credentials').level, 'ok');
	assert.is(code, 0);
});

test('healthy: every check is ok, with what proves it, exit code 0; nothing is changed', async (context) => {
	const { rig, doctor, findings } = context;
	context.space = await Space.make(rig, { ownCredentials: true });
	const { space } = context;
	await space.runners(['busy-0', 'idle-0']);
	await space.runJob('busy-0', { known: true });
	await reported(rig, 'the credential works', ({ credentials }) =>
		credentials.some(({ account, state }) => account.startsWith(`${space.name}/`) && state === 'ok'),
	);
	await eventually('the back-stop', async () => {
		const path = `/apis/policy/v1/namespaces/${space.name}/poddisruptionbudgets`;
		return (await rig.kube.get<{ items: unknown[] }>(path)).items.length > 0;
	});
	const before = await space.annotations('busy-0');

	const { code, stdout, stderr } = await doctor();
	assert.equal([code, stderr], [0, ''], stdout);
	const lines = stdout.split('\n');
	assert.match(lines[0] ?? '', /^CHECK +STATUS +MESSAGE$/);
	assert.match(stdout, /^api-server +ok +v1\.\d+\.\d+/m);
	assert.match(stdout, /^failure-policy +ok +pods\.runners-admission\.svc: Fail; the others are unchanged$/m);
	assert.match(
		stdout,
		new RegExp(
			`^reachable +ok +the guard answered; proof: a dry-run delete of pod ${space.name}/busy-0: refused, busy$`,
			'm',
		),
	);
	assert.match(stdout, /^certificate +ok +left: serving certificate \d+ days, CA \d+ days$/m);
	assert.match(stdout, /^leader +ok +\S+, renewed \d+s ago$/m);
	assert.match(stdout, /^credentials +ok +\d+ credentials? in use, none refused/m);
	assert.match(
		stdout,
		new RegExp(`^rate-budget +ok +.*${space.name}/\\S+: \\d+ of \\d+ calls left until `, 'm'),
	);
	assert.match(stdout, /^runner-pods +ok +2 runner pods, all guarded$/m);
	assert.match(stdout, /^evictions +ok +1 namespace with runner pods, each with the back-stop/m);
	assert.match(stdout, /^deletions +ok +none recorded$/m);
	assert.match(
		stdout,
		/^job-hooks +ok +2 of 2 running runners with job hooks, of which 1 has reported a job$/m,
	);
	assert.match(stdout, /^runner-logs +ok +(none needed yet|\d+ of \d+ reads succeeded)$/m);
	assert.match(stdout, /^github-answers +ok +no source has contradicted GitHub$/m);
	assert.match(
		stdout,
		/^kinds +ok +runnersets, runnerdeployments, runners, horizontalrunnerautoscalers, workflowjobs: v1alpha1$/m,
	);
	assert.match(stdout, /\n0 errors, 0 warnings, \d+ ok\n$/);
	assert.equal(await space.annotations('busy-0'), before);

	const { of } = await findings();
	assert.equal(Object.keys(of('leader')).sort(), ['check', 'level', 'message']);
	const yaml = await doctor('-o', 'yaml');
	assert.match(yaml.stdout, /^checks:\n- check: api-server\n {2}level: ok\n/);
	assert.match(yaml.stdout, /^ok: true$/m);
});

test('the report: version, replica, certificates, budget, counts, the oldest recorded deletion with its reason', async ({
	rig,
	space,
}) => {
	await space.refused('busy-0');
	// It is recorded before the leader has judged it, and counted before GitHub's next list shows the job.
	await reported(
		rig,
		'the deletion of a busy runner is recorded',
		({ recordedDeletions, runners }) => recordedDeletions.byReason.busy === 1 && runners.busy === 1,
	);
	const seen = await report(rig);
	assert.equal(seen.recordedDeletions.byReason, { busy: 1 });
	const { pod, reason, requestedBy } = seen.recordedDeletions.oldest ?? {};
	assert.equal([pod, reason, requestedBy], [`${space.name}/busy-0`, 'busy', 'admin']);
	const lease = await rig.kube.get<{ spec: { holderIdentity: string } }>(
		`/apis/coordination.k8s.io/v1/namespaces/${system}/leases/${names.lease}`,
	);
	assert.is(seen.replica, lease.spec.holderIdentity);
	assert.equal(seen.runners, { pods: 2, busy: 1 });
	assert.is(seen.guard.state, 'guarded');
	assert.ok(
		seen.certificates.every(({ daysLeft }) => daysLeft > 80),
		JSON.stringify(seen.certificates),
	);
	const text = JSON.stringify(seen);
	assert.not(text.includes(space.token) || text.includes('test-token'), 'no secret is in it');

	const readMetrics = async () => (await rig.servers[0]?.metrics()) ?? '';
	const age = async () => sample(await readMetrics(), 'runners_recorded_deletion_oldest_age_seconds') ?? 0;
	await eventually('it gets older', async () => (await age()) > 1);
	const metrics = await readMetrics();
	assert.is(sample(metrics, 'runners_recorded_deletions{reason="busy"}'), 1);
	const account = `account="${space.name}/example-github-secret"`;
	assert.is(sample(metrics, `runners_github_credential_state{${account},state="ok"}`), 1);
	assert.ok((sample(metrics, `runners_github_rate_limit_remaining{${account}}`) ?? 0) > 0);
	assert.ok((sample(metrics, `runners_github_rate_limit_reset_timestamp_seconds{${account}}`) ?? 0) > 1e9);
	assert.is(sample(metrics, 'runners_reconcile_errors_total{controller="deletion"}'), 0);
	await space.kubectl(
		'annotate',
		'pod',
		'busy-0',
		...['deletion-requested-at', 'deletion-requested-by', 'deletion-options', 'deletion-proof'].map(
			(key) => `actions-runner/${key}-`,
		),
	);
});

test('failurePolicy Ignore shows in doctor, metrics and status, with the time unguarded (H2)', async ({
	rig,
	findings,
}) => {
	const policy = (value: string) =>
		rig.ok([
			'patch',
			configuration,
			'--type=json',
			`-p=[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"${value}"}]`,
		]);
	await policy('Ignore');
	await reported(rig, 'unguarded', ({ guard }) => guard.state === 'unguarded');
	const metrics = (await rig.servers[0]?.metrics()) ?? '';
	const gauge = (value: string) =>
		`runners_webhook_failure_policy{kind="validating",webhook="${guardWebhook}",policy="${value}"}`;
	assert.equal([sample(metrics, gauge('Ignore')), sample(metrics, gauge('Fail'))], [1, undefined]);
	assert.ok((sample(metrics, 'runners_unguarded_seconds_total') ?? 0) > 0);
	const ill = await findings();
	assert.is(ill.code, 1);
	assert.is(ill.of('failure-policy').level, 'error');
	assert.match(ill.of('failure-policy').message, 'pods.runners-admission.svc has failurePolicy Ignore');
	assert.match(ill.of('failure-policy').details?.[0] ?? '', 'runner pods are deleted whatever they run');
	assert.is(rig.logs(({ msg }) => msg.startsWith('runner pods are unguarded')).length, 1);

	await policy('Fail');
	await reported(rig, 'guarded again', ({ guard }) => guard.state === 'guarded');
	const { unguardedSeconds } = (await report(rig)).guard;
	assert.ok(unguardedSeconds > 0, String(unguardedSeconds));
	const well = await findings();
	assert.equal(well.of('failure-policy').details, [
		`runner pods have been unguarded for ${unguardedSeconds} s in all`,
	]);
	assert.is(well.code, 0);
});

test('a refused credential is an error that names the Secret; a scope without rights names the permission (I7)', async ({
	rig,
	space,
	findings,
}) => {
	rig.github.tokens.revoke(space.token);
	await reported(rig, 'the credential is refused', ({ credentials }) =>
		credentials.some(({ state }) => state === 'credentials-invalid'),
	);
	const { code, of } = await findings();
	assert.is(code, 1);
	assert.is(of('credentials').level, 'error');
	assert.match(
		of('credentials').details?.[0] ?? '',
		`${space.name}/example-github-secret: credentials-invalid`,
	);
	assert.match(of('credentials').advice?.[0] ?? '', 'renew the token or key in the Secret');
	rig.github.tokens.add(space.token, ['orgs/elsewhere']);
	await reported(rig, 'the scope is forbidden', ({ credentials }) =>
		credentials.some(({ state }) => state === 'forbidden'),
	);
	const forbidden = (await findings()).of('credentials');
	assert.is(forbidden.level, 'error');
	assert.match(forbidden.details?.[0] ?? '', `example-github-secret: forbidden for ${space.name}: `);
	assert.match(forbidden.details?.[0] ?? '', `"Self-hosted runners" read and write on ${space.name}`);

	rig.github.tokens.revoke(space.token);
	rig.github.tokens.add(space.token);
	await reported(rig, 'the credential works again', ({ credentials }) =>
		credentials.some(({ account, state }) => account.startsWith(`${space.name}/`) && state === 'ok'),
	);
});

test('unknown layouts, excluded namespaces and pods without a scope are warnings, exit code 0 (I5)', async ({
	rig,
	space,
	findings,
}) => {
	const odd = (name: string, container: object, namespace = space.name) => ({
		...plainPod(name, namespace),
		spec: { containers: [{ image: 'none', ...container }] },
	});
	const env = [{ name: 'RUNNER_ORG', value: 'octo-org' }];
	const restricted = {
		allowPrivilegeEscalation: false,
		runAsNonRoot: true,
		capabilities: { drop: ['ALL'] },
		seccompProfile: { type: 'RuntimeDefault' },
	};
	await rig.apply(
		odd('odd-name', { name: 'agent', env }),
		odd('no-scope', { name: 'runner', env: [{ name: 'RUNNER_ORG', value: '' }] }),
		odd('own', { name: 'runner', env, securityContext: restricted }, system),
	);
	const { of } = await findings();
	const { level, details = [] } = of('runner-pods');
	assert.is(level, 'warning');
	const about = (pod: string) => details.find((line) => line.startsWith(`${pod}: `)) ?? '';
	assert.match(about(`${space.name}/odd-name`), 'a runner\'s env is named "agent"');
	assert.match(
		about(`${space.name}/no-scope`),
		'no plain RUNNER_REPO, RUNNER_ORG or RUNNER_ENTERPRISE in its container',
	);
	assert.match(about(`${system}/own`), 'the webhook excludes namespace runners-system');
	assert.is(details.length, 3, details.join('\n'));
	await rig.ok(['delete', 'pod', 'own', '-n', system, '--force', '--grace-period=0']);
	await space.ok('delete', 'pod', 'odd-name', '--force', '--grace-period=0');
	await space.ok('annotate', 'pod', 'no-scope', 'actions-runner/break-glass=the test is over');
	await space.ok('delete', 'pod', 'no-scope', '--force', '--grace-period=0');
});

test('a missing back-stop and an old recorded deletion are warnings with why', async ({
	space,
	findings,
}) => {
	// As one of the few who may: the policy lets nobody else.
	const namespaceController = '--as=system:serviceaccount:kube-system:namespace-controller';
	await space.ok('delete', 'poddisruptionbudget', names.backstops.true, namespaceController);
	await space.forge('busy-0', {
		'actions-runner/deletion-requested-by': 'alice',
		'actions-runner/deletion-requested-at': '2026-01-01T00:00:00Z',
		'actions-runner/deletion-proof': 'AAAA',
	});
	const { of } = await findings();
	assert.is(of('evictions').level, 'warning');
	assert.equal(of('evictions').details, [
		`namespace ${space.name} has no PodDisruptionBudget runners-admission-busy, or a changed one`,
	]);
	const { level, details = [] } = of('deletions');
	assert.is(level, 'warning');
	assert.match(
		details.find((line) => line.startsWith(`${space.name}/busy-0: `)) ?? '',
		/deletion requested by alice \d+d ago: /,
	);
});

test('who may see nothing gets a warning with the missing right for each check; who may see one namespace, that one', async ({
	rig,
	plugin,
	space,
}) => {
	const bob = { KUBECONFIG: await rig.cluster.kubeconfigFor('bob', ['devs']) };
	const blind = await plugin.run(['doctor'], bob);
	assert.is(blind.code, 0, blind.stdout + blind.stderr);
	assert.match(blind.stdout, /^api-server +ok /m);
	for (const right of [
		'get validatingwebhookconfigurations',
		'get leases in namespace runners-system',
		'get configmaps in namespace runners-system',
		'list pods of all namespaces',
	])
		assert.match(blind.stdout, new RegExp(`warning +not checked: you may not ${right}$`, 'm'));
	assert.match(blind.stdout, /^reachable +warning +not proven: /m);

	await space.bind('bob', 'view');
	const partly = await plugin.run(['doctor', '--as=bob', '-o', 'json'], {
		KUBECONFIG: await inNamespace(rig, space.name),
	});
	const { checks } = JSON.parse(partly.stdout) as { checks: Finding[] };
	const pods = checks.find(({ check }) => check === 'runner-pods');
	assert.match(pods?.message ?? '', `in namespace ${space.name} (you may not list pods of other namespaces)`);
});

test('the role runners-admin is enough for every check', async ({ rig, plugin }) => {
	await rig.ok(['create', 'clusterrolebinding', 'ops', '--clusterrole=runners-admin', '--user=ops']);
	const ops = await plugin.run(['doctor'], { KUBECONFIG: await rig.cluster.kubeconfigFor('ops', []) });
	assert.is(ops.code, 0, ops.stdout + ops.stderr);
	assert.not.match(ops.stdout, 'not checked');
	assert.match(ops.stdout, /^reachable +ok +the guard answered; proof: a dry-run delete of pod /m);
});

/** The admin's kubeconfig with another namespace in its context. */
async function inNamespace(rig: Rig, namespace: string): Promise<string> {
	const path = join(rig.cluster.folder, `${namespace}.kubeconfig`);
	const config = await rig.ok(['config', 'view', '--raw', '--flatten']);
	await writeFile(path, config, { mode: 0o600 });
	await rig.ok(['config', 'set-context', '--current', `--namespace=${namespace}`, '--kubeconfig', path]);
	return path;
}

test('a server without the right to read logs says so, and doctor says how to fix it; runners whose hooks are silent are named', async ({
	rig,
	space,
	findings,
}) => {
	const clusterRole = 'clusterrole/runners-admission-webhook';
	const { rules } = JSON.parse(await rig.ok(['get', clusterRole, '-o', 'json'])) as {
		rules: { resources?: string[] }[];
	};
	const patch = (wanted: object[]) =>
		rig.ok(['patch', clusterRole, '--type=merge', '-p', JSON.stringify({ rules: wanted })]);
	await space.runners(['unread-0']);
	await space.runners(['silent-0'], { annotations: { [jobHooks.wanted]: 'off' } });
	await patch(rules.filter(({ resources }) => !resources?.includes('pods/log')));
	try {
		await space.kubectl('delete', 'pod', 'unread-0', '--wait=false');
		await reported(rig, 'a log could not be read', ({ logs }) => (logs?.unreadable ?? 0) > 0);
		await space.runJob('silent-0', { known: true });
		const hourAgo = new Date(Date.now() - 60 * 60_000).toISOString();
		await space.forge('silent-0', { [jobHooks.script]: '#!/bin/sh', [busy.since]: hourAgo });
		const { of } = await findings();
		assert.is(of('job-hooks').level, 'warning');
		assert.is(
			of('job-hooks').details?.[0],
			`${space.name}/silent-0: has had a job for 60m, but its job hooks have not reported it`,
		);
		assert.is(of('runner-logs').level, 'warning');
		assert.match(of('runner-logs').details?.[0] ?? '', `${space.name}/unread-0, `);
		assert.match(of('runner-logs').details?.[0] ?? '', 'forbidden');
		assert.match(of('runner-logs').advice?.[0] ?? '', 'pods/log');
	} finally {
		await patch(rules);
	}
	await space.endJob('silent-0');
});

test('a certificate that ends soon, of a CA that the API server does not know: two errors as text (H4)', async (context) => {
	const { rig, findings } = context;
	const folder = await mkdtemp(join(tmpdir(), 'doctor-'));
	const hour = 60 * 60_000;
	const ca = await issueAuthority(1_000 * hour, Date.now());
	const pems = await issueServing(ca, ['runners-admission.runners-system.svc'], 50 * hour, Date.now());
	const [cert, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
	await Promise.all([writeFile(cert, pems.cert), writeFile(key, pems.key)]);
	await Promise.all([...rig.servers].map((server) => server.stop()));
	const server = await rig.addServer({ args: ['--tls-cert-file', cert, '--tls-private-key-file', key] });
	await reported(rig, 'the certificate of the file', ({ certificates }) => certificates[0]?.daysLeft === 2);
	const { code, of } = await findings();
	assert.is(code, 1);
	assert.is(of('certificate').level, 'error');
	assert.match(of('certificate').message, 'the serving certificate expires in 2 days');
	assert.is(of('reachable').level, 'error');
	assert.match(of('reachable').message, 'not signed by the CA in the caBundle (x509: unknown authority)');
	server.signal('SIGKILL');
	await server.exited;
	await rm(folder, { recursive: true });
});

test('every replica down: not reachable, no leader, exit code 1', async ({ rig, doctor }) => {
	await rig.ok([
		...['patch', 'lease', names.lease, '-n', system, '--type=merge'],
		'-p={"spec":{"renewTime":"2026-01-01T00:00:00.000000Z"}}',
	]);
	const { code, stdout } = await doctor();
	assert.is(code, 1);
	assert.match(
		stdout,
		/^reachable +error +the API server does not reach the guard: nothing listens at its address/m,
	);
	assert.match(stdout, /^ {2}- .*failed calling webhook "pods\.runners-admission\.svc"/m);
	assert.match(stdout, /^ {2}next: start a replica; while none runs, break-glass works/m);
	assert.match(stdout, /^leader +error +\S+ is no longer the leader: renewed \d+d ago$/m);
	assert.match(stdout, /\n[1-9] errors?, /);
});

test('while no server answers: delete says so and deletes nothing, why says so too', async ({
	rig,
	plugin,
	space,
}) => {
	const runners = (...args: string[]) =>
		plugin.run([...args, '-n', space.name], { KUBECONFIG: rig.cluster.kubeconfig });
	const refused = await runners('delete', 'busy-0');
	assert.is(refused.code, 1);
	assert.match(
		refused.stderr,
		/^error: the guard does not answer, so nothing was deleted or recorded: .*\n$/,
	);
	assert.match((await runners('why', 'busy-0')).stdout, /^Deletion: +denied \(guard-unreachable\)$/m);
	assert.is((await space.pod('busy-0'))?.metadata.deletionTimestamp, undefined);
	assert.match((await runners('version')).stdout, /^Guard: installed$/m);
});

test('the webhook configuration is gone: runner pods are unguarded', async ({ rig, findings }) => {
	await rig.ok(['delete', configuration]);
	const { code, of } = await findings();
	assert.is(code, 1);
	assert.match(of('webhooks').message, 'is missing: runner pods are unguarded');
	assert.equal(of('webhooks').advice, ['kubectl runners install restores them']);
});

test('not installed: one error that says how to install it; no API server: as every verb', async ({
	rig,
	doctor,
}) => {
	await rig.ok(['delete', 'mutatingwebhookconfiguration', 'runners-admission']);
	await rig.ok(['delete', 'namespace', system, '--timeout=60s']);
	const { code, stdout } = await doctor();
	assert.is(code, 1);
	assert.match(stdout, /^installation +error +the guard is not installed in this cluster/m);
	assert.match(stdout, /^ {2}next: kubectl runners install$/m);
	assert.match(stdout, /\n1 error, 0 warnings, 1 ok\n$/);
	const unreachable = await doctor('-s', 'https://127.0.0.1:1');
	assert.is(unreachable.code, 1);
	assert.match(unreachable.stderr, /^The connection to the server 127\.0\.0\.1:1 was refused/);
});

test.run();

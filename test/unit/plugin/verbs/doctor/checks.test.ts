import { readFileSync } from 'node:fs';
import { loadAll } from 'js-yaml';
import * as assert from 'uvu/assert';
import { guardWebhook } from '../../../../../admission/api/keys.ts';
import type { CredentialReport } from '../../../../../admission/api/report.ts';
import { diagnose } from '../../../../../plugin/verbs/doctor/checks/index.ts';
import type { Facts } from '../../../../../plugin/verbs/doctor/facts.ts';
import {
	consequences,
	hooksWebhook,
	shippedPolicies,
	unknownWebhook,
} from '../../../../../plugin/verbs/doctor/shipped.ts';
import { suite } from '../../../../support/suite.ts';
import {
	ago,
	check,
	configuration,
	deployment,
	facts,
	found,
	inDays,
	lease,
	missing,
	notAllowed,
	nowMs,
	report,
	webhooks,
} from './facts.ts';

const test = suite('plugin: doctor, the checks');

test('in a healthy cluster every check is ok and says what it found', () => {
	const findings = diagnose(facts());
	assert.equal(
		findings.filter(({ level }) => level !== 'ok'),
		[],
	);
	assert.is(findings.length, 20);
	assert.is(new Set(findings.map(({ check: name }) => name)).size, 20);
});

test('the shipped policies are those of the manifests', () => {
	const read = (path: string) =>
		loadAll(readFileSync(new URL(`../../../../../manifests/${path}`, import.meta.url), 'utf8')) as {
			kind: string;
			webhooks: { name: string; failurePolicy: string }[];
		}[];
	const policies = (kind: string, ...paths: string[]) =>
		Object.fromEntries(
			paths
				.flatMap(read)
				.filter((one) => one.kind === kind)
				.flatMap(({ webhooks: all }) => all.map((one) => [one.name, one.failurePolicy])),
		);
	assert.equal(policies('ValidatingWebhookConfiguration', 'base/webhooks.yaml'), {
		...shippedPolicies.validating,
	});
	assert.equal(policies('MutatingWebhookConfiguration', 'sets/webhooks.yaml', 'base/webhooks.yaml'), {
		...shippedPolicies.mutating,
	});
	for (const kind of ['validating', 'mutating'] as const)
		for (const name of Object.keys(shippedPolicies[kind])) assert.ok(consequences[`${kind} ${name}`], name);
});

const mutatingWith = (...names: string[]) =>
	configuration(webhooks('mutating').filter(({ name }) => names.includes(name)));

test('the guard alone has one mutating webhook, may have that of job hooks, and none of the others', () => {
	const of = (mutating: Facts['mutating']) => check('webhooks', { mutating })?.level;
	assert.is(of(mutatingWith(unknownWebhook)), 'ok');
	assert.is(of(mutatingWith(unknownWebhook, hooksWebhook)), 'ok');
	assert.is(of(mutatingWith(hooksWebhook)), 'warning');
	assert.is(of(configuration(webhooks('mutating').filter(({ name }) => name !== hooksWebhook))), 'warning');
});

const credential = (state: CredentialReport['state'], more: object = {}): Partial<Facts> => ({
	report: found(report({ credentials: [{ account: 'ci/github', state, ...more }] })),
});
const withPolicy = (kind: 'validating' | 'mutating', name: string, failurePolicy: string) =>
	configuration(webhooks(kind).map((one) => (one.name === name ? { ...one, failurePolicy } : one)));
const without = (name: string) => configuration(webhooks('validating').filter((one) => one.name !== name));

for (const [what, name, more, level, pattern] of [
	[
		'too old',
		'api-server',
		{ apiServer: found({ gitVersion: 'v1.29.4' }) },
		'error',
		/need Kubernetes 1\.30/,
	],
	['new enough', 'api-server', { apiServer: found({ gitVersion: 'v1.30.0-gke.7' }) }, 'ok', /v1\.30\.0/],
	['gone', 'webhooks', { validating: missing }, 'error', /unguarded/],
	['one is missing', 'webhooks', { validating: without(guardWebhook) }, 'error', /runner pods are unguarded/],
	[
		'another is missing',
		'webhooks',
		{ validating: without('updates.runners-admission.svc') },
		'warning',
		/1 webhook missing/,
	],
	['the guard alone', 'webhooks', { mutating: mutatingWith(unknownWebhook) }, 'ok', /6 webhooks registered/],
	['no mutating configuration', 'webhooks', { mutating: missing }, 'warning', /1 webhook missing/],
	['not to be seen', 'webhooks', { mutating: notAllowed }, 'ok', /5 webhooks registered/],
	['may not be read', 'webhooks', { validating: notAllowed }, 'warning', /not checked: you may not get it/],
	[
		'Ignore',
		'failure-policy',
		{ validating: withPolicy('validating', guardWebhook, 'Ignore') },
		'error',
		/failurePolicy Ignore/,
	],
	[
		'evictions fail closed',
		'failure-policy',
		{ validating: withPolicy('validating', 'evictions.runners-admission.svc', 'Fail') },
		'warning',
		/changed failurePolicy/,
	],
	[
		"the sets' webhook ignores",
		'failure-policy',
		{ mutating: withPolicy('mutating', guardWebhook, 'Ignore') },
		'warning',
		/changed failurePolicy/,
	],
	[
		'none',
		'ca-bundle',
		{ mutating: configuration([{ name: guardWebhook, clientConfig: {} }]) },
		'error',
		/no caBundle/,
	],
	[
		'no certificate in it',
		'ca-bundle',
		{ mutating: configuration([{ name: guardWebhook, clientConfig: { caBundle: 'bm9uZQ==' } }]) },
		'error',
		/contains no certificate/,
	],
	[
		'written by hand',
		'paths',
		{
			mutating: configuration([
				{
					name: guardWebhook,
					clientConfig: { service: { namespace: 'a', name: 'b', path: '/pods/delete' } },
				},
			]),
		},
		'error',
		/1 webhook has no path from the server/,
	],
	[
		'an address of their own',
		'paths',
		{
			mutating: configuration([{ name: guardWebhook, clientConfig: { url: 'https://a/' } }]),
		},
		'ok',
		/written by the server/,
	],
	[
		'not recognised',
		'reachable',
		{ reach: { kind: 'unreachable', message: 'the guard does not recognise the API server by its path' } },
		'error',
		/it has not written the path in the webhook configuration/,
	],
	['expired', 'ca-bundle', { nowMs: nowMs + 400 * 24 * 60 * 60_000 }, 'error', /has expired on/],
	[
		'not reached',
		'reachable',
		{ reach: { kind: 'unreachable', message: 'connection refused' } },
		'error',
		/nothing listens at its address/,
	],
	[
		'not asked, a fresh heartbeat',
		'reachable',
		{ reach: { kind: 'unproven', why: 'no pod' } },
		'ok',
		/heartbeat, 20 s old/,
	],
	[
		'not asked, an old heartbeat',
		'reachable',
		{ reach: { kind: 'unproven', why: 'no pod' }, report: found(report({ updatedAt: ago(300) })) },
		'warning',
		/not proven: no pod/,
	],
	[
		'29 days left of a CA',
		'certificate',
		{ report: found(report({ certificates: [{ name: 'ca', notAfter: inDays(29), daysLeft: 29 }] })) },
		'ok',
		/CA 29 days/,
	],
	[
		'20 days left',
		'certificate',
		{ report: found(report({ certificates: [{ name: 'serving', notAfter: inDays(20), daysLeft: 20 }] })) },
		'warning',
		/expires in 20 days/,
	],
	[
		'2 days left',
		'certificate',
		{ report: found(report({ certificates: [{ name: 'serving', notAfter: inDays(2), daysLeft: 2 }] })) },
		'error',
		/expires in 2 days/,
	],
	[
		'over',
		'certificate',
		{ report: found(report({ certificates: [{ name: 'serving', notAfter: inDays(-2), daysLeft: -2 }] })) },
		'error',
		/expired on/,
	],
	[
		'nobody',
		'leader',
		{ lease: lease({ holderIdentity: '', renewTime: ago(2) }) },
		'error',
		/there is no leader/,
	],
	[
		'not renewed',
		'leader',
		{ lease: lease({ holderIdentity: 'a', renewTime: ago(31) }) },
		'error',
		/a is no longer the leader: renewed 31s ago/,
	],
	['renewed late', 'leader', { lease: lease({ holderIdentity: 'a', renewTime: ago(29) }) }, 'ok', /29s ago/],
	['no Lease', 'leader', { lease: missing }, 'error', /no server has ever been the leader/],
	['none', 'report', { report: missing }, 'warning', /there is no ConfigMap/],
	[
		'broken',
		'report',
		{ report: { kind: 'failed', message: 'holds no report' } },
		'error',
		/cannot be checked: holds no report/,
	],
	['old', 'report', { report: found(report({ updatedAt: ago(200) })) }, 'warning', /3m20s old/],
	[
		'another version',
		'report',
		{ report: found(report({ version: '0.9.0' })) },
		'warning',
		/the server is v0\.9\.0, this plugin v1\.0\.0/,
	],
	['outside', 'replicas', { deployment: missing }, 'ok', /runs outside/],
	['none ready', 'replicas', { deployment: deployment(2, 0) }, 'error', /0 of 2/],
	['one ready', 'replicas', { deployment: deployment(2, 1) }, 'warning', /1 of 2/],
	['one wanted', 'replicas', { deployment: deployment(1, 1) }, 'warning', /while its node is drained/],
	['none needed', 'credentials', {}, 'ok', /none needed/],
	['not used yet', 'credentials', credential('not-used-yet'), 'ok', /not tried yet: ci\/github/],
	[
		'401',
		'credentials',
		credential('credentials-invalid', { detail: 'GitHub answered 401' }),
		'error',
		/1 of 1 credential not usable/,
	],
	[
		'missing',
		'credentials',
		credential('credentials-missing', { detail: 'no Secret' }),
		'error',
		/not usable/,
	],
	[
		'403',
		'credentials',
		credential('forbidden', { forbidden: [{ scope: 'octo-org', detail: 'needs x' }] }),
		'error',
		/not usable/,
	],
	['limited', 'credentials', credential('rate-limited', { detail: 'until 12:00' }), 'warning', /not usable/],
	['a state of a newer server', 'credentials', credential('new-state' as 'ok'), 'warning', /not usable/],
	[
		'low',
		'rate-budget',
		credential('ok', { budget: { left: 499, limit: 5_000, resetAt: ago(-600) } }),
		'warning',
		/less than a tenth/,
	],
	[
		'enough',
		'rate-budget',
		credential('ok', { budget: { left: 500, limit: 5_000, resetAt: ago(-600) } }),
		'ok',
		/500 of 5000 calls left/,
	],
	[
		'of an hour that is over',
		'rate-budget',
		credential('ok', { budget: { left: 1, limit: 5_000, resetAt: ago(1) } }),
		'ok',
		/no rate limit known/,
	],
	[
		'the sets without their kinds',
		'kinds',
		{ setResources: missing },
		'error',
		/does not serve runnersets, runnerdeployments, runners/,
	],
	[
		'the sets of a server before autoscaling',
		'kinds',
		{ setResources: found(['runnersets', 'runnerdeployments', 'runners']) },
		'warning',
		/does not serve horizontalrunnerautoscalers, workflowjobs \(v1alpha1\)$/,
	],
	[
		'the guard beside ARC',
		'kinds',
		{ mutating: mutatingWith(unknownWebhook) },
		'ok',
		/belong to actions-runner-controller/,
	],
	['the guard alone', 'kinds', { mutating: missing, setResources: missing }, 'ok', /no RunnerSets here/],
] as [string, string, Partial<Facts>, string, RegExp][])
	test(`${name}: ${what}: ${level}`, () => {
		const finding = check(name, more);
		assert.equal([finding.level, pattern.test(finding.message)], [level, true], JSON.stringify(finding));
		if (level === 'error' && name !== 'report') assert.ok(finding.advice?.[0], 'says what to do');
	});

test('a cluster without the guard is one error with the command to install it; an object that may not be read does not count as missing', () => {
	const nothing = { validating: missing, mutating: missing, lease: missing, report: missing } as const;
	const findings = diagnose(facts(nothing));
	assert.equal(
		findings.map(({ check: name, level }) => [name, level]),
		[
			['api-server', 'ok'],
			['installation', 'error'],
		],
	);
	assert.equal(findings[1]?.advice, ['kubectl runners install']);
	assert.ok(diagnose(facts({ ...nothing, validating: notAllowed })).length > 2);
});

test('the time without a guard is reported with the failure policy (H2)', () => {
	const guard = { state: 'guarded', webhooks: [], unguardedSeconds: 42 } as const;
	const finding = check('failure-policy', { report: found(report({ guard: { ...guard, webhooks: [] } })) });
	assert.equal(finding.details, ['runner pods have been unguarded for 42 s in all']);
});

test.run();

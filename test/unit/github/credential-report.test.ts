import * as assert from 'uvu/assert';
import { Account, Accounts } from '../../../admission/github/accounts.ts';
import { credentialReports } from '../../../admission/github/credential-report.ts';
import { Metrics } from '../../../admission/telemetry/metrics.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { suite } from '../../support/suite.ts';
import { FakeGitHub } from './fake-github.ts';

const test = suite<{ github: FakeGitHub }>('what is reported of credentials');
test.before.each(async (context) => {
	context.github = await FakeGitHub.start();
});
test.after.each(({ github }) => github.stop());

const token = 'ghp_never-to-be-shown';

test('a Secret that is missing, then there, then used: in report and metrics, never its content', async ({
	github,
}) => {
	let nowMs = 1_800_000_000_000;
	let data: Record<string, string> | undefined;
	const metrics = new Metrics(systemClock);
	const accounts = new Accounts({
		apiUrl: github.url,
		clock: { ...systemClock, now: () => nowMs },
		readSecret: async () => data,
		isTerminating: async () => false,
		onCall: (call) => metrics.github.call(call),
	});
	metrics.github.credentials = () => credentialReports(accounts);
	const source = { namespace: 'ci', credentialsSecret: 'github' };
	const state = () => credentialReports(accounts).map((one) => [one.account, one.state]);
	assert.equal(state(), []);

	const reading = accounts.resolve(source);
	assert.equal(state(), [], 'what is still being read is not missing');
	await reading;
	assert.equal(state(), [['ci/github', 'credentials-missing']]);
	assert.match(credentialReports(accounts)[0]?.detail ?? '', 'Secret ci/github does not exist');

	data = { github_token: Buffer.from(token).toString('base64') };
	nowMs += 60_000;
	const account = await accounts.resolve(source);
	assert.equal(state(), [['ci/github', 'not-used-yet']]);

	if (!(account instanceof Account)) throw new Error(account.detail);
	await account.registry.refresh({ kind: 'organization', name: 'octo-org' }, { maxAgeMs: 0 });
	assert.equal(state(), [['ci/github', 'ok']]);
	const text = await metrics.registry.metrics();
	assert.match(text, 'runners_github_credential_state{account="ci/github",state="ok"} 1');
	assert.not.match(text, 'state="not-used-yet"');
	assert.match(
		text,
		'runners_github_calls_total{account="ci/github",endpoint="list-runners",status="200"} 1',
	);
	assert.match(text, 'runners_github_call_duration_seconds_count{endpoint="list-runners"} 1');
	assert.not.match(text + JSON.stringify(credentialReports(accounts)), token);
	accounts.close();
});

test('however many Secrets and organizations pods name, the report fits into a ConfigMap', async ({
	github,
}) => {
	let nowMs = 1_800_000_000_000;
	github.script = () => ({ status: 403, body: { message: 'x'.repeat(200) } });
	const accounts = new Accounts({
		apiUrl: github.url,
		clock: { ...systemClock, now: () => nowMs },
		readSecret: async (_namespace, name) =>
			name.startsWith('real') ? { github_token: Buffer.from(name).toString('base64') } : undefined,
		isTerminating: async () => false,
	});
	const namespace = 'n'.repeat(63);
	for (let number = 0; number < 1_000; number++)
		await accounts.resolve({ namespace, credentialsSecret: `${number}`.padStart(253, 'x') });
	for (const credentialsSecret of ['real-1', 'real-2']) {
		const account = await accounts.resolve({ namespace, credentialsSecret });
		if (!(account instanceof Account)) throw new Error(account.detail);
		for (let number = 0; number < 400; number++) {
			nowMs += 2_000;
			await account.registry.refresh(
				{ kind: 'organization', name: `${number}`.padStart(90, 'x') },
				{ maxAgeMs: 0 },
			);
		}
	}
	const reports = credentialReports(accounts);
	assert.ok(JSON.stringify(reports).length < 500_000, `${JSON.stringify(reports).length} characters`);
	assert.ok(reports.some(({ account }) => account === '798 more'));
	assert.is(reports.find(({ account }) => account.endsWith('real-1'))?.forbidden?.length, 301);
	assert.equal(reports.find(({ account }) => account.endsWith('real-2'))?.forbidden, [
		{ scope: '400 more', detail: 'as those before' },
	]);
	accounts.close();
});

test.run();

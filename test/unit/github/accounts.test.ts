import * as assert from 'uvu/assert';
import { Account, Accounts, type AccountsOptions } from '../../../admission/github/accounts.ts';
import { type CredentialsMissing, isFailure, type Scope } from '../../../admission/github/types.ts';
import { unregister } from '../../../admission/github/unregister.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { suite } from '../../support/suite.ts';
import { FakeGitHub } from './fake-github.ts';

const scope: Scope = { kind: 'organization', name: 'octo-org' };

/** A cluster's Secrets, a clock, and how often a Secret was read. */
class Cluster {
	nowMs = 1_800_000_000_000;
	reads = 0;
	broken = false;
	readonly terminating = new Set<string>();
	readonly secrets = new Map<string, Record<string, string>>();
	readonly lines: string[] = [];
	readonly github: FakeGitHub;

	constructor(github: FakeGitHub) {
		this.github = github;
	}

	setToken(id: string, token: string): void {
		this.secrets.set(id, { github_token: Buffer.from(token).toString('base64') });
	}

	accounts(options: Partial<AccountsOptions> = {}): Accounts {
		return new Accounts({
			apiUrl: this.github.url,
			clock: { ...systemClock, now: () => this.nowMs, random: () => 1 },
			onStateChange: (account, _before, after) =>
				this.lines.push(`${account}: ${after.failure?.kind ?? 'healthy'}`),
			readSecret: async (namespace, name) => {
				this.reads++;
				if (this.broken) throw new Error('connect ECONNREFUSED');
				return this.secrets.get(`${namespace}/${name}`);
			},
			isTerminating: async (namespace) => this.terminating.has(namespace),
			...options,
		});
	}
}

function account(found: Account | CredentialsMissing): Account {
	if (!(found instanceof Account)) throw new Error(found.detail);
	return found;
}

function missing(found: Account | CredentialsMissing): string {
	if (found instanceof Account) throw new Error(`found ${found.id}`);
	assert.is(found.kind, 'credentials-missing');
	return found.detail;
}

const test = suite<{ github: FakeGitHub; cluster: Cluster }>('github accounts');
test.before.each(async (context) => {
	context.github = await FakeGitHub.start();
	context.cluster = new Cluster(context.github);
});
test.after.each(({ github }) => github.stop());

const environment = { kind: 'token', token: 'ghp_environment' } as const;

test('a replica that has just joined others counts on half of the lists, as its budget does', ({
	cluster,
}) => {
	const shares = [undefined, 1, 2 / 3, 0.1].map((part) =>
		cluster.accounts(part === undefined ? {} : { share: () => part }).readingShare(),
	);
	assert.equal(shares, [1, 1, 2 / 3, 0.5]);
});

test('controller-wide: the environment, else the Secret runners-github of our namespace', async ({
	cluster,
}) => {
	cluster.setToken('runners-system/runners-github', 'ghp_secret');
	const withEnvironment = cluster.accounts({ environment });
	assert.is(account(await withEnvironment.resolve({ namespace: 'ci' })).id, 'environment');
	assert.is(cluster.reads, 0);
	const stored = account(await cluster.accounts().resolve({ namespace: 'ci' }));
	assert.is(stored.id, 'runners-system/runners-github');
	cluster.setToken('tools/gh', 'ghp_other');
	const named = account(
		await cluster.accounts({ namespace: 'tools', secret: 'gh' }).resolve({ namespace: 'ci' }),
	);
	assert.is(named.id, 'tools/gh');
});

test('the part of the calls a minute that is used: of the credential where it is the largest', async ({
	cluster,
}) => {
	cluster.setToken('ci/team', 'ghp_team');
	const accounts = cluster.accounts({ environment });
	assert.is(accounts.used(), 0);
	const team = account(await accounts.resolve({ namespace: 'ci', credentialsSecret: 'team' }));
	for (const id of [1, 2, 3]) await team.remove(scope, id);
	await account(await accounts.resolve({ namespace: 'ci' })).remove(scope, 4);
	assert.is(accounts.used(), 3 / 150);
});

test("a pod's own Secret is read in the pod's namespace only", async ({ cluster, github }) => {
	cluster.setToken('ci/team', 'ghp_team');
	const accounts = cluster.accounts({ environment });
	const found = account(await accounts.resolve({ namespace: 'ci', credentialsSecret: 'team' }));
	assert.is(found.id, 'ci/team');
	await found.remove(scope, 1);
	assert.is(github.calls[0]?.headers.authorization, 'token ghp_team');
	assert.match(
		missing(await accounts.resolve({ namespace: 'other', credentialsSecret: 'team' })),
		/Secret other\/team does not exist; it needs github_token, or github_app_id/,
	);
});

test('a Secret is read at most every 30 s, a missing one every 5 s', async ({ cluster }) => {
	const accounts = cluster.accounts();
	const source = { namespace: 'ci', credentialsSecret: 'team' };
	await Promise.all(Array.from({ length: 20 }, () => accounts.resolve(source)));
	assert.is(cluster.reads, 1);
	cluster.nowMs += 5_000;
	cluster.setToken('ci/team', 'ghp_1');
	account(await accounts.resolve(source));
	assert.is(cluster.reads, 2);
	cluster.nowMs += 29_999;
	await accounts.resolve(source);
	assert.is(cluster.reads, 2);
	cluster.nowMs += 1;
	await accounts.resolve(source);
	assert.is(cluster.reads, 3);
});

test('401, then the Secret changes: the same account works again at once (F4)', async ({
	cluster,
	github,
}) => {
	cluster.setToken('runners-system/runners-github', 'ghp_old');
	github.add(1);
	github.script = ({ headers }) =>
		headers.authorization === 'token ghp_old'
			? { status: 401, body: { message: 'Bad credentials' } }
			: undefined;
	const accounts = cluster.accounts();
	const before = account(await accounts.resolve({ namespace: 'ci' }));
	const runner = { scope, name: 'runner-1', run: 'pod-a/0', id: 1 };
	assert.is((await unregister(before, runner)).kind, 'credentials-invalid');
	assert.is(before.failure(scope)?.kind, 'credentials-invalid');

	cluster.setToken('runners-system/runners-github', 'ghp_new');
	cluster.nowMs += 5_000;
	const after = account(await accounts.resolve({ namespace: 'ci' }));
	assert.is(after, before);
	assert.is(after.failure(scope), undefined);
	assert.is((await unregister(after, runner)).kind, 'unregistered');
	assert.equal(cluster.lines, [
		'runners-system/runners-github: credentials-invalid',
		'runners-system/runners-github: healthy',
	]);
});

test("a failure of one tenant's call holds up all who share the credential, and quotes nothing of it to them", async ({
	cluster,
	github,
}) => {
	const blocked = { message: 'Repository octo-org/plans access blocked' };
	const replies = [
		{ status: 401, body: { message: 'Bad credentials' } },
		{ status: 429, headers: { 'retry-after': '60' }, body: { message: 'API rate limit exceeded' } },
		{ status: 403, headers: { 'retry-after': '60' }, body: { message: 'a secondary rate limit' } },
		{ status: 503, body: blocked },
		{ status: 451, body: blocked },
		{ status: 200, body: '<html>' },
		{ reset: true },
	];
	const other: Scope = { kind: 'organization', name: 'hexa-corp' };
	for (const call of ['DELETE', 'list', 'token'] as const)
		for (const [index, reply] of replies.entries()) {
			const own = `ghp_${call}_${index}`;
			cluster.setToken(`ci/${own}`, own);
			cluster.setToken(`hexa/${own}`, own);
			github.script = () => reply;
			const accounts = cluster.accounts();
			const failing = account(await accounts.resolve({ namespace: 'ci', credentialsSecret: own }));
			const outcome =
				call === 'DELETE'
					? await failing.remove(scope, 7)
					: call === 'token'
						? await failing.registrationToken(scope)
						: await failing.registry.refresh(scope, { maxAgeMs: 0 });
			assert.ok(isFailure(outcome), call);
			assert.match(outcome.detail, /octo-org: /, `${call} ${index}: the caller itself reads what was asked`);

			const theirs = account(await accounts.resolve({ namespace: 'hexa', credentialsSecret: own }));
			for (const seen of [theirs.failure(other), await theirs.remove(other, 1)]) {
				assert.ok(isFailure(seen), `${call} ${index}`);
				assert.is(seen.kind, outcome.kind);
				assert.not.match(seen.detail, /octo-org|runner 7/);
				assert.match(seen.detail, /GitHub|connection|socket/);
			}
			assert.match(
				failing.state().failure?.detail ?? '',
				/octo-org/,
				'the report for operators names the call',
			);
		}
});

test("the environment's token is refused and the Secret holds another one: that is used", async ({
	cluster,
	github,
}) => {
	github.script = ({ headers }) =>
		headers.authorization === 'token ghp_environment' ? { status: 401 } : { status: 204 };
	const accounts = cluster.accounts({ environment });
	const first = account(await accounts.resolve({ namespace: 'ci' }));
	await first.remove(scope, 1);
	assert.is(account(await accounts.resolve({ namespace: 'ci' })).id, 'environment');

	cluster.setToken('runners-system/runners-github', 'ghp_environment');
	cluster.nowMs += 5_000;
	assert.is(account(await accounts.resolve({ namespace: 'ci' })).id, 'environment');
	cluster.setToken('runners-system/runners-github', 'ghp_secret');
	cluster.nowMs += 5_000;
	const second = account(await accounts.resolve({ namespace: 'ci' }));
	assert.is(second.id, 'runners-system/runners-github');
	assert.is((await second.remove(scope, 1)).kind, 'removed');
});

test('the API server cannot be read: the credential at hand is kept', async ({ cluster }) => {
	cluster.setToken('ci/team', 'ghp_1');
	const accounts = cluster.accounts();
	const source = { namespace: 'ci', credentialsSecret: 'team' };
	const before = account(await accounts.resolve(source));
	cluster.broken = true;
	cluster.nowMs += 30_000;
	assert.is(await accounts.resolve(source), before);
	const unknown = await accounts.resolve({ namespace: 'ci', credentialsSecret: 'other' });
	assert.match(missing(unknown), /Secret ci\/other cannot be read: connect ECONNREFUSED/);
});

test('a Secret that goes away is missing, and comes back as the same account', async ({ cluster }) => {
	cluster.setToken('ci/team', 'ghp_1');
	const accounts = cluster.accounts();
	const source = { namespace: 'ci', credentialsSecret: 'team' };
	const before = account(await accounts.resolve(source));
	cluster.secrets.clear();
	cluster.nowMs += 30_000;
	missing(await accounts.resolve(source));
	assert.equal(accounts.list(), []);
	cluster.setToken('ci/team', 'ghp_1');
	cluster.nowMs += 5_000;
	assert.is(await accounts.resolve(source), before);
	assert.equal(accounts.list(), [before]);
});

test('a namespace is deleted with its Secret and 340 idle runners: the last credential is used until all are unregistered', async ({
	cluster,
	github,
}) => {
	cluster.setToken('ci/team', 'ghp_1');
	github.add(340);
	const accounts = cluster.accounts();
	const source = { namespace: 'ci', credentialsSecret: 'team' };
	account(await accounts.resolve(source));
	cluster.terminating.add('ci');
	cluster.secrets.clear();
	const startMs = cluster.nowMs;
	while (github.runners.size > 0) {
		const [id = 0] = github.runners.keys();
		const runner = { scope, name: `runner-${id}`, run: `pod-${id}/0`, id };
		const outcome = await unregister(account(await accounts.resolve(source)), runner, { timeoutMs: 0 });
		if (outcome.kind !== 'unregistered') cluster.nowMs += 1_000;
	}
	assert.ok(cluster.nowMs - startMs >= 120_000, 'four times as long as a Secret is cached');
	missing(await accounts.resolve({ ...source, credentialsSecret: 'never-read' }));
	cluster.terminating.clear();
	cluster.nowMs += 30_000;
	assert.match(missing(await accounts.resolve(source)), /does not exist/);
});

test('the Secret is gone before its namespace is deleted: its credential does not come back', async ({
	cluster,
}) => {
	cluster.setToken('ci/team', 'ghp_1');
	const accounts = cluster.accounts();
	const source = { namespace: 'ci', credentialsSecret: 'team' };
	account(await accounts.resolve(source));
	cluster.secrets.clear();
	cluster.terminating.add('other');
	cluster.nowMs += 30_000;
	missing(await accounts.resolve(source));
	cluster.terminating.add('ci');
	cluster.nowMs += 5_000;
	missing(await accounts.resolve(source));
});

test('80,000 Secret names on one pod: 1,000 are remembered, and the real credentials among them', async ({
	cluster,
	github,
}) => {
	cluster.setToken('ci/team', 'ghp_1');
	cluster.setToken('ci/never-used', 'ghp_2');
	const accounts = cluster.accounts();
	const source = { namespace: 'ci', credentialsSecret: 'team' };
	const real = account(await accounts.resolve(source));
	await accounts.resolve({ namespace: 'ci', credentialsSecret: 'never-used' });
	github.add(1);
	await real.remove(scope, 1);
	for (let number = 0; number < 80_000; number++)
		await accounts.resolve({ namespace: 'ci', credentialsSecret: `name-${number}` });
	assert.is(accounts.missing().size, 998);
	assert.is(accounts.list().length, 2);
	assert.is(await accounts.resolve(source), real);

	for (let number = 0; number < 1_100; number++) {
		cluster.setToken(`ci/junk-${number}`, `ghp_junk_${number}`);
		await accounts.resolve({ namespace: 'ci', credentialsSecret: `junk-${number}` });
	}
	assert.equal([accounts.missing().size, accounts.list().length], [0, 1_000]);
	assert.is(await accounts.resolve(source), real, 'GitHub has answered it, so it goes last');
	cluster.nowMs += 3_600_000;
	await accounts.resolve(source);
	assert.equal(accounts.list(), [real]);
});

test('a name that no Secret can have is not read and not remembered', async ({ cluster }) => {
	const accounts = cluster.accounts();
	const source = { namespace: 'ci', credentialsSecret: 'x'.repeat(200_000) };
	assert.is(missing(await accounts.resolve(source)), 'no Secret can have a name of 200000 characters');
	assert.is(cluster.reads, 0);
	assert.is(accounts.missing().size, 0);
});

test('one credential in two Secrets is one budget and one list', async ({ cluster, github }) => {
	cluster.setToken('a/team', 'ghp_1');
	cluster.setToken('b/team', 'ghp_1');
	cluster.setToken('c/team', 'ghp_2');
	const accounts = cluster.accounts();
	const of = async (namespace: string) =>
		account(await accounts.resolve({ namespace, credentialsSecret: 'team' }));
	const [a, b, c] = [await of('a'), await of('b'), await of('c')];
	assert.is(a.connection, b.connection);
	assert.is.not(a.connection, c.connection);
	github.script = () => ({ status: 429, headers: { 'retry-after': '60' } });
	await a.remove(scope, 1);
	assert.is(b.failure(scope)?.kind, 'rate-limited');
	assert.is(c.failure(scope), undefined);
	assert.equal(cluster.lines, ['a/team,b/team: rate-limited']);

	cluster.setToken('b/team', 'ghp_3');
	cluster.nowMs += 30_000;
	assert.is((await of('b')).connection.fingerprint === a.connection.fingerprint, false);
	assert.is((await of('b')).id, 'b/team');
});

test('no secret in a message or in a printed account', async ({ cluster }) => {
	cluster.secrets.set('ci/bad', { github_token: Buffer.from('ghp hidden').toString('base64') });
	const accounts = cluster.accounts({ environment });
	const detail = missing(await accounts.resolve({ namespace: 'ci', credentialsSecret: 'bad' }));
	assert.not.match(detail, /hidden/);
	const printed = JSON.stringify(await accounts.resolve({ namespace: 'ci' }));
	assert.not.match(printed, /ghp_environment/);
});

test('a wrong API URL is reported at the start', ({ cluster }) => {
	assert.throws(() => cluster.accounts({ apiUrl: 'github.example' }), /is not an http\(s\) URL/);
	assert.throws(() => cluster.accounts({ apiUrl: 'file:///etc' }), /is not an http\(s\) URL/);
});

test.run();

import * as assert from 'uvu/assert';
import type { KubeObject } from '../../../admission/api/kinds.ts';
import { setKeys } from '../../../admission/api/sets.ts';
import type { TokenOutcome } from '../../../admission/github/types.ts';
import { type KubeClient, KubeError } from '../../../admission/kube/client.ts';
import {
	RegistrationTokens,
	type RegistrationTokensOptions,
} from '../../../admission/sets/registration-tokens.ts';
import type { OwnedSecret } from '../../../admission/sets/token-secret.ts';
import { createLog } from '../../../admission/telemetry/log.ts';
import { suite } from '../../support/suite.ts';
import { signer } from '../runner/pods.ts';
import { SimulatedClock } from '../support/clock.ts';

const test = suite('registration tokens');

const minute = 60_000;
type Listener = (change: 'added' | 'modified' | 'deleted', object: KubeObject & { spec: object }) => void;

/** The controller with a cluster that holds Secrets, a GitHub that answers as configured, and a clock. */
function setUp(answer: () => TokenOutcome, before: [string, OwnedSecret][] = []) {
	const clock = new SimulatedClock('2026-03-01T12:00:00Z');
	const secrets = new Map(before);
	const calls: string[] = [];
	const asked: string[] = [];
	const listeners: Listener[] = [];
	const client: Pick<KubeClient, 'request'> = {
		async request<T>(method: string, path: string, options: { body?: unknown } = {}): Promise<T> {
			calls.push(method);
			if (method === 'PATCH') secrets.set(path, options.body as OwnedSecret);
			const secret = secrets.get(path);
			if (!secret) throw new KubeError(404, 'NotFound', path);
			if (method === 'DELETE') secrets.delete(path);
			return secret as T;
		},
	};
	const accounts = {
		async resolve({ credentialsSecret }: { credentialsSecret?: string }) {
			if (credentialsSecret === 'missing')
				return { kind: 'credentials-missing', detail: 'no Secret missing' };
			return {
				async registrationToken(scope: { name: string }) {
					asked.push(scope.name);
					return answer();
				},
			};
		},
	};
	const watched = { on: (listener: Listener) => void listeners.push(listener) };
	const unwatched = { on: () => undefined };
	const tokens = new RegistrationTokens({
		client,
		cache: { runnerSets: watched, runnerDeployments: unwatched, runners: unwatched },
		accounts,
		signer,
		clock,
		metrics: { reconciled: () => undefined },
		log: createLog('silent', 'json'),
	} as unknown as RegistrationTokensOptions);
	const set = (uid: string, spec: object = { organization: 'octo-org' }) => ({
		metadata: { name: `set-${uid}`, namespace: 'default', uid },
		spec: { template: {}, ...spec },
	});
	const tell = async (change: Parameters<Listener>[0], object: KubeObject & { spec: object }) => {
		for (const listener of listeners) listener(change, object);
		await clock.pass(90);
	};
	const accessOf = (name: string, credentialsSecret?: string) =>
		tokens.access('default', { kind: 'organization', name }, credentialsSecret);
	return { clock, secrets, calls, asked, tokens, set, tell, accessOf };
}

const fresh = (nowMs: number, minutes = 60): TokenOutcome => ({
	kind: 'token',
	token: `token-of-${nowMs}`,
	expiresAtMs: nowMs + minutes * minute,
});

test('a refusal counts for that credential and scope until GitHub gives a token, whatever fails meanwhile', async () => {
	const away: TokenOutcome = { kind: 'github-unavailable', detail: 'GitHub is away' };
	let answer: TokenOutcome = away;
	const { clock, tokens, set, tell } = setUp(() => answer);
	const access = (name = 'octo-org') => tokens.access('default', { kind: 'organization', name }, undefined);
	const answered: string[] = [];
	tokens.onAccess((uid) => void answered.push(`${uid} ${access().kind}`));
	await tell('added', set('a'));
	assert.equal(access(), { kind: 'unanswered' }, 'an outage at the start neither grants nor refuses');
	answer = { kind: 'forbidden', detail: 'GitHub answered 404' };
	await clock.pass(minute);
	assert.equal(
		[access(), access('other')],
		[{ kind: 'refused', detail: 'GitHub answered 404' }, { kind: 'unanswered' }],
	);
	answer = away;
	await clock.pass(minute);
	assert.is(access().kind, 'refused', 'an outage takes nothing back');
	answer = fresh(clock.now());
	await clock.pass(minute);
	assert.is(access().kind, 'granted');
	answer = away;
	await clock.pass(120 * minute);
	assert.is(access().kind, 'granted', 'nor does one for longer than a token lasts');
	assert.equal(answered, ['a refused', 'a granted']);
	await tokens.stop();
});

test('a set counts 0.1 s after it was created: GitHub is asked once for a scope and a credential, however many sets name it', async () => {
	const world = setUp(() => fresh(world.clock.now()));
	for (const uid of ['a', 'b', 'c']) await world.tell('added', world.set(uid));
	assert.is(world.accessOf('octo-org').kind, 'granted');
	await world.clock.pass(10 * minute);
	assert.is(world.asked.length, 1);
	await world.tokens.stop();
});

test('the next leader knows what GitHub has granted, though it cannot ask now, and the token has expired', async () => {
	const away: TokenOutcome = { kind: 'github-unavailable', detail: 'GitHub is away' };
	const world = setUp(() => fresh(world.clock.now()));
	await world.tell('added', world.set('a'));
	await world.tokens.stop();
	const secrets = [...world.secrets];
	const next = setUp(() => away, secrets);
	next.clock.set(90 * minute);
	await next.tell('added', next.set('a'));
	assert.is(next.accessOf('octo-org').kind, 'granted');
	assert.is(next.asked.length, 1);
	await next.tokens.stop();
});

test('a change of the leader costs no call of GitHub while the token lasts', async () => {
	const world = setUp(() => fresh(world.clock.now()));
	await world.tell('added', world.set('a'));
	await world.tokens.stop();
	const next = setUp(() => fresh(next.clock.now()), [...world.secrets]);
	await next.tell('added', next.set('a'));
	assert.equal([next.accessOf('octo-org').kind, next.asked], ['granted', []]);
	await next.tokens.stop();
});

test('what GitHub has refused since is not granted by the token that it gave before', async () => {
	let refuses = false;
	const world = setUp(() =>
		refuses ? { kind: 'forbidden', detail: 'GitHub answered 404' } : fresh(world.clock.now()),
	);
	await world.tell('added', world.set('a'));
	const before = [...world.secrets.values()][0]?.data?.token;
	refuses = true;
	await world.clock.pass(31 * minute);
	assert.is(world.accessOf('octo-org').kind, 'refused');
	assert.is([...world.secrets.values()][0]?.data?.token, before, 'pods may still need it');
	await world.tokens.stop();
	const next = setUp(() => ({ kind: 'github-unavailable', detail: 'GitHub is away' }), [...world.secrets]);
	await next.tell('added', next.set('a'));
	assert.is(next.accessOf('octo-org').kind, 'unanswered');
	await next.tokens.stop();
});

test('a Secret that a tenant has written grants nothing: GitHub is asked, and it is replaced', async () => {
	const evil = setUp(() => fresh(evil.clock.now()));
	const mine = { organization: 'evil-org', githubAPICredentialsFrom: { secretRef: { name: 'mine' } } };
	await evil.tell('added', evil.set('a', mine));
	await evil.tokens.stop();
	const [granted] = [...evil.secrets.values()];
	const theirs = { ...mine, organization: 'octo-org' };
	const path = await pathOf(theirs);
	const { metadata, data } = granted!;
	const forged: [string, OwnedSecret][] = [
		['as it is', granted!],
		[
			'without the signature',
			{ metadata: { ...metadata, annotations: without(metadata.annotations) }, data },
		],
		[
			'for later',
			{
				metadata: {
					...metadata,
					annotations: { ...metadata.annotations, [setKeys.tokenExpiresAt]: evil.clock.iso() },
				},
				data,
			},
		],
	];
	for (const [what, secret] of forged) {
		const world = setUp(() => ({ kind: 'forbidden', detail: 'GitHub answered 404' }), [[path, secret]]);
		await world.tell('added', world.set('b', theirs));
		assert.equal(
			[what, world.asked, world.accessOf('octo-org', 'mine').kind],
			[what, ['octo-org'], 'refused'],
		);
		await world.tokens.stop();
	}
});

/** Where the Secret of a set with this spec is. */
async function pathOf(spec: object): Promise<string> {
	const world = setUp(() => fresh(world.clock.now()));
	await world.tell('added', world.set('a', spec));
	await world.tokens.stop();
	return [...world.secrets.keys()][0] ?? '';
}

const without = ({ [setKeys.tokenProof]: _, ...rest }: Record<string, string> = {}) => rest;

test('sets of one scope share one token and one Secret, which goes with the last of them', async () => {
	const world = setUp(() => fresh(world.clock.now()));
	await world.tell('added', world.set('a'));
	await world.tell('added', world.set('b'));
	assert.is(world.asked.length, 1);
	assert.is(world.secrets.size, 1);
	const owners = () => [...world.secrets.values()][0]?.metadata.ownerReferences?.map(({ name }) => name);
	assert.equal(owners(), ['set-a', 'set-b']);
	await world.tell('deleted', world.set('a'));
	assert.equal(owners(), ['set-b']);
	await world.tell('deleted', world.set('b'));
	assert.is(world.secrets.size, 0);
	await world.tokens.stop();
});

test('a token with more than 30 of its 60 min left is used as it is, also by the next leader; then renewed', async () => {
	const world = setUp(() => fresh(world.clock.now()));
	await world.tell('added', world.set('a'));
	await world.clock.pass(29 * minute);
	await world.tell('added', world.set('b'));
	assert.is(world.asked.length, 1);
	const renewedMs = await world.clock.until('it is renewed', () => world.asked.length === 2);
	assert.ok(renewedMs <= minute, `after 29 min and ${renewedMs} ms`);
	const secret = [...world.secrets.values()][0];
	assert.is(Buffer.from(secret?.data?.token ?? '', 'base64').toString(), `token-of-${world.clock.now()}`);
	await world.tell('added', world.set('c'));
	assert.is(world.asked.length, 2);
	await world.tokens.stop();
});

test('our clock is set back by a day: a token that would last longer than any is asked for anew, once', async () => {
	const world = setUp(() => fresh(world.clock.now(), 75));
	await world.tell('added', world.set('a'));
	await world.tell('added', world.set('b'));
	assert.is(world.asked.length, 1, "GitHub's clock may be ahead of ours");
	world.clock.set(-25 * 60 * minute);
	await world.tell('added', world.set('c'));
	await world.tell('added', world.set('d'));
	assert.is(world.asked.length, 2);
	await world.tokens.stop();
});

test('GitHub cannot be asked: the old token stays, the reason can be seen', async () => {
	let down = false;
	const world = setUp(() =>
		down ? { kind: 'github-unavailable', detail: 'GitHub answered 503' } : fresh(world.clock.now()),
	);
	await world.tell('added', world.set('a'));
	down = true;
	await world.clock.pass(40 * minute);
	await world.tell('added', world.set('b'));
	assert.is(world.secrets.size, 1);
	const problem = world.tokens.problem('default', { kind: 'organization', name: 'octo-org' }, undefined);
	assert.is(problem?.kind, 'github-unavailable');
	const askedBefore = world.asked.length;
	assert.ok(askedBefore > 10 && askedBefore <= 70, `${askedBefore} calls: every 10 s, not more`);
	down = false;
	world.tokens.retryGitHub();
	await world.clock.pass(50);
	assert.is(world.asked.length, askedBefore + 1);
	assert.is(
		world.tokens.problem('default', { kind: 'organization', name: 'octo-org' }, undefined),
		undefined,
	);
	await world.tokens.stop();
});

test('a missing credential blocks nobody else', async () => {
	const world = setUp(() => fresh(world.clock.now()));
	const own = { organization: 'octo-org', githubAPICredentialsFrom: { secretRef: { name: 'missing' } } };
	await world.tell('added', world.set('a', own));
	await world.tell('added', world.set('b'));
	assert.is(world.secrets.size, 1);
	const scope = { kind: 'organization', name: 'octo-org' } as const;
	assert.is(world.tokens.problem('default', scope, 'missing')?.kind, 'credentials-missing');
	await world.tokens.stop();
});

test('a set that moves to another scope leaves no Secret behind', async () => {
	const world = setUp(() => fresh(world.clock.now()));
	await world.tell('added', world.set('a'));
	await world.tell('modified', world.set('a', { repository: 'octo-org/app' }));
	assert.equal(world.asked, ['octo-org', 'app']);
	assert.is(world.secrets.size, 1);
	await world.tokens.stop();
});

test('a Secret of that name that somebody else made is not touched', async () => {
	const world = setUp(() => fresh(world.clock.now()));
	await world.tell('added', world.set('a'));
	const [path = ''] = world.secrets.keys();
	world.secrets.set(path, { metadata: { name: 'theirs' } });
	world.calls.length = 0;
	await world.tell('added', world.set('b'));
	assert.not.ok(world.calls.includes('PATCH'));
	await world.tokens.stop();
});

test.run();

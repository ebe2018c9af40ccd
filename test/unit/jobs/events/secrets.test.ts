/** The secrets of the webhook: where they come from, and how a rotation goes without a restart. */
import * as assert from 'uvu/assert';
import { mostSecrets } from '../../../../admission/jobs/events/rules/policy.ts';
import {
	mayReport,
	readScopedSecrets,
	splitSecrets,
	type WebhookSecret,
} from '../../../../admission/jobs/events/rules/secrets.ts';
import { WebhookSecrets } from '../../../../admission/jobs/events/secrets.ts';
import { suite } from '../../../support/suite.ts';
import { SimulatedClock } from '../../support/clock.ts';
import { recordingLog } from '../../support/log.ts';

const test = suite('webhook secrets');

function setUp(first: string | undefined, environment?: string) {
	const clock = new SimulatedClock();
	const { log, lines } = recordingLog('warn');
	const state = { text: first, scoped: undefined as string | undefined, reads: 0, fails: false };
	const secrets = new WebhookSecrets({
		environment: splitSecrets(environment),
		readSecret: async () => {
			state.reads += 1;
			if (state.fails) throw new Error('the API server is away');
			const data = { github_webhook_secret_token: state.text, github_webhook_secrets: state.scoped };
			const given = Object.entries(data).filter(([, text]) => text !== undefined);
			if (given.length === 0) return undefined;
			return Object.fromEntries(
				given.map(([key, text]) => [key, Buffer.from(text ?? '').toString('base64')]),
			);
		},
		clock,
		log,
	});
	const texts = (known: readonly WebhookSecret[]) => known.map(({ secret }) => secret);
	const read = {
		current: async () => texts(await secrets.current()),
		newest: async () => texts(await secrets.newest()),
		whole: () => secrets.current(),
	};
	return { clock, lines, state, secrets: read };
}

test('one, or two separated by a comma; blanks and empty ones are none', () => {
	for (const [text, expected] of [
		['s3cret', ['s3cret']],
		['new,old', ['new', 'old']],
		[' new , old\n', ['new', 'old']],
		['new,', ['new']],
		['', []],
		[' , ', []],
		[undefined, []],
	] as const)
		assert.equal(splitSecrets(text), expected);
});

test('the environment wins, and the Secret is not read', async () => {
	const { secrets, state } = setUp('stored', 'given');
	assert.equal(await secrets.current(), ['given']);
	assert.equal(await secrets.newest(), ['given']);
	assert.is(state.reads, 0);
});

test('the Secret is read again after 30 s, and by many at a time once', async () => {
	const { secrets, state, clock } = setUp('old');
	await Promise.all(Array.from({ length: 100 }, () => secrets.current()));
	assert.is(state.reads, 1);
	state.text = 'new,old';
	await clock.pass(29_000);
	assert.equal(await secrets.current(), ['old']);
	await clock.pass(1_000);
	assert.equal(await secrets.current(), ['new', 'old']);
});

test('a signature that does not fit has it read sooner, but not for everybody who guesses', async () => {
	const { secrets, state, clock } = setUp('old');
	await secrets.current();
	state.text = 'new';
	for (let guess = 0; guess < 100; guess++) assert.equal(await secrets.newest(), ['old']);
	assert.is(state.reads, 1);
	await clock.pass(5_000);
	for (let guess = 0; guess < 100; guess++) assert.equal(await secrets.newest(), ['new']);
	assert.is(state.reads, 2);
});

test('while it cannot be read the last one counts, and nothing of it is logged', async () => {
	const { secrets, state, clock, lines } = setUp('old');
	await secrets.current();
	state.fails = true;
	await clock.pass(30_000);
	assert.equal(await secrets.current(), ['old']);
	assert.equal(lines, ['warn the webhook secret could not be read, the last known one stays in use']);
});

test('a Secret, or its key, that comes later or goes', async () => {
	const { secrets, state, clock } = setUp(undefined);
	assert.equal(await secrets.current(), []);
	state.text = 'here';
	await clock.pass(30_000);
	assert.equal(await secrets.current(), ['here']);
	state.text = undefined;
	await clock.pass(30_000);
	assert.equal(await secrets.current(), []);
});

test('secrets with scopes beside the one for all, from the same Secret; lines that cannot be read are logged once, by number', async () => {
	const { secrets, state, clock, lines } = setUp('plain');
	state.scoped = 'octo-org: one\nocto org: ghp_leaked\n';
	assert.equal(await secrets.whole(), [
		{ secret: 'plain', scopes: undefined },
		{ secret: 'one', scopes: [{ kind: 'organization', name: 'octo-org' }] },
	]);
	await clock.pass(90_000);
	await secrets.current();
	assert.equal(lines, [
		'error these lines cannot be read as webhook secrets: deliveries signed with them are refused',
	]);
	state.text = undefined;
	await clock.pass(30_000);
	assert.equal(await secrets.current(), ['one']);
});

test('lines of secrets with scopes', () => {
	const octo = { kind: 'organization', name: 'octo-org' } as const;
	const app = { kind: 'repository', owner: 'acme', name: 'app' } as const;
	const corp = { kind: 'enterprise', name: 'corp' } as const;
	assert.equal(
		readScopedSecrets(
			'# ours\n\nocto-org: one\r\n  acme/app , enterprises/corp:two:with:colons\nocto-org: new, old\n',
		),
		{
			secrets: [
				{ secret: 'one', scopes: [octo] },
				{ secret: 'two:with:colons', scopes: [app, corp] },
				{ secret: 'new', scopes: [octo] },
				{ secret: 'old', scopes: [octo] },
			],
			unread: [],
		},
	);
	for (const line of [
		'one',
		': one',
		'octo-org:',
		'octo-org: ,',
		'a/b/c: one',
		'octo-org, ..: one',
		'"x": one',
	])
		assert.equal(readScopedSecrets(`\n${line}`), { secrets: [], unread: [2] }, line);
	const many = Array.from({ length: mostSecrets + 1 }, (_, index) => `octo-${index}: ${index}`).join('\n');
	assert.is(readScopedSecrets(many).secrets.length, mostSecrets);
	assert.equal(readScopedSecrets(many).unread, [mostSecrets + 1]);
	assert.equal(readScopedSecrets(''), { secrets: [], unread: [] });
});

test('a secret speaks for what is in its scopes, and for nothing beside it', () => {
	const by = (...lines: string[]) => readScopedSecrets(lines.map((line) => `${line}: x`).join('\n')).secrets;
	const event = (full_name: unknown, login?: unknown, slug?: unknown) => ({
		repository: { full_name },
		organization: { login },
		enterprise: { slug },
	});
	for (const [secrets, payload, expected] of [
		[by('octo-org'), event('octo-org/app', 'octo-org'), true],
		[by('Octo-Org'), event('octo-org/app', 'OCTO-ORG'), true],
		[by('octo-org'), event('octo-org/app'), true],
		[by('octo-org'), event(undefined, 'octo-org'), true],
		[by('octo-org'), event('acme/app', 'acme'), false],
		[by('octo-org'), event('acme/app', 'octo-org'), false],
		[by('octo-org'), event('octo-org/app', 'acme'), false],
		[by('octo-org'), event('octo-org-2/app'), false],
		[by('octo-org/app'), event('octo-org/App', 'octo-org'), true],
		[by('octo-org/app'), event('octo-org/web', 'octo-org'), false],
		[by('octo-org/app'), event(undefined, 'octo-org'), false],
		[by('enterprises/corp'), event('octo-org/app', 'octo-org', 'corp'), true],
		[by('enterprises/corp'), event('octo-org/app', 'octo-org'), false],
		[by('acme', 'octo-org/app'), event('octo-org/app', 'octo-org'), true],
		[by('octo-org'), { zen: 'Design for failure.' }, 'silent'],
		[by('octo-org'), event(7, null, {}), 'silent'],
		[by('octo-org'), null, 'silent'],
		[[{ scopes: undefined }], null, true],
		[[...by('octo-org'), { scopes: undefined }], event('acme/app'), true],
	] as const)
		assert.is(mayReport(secrets, payload), expected, JSON.stringify([secrets, payload]));
});

test.run();

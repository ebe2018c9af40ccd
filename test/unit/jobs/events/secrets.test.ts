/** The secrets of the webhook: where they come from, and how a rotation goes without a restart. */
import * as assert from 'uvu/assert';
import { splitSecrets, WebhookSecrets } from '../../../../admission/jobs/events/secrets.ts';
import { suite } from '../../../support/suite.ts';
import { SimulatedClock } from '../../support/clock.ts';
import { recordingLog } from '../../support/log.ts';

const test = suite('webhook secrets');

function setUp(first: string | undefined, environment?: string) {
	const clock = new SimulatedClock();
	const { log, lines } = recordingLog('warn');
	const state = { text: first, reads: 0, fails: false };
	const secrets = new WebhookSecrets({
		environment: splitSecrets(environment),
		readSecret: async () => {
			state.reads += 1;
			if (state.fails) throw new Error('the API server is away');
			if (state.text === undefined) return undefined;
			return { github_webhook_secret_token: Buffer.from(state.text).toString('base64') };
		},
		clock,
		log,
	});
	return { clock, lines, state, secrets };
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

test('while it can not be read the last one counts, and nothing of it is logged', async () => {
	const { secrets, state, clock, lines } = setUp('old');
	await secrets.current();
	state.fails = true;
	await clock.pass(30_000);
	assert.equal(await secrets.current(), ['old']);
	assert.equal(lines, ['warn the secret of the webhook could not be read again']);
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

test.run();

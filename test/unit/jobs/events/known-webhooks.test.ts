/** Webhooks that replicas know of, and tell each other. */

import * as assert from 'uvu/assert';
import type { Hook } from '../../../../admission/github/deliveries.ts';
import { KnownWebhooks } from '../../../../admission/jobs/events/known-webhooks.ts';
import { hookForgottenMs, longestNote, mostHooks } from '../../../../admission/jobs/events/rules/policy.ts';
import { readNote, writeNote } from '../../../../admission/jobs/events/rules/webhook-note.ts';
import { type Scope, scopeFromPath } from '../../../../admission/runner/scope.ts';
import { Metrics } from '../../../../admission/telemetry/metrics.ts';
import { systemClock } from '../../../../admission/time/system-clock.ts';
import { suite } from '../../../support/suite.ts';
import { SimulatedClock } from '../../support/clock.ts';

const test = suite('known webhooks');

const nowMs = Date.parse('2026-11-23T12:00:00Z');
const organization: Hook['owner'] = { kind: 'organization', name: 'octo-org' };
const hook: Hook = { id: 5, owner: organization };

const setUp = () => {
	const clock = new SimulatedClock('2026-11-23T12:00:00Z');
	const metrics = new Metrics(systemClock);
	const replica = () => new KnownWebhooks({ clock, metrics });
	return { clock, metrics, replica };
};

const scopes = (...paths: string[]) => paths.map((path) => scopeFromPath(path) as Scope);

test('a note says what it was made of', () => {
	for (const owner of [
		organization,
		{ kind: 'repository', owner: 'octo-org', name: 'app' },
		{ kind: 'organization', name: 'app' },
		{ kind: 'app' },
	] as Hook['owner'][])
		for (const given of [undefined, scopes('acme', 'octo-org/app', 'enterprises/octo')])
			for (const readUpToMs of [undefined, nowMs - 2_000]) {
				const note = { hook: { id: 5, owner }, scopes: given, seenMs: nowMs - 1_000, readUpToMs };
				assert.equal(readNote('5', writeNote(note) ?? '', nowMs), note);
			}
	const many = scopes(...Array.from({ length: 200 }, (_, index) => `organization-of-some-length-${index}`));
	assert.is(writeNote({ hook, scopes: many, seenMs: nowMs, readUpToMs: nowMs }), undefined);
});

test('a note that somebody else has edited: it is read as a whole, or not at all', () => {
	const good = {
		of: 'octo-org',
		for: 'any',
		heardAt: '2026-11-23T11:00:00Z',
		lookedAt: '2026-11-23T11:00:00Z',
	};
	assert.ok(readNote('5', JSON.stringify(good), nowMs));
	for (const id of ['', '0', '-5', '1.5', '5e3', '../5', '5/../6', 'x', '9'.repeat(17), '9'.repeat(16)])
		assert.is(readNote(id, JSON.stringify(good), nowMs), undefined, id);
	for (const text of ['', 'text', '[]', 'null', '7', '{', JSON.stringify(good).padEnd(longestNote + 1)])
		assert.is(readNote('5', text, nowMs), undefined, text.slice(0, 20));
	for (const change of [
		...[
			undefined,
			null,
			7,
			'',
			'..',
			'../..',
			'a/b/c',
			'octo org',
			'octo-org/..',
			'enterprises/octo',
			'a%2fb',
		].map((of) => ({ of })),
		...[undefined, null, 7, '', 'all', [], [7], ['octo-org', '..'], {}].map((value) => ({ for: value })),
		...[undefined, null, 7, 'yesterday', '99999-01-01'].map((heardAt) => ({ heardAt })),
	])
		assert.is(
			readNote('5', JSON.stringify({ ...good, ...change }), nowMs),
			undefined,
			JSON.stringify(change),
		);
	for (const lookedAt of [undefined, null, 7, 'yesterday'])
		assert.is(readNote('5', JSON.stringify({ ...good, lookedAt }), nowMs)?.readUpToMs, undefined);
	const ahead = readNote(
		'5',
		JSON.stringify({ ...good, heardAt: '2030-01-01T00:00:00Z', lookedAt: '2030-01-01T00:00:00Z' }),
		nowMs,
	);
	assert.equal([ahead?.seenMs, ahead?.readUpToMs], [nowMs, nowMs]);
});

test('one that starts knows what another has seen GitHub show, and for whom its secret is', () => {
	const { clock, metrics, replica } = setUp();
	const before = replica();
	before.deliveryReceived(hook, [{ scopes: scopes('octo-org') }, { scopes: scopes('acme') }]);
	before.deliveryReceived({ ...hook, id: 6 }, [{ scopes: scopes('octo-org') }, { scopes: undefined }]);
	before.deliveryReceived({ ...hook, id: 7 }, [{ scopes: undefined }]);
	assert.equal(before.notes(), {}, 'GitHub has shown none of them');
	for (const known of before.all().slice(0, 2)) {
		known.shown = true;
		known.readUpToMs = clock.now();
	}
	const next = replica();
	assert.equal(next.receiveNotes(before.notes()), []);
	assert.equal(
		next.all().map(({ hook: { id }, by, readUpToMs }) => [id, by, readUpToMs]),
		[
			[5, [{ scopes: scopes('octo-org', 'acme') }], clock.now()],
			[6, [{ scopes: undefined }], clock.now()],
		],
	);
	assert.equal(next.notes(), before.notes(), 'and it tells the next');
	assert.is(metrics.sightings.report().hooks[0]?.lastDeliveryAt, '2026-11-23T12:00:00.000Z');
});

test('of several replicas the one that has read its deliveries last is believed', async () => {
	const { clock, replica } = setUp();
	const [one, other] = [replica(), replica()];
	for (const each of [one, other]) each.deliveryReceived(hook, [{ scopes: undefined }]);
	const [first, second] = [one.all()[0], other.all()[0]];
	assert.ok(first && second);
	first.shown = true;
	first.readUpToMs = clock.now();
	await clock.pass(60_000);
	other.deliveryReceived(hook, [{ scopes: undefined }]);
	other.receiveNotes(one.notes());
	assert.equal([second.seenMs, second.readUpToMs], [clock.now(), clock.now() - 60_000]);
	one.receiveNotes(other.notes());
	assert.equal([first.seenMs, first.readUpToMs], [clock.now(), clock.now() - 60_000]);
});

test('notes that nobody needs: unreadable, of one that is silent for long, more than may be; the latest stay', async () => {
	const { clock, replica } = setUp();
	const noteOf = (seenMs: number) =>
		writeNote({ hook, scopes: undefined, seenMs, readUpToMs: undefined }) ?? '';
	const notes: Record<string, string> = {
		x: noteOf(nowMs),
		1: 'text',
		2: noteOf(nowMs - hookForgottenMs - 1),
	};
	for (let id = 101; id <= 100 + mostHooks + 5; id++) notes[id] = noteOf(nowMs - id);
	const known = replica();
	const needless = [
		'1',
		'2',
		'x',
		...Array.from({ length: 5 }, (_, index) => String(101 + mostHooks + index)),
	];
	assert.equal(known.receiveNotes(notes).toSorted(), needless.toSorted());
	assert.is(known.all().length, mostHooks);
	// A webhook that sends to this replica takes the place of the one silent for longest, and no note takes that of such a webhook.
	known.deliveryReceived({ ...hook, id: 7 }, [{ scopes: undefined }]);
	known.receiveNotes({ 300: noteOf(nowMs) });
	const ids = known.all().map(({ hook: { id } }) => id);
	assert.ok(ids.includes(7) && !ids.includes(100 + mostHooks) && !ids.includes(300));
	assert.is(ids.length, mostHooks);
	await clock.pass(hookForgottenMs + 1_000);
	assert.equal(known.notes(), {});
});

test('ids are not signed: one owner who names many pushes out its own, and nobody takes a webhook from its signers', async () => {
	const { clock, replica } = setUp();
	const known = replica();
	known.deliveryReceived(hook, [{ scopes: scopes('octo-org') }]);
	for (let id = 100; id < 100 + 3 * mostHooks; id++) {
		await clock.pass(1_000);
		known.deliveryReceived({ id, owner: { kind: 'organization', name: 'evil-org' } }, [
			{ scopes: scopes('evil-org') },
		]);
		const repository = { kind: 'repository', owner: 'evil-org', name: `r${id}` } as const;
		known.deliveryReceived({ id, owner: repository }, [{ scopes: scopes('evil-org') }]);
	}
	assert.ok(known.all().some(({ hook: { id } }) => id === hook.id));
	const app = (id: number, by: string) =>
		known.deliveryReceived({ id, owner: { kind: 'app' } }, [{ scopes: scopes(by) }]);
	app(7, 'octo-org');
	app(8, 'evil-org');
	app(8, 'evil-org');
	const [ofApp, ...more] = known.all().filter(({ hook: { owner } }) => owner.kind === 'app');
	assert.equal([ofApp?.by, more], [[{ scopes: scopes('octo-org') }, { scopes: scopes('evil-org') }], []]);
});

test.run();

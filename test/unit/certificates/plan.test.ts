import * as assert from 'uvu/assert';
import { type Change, planCertificates, type View } from '../../../admission/certificates/plan.ts';
import type { Found } from '../../../admission/certificates/secret.ts';
import { suite } from '../../support/suite.ts';
import { authority, day, serving, startMs } from './authorities.ts';

const test = suite('certificates: what follows from the Secret');
const minute = 60_000;

const [ca, nextCa, theirCa, oldCa] = await Promise.all([
	authority(),
	authority(startMs + 240 * day),
	authority(),
	authority(startMs - 200 * day),
]);
const first = await serving(ca);
const later = await serving(ca, startMs + 230 * day);
const last = await serving(ca, startMs + 340 * day); // shortened: it ends with its CA
const young = await serving(nextCa, startMs + 340 * day);
const theirs = await serving(theirCa);
const names = new Map<unknown, string>([
	...Object.entries({ ca, nextCa, theirCa, oldCa }).flatMap(([name, { cert }]) => [[cert, name] as const]),
	...Object.entries({ first, later, last, young, theirs }).map(([name, { cert }]) => [cert, name] as const),
	['new', 'new'],
]);
const nameOf = (thing: { cert: string } | string | undefined) =>
	names.get(typeof thing === 'object' ? thing.cert : thing) ?? '-';

const found = (parts: Partial<Found> = {}): Found => ({
	authority: ca,
	serving: first,
	next: undefined,
	previous: [],
	fault: undefined,
	...parts,
});
const view = (
	served: View['served'],
	trusted: Record<string, number> = {},
	bundled: string[] = [],
): View => ({
	served,
	trustedSinceMs: (pem) => trusted[nameOf(pem)],
	bundled,
});
const plan = (content: Found, known: View, atMs: number) => planCertificates(content, known, atMs, minute);
const written = ({ why, authority: one, serving: pair, next, previous }: Change) =>
	`${why}: ${nameOf(one)} ${nameOf(pair)}, next ${nameOf(next)}, previous ${previous.map(nameOf).join(' ') || '-'}`;

const broken = { serving: undefined, fault: 'broken' };
const gone = { ...broken, authority: undefined };
const changes: [string, Found, View, number, string][] = [
	['a first start', found(gone), view(undefined), 0, 'repaired: new new, next -, previous -'],
	[
		'there was another CA: a replica that starts keeps what the configurations trust',
		found(gone),
		view(undefined, {}, [oldCa.cert]),
		0,
		'repaired: new new, next -, previous oldCa',
	],
	[
		'... but not what has ended',
		found(gone),
		view(undefined, {}, [oldCa.cert]),
		200,
		'repaired: new new, next -, previous -',
	],
	[
		'the Secret was deleted: what is served is put back, and a new CA announced',
		found(gone),
		view(first, {}, [oldCa.cert]),
		1,
		'repaired: ca first, next new, previous -',
	],
	[
		'what is served has ended as well',
		found(gone),
		view(first, { ca: 0 }),
		100,
		'repaired: new new, next -, previous -',
	],
	[
		'the CA is broken while the next one is announced: that is the new one',
		found({ ...gone, next: nextCa }),
		view(undefined),
		240,
		'repaired: nextCa new, next -, previous -',
	],
	[
		'only the serving certificate is broken: the same CA issues another',
		found(broken),
		view(first, { ca: 0 }),
		1,
		'repaired: ca new, next -, previous -',
	],
	[
		'somebody replaced the CA alone: it is taken over, the one in use stays trusted',
		found({ ...broken, authority: theirCa }),
		view(first, { ca: 0 }),
		1,
		'repaired: theirCa new, next -, previous ca',
	],
	[
		'a CA without its key cannot mend: what is served is put back',
		found({ ...broken, authority: { cert: theirCa.cert, key: undefined } }),
		view(first, { ca: 0 }),
		1,
		'repaired: ca first, next new, previous theirCa',
	],
	[
		'somebody replaced everything: the CA of what is still served stays trusted',
		found({ authority: theirCa, serving: theirs }),
		view(first, { ca: 0 }),
		1,
		'served-ca-kept: theirCa theirs, next -, previous ca',
	],
	['two thirds of the serving certificate', found(), view(first), 61, 'renewed: ca new, next -, previous -'],
	[
		'two thirds of the CA',
		found({ serving: later }),
		view(later),
		241,
		'ca-announced: ca later, next new, previous -',
	],
	[
		'the next CA has been trusted for long enough',
		found({ serving: later, next: nextCa, previous: [oldCa.cert] }),
		view(later, { ca: 0, nextCa: startMs + 241 * day - minute }),
		241,
		'ca-replaced: nextCa new, next -, previous ca oldCa',
	],
	[
		'a serving certificate that gets old while the next CA is announced is renewed by the old one',
		found({ next: nextCa }),
		view(first, { ca: 0 }),
		80,
		'renewed: ca new, next nextCa, previous -',
	],
	[
		'a CA without its key, and its serving certificate gets old',
		found({ authority: { cert: ca.cert, key: undefined } }),
		view(first, { ca: 0 }),
		61,
		'ca-announced: ca first, next new, previous -',
	],
	[
		'a CA with a key that is not its own',
		found({ authority: { cert: ca.cert, key: undefined }, fault: 'ca.key does not belong' }),
		view(first, { ca: 0 }),
		1,
		'ca-announced: ca first, next new, previous -',
	],
];
for (const [title, content, known, days, expected] of changes) {
	test(`written: ${title}`, () => {
		const made = plan(content, known, startMs + days * day);
		assert.ok('change' in made, 'nothing is to be written');
		assert.is(written(made.change), expected);
	});
}

const follows: [string, Found, View, number, string][] = [
	['all is well', found(), view(first, { ca: 0 }), startMs, 'first; ca'],
	['a start', found({ previous: [oldCa.cert] }), view(undefined), startMs, 'first; ca oldCa'],
	[
		'renewed by the same CA: served at once',
		found({ serving: later }),
		view(first, { ca: 0 }),
		startMs + 230 * day,
		'later; ca',
	],
	[
		'announced, not trusted everywhere yet',
		found({ serving: later, next: nextCa }),
		view(later, { ca: 0 }),
		startMs + 241 * day,
		'later; ca nextCa',
	],
	[
		'announced, trusted for less than the propagation time',
		found({ serving: later, next: nextCa }),
		view(later, { ca: 0, nextCa: startMs + 241 * day - minute + 1 }),
		startMs + 241 * day,
		'later; ca nextCa',
	],
	[
		'taken over from a person, not trusted yet: what was served before goes on',
		found({ authority: theirCa, serving: theirs, previous: [ca.cert] }),
		view(first, { ca: 0 }),
		startMs,
		'first; theirCa ca',
	],
	[
		'... trusted for less than the propagation time',
		found({ authority: theirCa, serving: theirs, previous: [ca.cert] }),
		view(first, { ca: 0, theirCa: startMs }),
		startMs + minute - 1,
		'first; theirCa ca',
	],
	[
		'... trusted for long enough',
		found({ authority: theirCa, serving: theirs, previous: [ca.cert] }),
		view(first, { ca: 0, theirCa: startMs }),
		startMs + minute,
		'theirs; theirCa ca',
	],
	[
		'... never trusted, and what was served has ended: it cannot get worse',
		found({ authority: nextCa, serving: young }),
		view(later, {}),
		startMs + 360 * day,
		'young; nextCa',
	],
	[
		'a serving certificate that ends with its CA is not renewed over and over',
		found({ serving: last, next: nextCa }),
		view(last, { ca: 0 }),
		startMs + 359 * day,
		'last; ca nextCa',
	],
	[
		'a CA without its key is served like any other until it is time',
		found({ authority: { cert: ca.cert, key: undefined } }),
		view(first, { ca: 0 }),
		startMs + 1 * day,
		'first; ca',
	],
];
for (const [title, content, known, atMs, expected] of follows) {
	test(`served and trusted: ${title}`, () => {
		const made = plan(content, known, atMs);
		assert.ok(!('change' in made), `to be written: ${'change' in made && written(made.change)}`);
		assert.is(`${nameOf(made.serve)}; ${made.bundle.map(nameOf).join(' ')}`, expected);
		assert.ok(made.requeueAtMs > atMs);
	});
}

test('looks again when the next date has come: renewal, trust of the next CA, trust of a person’s CA', () => {
	const again = (content: Found, known: View, atMs: number) => {
		const made = plan(content, known, atMs);
		assert.ok(!('change' in made));
		return made.requeueAtMs;
	};
	const due = again(found(), view(first, { ca: 0 }), startMs);
	assert.ok(due > startMs + 59 * day && due < startMs + 60.1 * day, 'two thirds of 90 days');
	const atMs = startMs + 241 * day;
	const announced = found({ serving: later, next: nextCa });
	assert.is(again(announced, view(later, { ca: 0, nextCa: atMs - 1_000 }), atMs), atMs + minute - 1_000);
	const takenOver = found({ authority: theirCa, serving: theirs, previous: [ca.cert] });
	assert.is(again(takenOver, view(first, { ca: 0, theirCa: startMs }), startMs + 1), startMs + minute);
});

test.run();

/** Who knows the path in the webhook configurations, and for how long. */
import { randomBytes } from 'node:crypto';
import * as assert from 'uvu/assert';
import { withoutSegments } from '../../../admission/api/webhooks.ts';
import { epochSeal } from '../../../admission/cluster/epoch-seal.ts';
import { Signer } from '../../../admission/cluster/signer.ts';
import { Callers } from '../../../admission/webhook/callers.ts';
import {
	dueAtMs,
	isCurrent,
	nextEpoch,
	pathOf,
	readPath,
} from '../../../admission/webhook/rules/caller-path.ts';
import { suite } from '../../support/suite.ts';
import { SimulatedClock } from '../support/clock.ts';

const test = suite('path of callers');
const minute = 60_000;
const hour = 60 * minute;
const epoch = 1_800_000_000;
const nowMs = epoch * 1000;
const signature = 'ab'.repeat(32);

test('a path is made and read back; everything else has no segment', () => {
	const path = pathOf({ epoch, signature }, '/pods/delete');
	assert.is(path, `/1800000000.${signature}/pods/delete`);
	assert.equal(readPath(path), { segment: { epoch, signature }, route: '/pods/delete' });
	assert.is(readPath(`${path}/more`)?.route, '/pods/delete/more');
	for (const odd of [
		'/',
		'',
		'/pods/delete',
		`/1800000000.${signature}`,
		`x/1800000000.${signature}/pods/delete`,
		`/180000000.${signature}/pods/delete`,
		`/18000000000.${signature}/pods/delete`,
		`/1800000000.${signature.slice(1)}/pods/delete`,
		`/1800000000.${signature}0/pods/delete`,
		`/1800000000.${signature.toUpperCase()}/pods/delete`,
		`/1800000000-${signature}/pods/delete`,
	])
		assert.is(readPath(odd), undefined, odd);
});
test('the API server takes such a path: each part is a name in lower case, at most 253 characters long', () => {
	const seal = epochSeal(new Signer(randomBytes(32)));
	for (const part of pathOf({ epoch, signature: seal.sign(epoch) }, '/sets/replicas')
		.slice(1)
		.split('/'))
		assert.match(part, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);
});

const newest = (age: number, seenMs = age) => ({ epoch: epoch - age / 1000, sinceMs: nowMs - seenMs });
for (const [what, made, known, expected] of [
	['the newest', epoch - 60, newest(minute), true],
	['the newest, which nobody has renewed for a day', epoch - 86_400, newest(24 * hour), true],
	['the newest, by a clock that is an hour ahead', epoch + 3_600, newest(-hour, 0), true],
	['the one before, a moment after it was replaced', epoch - 3_600, newest(1_000), true],
	['the one before, 2 minutes after', epoch - 3_600, newest(2 * minute), false],
	['the one before, just less than 2 minutes after', epoch - 3_600, newest(2 * minute - 1_000), true],
	['the one before, seen replaced later than it was', epoch - 3_600, newest(5 * minute, minute), true],
	['a newer one, which another replica has just written', epoch, newest(10 * minute), true],
	['a newer one, of a clock that is a minute ahead', epoch + 60, newest(10 * minute), true],
	['a newer one, of a clock that is further ahead', epoch + 61, newest(10 * minute), false],
	['one of 67 minutes ago where none is known', epoch - 67 * 60, undefined, true],
	['an older one where none is known', epoch - 67 * 60 - 1, undefined, false],
	['an older one beside a still older one', epoch - 67 * 60 - 1, newest(2 * hour), false],
	['one that was replaced a moment ago, but is hours old', epoch - 7_200, newest(1_000), false],
	['one of the future where none is known', epoch + 61, undefined, false],
] as const)
	test(`${what}: ${expected ? 'good' : 'not good'}`, () => {
		assert.is(isCurrent(made, known, nowMs), expected);
	});

test('an epoch lasts an hour; one that others may know, a minute', () => {
	assert.is(dueAtMs(epoch, undefined), nowMs + hour);
	assert.is(dueAtMs(epoch, epoch - 1), nowMs + hour);
	assert.is(dueAtMs(epoch, epoch), nowMs + minute);
	assert.is(dueAtMs(epoch, epoch + 1), nowMs + minute);
});
test('the next epoch is now, and in any case later than the one before', () => {
	assert.is(nextEpoch(undefined, nowMs + 999), epoch);
	assert.is(nextEpoch(epoch - 5, nowMs), epoch);
	assert.is(nextEpoch(epoch, nowMs), epoch + 1);
	assert.is(nextEpoch(epoch + 100, nowMs), epoch + 101);
});

test('two replicas that share a key believe each other at once, a third with another key nobody', () => {
	const clock = new SimulatedClock(nowMs);
	const key = randomBytes(32);
	const replica = (of: Buffer) => new Callers(epochSeal(new Signer(of)), clock.now);
	const [one, other, third] = [replica(key), replica(key), replica(randomBytes(32))];
	const path = one.plan().pathOf('/pods/evict');
	assert.is(other.at(path), 'known');
	assert.is(third.at(path), 'unauthenticated');
	assert.is(other.at('/pods/evict'), 'unauthenticated');
	third.saw([path]);
	assert.is.not(third.plan().pathOf('/pods/evict'), path, 'what it cannot check it replaces');
});

test('a replica renews hourly, a minute after the path was shown, and not twice; the path before is good for 2 minutes', async () => {
	const clock = new SimulatedClock(nowMs);
	const callers = new Callers(epochSeal(new Signer(randomBytes(32))), clock.now);
	let spoiled = 0;
	callers.whenSpoiled(() => spoiled++);
	const write = () => {
		const path = callers.plan().pathOf('/pods/delete');
		callers.saw([path, path]);
		return path;
	};
	const first = write();
	assert.is(callers.plan().againAtMs, nowMs + hour);
	await clock.pass(hour - 1);
	assert.is(write(), first);
	await clock.pass(1);
	const second = write();
	assert.is.not(second, first);
	assert.is(callers.at(first), 'known');
	await clock.pass(2 * minute);
	assert.is(callers.at(first), 'unauthenticated');

	callers.spoil();
	assert.is(spoiled, 1);
	const third = write();
	assert.is.not(third, second, 'it was older than a minute');
	callers.spoil();
	assert.is(callers.plan().againAtMs, clock.now() + minute);
	await clock.pass(minute - 1);
	assert.is(write(), third);
	await clock.pass(1);
	assert.is.not(write(), third);
	assert.is(callers.plan().againAtMs, clock.now() + hour);
});
test('what another replica has written is not written again; webhooks that differ get the newest', async () => {
	const clock = new SimulatedClock(nowMs);
	const key = randomBytes(32);
	const replica = () => new Callers(epochSeal(new Signer(key)), clock.now);
	const [one, other] = [replica(), replica()];
	const old = one.plan().pathOf('/pods/delete');
	one.saw([old]);
	other.saw([old]);
	await clock.pass(10 * minute);
	one.spoil();
	other.spoil();
	const next = one.plan().pathOf('/pods/delete');
	other.saw([old, next, undefined, '/pods/delete', `/${epoch + 999}.${signature}/pods/delete`]);
	await clock.pass(1_000);
	assert.is(other.plan().pathOf('/pods/delete'), next);
});
test('a replica that starts takes the path that it finds as good, and not the ones before', async () => {
	const clock = new SimulatedClock(nowMs);
	const key = randomBytes(32);
	const replica = () => new Callers(epochSeal(new Signer(key)), clock.now);
	const old = replica().plan().pathOf('/pods/delete');
	await clock.pass(10 * minute);
	const present = replica().plan().pathOf('/pods/delete');
	await clock.pass(10 * minute);
	const started = replica();
	assert.is(started.at(old), 'known', 'as long as it has not read the configurations');
	started.saw([present]);
	assert.is(started.at(present), 'known');
	assert.is(started.at(old), 'unauthenticated');
	started.saw([]);
	assert.is(started.at(present), 'known', 'also when the webhooks are gone');
});

test('a text with a path in it loses the segment', () => {
	const url = `https://a.svc:9443/1800000000.${signature}/pods/delete?timeout=5s`;
	assert.is(
		withoutSegments(`Post "${url}": deadline; Post "${url}"`),
		'Post "https://a.svc:9443/pods/delete?timeout=5s": deadline; Post "https://a.svc:9443/pods/delete?timeout=5s"',
	);
	assert.is(withoutSegments('nothing /1800000000.abc/pods'), 'nothing /1800000000.abc/pods');
});

test.run();

/** Which connection is closed when somebody opens too many. */
import * as assert from 'uvu/assert';
import {
	mostUnproven,
	mostUnprovenOfOneAddress,
	unprovenGraceMs,
} from '../../../admission/webhook/rules/policy.ts';
import { Unproven } from '../../../admission/webhook/rules/unproven.ts';
import { suite } from '../../support/suite.ts';

const test = suite('unproven connections');

/** Opens so many of this address at this moment, and gives those that were closed for it. */
function open(
	unproven: Unproven<string>,
	address: string,
	count: number,
	atMs = 0,
	trusted = false,
): string[] {
	const from = unproven.size;
	return Array.from({ length: count }, (_, index) => `${address}-${atMs}-${from + index}`).flatMap((name) =>
		unproven.add(name, address, trusted, atMs),
	);
}

test('one address: above its limit the oldest go, but none that is younger than a second', () => {
	const unproven = new Unproven<string>();
	assert.equal(open(unproven, 'a', mostUnprovenOfOneAddress), []);
	assert.equal(open(unproven, 'a', 2, unprovenGraceMs - 1), [], 'an API server may open many in one moment');
	assert.equal(open(unproven, 'a', 1, unprovenGraceMs), ['a-0-0', 'a-0-1', 'a-0-2']);
	assert.is(unproven.size, mostUnprovenOfOneAddress);
	assert.equal(open(unproven, 'b', 1, unprovenGraceMs), [], 'another address is not concerned');
});
test('where a known caller has asked from the address only the limit for all holds', () => {
	const unproven = new Unproven<string>();
	assert.equal(open(unproven, 'a', mostUnprovenOfOneAddress, 0, true), []);
	assert.equal(open(unproven, 'a', 200, 10_000, true), []);
});
test('all: the address with the most loses its oldest, however old those of others are', () => {
	const unproven = new Unproven<string>();
	open(unproven, 'flood', 1, 0, true);
	open(unproven, 'api-server', 20);
	open(unproven, 'some', 50, 1);
	const flood = open(unproven, 'flood', 1_000, 2, true);
	assert.is(flood.length, 1_071 - mostUnproven);
	assert.ok(flood.every((name) => name.startsWith('flood-')));
	assert.equal(flood.slice(0, 2), ['flood-0-0', 'flood-2-71']);
	assert.equal(
		open(unproven, 'api-server', 5, 3).map((name) => name.split('-')[0]),
		Array(5).fill('flood'),
	);
	assert.is(unproven.size, mostUnproven);
});
test('who is above both limits loses one, and nobody else any', () => {
	const unproven = new Unproven<string>();
	open(unproven, 'a', mostUnprovenOfOneAddress);
	open(unproven, 'flood', mostUnproven - mostUnprovenOfOneAddress, 0, true);
	assert.equal(open(unproven, 'a', 1, unprovenGraceMs), ['a-0-0']);
});
test('many addresses with a few each: all together stay within the limit', () => {
	const unproven = new Unproven<string>();
	for (let address = 0; address < 200; address++) open(unproven, `a${address}`, 10, address);
	assert.is(unproven.size, mostUnproven);
});
test('what has been proven or closed leaves room, once', () => {
	const unproven = new Unproven<string>();
	open(unproven, 'a', mostUnprovenOfOneAddress);
	for (let again = 0; again < 2; again++) unproven.remove('a-0-0');
	assert.is(unproven.size, mostUnprovenOfOneAddress - 1);
	assert.equal(open(unproven, 'a', 1, 5_000), []);
	assert.equal(open(unproven, 'a', 1, 5_000), ['a-0-1']);
	const one = new Unproven<string>();
	open(one, 'a', 1);
	one.remove('a-0-0');
	assert.is(one.size, 0);
});

test.run();

import * as assert from 'uvu/assert';
import { NewConnections } from '../../../admission/webhook/rules/new-connections.ts';
import { mostNewOfOneAddress, newConnectionsWindowMs } from '../../../admission/webhook/rules/policy.ts';
import { suite } from '../../support/suite.ts';

const test = suite('new connections');

test('one address may open so many in a second, then again in the next; others are not concerned', () => {
	const opened = new NewConnections();
	const open = (address: string, count: number, atMs: number) =>
		Array.from({ length: count }, () => opened.allows(address, atMs)).filter(Boolean).length;
	assert.is(open('a', mostNewOfOneAddress, 0), mostNewOfOneAddress);
	assert.is(open('a', 100, newConnectionsWindowMs - 1), 0);
	assert.is(open('b', 1, newConnectionsWindowMs - 1), 1);
	assert.is(open('a', mostNewOfOneAddress + 100, newConnectionsWindowMs), mostNewOfOneAddress);
	assert.is(open('a', 1, 2 * newConnectionsWindowMs - 1), 0);
	assert.is(open('a', 1, 2 * newConnectionsWindowMs), 1);
});

test.run();

import * as assert from 'uvu/assert';
import { Signer } from '../../../admission/cluster/signer.ts';
import { suite } from '../../support/suite.ts';

const test = suite('signatures');
const signer = new Signer(Buffer.alloc(32, 1));

test('holds for what was signed, and for nothing else', () => {
	const signed = signer.sign('record', ['a', 'b']);
	assert.ok(signer.verify('record', ['a', 'b'], signed));
	assert.not(signer.verify('unregistered', ['a', 'b'], signed), 'another purpose');
	assert.not(signer.verify('record', ['ab', ''], signed), 'other borders');
	assert.not(signer.verify('record', ['a'], signed));
	assert.not(new Signer(Buffer.alloc(32, 2)).verify('record', ['a', 'b'], signed), 'another key');
});
test('absent, empty or of odd length it holds for nothing', () => {
	for (const text of [undefined, '', 'x', 'é'.repeat(43)]) assert.not(signer.verify('record', ['a'], text));
});

test.run();

import * as assert from 'uvu/assert';
import type { Pod } from '../../../admission/api/kinds.ts';
import { Proof } from '../../../admission/cluster/proof.ts';
import { Signer } from '../../../admission/cluster/signer.ts';
import { suite } from '../../support/suite.ts';

const test = suite('proof of a 204');
const proof = new Proof(new Signer(Buffer.alloc(32, 1)));
const at = '2026-11-23T12:00:00Z';

function pod(uid: string, restartCount: number, annotations: Record<string, string>): Pod {
	return {
		metadata: { name: 'r', uid, annotations },
		status: { containerStatuses: [{ name: 'runner', restartCount }] },
	};
}
const signed = (uid: string, restarts: number, by = proof) => ({
	'actions-runner/unregistration-complete-timestamp': at,
	'actions-runner/unregistration-proof': by.sign({ uid, restarts }, at),
});

test('holds for the pod it was made for', () => assert.ok(proof.holds(pod('a', 0, signed('a', 0)))));
test('copied to another pod it proves nothing', () => assert.not(proof.holds(pod('b', 0, signed('a', 0)))));
test('ends with a restart of the container', () => assert.not(proof.holds(pod('a', 1, signed('a', 0)))));
test('with another timestamp it proves nothing', () => {
	const annotations = {
		...signed('a', 0),
		'actions-runner/unregistration-complete-timestamp': '2026-11-24T12:00:00Z',
	};
	assert.not(proof.holds(pod('a', 0, annotations)));
});
test('made with another key it proves nothing', () => {
	assert.not(proof.holds(pod('a', 0, signed('a', 0, new Proof(new Signer(Buffer.alloc(32, 2)))))));
});
test('absent, empty or of odd length it proves nothing', () => {
	for (const text of ['', 'x', 'é'.repeat(43)]) {
		assert.not(proof.holds(pod('a', 0, { ...signed('a', 0), 'actions-runner/unregistration-proof': text })));
	}
	assert.not(proof.holds(pod('a', 0, {})));
});

test.run();

import * as assert from 'uvu/assert';
import type { RunnerSet } from '../../../admission/api/sets.ts';
import { BySpec } from '../../../admission/sets/by-spec.ts';
import { suite } from '../../support/suite.ts';

const test = suite('what follows from a spec');

const set = (metadata: object, image = 'a'): RunnerSet =>
	({ kind: 'RunnerSet', metadata: { name: 'example', ...metadata }, spec: { image } }) as never;

test('it is found out once for each generation and for other labels, and again after the set was forgotten', () => {
	const asked: unknown[] = [];
	const images = new BySpec<RunnerSet, string | undefined>(({ spec, metadata }) => {
		asked.push(`${metadata.generation} ${spec.image}`);
		return spec.image;
	});
	const of = (metadata: object, image?: string) => images.of(set({ uid: 'u', ...metadata }, image));
	assert.equal([of({ generation: 1 }), of({ generation: 1, resourceVersion: '2' })], ['a', 'a']);
	assert.equal(asked.splice(0), ['1 a']);
	assert.equal([of({ generation: 2 }, 'b'), of({ generation: 2, labels: { x: 'y' } }, 'b')], ['b', 'b']);
	assert.equal(asked.splice(0), ['2 b', '2 b']);
	assert.is(images.of(set({ uid: 'other', generation: 2 }, 'c')), 'c');
	images.forget('u');
	assert.is(of({ generation: 2, labels: { x: 'y' } }, 'd'), 'd');
	assert.equal(asked.splice(0), ['2 c', '2 d']);
});

test('where nothing tells versions apart, it is found out anew', () => {
	let asked = 0;
	const counted = new BySpec<RunnerSet, number>(() => ++asked);
	for (const metadata of [{}, { uid: 'u' }, { generation: 1 }])
		assert.is.not(counted.of(set(metadata)), counted.of(set(metadata)));
});

test.run();

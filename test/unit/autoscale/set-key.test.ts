import * as assert from 'uvu/assert';
import {
	metricLabelsOf,
	objectKeyOf,
	setKey,
	setKeyOf,
	splitSetKey,
} from '../../../admission/autoscale/rules/set-key.ts';
import { suite } from '../../support/suite.ts';

const test = suite('set key');

test('a key reads as people write a set, and gives back what it was made of', () => {
	const parts = { kind: 'RunnerDeployment', namespace: 'ci', name: 'linux.gpu-2' };
	const key = setKey(parts);
	assert.is(key, 'RunnerDeployment ci/linux.gpu-2');
	assert.equal(splitSetKey(key), parts);
	assert.is(objectKeyOf(key), 'ci/linux.gpu-2');
	assert.equal(metricLabelsOf(key), { namespace: 'ci', set: 'linux.gpu-2' });
	assert.is(setKeyOf({ kind: 'RunnerSet', metadata: { namespace: 'ci', name: 'a' } }), 'RunnerSet ci/a');
});

test.run();

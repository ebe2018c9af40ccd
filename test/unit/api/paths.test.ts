/** The API server's paths: core and named groups, with and without a namespace, names encoded. */
import * as assert from 'uvu/assert';
import { collectionPath, groupPath, objectPath, podPath, resources } from '../../../admission/api/paths.ts';
import { setKinds } from '../../../admission/api/sets.ts';
import { suite } from '../../support/suite.ts';

const test = suite('paths');

test('the core group stands under /api, every other under /apis', () => {
	assert.is(groupPath('v1'), '/api/v1');
	assert.is(groupPath('apps/v1'), '/apis/apps/v1');
});

test('a collection is of all namespaces, or of the one that is named', () => {
	assert.is(collectionPath(resources.pods), '/api/v1/pods');
	assert.is(collectionPath(resources.statefulSets, 'ci'), '/apis/apps/v1/namespaces/ci/statefulsets');
	assert.is(
		collectionPath(setKinds.runnerSet, 'ci'),
		'/apis/actions.summerwind.dev/v1alpha1/namespaces/ci/runnersets',
	);
});

test('an object may be cluster-scoped, and may have a subresource', () => {
	assert.is(objectPath(resources.nodes, { name: 'n1' }), '/api/v1/nodes/n1');
	assert.is(podPath('ci', 'runner-0'), '/api/v1/namespaces/ci/pods/runner-0');
	assert.is(podPath('ci', 'runner-0', 'eviction'), '/api/v1/namespaces/ci/pods/runner-0/eviction');
});

test('a name that somebody else wrote leads to no other object', () => {
	assert.is(podPath('ci', '../../nodes/n1'), '/api/v1/namespaces/ci/pods/..%2F..%2Fnodes%2Fn1');
	assert.is(podPath('ci?x', 'a#b'), '/api/v1/namespaces/ci%3Fx/pods/a%23b');
});

test.run();

import * as assert from 'uvu/assert';
import type { AdmissionRequest } from '../../../admission/webhook/review.ts';
import { routeByContent } from '../../../admission/webhook/rules/route.ts';
import { suite } from '../../support/suite.ts';

const test = suite('what a review is about');
const sets = 'actions.summerwind.dev';

for (const [operation, group, resource, subResource, route] of [
	['DELETE', '', 'pods', '', '/pods/delete'],
	['CREATE', '', 'pods', 'eviction', '/pods/evict'],
	['UPDATE', '', 'pods', '', '/pods/update'],
	['UPDATE', '', 'pods', 'status', '/pods/update'],
	['UPDATE', '', 'pods', 'resize', '/pods/update'],
	['CREATE', '', 'pods', '', '/pods/create'],
	['CREATE', '', 'pods', 'binding', undefined],
	['CONNECT', '', 'pods', 'exec', undefined],
	['CONNECT', '', 'pods', '', undefined],
	['UPDATE', '', 'pods', 'eviction', undefined],
	['DELETE', '', 'pods', 'status', undefined],
	['DELETE', '', 'configmaps', '', undefined],
	['DELETE', 'metrics.k8s.io', 'pods', '', undefined],
	['CREATE', sets, 'runnersets', '', '/sets/replicas'],
	['UPDATE', sets, 'runnerdeployments', '', '/sets/replicas'],
	['UPDATE', sets, 'runnersets', 'status', undefined],
	['DELETE', sets, 'runnersets', '', undefined],
	['CREATE', sets, 'runners', '', undefined],
] as const)
	test(`${operation} ${group}/${resource}/${subResource}: ${route}`, () => {
		const request = { operation, resource: { group, version: 'v1', resource }, subResource };
		assert.is(routeByContent(request as unknown as AdmissionRequest), route);
	});

test('to mark a pod is not to fill it in, though both are asked about its creation', () => {
	const request = { operation: 'CREATE', resource: { group: '', version: 'v1', resource: 'pods' } };
	for (const path of ['/pods/mark', `/1795000000.${'a'.repeat(64)}/pods/mark`])
		assert.is(routeByContent(request as unknown as AdmissionRequest, path), '/pods/mark');
	assert.is(
		routeByContent({ ...request, operation: 'DELETE' } as unknown as AdmissionRequest, '/pods/mark'),
		'/pods/delete',
	);
});

test('a review that does not say is about nothing', () => {
	for (const resource of [undefined, null, 'pods', 1, {}])
		assert.is(routeByContent({ operation: 'DELETE', resource } as unknown as AdmissionRequest), undefined);
});

test.run();

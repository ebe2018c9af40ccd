/** The webhooks in manifests/, and what the server and the plugin know of them. */
import { readFileSync } from 'node:fs';
import { loadAll } from 'js-yaml';
import * as assert from 'uvu/assert';
import { webhookRoutes } from '../../../admission/api/webhooks.ts';
import type { Webhook } from '../../../plugin/verbs/doctor/facts.ts';
import { selects } from '../../../plugin/verbs/doctor/selector.ts';
import { suite } from '../../support/suite.ts';

const test = suite('webhooks in the manifests');

interface Entry extends Webhook {
	timeoutSeconds: number;
	clientConfig: { service: { path?: string } } & Webhook['clientConfig'];
}

const entries = (path: string, kind: string) =>
	(
		loadAll(readFileSync(new URL(`../../../manifests/${path}`, import.meta.url), 'utf8')) as {
			kind: string;
			webhooks: Entry[];
		}[]
	).flatMap((one) => (one.kind === `${kind}WebhookConfiguration` ? one.webhooks : []));
const validating = entries('base/webhooks.yaml', 'Validating');
const mutating = [...entries('sets/webhooks.yaml', 'Mutating'), ...entries('base/webhooks.yaml', 'Mutating')];

test('the server knows where each leads, and writes the path itself: none is in a manifest', () => {
	assert.equal(
		validating.map(({ name }) => name),
		Object.keys(webhookRoutes.validating),
	);
	assert.equal(
		mutating.map(({ name }) => name),
		Object.keys(webhookRoutes.mutating),
	);
	for (const { name, clientConfig } of [...validating, ...mutating])
		assert.is(clientConfig.service.path, undefined, name);
});
test('the hooks of others are the same with and without our sets', () => {
	const [alone, ...more] = entries('components/job-hooks/webhooks.yaml', 'Mutating');
	assert.equal(more, []);
	assert.equal(
		alone,
		mutating.find(({ name }) => name === 'hooks.runners-admission.svc'),
	);
});
test('of the two for evictions each namespace has one, the server’s own none', () => {
	const both = validating.filter(({ name }) => name.startsWith('evictions'));
	const askedIn = (name: string, label?: string) =>
		both
			.filter(({ namespaceSelector }) =>
				selects(namespaceSelector, {
					'kubernetes.io/metadata.name': name,
					...(label === undefined ? {} : { 'actions-runner/evictions': label }),
				}),
			)
			.map(({ failurePolicy }) => failurePolicy);
	assert.equal(askedIn('ci'), ['Ignore']);
	assert.equal(askedIn('ci', ''), ['Ignore']);
	assert.equal(askedIn('ci', 'fail-open'), ['Ignore']);
	assert.equal(askedIn('ci', 'fail-closed'), ['Fail']);
	for (const label of [undefined, 'fail-closed']) assert.equal(askedIn('runners-system', label), []);
});

test('evictions and edits, which pass when nobody answers in time, wait for long', () => {
	const waits = (policy: string) =>
		validating
			.filter(({ failurePolicy }) => failurePolicy === policy)
			.map(({ name, timeoutSeconds }) => `${name.split('.')[0]} ${timeoutSeconds}`);
	assert.equal(waits('Ignore'), ['break-glass 5', 'evictions 15', 'updates 15']);
	assert.equal(waits('Fail'), ['pods 5', 'evictions-fail-closed 15']);
});

test.run();

/** The policies in manifests/, and what the server and the plugin know of them. */
import { readFileSync } from 'node:fs';
import { loadAll } from 'js-yaml';
import * as assert from 'uvu/assert';
import { names } from '../../../admission/api/keys.ts';
import { suite } from '../../support/suite.ts';

const test = suite('policies in the manifests');

interface Policy {
	metadata: { name: string };
	spec: {
		policyName?: string;
		failurePolicy: string;
		matchConditions: { name: string; expression: string }[];
		matchConstraints: { resourceRules: object[]; namespaceSelector?: object };
		validations?: { message: string }[];
	};
}

const objects = (path: string) =>
	loadAll(readFileSync(new URL(`../../../manifests/${path}`, import.meta.url), 'utf8')) as Policy[];
interface Webhook {
	name: string;
	failurePolicy: string;
	namespaceSelector: object;
	rules: object[];
	matchConditions: Policy['spec']['matchConditions'];
}
const webhooks = (path: string) =>
	(objects(path) as unknown as { webhooks: Webhook[] }[]).flatMap((one) => one.webhooks);
const condition = ({ spec }: { spec: Pick<Policy['spec'], 'matchConditions'> }, name: string) =>
	spec.matchConditions.find((one) => one.name === name)?.expression ?? '';

test('the back-stop budgets are kept under the names that the server gives them', () => {
	const [policy, binding] = objects('base/budgets.yaml');
	assert.ok(policy);
	assert.is(policy.metadata.name, names.budgetPolicy);
	assert.is(binding?.spec.policyName, names.budgetPolicy);
	assert.is(policy.spec.failurePolicy, 'Fail');
	const kept = [...condition(policy, 'back-stop-budget').matchAll(/'(runners-[^']+)'/g)].map(
		([, name]) => name,
	);
	assert.equal(kept, Object.values(names.backstops));
	for (const { message } of policy.spec.validations ?? [])
		assert.ok(message.length <= 200, `${message.length}: ${message}`);
});

test('the policy for new pods and the webhook in its place say the same', () => {
	const [policy, binding] = objects('components/creation-policy/policy.yaml');
	assert.ok(policy);
	assert.is(binding?.spec.policyName, policy.metadata.name);
	assert.is(policy.spec.failurePolicy, 'Ignore', 'no pod depends on it');
	const webhook = webhooks('base/webhooks.yaml').find(({ name }) => name === 'unknown.runners-admission.svc');
	assert.ok(webhook);
	assert.is(webhook.failurePolicy, 'Ignore');
	assert.equal(policy.spec.matchConditions, webhook.matchConditions);
	const { resourceRules, namespaceSelector } = policy.spec.matchConstraints;
	assert.equal([resourceRules, namespaceSelector], [webhook.rules, webhook.namespaceSelector]);
});

test('what a runner pod is, is the same for its creation and its deletion', () => {
	const all = [...webhooks('base/webhooks.yaml'), ...webhooks('sets/webhooks.yaml')];
	const of = (webhook: string, name: string) =>
		condition({ spec: all.find((one) => one.name === `${webhook}.runners-admission.svc`)! }, name);
	const created = of('unknown', 'runner-pod');
	assert.is(of('hooks', 'runner-pod'), created);
	assert.ok(of('pods', 'runner-or-job-pod').startsWith(`(${created.replaceAll('object', 'oldObject')})`));
});

test.run();

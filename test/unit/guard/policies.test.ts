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
		validations?: { message: string }[];
	};
}

const objects = (path: string) =>
	loadAll(readFileSync(new URL(`../../../manifests/${path}`, import.meta.url), 'utf8')) as Policy[];
const condition = ({ spec }: Pick<Policy, 'spec'>, name: string) =>
	spec.matchConditions.find((one) => one.name === name)?.expression ?? '';

test('the back-stop budgets are kept under the names that the server gives them', () => {
	const [policy, binding] = objects('base/budgets.yaml');
	assert.is(policy?.metadata.name, names.budgetPolicy);
	assert.is(binding?.spec.policyName, names.budgetPolicy);
	assert.is(policy.spec.failurePolicy, 'Fail');
	const kept = [...condition(policy, 'back-stop-budget').matchAll(/'(runners-[^']+)'/g)].map(
		([, name]) => name,
	);
	assert.equal(kept, Object.values(names.backstops));
	for (const { message } of policy.spec.validations ?? [])
		assert.ok(message.length <= 200, `${message.length}: ${message}`);
});

test.run();

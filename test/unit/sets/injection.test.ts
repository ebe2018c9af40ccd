import * as assert from 'uvu/assert';
import type { Pod } from '../../../admission/api/kinds.ts';
import { lacksInjection } from '../../../admission/sets/pod/injection.ts';
import { suite } from '../../support/suite.ts';

const test = suite('pods made without the pod webhook');

type Env = NonNullable<NonNullable<NonNullable<Pod['spec']>['containers']>[0]['env']>;
const injected: Env = [
	{ name: 'RUNNER_ORG', value: 'octo-org' },
	{ name: 'RUNNER_NAME', value: 'r1' },
	{ name: 'RUNNER_TOKEN', valueFrom: { secretKeyRef: { name: 's', key: 'token' } } },
];
const pod = (env: Env, restartPolicy = 'Never', labels?: Record<string, string>): Pod => ({
	metadata: {
		name: 'r1',
		namespace: 'ci',
		labels: labels ?? { 'actions-runner-controller/inject-registration-token': 'true' },
	},
	spec: { restartPolicy, containers: [{ name: 'runner', env }] },
});
const without = (name: string) => injected.filter((variable) => variable.name !== name);

const table: [string, Pod, boolean][] = [
	['as the webhook makes it', pod(injected), false],
	['restarted in place, as a StatefulSet has it', pod(injected, 'Always'), true],
	['without name', pod(without('RUNNER_NAME')), true],
	['without token', pod(without('RUNNER_TOKEN')), true],
	['an empty token is none', pod([...without('RUNNER_TOKEN'), { name: 'RUNNER_TOKEN', value: '' }]), true],
	['no scope, so no token is due', pod(injected.filter(({ name }) => name === 'RUNNER_NAME')), false],
	["a pod that does not ask for it: somebody's own", pod([], 'Always', {}), false],
];
for (const [what, given, expected] of table) test(what, () => assert.is(lacksInjection(given), expected));

test.run();

/** Which pod is the name owner when two use the name of one runner? */

import * as assert from 'uvu/assert';
import { ownsNameOf, sameRunner } from '../../../admission/runner/name-owner.ts';
import { readRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { suite } from '../../support/suite.ts';
import { pod, running } from './pods.ts';

const test = suite('name holder');

type Change = NonNullable<Parameters<typeof pod>[0]>;

const early = '2026-11-23T10:00:00Z';
const late = '2026-11-23T11:00:00Z';

function claimant(name: string, creationTimestamp: string, { env, metadata, ...change }: Change = {}) {
	const read = readRunnerPod(
		pod({
			status: running(),
			...change,
			env: { RUNNER_NAME: 'victim', ...env },
			metadata: {
				name,
				namespace: name,
				uid: `uid-${name}-${creationTimestamp}`,
				creationTimestamp,
				...metadata,
			},
		}),
	);
	assert.ok(read);
	return read;
}

const victim = claimant('victim', early);

for (const [what, other, self, verify] of [
	['one that is called like its runner, before one that only says so', victim, claimant('evil', late), true],
	['... though the spoofed one is older', claimant('victim', late), claimant('evil', early), true],
	['... and not the other way round', claimant('evil', early), claimant('victim', late), false],
	['of two of that name the older', victim, claimant('victim', late), true],
	['... and not the younger', claimant('victim', late), victim, false],
	['of two of the same second none is believed', victim, { ...victim, uid: 'other' }, true],
	['the same pod', victim, victim, false],
	[
		'names are compared without regard to case',
		victim,
		claimant('evil', late, { env: { RUNNER_NAME: 'VICTIM' } }),
		true,
	],
	['scopes too', victim, claimant('evil', late, { env: { RUNNER_ORG: 'Octo-Org' } }), true],
	['another scope', victim, claimant('evil', late, { env: { RUNNER_ORG: 'evil-org' } }), false],
	['another name', victim, claimant('evil', late, { env: { RUNNER_NAME: 'evil' } }), false],
	[
		'one that is on its way out',
		claimant('victim', early, { metadata: { deletionTimestamp: late, name: 'victim', uid: 'gone' } }),
		claimant('evil', late),
		false,
	],
	[
		'one that never started',
		claimant('victim', early, { status: { phase: 'Pending' } }),
		claimant('evil', late),
		false,
	],
	[
		'one that GitHub has unregistered',
		{ ...victim, unregistered: { at: late } },
		claimant('evil', late),
		false,
	],
] as const) {
	test(`${what}: ${verify ? 'holds the name' : 'does not hold it'}`, () => {
		assert.is(ownsNameOf(other, self), verify);
	});
}

test('pods without a scope are nobody’s runner, and not the same one', () => {
	const unscoped = (name: string) => claimant(name, early, { env: { RUNNER_ORG: '' } });
	assert.not(sameRunner(unscoped('a'), unscoped('b')));
	assert.not(sameRunner(unscoped('a'), victim));
	assert.not(sameRunner(victim, unscoped('a')));
});

test.run();

/** About whose jobs GitHub is asked. */
import * as assert from 'uvu/assert';
import type { HorizontalRunnerAutoscaler } from '../../../admission/api/autoscale.ts';
import { PollTargets } from '../../../admission/autoscale/poll-targets.ts';
import type { SetKey } from '../../../admission/autoscale/rules/set-key.ts';
import type { Places } from '../../../admission/autoscale/rules/types.ts';
import { Targets } from '../../../admission/autoscale/targets.ts';
import { suite } from '../../support/suite.ts';

const test = suite('poll targets');

function targetsOf(sets: Record<string, Places['blocked']>) {
	const autoscaler = (name: string) => ({
		metadata: { name, namespace: 'ci', uid: name },
		spec: { scaleTargetRef: { kind: 'RunnerSet', name } },
	});
	const targets = new Targets({
		get: (_namespace: string | undefined, name: string) =>
			autoscaler(name) as unknown as HorizontalRunnerAutoscaler,
	} as never);
	for (const name of Object.keys(sets))
		targets.autoscalerChanged(autoscaler(name) as unknown as HorizontalRunnerAutoscaler, false);
	const set = { kind: 'RunnerSet', spec: { repository: 'octo-org/app' } };
	return new PollTargets({
		targets,
		sets: { get: (key: SetKey) => ({ blocked: sets[key.split('/')[1] ?? ''] }) },
		setsCache: { runnerSets: { informer: { get: () => set } } },
		results: new Map(),
		accounts: {},
	} as never);
}

test('only those sets whose runners GitHub lets register where they say', () => {
	const found = targetsOf({
		new: 'ScopeUnconfirmed',
		useless: 'CredentialsMissing',
		granted: undefined,
		late: 'StartsFailing',
	});
	assert.equal(
		found.list().map(({ key }) => key),
		['RunnerSet ci/granted', 'RunnerSet ci/late'],
	);
	assert.is(found.count(), 2);
});

test.run();

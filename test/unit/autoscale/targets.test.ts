import * as assert from 'uvu/assert';
import type { HorizontalRunnerAutoscaler } from '../../../admission/api/autoscale.ts';
import { Targets } from '../../../admission/autoscale/targets.ts';
import { suite } from '../../support/suite.ts';

const test = suite('targets of autoscalers');

const autoscaler = (
	name: string,
	created: string,
	{ target = 'linux', deleting = false }: { target?: string; deleting?: boolean } = {},
): HorizontalRunnerAutoscaler => ({
	metadata: {
		name,
		namespace: 'ci',
		uid: `uid-${name}`,
		creationTimestamp: `2026-11-27T12:00:${created}Z`,
		...(deleting ? { deletionTimestamp: '2026-11-27T13:00:00Z' } : {}),
	},
	spec: { scaleTargetRef: { kind: 'RunnerSet', name: target } },
});

/** Targets that know these autoscalers, which appeared in this order. */
function targetsOf(...all: HorizontalRunnerAutoscaler[]) {
	const known = new Map(all.map((one) => [one.metadata.name, one]));
	const targets = new Targets({ get: (_namespace, name) => known.get(name) });
	for (const one of all) targets.autoscalerChanged(one, false);
	const changed = (one: HorizontalRunnerAutoscaler, deleted = false) => {
		if (deleted) known.delete(one.metadata.name);
		else known.set(one.metadata.name, one);
		return targets.autoscalerChanged(one, deleted);
	};
	return {
		targets,
		changed,
		acting: (set = 'linux') => targets.acting(`RunnerSet ci/${set}`)?.metadata.name,
	};
}

test('the oldest of those that name a set acts, in whatever order they became known; of one age the first by name', () => {
	assert.is(targetsOf(autoscaler('b', '30'), autoscaler('c', '10'), autoscaler('a', '20')).acting(), 'c');
	assert.is(targetsOf(autoscaler('b', '10'), autoscaler('a', '10')).acting(), 'a');
	assert.is(targetsOf(autoscaler('b', '10', { deleting: true }), autoscaler('a', '20')).acting(), 'a');
});

test('one that names another set from now on, or is gone, leaves the first one to the others', () => {
	const first = autoscaler('a', '10');
	const { targets, changed, acting } = targetsOf(first, autoscaler('b', '20'));
	assert.equal(changed(autoscaler('a', '10', { target: 'arm' })), {
		before: 'RunnerSet ci/linux',
		now: 'RunnerSet ci/arm',
	});
	assert.equal([acting(), acting('arm')], ['b', 'a']);
	assert.is(targets.actingBeside(autoscaler('b', '20'))?.metadata.name, 'b');
	assert.equal(changed(autoscaler('b', '20'), true), { before: 'RunnerSet ci/linux', now: undefined });
	assert.equal([acting(), targets.keys()], [undefined, ['RunnerSet ci/arm']]);
});

test('one that names no set acts on none', () => {
	const odd = { ...autoscaler('odd', '10'), spec: {} };
	const { targets, acting } = targetsOf(odd, autoscaler('a', '20'));
	assert.equal([acting(), targets.actingBeside(odd)], ['a', undefined]);
});

test.run();

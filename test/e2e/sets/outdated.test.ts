/** Runners whose version GitHub refuses, on a real API server. In simulated time: test/unit/sets/outdated.test.ts. */
import * as assert from 'uvu/assert';
import { eventually } from '../../rig/eventually.ts';
import { kinds } from '../../rig/runner-sets.ts';
import { stage } from '../../rig/stage.ts';
import { setTests } from '../support/set-tests.ts';

const test = setTests('outdated runners of sets', { prepare: () => stage('sets') });

for (const kind of kinds)
	test(`${kind}: GitHub refuses its runner's version: the condition within 60 s, no start in 5 minutes, other sets untouched; another image ends it`, async ({
		rig,
		make,
	}) => {
		const other = await make(kind, { replicas: 1 });
		const before = other.live();
		const madeMs = Date.now();
		const set = await make(kind, { config: { image: 'refused-runner:2.320.0' } });
		await set.scale(1);
		const { message } = await set.conditionIs('RunnerOutdated', 'True');
		const tookMs = Date.now() - madeMs;
		assert.ok(tookMs < 60_000, `${tookMs} ms`);
		assert.match(message ?? '', /GitHub refuses runner version 2\.320\.0 of image refused-runner:2\.320\.0/);
		const { status } = await set.object();
		const nextMs = Date.parse(status?.accounting?.nextStartAt ?? '') - Date.now();
		assert.ok(nextMs > 4 * 60_000 && nextMs <= 5 * 60_000, `the next start in ${nextMs} ms`);
		const starts = () =>
			rig.agents.journal.filter(({ what, namespace }) => what === 'registered' && namespace === set.namespace)
				.length;
		const afterMs = Date.now() + 10_000;
		await eventually('10 s have passed', () => Date.now() > afterMs, { withinMs: 20_000 });
		assert.is(starts(), 1, 'the runner that was refused is the only one');
		assert.equal(other.live(), before);
		const conditions = (await other.object()).status?.conditions ?? [];
		assert.is(
			conditions.some(({ type }) => type === 'RunnerOutdated'),
			false,
		);

		const image = 'runner:new';
		await set.patch({ spec: kind === 'RunnerSet' ? { image } : { template: { spec: { image } } } });
		await set.registered(1);
		await set.conditionIs('RunnerOutdated', 'False');
	});

test.run();

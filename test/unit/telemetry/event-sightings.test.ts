/** What a replica reports about the events that it has received. */

import * as assert from 'uvu/assert';
import { EventSightings } from '../../../admission/telemetry/event-sightings.ts';
import { Metrics } from '../../../admission/telemetry/metrics.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { suite } from '../../support/suite.ts';

const test = suite('event sightings');

const at = (ms: number) => new Date(ms).toISOString();

test('results are counted, and the last one of which nothing came is remembered', () => {
	const sightings = new EventSightings(1000);
	sightings.counted('written', 2000);
	sightings.counted('bad-signature', 3000);
	sightings.counted('written', 4000);
	assert.equal(sightings.report(), {
		receiving: false,
		since: at(1000),
		results: { written: 2, 'bad-signature': 1 },
		lastRefusal: { at: at(3000), result: 'bad-signature' },
		hooks: [],
	});
});

test('every delivery that is counted as a metric is seen', () => {
	const metrics = new Metrics(systemClock);
	metrics.event('no-pod');
	metrics.event('overloaded');
	const { results, lastRefusal } = metrics.sightings.report();
	assert.equal([results, lastRefusal?.result], [{ 'no-pod': 1, overloaded: 1 }, 'overloaded']);
});

test("a webhook has its last delivery, what GitHub's list shows and how it is configured", () => {
	const sightings = new EventSightings(0);
	sightings.failuresListed('octo-org, webhook 7', 3);
	assert.equal(sightings.report().hooks, [], 'a webhook that never delivered is not reported');
	sightings.received('octo-org, webhook 7', 1000);
	sightings.failuresListed('octo-org, webhook 7', 'hidden');
	sightings.failuresListed('octo-org, webhook 7', 2);
	sightings.configured('octo-org, webhook 7', { active: true, events: ['workflow_job'] });
	sightings.received('octo-org, webhook 7', 5000);
	assert.equal(sightings.report().hooks, [
		{
			hook: 'octo-org, webhook 7',
			lastDeliveryAt: at(5000),
			failed: 2,
			settings: { active: true, events: ['workflow_job'] },
		},
	]);
});

test('at most ten webhooks are reported, those that delivered last', () => {
	const sightings = new EventSightings(0);
	for (let id = 1; id <= 12; id++) sightings.received(`o, webhook ${id}`, id);
	sightings.received('o, webhook 3', 20);
	const names = sightings.report().hooks.map(({ hook }) => Number(hook.split(' ').at(-1)));
	assert.equal(names, [4, 5, 6, 7, 8, 9, 10, 11, 12, 3]);
});

test.run();

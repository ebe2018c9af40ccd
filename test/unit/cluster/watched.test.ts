import * as assert from 'uvu/assert';
import type { KubeObject } from '../../../admission/api/kinds.ts';
import { resources } from '../../../admission/api/paths.ts';
import { watched } from '../../../admission/cluster/watched.ts';
import { Metrics } from '../../../admission/telemetry/metrics.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { suite } from '../../support/suite.ts';
import { ApiServer } from '../support/api-server.ts';
import { SimulatedClock } from '../support/clock.ts';
import { recordingLog } from '../support/log.ts';

const test = suite('watched resources');

test('a listener that throws keeps no change from the others, and is logged', async () => {
	const clock = new SimulatedClock();
	const client = new ApiServer(clock);
	const { log, lines } = recordingLog();
	const { informer, on } = watched<KubeObject>(
		{ client, metrics: new Metrics(systemClock), clock, log },
		resources.pods,
		(pod) => pod,
	);
	const seen: string[] = [];
	on(() => {
		throw new TypeError('no template');
	});
	on((change, { metadata }) => seen.push(`${change} ${metadata.name}`));
	client.put('/api/v1/pods', { metadata: { name: 'a', namespace: 'ns', uid: 'a' } });
	const stop = new AbortController();
	const running = informer.run(stop.signal);
	await clock.pass(1);
	assert.ok(informer.synced);
	assert.equal(seen, ['added a']);
	assert.equal(lines, ['error a change of this object could not be followed']);
	stop.abort();
	await clock.settle();
	await running;
});

test.run();

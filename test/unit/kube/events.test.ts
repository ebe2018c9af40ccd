import * as assert from 'uvu/assert';
import { KubeError } from '../../../admission/kube/client.ts';
import { Events, podSubject } from '../../../admission/kube/events.ts';
import { suite } from '../../support/suite.ts';
import { ApiServer } from '../support/api-server.ts';
import { SimulatedClock } from '../support/clock.ts';
import { recordingLog } from '../support/log.ts';

const test = suite('events');
const path = '/api/v1/events';

/** Replicas that speak to one API server, which refuses a name that it has. */
function replicas(number: number) {
	const clock = new SimulatedClock();
	const api = new ApiServer(clock);
	const { log, lines } = recordingLog('debug');
	const events = Array.from(
		{ length: number },
		(_, index) => new Events(api, log, { component: 'test', instance: `replica-${index}` }, clock),
	);
	const messages = () => api.all(path).map((event) => (event as unknown as { message: string }).message);
	return { clock, api, events, lines, messages };
}

const subject = podSubject({ namespace: 'ci', name: 'r1', uid: 'uid-1' });

test('two replicas that see the same change make one Event; the second says nothing', async () => {
	const { api, clock, events, lines, messages } = replicas(2);
	for (const one of events) one.send(subject, 'Normal', 'DeletionCompleted', 'Delete', 'it is carried out');
	await clock.settle();
	assert.equal(messages(), ['it is carried out']);
	assert.match(api.all(path)[0]?.metadata.name ?? '', /^r1\.[0-9a-f]{16}$/);
	assert.equal([api.calls.length, lines], [2, []]);
});

test('names and users of others cannot steer the terminal on which Events are read', async () => {
	const { clock, events, messages } = replicas(1);
	events[0]?.send(subject, 'Normal', 'A', 'Delete', 'runner a\u001b[2J\u009b31m,\nasked for by b\u202e');
	await clock.settle();
	assert.equal(messages(), ['runner a?[2J?31m, asked for by b?']);
});

test('times in a message do not make it another Event where the occasion is given', async () => {
	const { clock, events, messages } = replicas(2);
	events[0]?.send(subject, 'Normal', 'DeletionRecorded', 'Delete', 'busy for 3m2s', '7 alice');
	events[1]?.send(subject, 'Normal', 'DeletionRecorded', 'Delete', 'busy for 3m3s', '7 alice');
	events[1]?.send(subject, 'Normal', 'DeletionRecorded', 'Delete', 'busy for 9m', '12 alice');
	await clock.settle();
	assert.equal(messages(), ['busy for 3m2s', 'busy for 9m']);
});

test('one replica asks once for the same; another message, reason or object is another Event', async () => {
	const { api, clock, events } = replicas(1);
	const other = podSubject({ namespace: 'ci', name: 'r1', uid: 'uid-2' });
	for (let time = 0; time < 3; time++) events[0]?.send(subject, 'Warning', 'A', 'Delete', 'one');
	events[0]?.send(subject, 'Warning', 'A', 'Delete', 'two');
	events[0]?.send(subject, 'Warning', 'B', 'Delete', 'one');
	events[0]?.send(other, 'Warning', 'A', 'Delete', 'one');
	await clock.settle();
	assert.equal([api.calls.length, api.all(path).length], [4, 4]);
});

test('what the API server refuses is logged for whoever looks, and fails nobody else', async () => {
	const { api, clock, events, lines } = replicas(1);
	api.fail('POST', /events$/, new KubeError(403, 'Forbidden', 'namespace ci is being terminated'));
	events[0]?.send(subject, 'Warning', 'A', 'Delete', 'one');
	await clock.settle();
	assert.equal(lines, ['debug Event not sent']);
});

test('an API server that does not answer, or has too much to do, is asked again, four times at most', async () => {
	const { api, clock, events, lines, messages } = replicas(1);
	api.fail('POST', /events$/, new KubeError(0, 'NoAnswer', 'timed out'), 1);
	events[0]?.send(subject, 'Warning', 'A', 'Delete', 'one');
	await clock.pass(3_000);
	assert.equal([messages(), api.calls.length], [['one'], 2]);

	api.fail('POST', /events$/, new KubeError(429, 'TooManyRequests', 'later'));
	events[0]?.send(subject, 'Warning', 'A', 'Delete', 'two');
	await clock.pass(60_000);
	assert.equal([messages(), api.calls.length, lines], [['one'], 6, ['debug Event not sent']]);
});

test('a server that stops does not wait to send an Event again, and tries a new one once', async () => {
	const { api, clock, events, lines } = replicas(1);
	api.fail('POST', /events$/, new KubeError(0, 'NoAnswer', 'timed out'));
	events[0]?.send(subject, 'Warning', 'A', 'Delete', 'one');
	await clock.pass(1_000);
	assert.is(clock.waiting, 1);
	events[0]?.stop();
	await clock.settle();
	assert.equal([api.calls.length, clock.waiting, lines], [1, 0, ['debug Event not sent']]);
	events[0]?.send(subject, 'Warning', 'A', 'Delete', 'two');
	await clock.settle();
	assert.equal([api.calls.length, clock.waiting], [2, 0]);
});

test('an Event says when it was, by the server’s clock', async () => {
	const { api, clock, events } = replicas(1);
	await clock.pass(90_000);
	events[0]?.send(subject, 'Normal', 'A', 'Delete', 'one');
	await clock.settle();
	const [event] = api.all(path) as unknown as { firstTimestamp: string }[];
	assert.is(event?.firstTimestamp, '2026-11-23T12:01:30.000Z');
});

test.run();

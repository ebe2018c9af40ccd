import { pino } from 'pino';
import * as assert from 'uvu/assert';
import { KubeError } from '../../../admission/kube/client.ts';
import { Events, podSubject } from '../../../admission/kube/events.ts';
import { suite } from '../../support/suite.ts';
import { fakeClient } from './fake-client.ts';

const test = suite('events');

/** Replicas that speak to one API server, which refuses a name that it has. */
function replicas(number: number) {
	const kept = new Map<string, string>();
	const logged: unknown[] = [];
	let asked = 0;
	const client = fakeClient({
		async request(_method, _path, { body }) {
			asked += 1;
			const { metadata, message } = body as { metadata: { name: string }; message: string };
			if (kept.has(metadata.name)) throw new KubeError(409, 'AlreadyExists', 'it exists');
			kept.set(metadata.name, message);
			return body;
		},
	});
	const log = pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) });
	const events = Array.from({ length: number }, (_, index) => new Events(client, log, `replica-${index}`));
	return { events, kept, logged, asked: () => asked };
}

const subject = podSubject({ namespace: 'ci', name: 'r1', uid: 'uid-1' });
const settle = () => new Promise((resolve) => setImmediate(resolve));

test('two replicas that see the same change make one Event; the second says nothing', async () => {
	const { events, kept, logged, asked } = replicas(2);
	for (const one of events) one.send(subject, 'Normal', 'DeletionCompleted', 'Delete', 'it is carried out');
	await settle();
	assert.equal([...kept.values()], ['it is carried out']);
	assert.match([...kept.keys()][0] ?? '', /^r1\.[0-9a-f]{16}$/);
	assert.equal([asked(), logged], [2, []]);
});

test('times in a message do not make it another Event where the occasion is given', async () => {
	const { events, kept } = replicas(2);
	events[0]?.send(subject, 'Normal', 'DeletionRecorded', 'Delete', 'busy for 3m2s', '7 alice');
	events[1]?.send(subject, 'Normal', 'DeletionRecorded', 'Delete', 'busy for 3m3s', '7 alice');
	events[1]?.send(subject, 'Normal', 'DeletionRecorded', 'Delete', 'busy for 9m', '12 alice');
	await settle();
	assert.equal([...kept.values()], ['busy for 3m2s', 'busy for 9m']);
});

test('one replica asks once for the same; another message, reason or object is another Event', async () => {
	const { events, kept, asked } = replicas(1);
	const other = podSubject({ namespace: 'ci', name: 'r1', uid: 'uid-2' });
	for (let time = 0; time < 3; time++) events[0]?.send(subject, 'Warning', 'A', 'Delete', 'one');
	events[0]?.send(subject, 'Warning', 'A', 'Delete', 'two');
	events[0]?.send(subject, 'Warning', 'B', 'Delete', 'one');
	events[0]?.send(other, 'Warning', 'A', 'Delete', 'one');
	await settle();
	assert.equal([asked(), kept.size], [4, 4]);
});

test.run();

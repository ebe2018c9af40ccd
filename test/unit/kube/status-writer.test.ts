import * as assert from 'uvu/assert';
import type { KubeObject } from '../../../admission/api/kinds.ts';
import { KubeError } from '../../../admission/kube/client.ts';
import type { Events } from '../../../admission/kube/events.ts';
import { type Condition, StatusWriter } from '../../../admission/kube/status-writer.ts';
import { suite } from '../../support/suite.ts';
import { ApiServer } from '../support/api-server.ts';
import { SimulatedClock } from '../support/clock.ts';
import { recordingLog } from '../support/log.ts';

const test = suite('status writer');
const resource = { apiVersion: 'example.dev/v1', kind: 'Thing', resource: 'things' };
const things = '/apis/example.dev/v1/things';

interface Status {
	count?: number;
	gone?: string | undefined;
	conditions?: Condition[];
}
type Thing = KubeObject & { status?: Status };

function world(onChangeOf: 'reason' | 'message' = 'message') {
	const clock = new SimulatedClock();
	const api = new ApiServer(clock);
	const sent: string[] = [];
	const events = {
		send: (subject: { kind: string }, type: string, reason: string, action: string, message: string) =>
			void sent.push([subject.kind, type, reason, action, message].join(' ')),
	} as unknown as Events;
	const { log, lines } = recordingLog();
	const writer = new StatusWriter<Status>({
		...{ client: api, clock, resource },
		everyMs: 1_000,
		toPatch: (status) => ({ gone: null, ...status }),
		reports: {
			...{ events, log, onChangeOf },
			logName: 'thing',
			logMessage: 'see its conditions',
			action: 'Reconcile',
			summary: 'Ready',
			isFailure: (type) => type === 'Broken',
		},
	});
	api.put(things, {
		metadata: { name: 'one', namespace: 'ci' },
	} as never);
	const found = () => api.find(things, 'one', 'ci') as Thing;
	return {
		clock,
		api,
		writer,
		found,
		sent,
		lines,
		writes: () => api.callsTo('PATCH', /one\/status$/).length,
	};
}
const condition = (type: string, message: string, reason = 'Because'): Condition => ({
	...{ type, status: 'True', reason, message },
});

test('a status that has not changed is not written; undefined is no difference', async () => {
	const { writer, found, writes, clock } = world();
	await writer.write(found(), { count: 1 });
	await clock.pass(5_000);
	await writer.write(found(), { count: 1, gone: undefined });
	assert.is(writes(), 1);
});

test('a field that is no longer there is removed', async () => {
	const { writer, found, clock } = world();
	await writer.write(found(), { count: 1, gone: 'soon' });
	assert.is(found().status?.gone, 'soon');
	await clock.pass(1_000);
	await writer.write(found(), { count: 1 });
	assert.equal(found().status, { count: 1 });
});

test('the next write waits until everyMs has passed, unless it is forced; another object need not wait', async () => {
	const { writer, found, writes, clock } = world();
	assert.is(await writer.write(found(), { count: 1 }), undefined);
	await clock.pass(400);
	assert.equal(await writer.write(found(), { count: 2 }), { afterMs: 600 });
	assert.is(writes(), 1);
	assert.is(writer.waitMs('another') <= 0, true);
	assert.is(await writer.write(found(), { count: 3 }, { force: true }), undefined);
	assert.is(found().status?.count, 3);
	writer.forget(found().metadata.uid ?? '');
	assert.is(await writer.write(found(), { count: 4 }), undefined);
	assert.is(writes(), 3);
});

test('an object that was replaced or deleted is left alone; any other error is thrown', async () => {
	const { writer, found, api } = world();
	const old = { ...found(), metadata: { ...found().metadata, uid: 'another' } };
	await writer.write(old, { count: 1 });
	await writer.write({ metadata: { name: 'none', namespace: 'ci', uid: 'x' } }, { count: 1 });
	assert.is(found().status, undefined);
	api.fail('PATCH', /things/, new KubeError(503, '', 'down'));
	const failed = await writer.write(found(), { count: 1 }).catch((error: unknown) => error);
	assert.instance(failed, KubeError);
});

test('a condition that has become true is an Event once, a failure is a Warning and a line of the log', async () => {
	const { writer, found, sent, lines, clock } = world();
	const write = async (...conditions: Condition[]) => {
		await clock.pass(1_000);
		await writer.write(found(), { conditions });
	};
	await write(condition('Ready', 'all well'), condition('Moving', 'two go'), condition('Broken', 'no disk'));
	await write(condition('Moving', 'two go'), { ...condition('Broken', ''), status: 'False' });
	await write(condition('Moving', 'one goes'));
	assert.equal(sent, [
		'Thing Normal Moving Reconcile two go',
		'Thing Warning Broken Reconcile no disk',
		'Thing Normal Moving Reconcile one goes',
	]);
	assert.is(lines.length, 1);
	assert.match(lines[0] ?? '', /warn see its conditions/);
});

test('where only the reason counts, a new message is not reported', async () => {
	const { writer, found, sent, clock } = world('reason');
	for (const next of [
		condition('Moving', 'a'),
		condition('Moving', 'b'),
		condition('Moving', 'c', 'Other'),
	]) {
		await clock.pass(1_000);
		await writer.write(found(), { conditions: [next] });
	}
	assert.equal(
		sent.map((line) => line.at(-1)),
		['a', 'c'],
	);
});

test.run();

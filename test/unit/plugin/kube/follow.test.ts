import * as assert from 'uvu/assert';
import { record } from '../../../../admission/api/keys.ts';
import { followPods } from '../../../../plugin/kube/follow.ts';
import { Departures } from '../../../../plugin/runners/departures.ts';
import { suite } from '../../../support/suite.ts';
import {
	type FakeServer,
	fakeServer,
	type Handler,
	pod,
	podList,
	sendJson,
	watchLine,
} from '../fake-server.ts';

const test = suite<{ server?: FakeServer | undefined }>('plugin: following pods');

test.after.each(async (context) => {
	await context.server?.stop();
	context.server = undefined;
});

/** Follows until `enough` events were seen; the reported events, in order. */
async function follow(
	context: { server?: FakeServer | undefined },
	enough: number,
	handler: Handler,
): Promise<string[]> {
	context.server = await fakeServer(handler);
	const events: string[] = [];
	const stop = new AbortController();
	const tell = (text: string) => {
		events.push(text);
		if (events.length >= enough) stop.abort();
	};
	await followPods(
		context.server.client(),
		{ namespace: 'ci' },
		{
			seen: ({ metadata }) => tell(`seen ${metadata.name} ${metadata.resourceVersion}`),
			gone: ({ metadata }) => tell(`gone ${metadata.name}`),
			synced: () => tell('synced'),
			failure: (message) => tell(`failure ${message.replace(/127.*?\d+:\d+/, 'HOST')}`),
		},
		stop.signal,
	);
	return events;
}

test('a list, then its changes; the next watch goes on where the last one ended', async (context) => {
	let watches = 0;
	const events = await follow(context, 5, (_request, response, url) => {
		if (!url.searchParams.has('watch')) return sendJson(response, 200, podList(5, [pod('a', 4)]));
		watches++;
		if (watches === 1) {
			response.write(watchLine('MODIFIED', pod('a', 6)));
			response.end(watchLine('BOOKMARK', pod('', 9)));
		} else {
			assert.is(url.searchParams.get('resourceVersion'), '9');
			response.write(watchLine('ADDED', pod('b', 10)).slice(0, 20));
			setTimeout(() => response.write(watchLine('ADDED', pod('b', 10)).slice(20)), 20);
			setTimeout(() => response.write(watchLine('DELETED', pod('a', 11))), 40);
		}
	});
	assert.equal(events, ['seen a 4', 'synced', 'seen a 6', 'seen b 10', 'gone a']);
});

test('after a forgotten history (410) the pods are listed again, and those that went meanwhile are reported', async (context) => {
	let lists = 0;
	const events = await follow(context, 6, (_request, response, url) => {
		if (url.searchParams.has('watch')) {
			const gone = { kind: 'Status', code: 410, message: 'too old resource version', metadata: {} };
			return response.end(watchLine('ERROR', gone));
		}
		lists++;
		sendJson(response, 200, lists === 1 ? podList(5, [pod('a', 4), pod('b', 4)]) : podList(9, [pod('b', 8)]));
	});
	assert.equal(events, ['seen a 4', 'seen b 4', 'synced', 'gone a', 'seen b 8', 'synced']);
});

test('a server that fails for a while is tried again, and the failure is reported once', async (context) => {
	let requests = 0;
	const events = await follow(context, 4, (request, response, url) => {
		requests++;
		if (!url.searchParams.has('watch')) return sendJson(response, 200, podList(5, [pod('a', 4)]));
		if (requests === 2) return request.socket.destroy(); // a reused connection: sent again silently
		if (requests < 6) return sendJson(response, 503, { kind: 'Status', message: 'starting' });
		response.write(watchLine('MODIFIED', pod('a', 7)));
	});
	assert.equal(events, ['seen a 4', 'synced', 'failure starting', 'seen a 7']);
});

test('a right that is missing is an error at once, at the first list and at a later watch', async (context) => {
	const forbidden = { kind: 'Status', reason: 'Forbidden', message: 'no' };
	const deny: Handler = (_request, response) => sendJson(response, 403, forbidden);
	const listThenDeny: Handler = (_request, response, url) =>
		url.searchParams.has('watch')
			? sendJson(response, 403, forbidden)
			: sendJson(response, 200, podList(5, []));
	for (const handler of [deny, listThenDeny]) {
		let message = '';
		await follow(context, 9, handler).catch((error: Error) => {
			message = error.message;
		});
		assert.is(message, 'no');
		await context.server?.stop();
	}
});

test('an unreachable server is an error at the first list', async () => {
	const server = await fakeServer(() => {});
	await server.stop();
	const nobody = { seen: () => {}, gone: () => {} };
	let message = '';
	await followPods(server.client(), {}, nobody, new AbortController().signal).catch((error: Error) => {
		message = error.message;
	});
	assert.match(message, /was refused/);
});

const metadata = (name: string, more: object = {}) => ({
	metadata: { name, namespace: 'ci', uid: `uid-${name}`, annotations: {}, ...more },
	spec: { containers: [{ name: 'runner', env: [{ name: 'RUNNER_ORG', value: 'octo-org' }] }] },
});
const asked = {
	annotations: {
		[record.requestedAt]: '2026-11-23T12:00:00Z',
		[record.requestedBy]: 'alice',
		[record.proof]: 'x',
	},
};

test('departures: a pod that went between the request and the first list is gone, not waited for', async (context) => {
	context.server = await fakeServer((_request, response, url) => {
		if (!url.searchParams.has('watch')) sendJson(response, 200, podList(5, []));
	});
	const gone: string[] = [];
	const departures = new Departures({
		waiting: () => {},
		gone: (left) => gone.push(left.metadata.name),
		cancelled: () => {},
	});
	departures.add(metadata('a'));
	const end = await departures.follow(
		context.server.client(),
		{ namespace: 'ci' },
		0,
		new AbortController().signal,
	);
	assert.equal([end, gone], ['settled', ['a']]);
});

test('departures: a successor of the same name is not the pod that was waited for', async (context) => {
	context.server = await fakeServer((_request, response, url) => {
		if (!url.searchParams.has('watch'))
			sendJson(response, 200, podList(5, [pod('a', 4, { uid: 'uid-of-successor' })]));
	});
	const departures = new Departures({ waiting: () => {}, gone: () => {}, cancelled: () => {} });
	departures.add(metadata('a'));
	const end = await departures.follow(
		context.server.client(),
		{ namespace: 'ci' },
		5000,
		new AbortController().signal,
	);
	assert.is(end, 'settled');
});

test('departures: a record that disappears means that the deletion was cancelled; time and Ctrl-C end the wait', async (context) => {
	context.server = await fakeServer((_request, response, url) => {
		if (!url.searchParams.has('watch'))
			return sendJson(response, 200, podList(5, [pod('a', 4, asked), pod('b', 4, asked)]));
		if (url.searchParams.get('resourceVersion') === '5') response.write(watchLine('MODIFIED', pod('a', 6)));
	});
	const client = context.server.client();
	const cancelled: string[] = [];
	const events = {
		waiting: () => {},
		gone: () => {},
		cancelled: (kept: { metadata: { name: string } }) => cancelled.push(kept.metadata.name),
	};
	const departures = new Departures(events);
	departures.add(metadata('a'));
	departures.add(metadata('b'));
	const end = await departures.follow(client, { namespace: 'ci' }, 300, new AbortController().signal);
	assert.equal([end, cancelled], ['timeout', ['a']]);
	assert.equal(
		departures.pods.map((left) => left.metadata.name),
		['b'],
	);

	for (const withoutEndMs of [0, 720 * 3_600_000]) {
		const interrupt = new AbortController();
		setTimeout(() => interrupt.abort(), 100);
		assert.is(
			await departures.follow(client, { namespace: 'ci' }, withoutEndMs, interrupt.signal),
			'interrupted',
		);
	}
	assert.is(
		await departures.follow(client, { namespace: 'ci' }, 1.5, new AbortController().signal),
		'timeout',
	);
});

test.run();

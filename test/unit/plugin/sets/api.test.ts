/** How the plugin's verbs for sets get on with an API server that is not as usual. */

import * as assert from 'uvu/assert';
import { allSets, findSet, type RunnersSet } from '../../../../plugin/sets/api.ts';
import { followSets, SetModel } from '../../../../plugin/sets/follow.ts';
import { kinds } from '../../../../plugin/sets/names.ts';
import { scaleSet } from '../../../../plugin/sets/write-replicas.ts';
import { suite } from '../../../support/suite.ts';
import { autoscaler } from '../autoscalers/autoscaler.ts';
import {
	type FakeServer,
	fakeServer,
	type Handler,
	pod,
	podList,
	sendJson,
	watchLine,
} from '../fake-server.ts';

const test = suite('plugin: sets and the API server');

const api = '/apis/actions.summerwind.dev/v1alpha1/namespaces/ci';

function runnerSet(version: number, replicas: number, name = 'example'): RunnersSet {
	return {
		kind: 'RunnerSet',
		metadata: { name, namespace: 'ci', uid: `uid-${name}`, resourceVersion: String(version) },
		spec: { replicas, organization: 'octo-org', template: {} },
	};
}

async function withServer(handler: Handler, run: (server: FakeServer) => Promise<void>): Promise<void> {
	const server = await fakeServer(handler);
	try {
		await run(server);
	} finally {
		await server.stop();
	}
}

const conflict = { kind: 'Status', code: 409, reason: 'Conflict', message: 'the object has been modified' };

test('scale --current-replicas: after losing against another writer it checks the number again', async () => {
	let version = 1;
	const bodies: string[] = [];
	const handler: Handler = (request, response) => {
		if (request.method === 'GET') return sendJson(response, 200, runnerSet(version, 3));
		let body = '';
		request.on('data', (chunk: Buffer) => {
			body += chunk;
		});
		request.on('end', () => {
			bodies.push(body);
			if (version < 3) {
				version++;
				sendJson(response, 409, conflict);
			} else sendJson(response, 200, { metadata: {}, spec: { replicas: 5 } });
		});
	};
	await withServer(handler, async ({ client, requests }) => {
		const before = await scaleSet(client(), runnerSet(1, 3), 5, { currentReplicas: 3 }, false);
		assert.is(before.metadata.resourceVersion, '3');
		assert.equal(
			bodies,
			['1', '2', '3'].map((resourceVersion) =>
				JSON.stringify({ metadata: { resourceVersion }, spec: { replicas: 5 } }),
			),
		);
		assert.is(requests.filter((line) => line === `PATCH ${api}/runnersets/example/scale`).length, 3);
	});
});

test('scale without preconditions sends none; with a stale --resource-version nothing is sent', async () => {
	let body = '';
	const handler: Handler = (request, response) => {
		request.on('data', (chunk: Buffer) => {
			body += chunk;
		});
		request.on('end', () => sendJson(response, 200, { metadata: {}, spec: { replicas: 5 } }));
	};
	await withServer(handler, async ({ client, requests }) => {
		await scaleSet(client(), runnerSet(1, 3), 5, {}, true);
		assert.is(body, '{"spec":{"replicas":5}}');
		assert.equal(requests, [`PATCH ${api}/runnersets/example/scale?dryRun=All`]);
		try {
			await scaleSet(client(), runnerSet(1, 3), 5, { resourceVersion: '9' }, false);
			assert.unreachable();
		} catch (error) {
			assert.is((error as Error).message, 'error: Expected resource version to be 9, was 1');
		}
		assert.is(requests.length, 1);
	});
});

/** RunnerSets are there, RunnerDeployments are no kind that this cluster knows. */
const oneKind: Handler = (_request, response, url) => {
	if (url.pathname.includes('runnerdeployments')) {
		response.writeHead(404, { 'content-type': 'text/plain' });
		response.end('404 page not found\n');
	} else if (url.searchParams.has('watch')) {
		response.writeHead(200);
		response.write(watchLine('MODIFIED', { ...runnerSet(6, 2), kind: undefined }));
	} else if (url.pathname === '/api/v1/namespaces/ci/pods') {
		const labels = { 'runnerset-name': 'example' };
		sendJson(
			response,
			200,
			podList(5, [{ ...pod('a-0', 1, { labels }), spec: { containers: [{ name: 'runner' }] } }]),
		);
	} else if (url.pathname === `${api}/runnersets`) {
		sendJson(response, 200, { metadata: { resourceVersion: '5' }, items: [runnerSet(5, 1)] });
	} else sendJson(response, 200, runnerSet(5, 1));
};

test('a cluster that knows only one of the kinds: its sets are found, listed and followed', async () => {
	await withServer(oneKind, async (server) => {
		const client = server.client();
		assert.is((await findSet(client, { name: 'example' })).metadata.name, 'example');
		assert.is((await allSets(client, kinds, { namespace: 'ci' })).length, 1);
		const replicas: (number | null | undefined)[] = [];
		const enough = new AbortController();
		let synced = 0;
		await followSets(
			client,
			{ namespace: 'ci' },
			{
				seen: (set) => {
					assert.is(set.kind, 'RunnerSet');
					if (replicas.push(set.spec.replicas) === 2) enough.abort();
				},
				gone: () => assert.unreachable(),
				synced: () => synced++,
			},
			enough.signal,
		);
		assert.equal([replicas, synced], [[1, 2], 1]);
	});
});

test('asking for a kind that is not installed says so, and what to use instead', async () => {
	await withServer(oneKind, async (server) => {
		const client = server.client();
		const never = new AbortController().signal;
		const observer = { seen: () => undefined, gone: () => undefined };
		const named = [{ kind: 'RunnerDeployment', name: 'a' }] as const;
		for (const ask of [
			() => findSet(client, { kind: 'RunnerDeployment', name: 'a' }),
			() => allSets(client, ['RunnerDeployment'], {}),
			() => followSets(client, { namespace: 'ci', named }, observer, never),
		]) {
			try {
				await ask();
				assert.unreachable();
			} catch (error) {
				assert.match(
					(error as Error).message,
					/^error: the server doesn't have a resource type "runnerdeployments"\n.*kubectl runners list$/,
				);
			}
		}
	});
});

test('a tree is first shown when its sets and its runners are known; a missing right ends it with an error', async () => {
	await withServer(oneKind, async (server) => {
		const model = new SetModel();
		const once = new AbortController();
		await model.follow(
			server.client(),
			{ namespace: 'ci' },
			() => once.abort(),
			() => undefined,
			once.signal,
		);
		assert.equal(
			model.sets.map(({ set, runners }) => [set.metadata.name, runners.map(({ metadata }) => metadata.name)]),
			[['example', ['a-0']]],
		);
	});
	const forbidden: Handler = (request, response, url) =>
		url.pathname.endsWith('/pods')
			? sendJson(response, 403, { kind: 'Status', reason: 'Forbidden', message: 'pods is forbidden' })
			: oneKind(request, response, url);
	await withServer(forbidden, async (server) => {
		const never = new AbortController().signal;
		try {
			await new SetModel().follow(
				server.client(),
				{ namespace: 'ci' },
				() => undefined,
				() => undefined,
				never,
			);
			assert.unreachable();
		} catch (error) {
			assert.is((error as Error).message, 'pods is forbidden');
		}
	});
});

for (const [what, answer, expected] of [
	['there', 200, 'example'],
	['not to be read by this user', 403, undefined],
	['of no kind that the server has', 404, undefined],
] as const) {
	test(`autoscalers that are ${what}: the tree is shown all the same`, async () => {
		const handler: Handler = (request, response, url) => {
			if (!url.pathname.endsWith('/horizontalrunnerautoscalers')) return oneKind(request, response, url);
			if (url.searchParams.has('watch')) return void response.writeHead(200).flushHeaders();
			const found = { metadata: { resourceVersion: '3' }, items: [autoscaler()] };
			sendJson(response, answer, answer === 200 ? found : { kind: 'Status', code: answer, message: 'no' });
		};
		await withServer(handler, async (server) => {
			const model = new SetModel();
			const once = new AbortController();
			await model.follow(
				server.client(),
				{ namespace: 'ci', autoscalers: true },
				() => once.abort(),
				() => undefined,
				once.signal,
			);
			assert.equal(
				model.sets.map(({ autoscaler: found }) => found?.metadata.name),
				[expected],
			);
		});
	});
}

test.run();

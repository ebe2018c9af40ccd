/** `why` of a pod that is gone, and `list --ended`: what the lists in ConfigMaps say, whoever has written into them. */
import * as assert from 'uvu/assert';
import { type EndedRunner, endedRunners } from '../../../../admission/api/ended-runners.ts';
import { listEnded } from '../../../../plugin/ended/api.ts';
import { getPod } from '../../../../plugin/kube/pods.ts';
import { isPodList } from '../../../../plugin/verbs/list/is-pod-list.ts';
import { endedData, endedText, explainGone } from '../../../../plugin/verbs/why/ended.ts';
import { suite } from '../../../support/suite.ts';
import { fakeServer, sendJson } from '../fake-server.ts';

const test = suite('plugin: runners that died');

const nowMs = Date.parse('2026-11-23T12:00:00Z');
const entry = (pod: string, agoMs: number, change: Partial<EndedRunner> = {}): EndedRunner => ({
	pod,
	uid: `uid-${pod}`,
	restarts: 0,
	runner: pod,
	reason: 'out-of-memory',
	container: 'runner',
	exitCode: 137,
	endedAt: new Date(nowMs - agoMs).toISOString(),
	...change,
});
const configMap = (set: string | undefined, ...entries: EndedRunner[]) => ({
	metadata: {
		name: 'x',
		namespace: 'ci',
		...(set ? { ownerReferences: [{ apiVersion: 'v1', kind: 'RunnerSet', name: set, uid: 'u' }] } : {}),
	},
	data: { [endedRunners.key]: JSON.stringify(entries) },
});

/** No pod is there; `maps` are the ConfigMaps, in pages; a number is the status of the refusal. */
async function cluster(maps: readonly object[][] | number) {
	return fakeServer((_request, response, url) => {
		if (!url.pathname.endsWith('/configmaps'))
			return sendJson(response, 404, { kind: 'Status', code: 404, message: 'pods "r1" not found' });
		if (typeof maps === 'number') return sendJson(response, maps, { kind: 'Status', code: maps });
		const page = Number(url.searchParams.get('continue') ?? 0);
		const next = page + 1 < maps.length ? String(page + 1) : '';
		sendJson(response, 200, { items: maps[page], metadata: { continue: next } });
	});
}

async function whyGone(maps: readonly object[][] | number, name = 'r1') {
	const server = await cluster(maps);
	try {
		const client = server.client();
		const error = await getPod(client, 'ci', name).catch((reason: unknown) => reason);
		return { ended: await explainGone(client, name, error, nowMs), requests: server.requests };
	} finally {
		await server.stop();
	}
}

test('a pod that is gone: why it died, by the newest of its name, in one request', async () => {
	const log = ['first', 'last \u001b[2J'];
	const job = {
		name: 'build (octo-org/app, run 42)',
		url: 'https://github.com/octo-org/app/actions/runs/42',
	};
	const died = entry('r1', 3_600_000, { node: 'node-1', limits: { memory: '4Gi' }, job, log });
	const { ended, requests } = await whyGone([
		[
			configMap('other', entry('r2', 0)),
			configMap('linux', died, entry('r1', 7_200_000, { reason: 'evicted' })),
		],
	]);
	assert.ok(ended);
	assert.is(requests.length, 2);
	assert.match(
		requests[1] ?? '',
		'/namespaces/ci/configmaps?labelSelector=actions-runner/ended-runners=true',
	);
	const text = endedText(ended, nowMs);
	for (const expected of [
		/^Pod: +ci\/r1 is gone; it was on node node-1$/m,
		/^Ended: +out-of-memory: the kernel killed it/m,
		/^When: +60m ago, at 2026-11-23T11:00:00.000Z$/m,
		/^Container: +runner, exit code 137$/m,
		/^Limits: +memory 4Gi$/m,
		/^Runner: +r1, set RunnerSet\/linux$/m,
		/^Job: +build \(octo-org\/app, run 42\), https:\/\/github.com\/octo-org\/app\/actions\/runs\/42$/m,
		/^Log: +first\n +last \?\[2J$/m,
	])
		assert.match(text, expected);
	const { verdict, reason, set } = endedData(ended) as Record<string, unknown>;
	assert.equal([verdict, reason, set], ['gone', 'out-of-memory', 'RunnerSet/linux']);
});

test('nothing is known of it, or ConfigMaps may not be listed: the answer is that there is no such pod', async () => {
	for (const maps of [
		[[]],
		[[configMap('linux', entry('r2', 0))]],
		[[configMap('linux', entry('r1', 26 * 3_600_000))]],
		403,
	])
		assert.is((await whyGone(maps)).ended, undefined);
});

test('all lists of all namespaces, newest first, page by page', async () => {
	const server = await cluster([
		[configMap('a', entry('r1', 1_000)), { metadata: { name: 'broken', namespace: 'ci' }, data: { x: 'y' } }],
		[configMap(undefined, entry('r2', 500), entry('r3', 2_000))],
	]);
	const found = await listEnded(server.client(), undefined, nowMs);
	assert.equal(
		found.map(({ pod, set }) => `${pod} ${set}`),
		['r2 undefined', 'r1 RunnerSet/a', 'r3 undefined'],
	);
	assert.is(server.requests.filter((request) => request.startsWith('GET /api/v1/configmaps?')).length, 2);
	await server.stop();
});

test('list --ended is answered by the second bundle: the first does not know it', () => {
	assert.ok(isPodList(['list', '-A']));
	assert.not(isPodList(['list', '--ended']));
	assert.not(isPodList(['list', '-A', '--ended=true']));
});

test.run();

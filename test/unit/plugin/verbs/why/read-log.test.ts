/** The runner's log as the plugin reads it, with its user's rights. */
import * as assert from 'uvu/assert';
import { readOwner } from '../../../../../plugin/verbs/why/owner.ts';
import { readLog } from '../../../../../plugin/verbs/why/read-log.ts';
import { suite } from '../../../../support/suite.ts';
import { type FakeServer, fakeServer, type Handler, sendJson } from '../../fake-server.ts';

const test = suite<{ server: FakeServer | undefined }>("plugin: why, the runner's log");

test.after.each((context) => context.server?.stop());

const runner = { namespace: 'ci', name: 'r1', process: { state: 'running', sinceMs: undefined } } as const;

async function read(context: { server: FakeServer | undefined }, handler: Handler) {
	context.server = await fakeServer(handler);
	return readLog(context.server.client(), runner);
}

const status = (code: number, reason: string) => ({
	kind: 'Status',
	code,
	reason,
	message: `${reason} it is`,
});

test('one bounded request, of the container runner', async (context) => {
	const reading = await read(context, (_, response) =>
		response.end('2026-11-26 15:22:23Z: Listening for Jobs\n2026-11-26 15:22:24Z: Running job: build\n'),
	);
	assert.equal(reading, { says: 'works', at: '2026-11-26 15:22:24Z', job: 'build' });
	assert.equal(context.server?.requests, [
		'GET /api/v1/namespaces/ci/pods/r1/log?container=runner&tailLines=200&limitBytes=131072',
	]);
});

test('where the last lines do not tell, once more and further back', async (context) => {
	const chatter = 'a line\n'.repeat(200);
	const reading = await read(context, (_, response, url) =>
		response.end(
			(url.searchParams.get('tailLines') === '200' ? '' : '2026-11-26 15:22:23Z: Listening for Jobs\n') +
				chatter,
		),
	);
	assert.is(reading.says, 'idle');
	assert.is(context.server?.requests.length, 2);
});

test('a log without end, from a server that heeds no limit: no more is read than was asked for', async (context) => {
	let ended = 0;
	const reading = await read(context, (_, response) => {
		const more = () => response.write('x'.repeat(64 * 1024)) && setImmediate(more);
		response.on('drain', more).on('close', () => ended++);
		more();
	});
	assert.equal(reading, { says: 'unknown', why: 'its log is too long to be read to its end' });
	assert.is(context.server?.requests.length, 1);
	for (let tries = 0; ended === 0 && tries < 100; tries++)
		await new Promise((resolve) => setTimeout(resolve, 10));
	assert.is(ended, 1, 'the connection has been ended');
});

test('without the right, it says so and who has it', async (context) => {
	const reading = await read(context, (_, response) => sendJson(response, 403, status(403, 'Forbidden')));
	assert.equal(reading, {
		says: 'unknown',
		why: 'you may not get pods/log in namespace ci; the ClusterRoles view, runners-edit and runners-admin may',
	});
});

test('a kubelet that does not answer, or a cut connection: unknown, and why', async (context) => {
	const failed = await read(context, (_, response) => sendJson(response, 500, status(500, 'InternalError')));
	assert.equal(failed, { says: 'unknown', why: 'its log cannot be read: InternalError it is' });
	await context.server?.stop();
	const cut = await read(context, (request) => request.socket.destroy());
	assert.is(cut.says, 'unknown');
	assert.match(cut.says === 'unknown' ? cut.why : '', /^its log cannot be read: /);
});

test('a runner whose container does not run is not asked for its log', async (context) => {
	context.server = await fakeServer((_, response) => response.end());
	const reading = await readLog(context.server.client(), { ...runner, process: { state: 'exited' } });
	assert.equal(reading, { says: 'unknown', why: 'its container does not run' });
	assert.equal(context.server.requests, []);
});

test("a scale set's EphemeralRunner: read where there is one, and why it can't be", async (context) => {
	const owner = { name: 'r1', uid: 'u', found: false };
	context.server = await fakeServer((_, response) => sendJson(response, 403, status(403, 'Forbidden')));
	const client = context.server.client();
	assert.is(await readOwner(client, { namespace: 'ci', owner: undefined }), undefined);
	assert.equal(await readOwner(client, { namespace: 'ci', owner }), {
		unread: 'you may not get ephemeralrunners in namespace ci',
	});
	await context.server.stop();
	context.server = await fakeServer((_, response) => sendJson(response, 404, status(404, 'NotFound')));
	assert.equal(await readOwner(context.server.client(), { namespace: 'ci', owner }), {
		unread: 'it is gone',
	});
	assert.equal(context.server.requests, [
		'GET /apis/actions.github.com/v1alpha1/namespaces/ci/ephemeralrunners/r1',
	]);
});

test.run();

/** What is sent to the API server for each write, above all in a dry run. */
import type { IncomingMessage } from 'node:http';
import * as assert from 'uvu/assert';
import { guardAnswers } from '../../../../plugin/guard/probe.ts';
import { checkSteps, refuseConflicts } from '../../../../plugin/installation/apply.ts';
import type { Manifest } from '../../../../plugin/installation/manifest.ts';
import { Objects } from '../../../../plugin/installation/objects.ts';
import { suite } from '../../../support/suite.ts';
import { type FakeServer, fakeServer, sendJson } from '../fake-server.ts';

interface Sent {
	call: string;
	body: Record<string, unknown> | undefined;
}

interface Context {
	server: FakeServer;
	/** All but reads. */
	sent: Sent[];
	/** What the next write is answered with. */
	answer: { code: number; body: object; warning?: string };
}

const test = suite<Context>('install: objects');

const service: Manifest = {
	apiVersion: 'v1',
	kind: 'Service',
	metadata: { name: 's', namespace: 'n', uid: 'u' },
};

async function bodyOf(request: IncomingMessage): Promise<Sent['body']> {
	const text = Buffer.concat(await request.toArray()).toString();
	return text === '' ? undefined : JSON.parse(text);
}

test.before.each(async (context) => {
	context.sent = [];
	context.answer = { code: 200, body: service };
	context.server = await fakeServer(async (request, response, url) => {
		if (url.pathname === '/api/v1') {
			const resources = [{ name: 'services', kind: 'Service', namespaced: true, verbs: ['list'] }];
			return sendJson(response, 200, { resources });
		}
		if (request.method === 'GET') return sendJson(response, 404, { kind: 'Status', reason: 'NotFound' });
		context.sent.push({ call: `${request.method} ${request.url}`, body: await bodyOf(request) });
		const { code, body, warning } = context.answer;
		if (warning) response.setHeader('warning', `299 - "${warning}"`);
		sendJson(response, code, body);
	});
});
test.after.each(({ server }) => server.stop());

test('a removal names the object that was read, and says in its body that it is a dry run', async ({
	server,
	sent,
}) => {
	const options = {
		apiVersion: 'v1',
		kind: 'DeleteOptions',
		propagationPolicy: 'Background',
		preconditions: { uid: 'u' },
	};
	await new Objects(server.client()).remove(service);
	await new Objects(server.client(), 'server').remove(service);
	const call = 'DELETE /api/v1/namespaces/n/services/s';
	assert.equal(sent, [
		{ call, body: options },
		{ call, body: { ...options, dryRun: ['All'] } },
	]);
});

test("a dry run of the client's sends no removal and no patch", async ({ server, sent }) => {
	const api = new Objects(server.client(), 'client');
	assert.ok(await api.remove(service));
	assert.ok(await api.patch(service, {}));
	assert.equal(sent, []);
});

test('apply: our field manager, no force unless asked for, dry runs as such', async ({ server, sent }) => {
	await new Objects(server.client()).apply(service);
	await new Objects(server.client()).apply(service, { check: true, force: true });
	await new Objects(server.client(), 'server').apply(service);
	const query = (force: boolean, dryRun: string) =>
		`PATCH /api/v1/namespaces/n/services/s?fieldManager=kubectl-runners&force=${force}${dryRun}`;
	assert.equal(
		sent.map(({ call }) => call),
		[query(false, ''), query(true, '&dryRun=All'), query(false, '&dryRun=All')],
	);
});

test('an object that does not exist is not an error; a kind that is not served is an error for apply', async (context) => {
	const api = new Objects(context.server.client());
	context.answer = { code: 404, body: { kind: 'Status', reason: 'NotFound' } };
	assert.not.ok(await api.remove(service));
	assert.is(await api.get(service), undefined);
	const certificate: Manifest = {
		apiVersion: 'cert-manager.io/v1',
		kind: 'Certificate',
		metadata: { name: 'c' },
	};
	assert.not.ok(await api.remove(certificate));
	const error = await api.apply(certificate).catch((thrown: unknown) => thrown);
	assert.match(String(error), 'no matches for kind "Certificate" in version "cert-manager.io/v1"');
});

test('conflicts: who owns which field, in three lines, and how to take it', async (context) => {
	const cause = (manager: string, field: string) => ({
		reason: 'FieldManagerConflict',
		message: `conflict with "${manager}" using v1`,
		field,
	});
	const details = { causes: [cause('argocd', '.spec.a'), cause('argocd', '.spec.b')] };
	context.answer = { code: 409, body: { kind: 'Status', reason: 'Conflict', details } };
	const api = new Objects(context.server.client());
	const checked = await checkSteps(api, [{ object: service, before: service }], false);
	assert.throws(
		() => refuseConflicts(checked),
		(error: Error) =>
			error.message ===
			'error: service/s: "argocd" owns .spec.a (and 1 more), which would be changed\nNothing was changed. To take these fields over, use --force-conflicts',
	);
	refuseConflicts([{ object: service, before: service, after: service, conflicts: [] }]);
});

test('the guard answers: only a 404 that comes with its own warning proves it', async (context) => {
	const client = context.server.client();
	const notFound = { kind: 'Status', reason: 'NotFound' };
	context.answer = { code: 404, body: notFound, warning: 'runners-admission answers' };
	assert.ok(await guardAnswers(client));
	assert.equal(context.sent[0]?.body?.deleteOptions, { dryRun: ['All'] });
	context.answer = { code: 404, body: notFound, warning: 'something else' };
	assert.not.ok(await guardAnswers(client));
	context.answer = { code: 404, body: notFound };
	assert.not.ok(await guardAnswers(client));
});

test.run();

/** Install: the namespaces that contain only runners are named, and labelled only if that is asked for. */
import * as assert from 'uvu/assert';
import type { DryRun } from '../../../../plugin/cli/flag-types.ts';
import { Objects } from '../../../../plugin/installation/objects.ts';
import { offerFailClosed } from '../../../../plugin/installation/offer-fail-closed.ts';
import { suite } from '../../../support/suite.ts';
import { fakeServer, pod, podList, sendJson } from '../fake-server.ts';

const test = suite('install: evictions that fail closed');

interface Offered {
	said: string[];
	warned: string[];
	patched: string[];
	error?: string;
}

/** What it says about a cluster with a runner in each of these namespaces, besides `web`, which has another pod. */
async function offered(names: string[], set: boolean, dryRun: DryRun = 'none', code = 200): Promise<Offered> {
	const all = [...names, 'web', 'runners-system'];
	const server = await fakeServer((_request, response, { pathname }) => {
		if (code !== 200)
			return sendJson(response, code, { kind: 'Status', code, message: 'you cannot list namespaces' });
		if (pathname === '/api/v1/namespaces')
			return sendJson(response, 200, { items: all.map((name) => ({ metadata: { name } })) });
		if (pathname !== '/api/v1/pods') return sendJson(response, 200, { metadata: {} });
		const runners = all.map((namespace) => pod('r-0', 1, { namespace }));
		const web = { metadata: { name: 'web-0', namespace: 'web' }, spec: { containers: [{ name: 'web' }] } };
		sendJson(response, 200, podList(1, [...runners, web]));
	});
	const result: Offered = { said: [], warned: [], patched: [] };
	await offerFailClosed(
		new Objects(server.client(), dryRun),
		{ serverNamespace: 'runners-system', set },
		{ say: (line) => result.said.push(line), warn: (line) => result.warned.push(line) },
	).catch((error: Error) => {
		result.error = error.message;
	});
	result.patched = server.requests.filter((request) => request.startsWith('PATCH'));
	await server.stop();
	return result;
}

const ask = 'To refuse evictions there while no replica answers: kubectl runners protect';

test('by default they are named, with the command to type, and nothing is written', async () => {
	assert.equal(await offered(['ci'], false), {
		said: [`Namespace ci contains only runners. ${ask} ci`],
		warned: [],
		patched: [],
	});
	const { said } = await offered(['ci', 'b'], false);
	assert.equal(said, [`2 namespaces contain only runners: b, ci. ${ask} b ci`]);
});

test('where there is none, nothing is said', async () => {
	assert.equal(await offered([], false), { said: [], warned: [], patched: [] });
});

test('of 200 namespaces ten are named', async () => {
	const names = Array.from({ length: 200 }, (_, index) => `ci-${100 + index}`);
	const { said } = await offered(names, false);
	assert.is(said.length, 1);
	assert.match(
		said[0]!,
		/^200 namespaces contain only runners: ci-100, .*ci-109 and 190 more\. .* ci-108 ci-109$/,
	);
});

test('--evictions=fail-closed sets the label on them', async () => {
	assert.equal(await offered(['ci'], true), {
		said: ['namespace/ci labeled actions-runner/evictions=fail-closed'],
		warned: [],
		patched: ['PATCH /api/v1/namespaces/ci'],
	});
});

test('... in a dry run it does not', async () => {
	const asked = await offered(['ci'], true, 'server');
	assert.equal(asked.patched, ['PATCH /api/v1/namespaces/ci?dryRun=All']);
	assert.match(asked.said[0]!, /fail-closed \(server dry run\)$/);
	assert.equal((await offered(['ci'], true, 'client')).patched, []);
});

test('what may not be read is a warning, and an error only where the label was asked for', async () => {
	assert.equal(await offered(['ci'], false, 'none', 403), {
		said: [],
		warned: ['Warning: not checked which namespaces contain only runners: you cannot list namespaces'],
		patched: [],
	});
	assert.is((await offered(['ci'], true, 'none', 403)).error, 'you cannot list namespaces');
});

test.run();

import * as assert from 'uvu/assert';
import { progress, record } from '../../../../../admission/api/keys.ts';
import { type Installed, installPlugin } from '../../../../e2e/support/plugin-process.ts';
import { suite } from '../../../../support/suite.ts';
import { fakeServer, sendJson } from '../../fake-server.ts';

const test = suite<{ plugin: Installed }>('plugin: cancel against other writers');

test.before(async (context) => {
	context.plugin = await installPlugin();
});
test.after(async ({ plugin }) => plugin?.remove());

const recorded = {
	[record.requestedAt]: '2026-11-23T12:00:00Z',
	[record.requestedBy]: 'alice',
	[record.proof]: 'signed',
};

/** Cancels while another writer changes the pod before each of our first `conflicts` patches. */
async function cancel(plugin: Installed, conflicts: number, changedTo: Record<string, string>) {
	let version = 1;
	const patches: { metadata: { resourceVersion: string; uid: string; annotations: Record<string, null> } }[] =
		[];
	const server = await fakeServer((request, response) => {
		const annotations = version === 1 ? recorded : changedTo;
		const metadata = {
			name: 'r-0',
			namespace: 'default',
			uid: 'u',
			resourceVersion: String(version),
			annotations,
		};
		const pod = { metadata, spec: { containers: [{ name: 'runner', env: [{ name: 'RUNNER_ORG' }] }] } };
		if (request.method === 'GET') return sendJson(response, 200, pod);
		let body = '';
		request.on('data', (chunk) => {
			body += chunk;
		});
		request.on('end', () => {
			patches.push(JSON.parse(body));
			const conflict = {
				kind: 'Status',
				code: 409,
				reason: 'Conflict',
				message: 'the object has been modified',
			};
			if (patches.length > conflicts) return sendJson(response, 200, pod);
			version++;
			sendJson(response, 409, conflict);
		});
	});
	const finished = await plugin.run(['cancel', 'r-0', '-s', server.url], { KUBECONFIG: '/dev/null' });
	await server.stop();
	return { ...finished, patches };
}

test('the record is removed in one patch, and only if the pod is as it was read', async ({ plugin }) => {
	const { code, patches } = await cancel(plugin, 0, {});
	assert.is(code, 0);
	assert.equal(patches, [
		{
			metadata: {
				uid: 'u',
				resourceVersion: '1',
				annotations: {
					[record.requestedAt]: null,
					[record.requestedBy]: null,
					[record.options]: null,
					[record.proof]: null,
					[progress.attempt]: null,
				},
			},
		},
	]);
});

test('a write of somebody else in between is harmless: cancel tries again', async ({ plugin }) => {
	const { code, patches } = await cancel(plugin, 1, recorded);
	assert.equal([code, patches.map(({ metadata }) => metadata.resourceVersion)], [0, ['1', '2']]);
});

test('the server was faster: the runner is unregistered, and cancel says that it is too late', async ({
	plugin,
}) => {
	const { code, stdout, stderr, patches } = await cancel(plugin, 1, {
		...recorded,
		[progress.runnerId]: '7',
		[progress.completedAt]: 'now',
		[progress.proof]: 'signed',
	});
	assert.equal([code, stdout, patches.length], [1, '', 1]);
	assert.match(
		stderr,
		/^error: the deletion of pod "r-0" cannot be cancelled: its runner was unregistered from GitHub at now\n$/,
	);
});

test('a pod that changes all the time is given up after five tries', async ({ plugin }) => {
	const { code, stderr, patches } = await cancel(plugin, 99, recorded);
	assert.equal([code, patches.length], [1, 5]);
	assert.is(stderr, 'Error from server (Conflict): the object has been modified\n');
});

test('one annotation of a record is left: it is removed as well, for the server carries out nothing', async ({
	plugin,
}) => {
	const left = { [record.requestedAt]: '2026-11-23T12:00:00Z' };
	const { code, stdout, patches } = await cancel(plugin, 1, left);
	assert.equal([code, patches.length], [0, 2]);
	assert.match(stdout, /pod\/r-0 had parts of a recorded deletion, which are removed/);
	const none = await cancel(plugin, 1, { team: 'a' });
	assert.match(none.stdout, /pod\/r-0 has no recorded deletion/);
});

test.run();

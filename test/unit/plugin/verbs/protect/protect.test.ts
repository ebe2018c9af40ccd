import * as assert from 'uvu/assert';
import { type Finished, type Installed, installPlugin } from '../../../../e2e/support/plugin-process.ts';
import { suite } from '../../../../support/suite.ts';
import { fakeServer, type Handler, pod, podList, sendJson } from '../../fake-server.ts';

const test = suite<{ plugin: Installed }>('plugin: protect');
test.before(async (context) => {
	context.plugin = await installPlugin();
});
test.after(async ({ plugin }) => plugin?.remove());

/** A patch, as `namespace?query label contentType`. */
type Written = string[];

const other = (name: string, more: object = {}) => ({
	metadata: { name, namespace: 'ci' },
	spec: { containers: [{ name: 'web' }] },
	status: { phase: 'Running' },
	...more,
});
const jobPod = {
	...other('r-0-workflow'),
	metadata: { name: 'r-0-workflow', namespace: 'ci', labels: { 'runner-pod': 'r-0' } },
	spec: { containers: [{ name: 'job' }] },
};
const ended = other('migrate', { status: { phase: 'Succeeded' } });

/** Namespaces with these pods each; a patch is answered with `code`. */
function cluster(pods: object[], written: Written, code = 200): Handler {
	return (request, response, { pathname, search }) => {
		if (request.method === 'GET' && /^\/api\/v1\/namespaces\/\w+\/pods$/.test(pathname))
			return sendJson(response, 200, podList(1, pods));
		if (request.method !== 'PATCH') return sendJson(response, 404, { kind: 'Status', code: 404 });
		let text = '';
		request.on('data', (chunk: Buffer) => {
			text += chunk;
		});
		request.on('end', () => {
			written.push(`${pathname}${search} ${text} ${request.headers['content-type']}`);
			const name = pathname.split('/').at(-1);
			if (code === 200) return sendJson(response, 200, { metadata: { name } });
			const [reason, why] =
				code === 403
					? ['Forbidden', `is forbidden: User "dev" cannot patch resource "namespaces" in API group ""`]
					: ['NotFound', 'not found'];
			sendJson(response, code, { kind: 'Status', code, reason, message: `namespaces "${name}" ${why}` });
		});
	};
}

async function run(plugin: Installed, handler: Handler, ...args: string[]): Promise<Finished> {
	const server = await fakeServer(handler);
	try {
		return await plugin.run(['protect', ...args, '-s', server.url], { KUBECONFIG: '/dev/null' });
	} finally {
		await server.stop();
	}
}

const patch = (name: string, value: string | null, query = '') =>
	`/api/v1/namespaces/${name}${query} ${JSON.stringify({ metadata: { labels: { 'actions-runner/evictions': value } } })} application/merge-patch+json`;
const runners = [pod('r-0', 1), jobPod, ended];

test('a namespace of runners gets the label by one patch, and a line says what it means', async ({
	plugin,
}) => {
	const written: Written = [];
	const { code, stdout, stderr } = await run(
		plugin,
		cluster(runners, written),
		'ci',
		'namespace/ci',
		'other',
	);
	assert.equal(
		[code, stderr, stdout],
		[
			0,
			'',
			['ci', 'other']
				.map(
					(name) =>
						`namespace/${name} labeled: evictions there are refused while no replica of the guard answers\n`,
				)
				.join(''),
		],
	);
	assert.equal(written.sort(), [patch('ci', 'fail-closed'), patch('other', 'fail-closed')]);
});

test('--off removes it, whatever pods there are', async ({ plugin }) => {
	const written: Written = [];
	const { code, stdout } = await run(plugin, cluster([other('web-0')], written), 'ci', '--off');
	assert.is(code, 0);
	assert.match(stdout, /^namespace\/ci unlabeled: evictions there pass while no replica .*\n$/);
	assert.equal(written, [patch('ci', null)]);
});

test('with other pods it is refused, which names up to three of them; --force sets it', async ({
	plugin,
}) => {
	const written: Written = [];
	const handler = cluster([...runners, ...[4, 2, 0, 3, 1].map((index) => other(`web-${index}`))], written);
	const { code, stdout, stderr } = await run(plugin, handler, 'ci');
	assert.equal([code, stdout, written], [1, '', []]);
	assert.is(
		stderr,
		'error: namespace "ci" has 5 other pods (web-0, web-1, web-2 and 2 more), which could not be evicted while no replica answers; --force sets the label anyway\n',
	);
	const dry = await run(plugin, handler, 'ci', '--dry-run');
	assert.equal([dry.code, dry.stderr, written], [1, stderr, []]);
	assert.is((await run(plugin, handler, 'ci', '--force')).code, 0);
	assert.equal(written, [patch('ci', 'fail-closed')]);
});

test('a dry run of the client writes nothing, one of the server asks it', async ({ plugin }) => {
	const written: Written = [];
	const handler = cluster(runners, written);
	assert.match((await run(plugin, handler, 'ci', '--dry-run')).stdout, / answers \(dry run\)\n$/);
	assert.equal(written, []);
	assert.match((await run(plugin, handler, 'ci', '--dry-run=server')).stdout, / \(server dry run\)\n$/);
	assert.equal(written, [patch('ci', 'fail-closed', '?dryRun=All')]);
});

test('without the right to patch namespaces: which right it needs, in one line', async ({ plugin }) => {
	const { code, stdout, stderr } = await run(plugin, cluster(runners, [], 403), 'ci');
	assert.equal([code, stdout], [1, '']);
	assert.is(
		stderr,
		'Error from server (Forbidden): namespaces "ci" is forbidden: User "dev" cannot patch resource "namespaces" in API group ""; the label needs the right to patch namespaces, which none of the roles runners-* has\n',
	);
});

test('a namespace that does not exist', async ({ plugin }) => {
	const { code, stderr } = await run(plugin, cluster([], [], 404), 'nowhere');
	assert.equal([code, stderr], [1, 'Error from server (NotFound): namespaces "nowhere" not found\n']);
});

test.run();

/** `kubectl runners autoscale`, and `scale` and `drain` of a set that has an autoscaler, against an API server. */
import * as assert from 'uvu/assert';
import type { HorizontalRunnerAutoscaler } from '../../../../../admission/api/autoscale.ts';
import { type Finished, type Installed, installPlugin } from '../../../../e2e/support/plugin-process.ts';
import { suite } from '../../../../support/suite.ts';
import { autoscaler } from '../../autoscalers/autoscaler.ts';
import { fakeServer, type Handler, sendJson } from '../../fake-server.ts';

const test = suite<{ plugin: Installed }>('plugin: autoscale');
test.before(async (context) => {
	context.plugin = await installPlugin();
});
test.after(async ({ plugin }) => plugin?.remove());

interface Written {
	method: string;
	path: string;
	body: { metadata?: { resourceVersion?: string; uid?: string }; spec?: Record<string, unknown> };
}

const failure = (code: number, reason: string, details: object = {}) => ({
	kind: 'Status',
	code,
	reason,
	message: `${reason} of the test`,
	details,
});

/** A namespace with the RunnerSet `example`; `conflicts` writes lose against somebody else. */
function namespace(
	autoscalers: HorizontalRunnerAutoscaler[] | number,
	written: Written[],
	conflicts = 0,
): Handler {
	let left = conflicts;
	return (request, response, { pathname }) => {
		const [, resource = '', name] = /\/namespaces\/ci\/(\w+)(?:\/(.*))?$/.exec(pathname) ?? [];
		const read = request.method === 'GET';
		if (read && resource === 'horizontalrunnerautoscalers') {
			if (typeof autoscalers === 'number') return sendJson(response, autoscalers, failure(autoscalers, 'No'));
			return sendJson(response, 200, { items: autoscalers });
		}
		const set = { metadata: { name: 'example', namespace: 'ci' }, spec: { replicas: 2 } };
		if (read && resource === 'runnersets' && name === 'example') return sendJson(response, 200, set);
		if (read) return sendJson(response, 404, failure(404, 'NotFound', { name }));
		let text = '';
		request.on('data', (chunk: Buffer) => {
			text += chunk;
		});
		request.on('end', () => {
			const body = JSON.parse(text);
			written.push({ method: request.method ?? '', path: `${resource}${name ? `/${name}` : ''}`, body });
			if (left-- > 0) return sendJson(response, 409, failure(409, 'Conflict'));
			sendJson(response, 200, { ...body, metadata: { name: name ?? 'example', ...body.metadata } });
		});
	};
}

async function run(plugin: Installed, handler: Handler, ...args: string[]): Promise<Finished> {
	const server = await fakeServer(handler);
	try {
		return await plugin.run([...args, '-s', server.url, '-n', 'ci'], { KUBECONFIG: '/dev/null' });
	} finally {
		await server.stop();
	}
}

test('it is made, with the message of kubectl autoscale', async ({ plugin }) => {
	const written: Written[] = [];
	const { code, stdout, stderr } = await run(
		plugin,
		namespace([], written),
		...['autoscale', 'example', '--min=0', '--max=4', '--delay=90s', '--spare', '1'],
	);
	assert.equal(
		[code, stdout, stderr],
		[0, 'horizontalrunnerautoscaler.actions.summerwind.dev/example autoscaled\n', ''],
	);
	assert.equal(
		[written.length, written[0]?.method, written[0]?.path],
		[1, 'POST', 'horizontalrunnerautoscalers'],
	);
	const { minReplicas, maxReplicas, scaleDownDelaySecondsAfterScaleOut } = written[0]?.body.spec ?? {};
	assert.equal([minReplicas, maxReplicas, scaleDownDelaySecondsAfterScaleOut], [0, 4, 90]);
});

test('one that is there is patched, as it was read; after losing a race it is read again', async ({
	plugin,
}) => {
	const written: Written[] = [];
	const { code } = await run(
		plugin,
		namespace([autoscaler()], written, 1),
		'autoscale',
		'example',
		'--max=4',
	);
	assert.is(code, 0);
	assert.is(written.length, 2);
	assert.equal(written[1], {
		method: 'PATCH',
		path: 'horizontalrunnerautoscalers/example',
		body: { metadata: { uid: 'uid-example', resourceVersion: '7' }, spec: { maxReplicas: 4 } },
	});
});

test('a dry run of the client shows it and writes nothing', async ({ plugin }) => {
	const written: Written[] = [];
	const handler = namespace([], written);
	const shown = await run(
		plugin,
		handler,
		'autoscale',
		'example',
		'--max=4',
		'--dry-run=client',
		'-o',
		'yaml',
	);
	assert.match(
		shown.stdout,
		/^apiVersion: .*\nkind: HorizontalRunnerAutoscaler\nmetadata:\n {2}name: example\n/,
	);
	const line = await run(plugin, handler, 'autoscale', 'example', '--max=4', '--dry-run');
	assert.match(line.stdout, /\/example autoscaled \(dry run\)\n$/);
	assert.equal(written, []);
	const asked = await run(
		plugin,
		handler,
		'autoscale',
		'example',
		'--max=4',
		'--dry-run=server',
		'-o',
		'name',
	);
	assert.is(asked.stdout, 'horizontalrunnerautoscaler.actions.summerwind.dev/example\n');
	assert.is(written.length, 1);
});

for (const [args, message] of [
	[[], /^error: name the set to autoscale\n$/],
	[['a', 'b', '--max=1'], /^error: name only one set\n$/],
	[['example', '--min=-1', '--max=1'], /^error: --min must not be negative\n$/],
	[['example', '--delay=-1m'], /^error: --delay must not be negative\n$/],
	[
		['example', '--max=1', '--delay=soon'],
		/invalid argument "soon" for "--delay" flag: time: invalid duration/,
	],
	[['nobody', '--max=1'], /NotFound/],
] as [string[], RegExp][]) {
	test(`autoscale ${args.join(' ')}: refused, and nothing is written`, async ({ plugin }) => {
		const written: Written[] = [];
		const { code, stderr } = await run(plugin, namespace([], written), 'autoscale', ...args);
		assert.is(code, 1);
		assert.match(stderr, message);
		assert.equal(written, []);
	});
}

test('a cluster without the kind: how to get it', async ({ plugin }) => {
	const { code, stderr } = await run(plugin, namespace(404, []), 'autoscale', 'example', '--max=1');
	assert.is(code, 1);
	assert.match(
		stderr,
		/^error: the server doesn't have a resource type "horizontalrunnerautoscalers"\n.*install\n$/,
	);
	const forbidden = await run(plugin, namespace(403, []), 'autoscale', 'example', '--max=1');
	assert.match(forbidden.stderr, /^Error from server \(No\)/);
});

test('scale and drain of a set that is autoscaled are refused, with what to do; --force writes', async ({
	plugin,
}) => {
	const written: Written[] = [];
	const handler = namespace([autoscaler()], written);
	const scaled = await run(plugin, handler, 'scale', 'example', '--replicas=5');
	assert.is(scaled.code, 1);
	assert.is(
		scaled.stderr,
		'error: runnerset/example is scaled by horizontalrunnerautoscaler/example (min 1, max 10), which would undo this\n' +
			'Change its limits: kubectl runners autoscale runnerset/example --min=5 -n ci\n' +
			'To write the number anyway: --force\n',
	);
	const drained = await run(plugin, handler, 'drain', 'runnerset/example');
	assert.is(drained.code, 1);
	assert.match(drained.stderr, /\nChange its limits: .* --min=0 --max=0 -n ci\n/);
	assert.equal(written, []);
	const forced = await run(plugin, handler, 'scale', 'example', '--replicas=5', '--force');
	assert.equal([forced.code, written[0]?.path], [0, 'runnersets/example/scale']);
	const node = await run(plugin, handler, 'drain', 'node-1', '--force');
	assert.match(node.stderr, /^error: --force can only be used with a set, not with a node\n$/);
});

for (const code of [403, 404]) {
	test(`scale works where autoscalers cannot be read (${code})`, async ({ plugin }) => {
		const written: Written[] = [];
		const { stdout } = await run(plugin, namespace(code, written), 'scale', 'example', '--replicas=5');
		assert.equal([stdout, written.length], ['runnerset.actions.summerwind.dev/example scaled\n', 1]);
	});
}

test.run();

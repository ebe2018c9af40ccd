/** `kubectl runners jobs` against an API server: which jobs it shows to whom. */
import * as assert from 'uvu/assert';
import type { WorkflowJob } from '../../../../../admission/api/autoscale.ts';
import { type Finished, type Installed, installPlugin } from '../../../../e2e/support/plugin-process.ts';
import { suite } from '../../../../support/suite.ts';
import { fakeServer, type Handler, sendJson, watchLine } from '../../fake-server.ts';
import { workflowJob } from '../../jobs/workflow-job.ts';

const test = suite<{ plugin: Installed }>('plugin: jobs');
test.before(async (context) => {
	context.plugin = await installPlugin();
});
test.after(async ({ plugin }) => plugin?.remove());

const of = (namespace: string, name: string) => ({ set: { kind: 'RunnerSet', namespace, name } });
const all = [
	workflowJob(1, { spec: { stateSince: '2026-11-23T11:50:00Z' } }),
	workflowJob(2, { spec: { state: 'in_progress', runnerName: 'linux-abc' } }),
	workflowJob(3, { status: of('ci', 'other') }),
	workflowJob(4, { status: of('elsewhere', 'linux') }),
	workflowJob(5, { status: { reason: 'NoMatchingSet' } }),
	workflowJob(6, { spec: { state: 'completed' } }),
];

const jobsPath = (namespace: string) =>
	`/apis/actions.summerwind.dev/v1alpha1/namespaces/${namespace}/workflowjobs`;
const status = (code: number, reason: string, details: object = {}) => ({
	kind: 'Status',
	code,
	reason,
	details,
});

/** An API server whose installation is in `home`; a list comes in two pages. */
function cluster(home: string | undefined, jobs: WorkflowJob[] = all): Handler {
	return (_request, response, { pathname, searchParams }) => {
		if (pathname.endsWith('/validatingwebhookconfigurations/runners-admission')) {
			if (home === undefined) return sendJson(response, 403, status(403, 'Forbidden'));
			const clientConfig = { service: { namespace: home, name: 'runners-admission' } };
			return sendJson(response, 200, { webhooks: [{ name: 'w', clientConfig }] });
		}
		if (pathname === jobsPath(home ?? 'runners-system')) {
			if (searchParams.get('watch')) {
				response.writeHead(200);
				const [first] = jobs;
				const over = { ...first!, spec: { ...first!.spec, state: 'completed' as const } };
				response.write(watchLine('MODIFIED', over) + watchLine('DELETED', over));
				return;
			}
			const second = searchParams.get('continue') === 'more';
			return sendJson(response, 200, {
				metadata: { resourceVersion: '9', continue: second ? '' : 'more' },
				items: second ? jobs.slice(2) : jobs.slice(0, 2),
			});
		}
		if (/\/namespaces\/ci\/runnersets\/linux$/.test(pathname)) {
			return sendJson(response, 200, { metadata: { name: 'linux', namespace: 'ci' }, spec: {} });
		}
		sendJson(response, 404, status(404, 'NotFound', { name: pathname.split('/').at(-1) }));
	};
}

async function jobs(plugin: Installed, handler: Handler, ...args: string[]): Promise<Finished> {
	const server = await fakeServer(handler);
	try {
		return await plugin.run(['jobs', '-s', server.url, '-n', 'ci', ...args], { KUBECONFIG: '/dev/null' });
	} finally {
		await server.stop();
	}
}

const ids = (text: string) => [...text.matchAll(/^(?:\S+ +)?build (\d)/gm)].map(([, id]) => Number(id));

test("a namespace's sets: its open jobs, those that wait first; the namespace of the server is found", async ({
	plugin,
}) => {
	const { code, stdout, stderr } = await jobs(plugin, cluster('elsewhere-system'));
	assert.equal([code, stderr], [0, '']);
	assert.match(stdout, /^JOB +REPOSITORY +STATE +SINCE +SET +RUNNER +WAITS\n/);
	assert.equal(ids(stdout), [1, 3, 2]);
	assert.match(stdout, /^build 2 +octo-org\/app +running +\S+ +linux +linux-abc +<none>$/m);
});

test('who may not read webhook configurations is led to the usual namespace, or says which it is', async ({
	plugin,
}) => {
	assert.equal(ids((await jobs(plugin, cluster(undefined), 'linux')).stdout), [1, 2]);
	const result = await jobs(plugin, cluster('x'), '--server-namespace', 'x', '--no-headers', '-o', 'name');
	assert.is(result.stdout, [1, 3, 2].map((id) => `workflowjob.actions.summerwind.dev/job-${id}\n`).join(''));
});

test('-A: the jobs of all sets, and those that no set can run', async ({ plugin }) => {
	const { stdout } = await jobs(plugin, cluster('runners-system'), '-A');
	assert.match(stdout, /^NAMESPACE +JOB /);
	assert.equal(ids(stdout), [1, 3, 4, 5, 2]);
	assert.match(stdout, /^<none> +build 5 +octo-org\/app +queued +\S+ +<none> +<none> +no matching set$/m);
});

test('a set by name: its own jobs; as JSON whole; none: said so', async ({ plugin }) => {
	const { stdout } = await jobs(plugin, cluster('runners-system'), 'runnerset/linux', '-o', 'json');
	const { kind, items } = JSON.parse(stdout);
	assert.equal([kind, items.length, items[0].kind, items[0].spec.id], ['List', 2, 'WorkflowJob', 1]);
	const none = await jobs(plugin, cluster('runners-system', []), 'linux');
	assert.equal([none.code, none.stdout], [0, '']);
	assert.match(none.stderr, /^No jobs found for sets of ci namespace; use -A to include .*\n$/);
	const unknown = await jobs(plugin, cluster('runners-system'), 'nobody');
	assert.is(unknown.code, 1);
	const mixed = await jobs(plugin, cluster('runners-system'), 'linux', '-A');
	assert.match(mixed.stderr, /^error: a resource cannot be retrieved by name across all namespaces\n$/);
});

test('without the right: which role to ask for, and what can be seen without it, in three lines', async ({
	plugin,
}) => {
	const { code, stderr } = await jobs(plugin, (_request, response, { pathname }) =>
		sendJson(response, pathname.includes('workflowjobs') ? 403 : 404, status(403, 'Forbidden')),
	);
	assert.is(code, 1);
	assert.match(
		stderr,
		/^error: you may not list workflowjobs in namespace runners-system.*\n.*ClusterRole runners-jobs.*\n.*kubectl runners status SET.*\n$/,
	);
	const missing = await jobs(plugin, (_request, response) =>
		sendJson(response, 404, status(404, 'NotFound')),
	);
	assert.match(
		missing.stderr,
		/^error: the server doesn't have a resource type "workflowjobs".*\n.*install\n$/,
	);
});

test('-w: the table, then a line for what changes; a job that completed leaves as completed', async ({
	plugin,
}) => {
	const server = await fakeServer(cluster('runners-system'));
	const watch = plugin.start(['jobs', '-w', '-s', server.url, '-n', 'ci'], { KUBECONFIG: '/dev/null' });
	await watch.prints(/^build 1 +octo-org\/app +completed /m);
	watch.interrupt();
	const { code, stdout } = await watch.end();
	await server.stop();
	assert.is(code, 130);
	assert.equal(ids(stdout), [1, 3, 2, 1]);
	const data = await jobs(plugin, cluster('runners-system'), '-w', '-o', 'json');
	assert.match(data.stderr, /^error: --watch prints a table/);
});

test.run();

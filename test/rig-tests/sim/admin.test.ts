/** The simulator as `make demo-up` runs it: its own process, driven over /_sim. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { startGitHub } from '../../sim/simulator.ts';
import { suite } from '../../support/suite.ts';
import { ask } from './caller.ts';

const cli = fileURLToPath(new URL('../../sim/cli.ts', import.meta.url));

const test = suite('simulator: as a process');

test('prints its address, answers GitHub’s calls and ours, ends on SIGTERM', async () => {
	const child = spawn(process.execPath, [cli, '--admin', '--token', 'demo', '--scope', 'orgs/demo'], {
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	const exited = once(child, 'exit');
	try {
		const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
		assert.match(line, /^http:\/\/127\.0\.0\.1:\d+$/);
		const list = await fetch(`${line}/orgs/demo/actions/runners`, {
			headers: { authorization: 'token demo' },
		});
		assert.equal(await list.json(), { total_count: 0, runners: [] });
		const table = await (await fetch(`${line}/_sim/calls`)).text();
		assert.match(table, /GET +\/orgs\/\{org\}\/actions\/runners +200 +1/);
	} finally {
		child.kill('SIGTERM');
	}
	assert.equal((await exited)[0], 0);
});

test('runners can be made busy, faults armed and cleared, calls forgotten', async () => {
	const github = await startGitHub({ admin: true });
	const id = github.addRunner({ scope: 'orgs/octo-org', name: 'r' });
	const sim = (method: string, path: string, body?: object) =>
		fetch(`${github.url}/_sim/${path}`, {
			method,
			...(body === undefined ? {} : { body: JSON.stringify(body) }),
		});
	await sim('PUT', `runners/${id}/busy`);
	assert.ok(github.runner(id)!.busy);
	await sim('DELETE', `runners/${id}/busy`);
	assert.not.ok(github.runner(id)!.busy);

	await sim('POST', 'faults', { endpoint: 'list', fault: { kind: 'server-error', status: 503 } });
	assert.is((await ask(github, '/orgs/octo-org/actions/runners')).status, 503);
	await sim('DELETE', 'faults');
	assert.is((await ask(github, '/orgs/octo-org/actions/runners')).status, 200);
	assert.is(github.count(), 2, 'calls of /_sim are not GitHub’s');
	await sim('DELETE', 'calls');
	assert.is(github.count(), 0);

	const queued = await sim('POST', 'queue', { repository: 'octo-org/app', labels: ['gpu'] });
	const { id: job } = (await queued.json()) as { id: number };
	const waiting = async () =>
		((await (await sim('GET', 'queue?status=queued')).json()) as { id: number }[]).map(({ id }) => id);
	assert.equal(await waiting(), [job]);
	await sim('DELETE', `queue/${job}`);
	assert.equal(await waiting(), []);
	assert.is(github.jobs.get(job)!.conclusion, 'cancelled');

	const shown = async () =>
		(await ask(github, '/orgs/octo-org/actions/runners')).body.runners.map(({ busy }) => busy);
	await sim('PUT', `runners/${id}/busy`);
	await sim('POST', 'lies', { says: 'idle', name: 'r' });
	assert.equal(await shown(), [false]);
	await sim('DELETE', 'faults');
	assert.equal(await shown(), [true]);

	const wrong = await sim('POST', 'jobs/default/pod');
	assert.equal(
		[wrong.status, (await wrong.text()).trim()],
		[400, 'no simulated runners here: start with --kubeconfig'],
	);
	await github.stop();
});

test('without --admin there is no /_sim', async () => {
	const github = await startGitHub();
	const reply = await ask(github, '/_sim/runners');
	await github.stop();
	assert.is(reply.status, 404);
});

test.run();

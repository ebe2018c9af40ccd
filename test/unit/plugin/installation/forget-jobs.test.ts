/** Uninstall: what the server remembers of jobs goes by one request. */
import * as assert from 'uvu/assert';
import type { DryRun } from '../../../../plugin/cli/flag-types.ts';
import { forgetJobs } from '../../../../plugin/installation/forget-jobs.ts';
import { Objects } from '../../../../plugin/installation/objects.ts';
import { suite } from '../../../support/suite.ts';
import { fakeServer, sendJson } from '../fake-server.ts';

const test = suite('uninstall: jobs');

async function forget(dryRun: DryRun, answer: number, items: object[]): Promise<[boolean | Error, string[]]> {
	const server = await fakeServer((_request, response) =>
		sendJson(response, answer, answer === 200 ? { items } : { kind: 'Status', code: answer, message: 'no' }),
	);
	const done = await forgetJobs(new Objects(server.client(), dryRun), 'runners-system').catch(
		(error) => error,
	);
	await server.stop();
	return [done, server.requests];
}

const path = '/apis/actions.summerwind.dev/v1alpha1/namespaces/runners-system/workflowjobs';
const look = `GET ${path}?limit=1`;

for (const [name, dryRun, answer, items, expected] of [
	['there are some', 'none', 200, [{}], [true, [look, `DELETE ${path}`]]],
	['a dry run of the server', 'server', 200, [{}], [true, [look, `DELETE ${path}?dryRun=All`]]],
	['a dry run of the client', 'client', 200, [{}], [true, [look]]],
	['there is none', 'none', 200, [], [false, [look]]],
	['there is no such kind', 'none', 404, [], [false, [look]]],
] as const) {
	test(name, async () => {
		assert.equal(await forget(dryRun, answer, [...items]), expected);
	});
}

test('what may not be read is an error', async () => {
	const [error] = await forget('none', 403, []);
	assert.is((error as Error).message, 'no');
});

test.run();

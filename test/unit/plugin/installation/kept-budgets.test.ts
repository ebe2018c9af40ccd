/** Uninstall: the back-stop budgets, which a policy keeps for a moment after its binding is gone. */
import * as assert from 'uvu/assert';
import type { DryRun } from '../../../../plugin/cli/flag-types.ts';
import { removeBudget } from '../../../../plugin/installation/kept-budgets.ts';
import { Objects } from '../../../../plugin/installation/objects.ts';
import { suite } from '../../../support/suite.ts';
import { fakeServer, sendJson } from '../fake-server.ts';

const test = suite('uninstall: budgets');

const budget = {
	apiVersion: 'policy/v1',
	kind: 'PodDisruptionBudget',
	metadata: { name: 'runners-admission-busy', namespace: 'ci', uid: 'u' },
};
const kept =
	"poddisruptionbudgets.policy \"runners-admission-busy\" is forbidden: ValidatingAdmissionPolicy 'runners-admission-budgets' with binding 'runners-admission-budgets' denied request: it keeps";

/** What becomes of a removal that the API server refuses so often; how many DELETEs it took, and the time that passed. */
async function removal(refusals: number, message: string, dryRun: DryRun = 'none') {
	let sent = 0;
	const server = await fakeServer((request, response) => {
		if (request.method === 'GET')
			return sendJson(response, 200, {
				resources: [{ name: 'poddisruptionbudgets', kind: 'PodDisruptionBudget', namespaced: true }],
			});
		sent += 1;
		const refused = sent <= refusals;
		sendJson(response, refused ? 403 : 200, { kind: 'Status', code: refused ? 403 : 200, message });
	});
	let passedMs = 0;
	const done = await removeBudget(
		new Objects(server.client(), dryRun),
		budget,
		() => passedMs,
		async (ms) => {
			passedMs += ms;
		},
	).catch((error: Error) => error.message);
	await server.stop();
	return { done, sent, passedMs };
}

test('it is asked again for as long as the policy keeps it', async () => {
	assert.equal(await removal(0, kept), { done: true, sent: 1, passedMs: 0 });
	assert.equal(await removal(4, kept), { done: true, sent: 5, passedMs: 1_200 });
});

test('... but not for ever: after 15 s the refusal is an error', async () => {
	const { done, passedMs } = await removal(Infinity, kept);
	assert.is(done, kept);
	assert.ok(passedMs > 15_000 && passedMs < 16_000, `${passedMs} ms`);
});

test('in a dry run the policy is still there: its refusal is no obstacle', async () => {
	assert.equal(await removal(Infinity, kept, 'server'), { done: true, sent: 1, passedMs: 0 });
});

test('a missing right is an error at once, in a dry run as well', async () => {
	for (const dryRun of ['none', 'server'] as const)
		assert.equal(
			await removal(Infinity, 'poddisruptionbudgets.policy is forbidden: User "a" cannot', dryRun),
			{
				done: 'poddisruptionbudgets.policy is forbidden: User "a" cannot',
				sent: 1,
				passedMs: 0,
			},
		);
});

test.run();

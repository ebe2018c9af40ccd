/** Install: the policy that not every API server has. */
import * as assert from 'uvu/assert';
import type { DryRun } from '../../../../plugin/cli/flag-types.ts';
import { creationPolicy, whereServed } from '../../../../plugin/installation/creation-policy.ts';
import { chosenObjects } from '../../../../plugin/installation/install-options.ts';
import { Objects } from '../../../../plugin/installation/objects.ts';
import { readComponent, readOverlay } from '../../../../scripts/manifests/overlays.ts';
import { suite } from '../../../support/suite.ts';
import { fakeServer, sendJson } from '../fake-server.ts';

const test = suite('install: the policy at creation');

const policies = readComponent(creationPolicy);
const overlays = {
	default: readOverlay('default'),
	'guard-only': readOverlay('guard-only'),
	[creationPolicy]: policies,
};
const chosen = (mode: 'default' | 'guard-only') =>
	chosenObjects(overlays, { mode, namespace: 'tools', githubSecret: 'runners-github', certManager: false });

/** Which objects more than the overlay are applied. */
async function added(kinds: string[], dryRun: DryRun, code = 200): Promise<string[]> {
	const server = await fakeServer((_request, response) =>
		sendJson(response, code, {
			kind: code === 200 ? 'APIResourceList' : 'Status',
			resources: kinds.map((kind) => ({ name: kind.toLowerCase(), kind, namespaced: false })),
		}),
	);
	const objects = await whereServed(new Objects(server.client(), dryRun), chosen('guard-only')).finally(() =>
		server.stop(),
	);
	return objects.slice(overlays['guard-only'].length).map(({ kind }) => kind);
}

const both = ['MutatingAdmissionPolicy', 'MutatingAdmissionPolicyBinding'];

test('it is applied where the API server serves its kind, and otherwise left out', async () => {
	for (const dryRun of ['none', 'server', 'client'] as const) {
		assert.equal(await added(['ValidatingAdmissionPolicy', ...both], dryRun), both);
		assert.equal(await added(['ValidatingAdmissionPolicy'], dryRun), []);
	}
});

test('an API server that does not say is an error, but not for a dry run of the client’s', async () => {
	assert.equal(await added(both, 'client', 503), []);
	await added(both, 'none', 503).then(
		() => assert.unreachable(),
		(error: unknown) => assert.match(String(error), '503'),
	);
});

test('it excludes the namespace of the server, whatever its name', () => {
	for (const mode of ['default', 'guard-only'] as const) {
		const [policy] = chosen(mode).filter(({ kind }) => kind === both[0]);
		assert.match(JSON.stringify(policy), '"values":["tools"]');
	}
});

test.run();

/** The CAs on runner pods follow those that the API server trusts. */
import * as assert from 'uvu/assert';
import { jobHooks } from '../../../../admission/api/keys.ts';
import { followAuthorities } from '../../../../admission/jobs/hooks/follow-authorities.ts';
import { KubeError } from '../../../../admission/kube/client.ts';
import { suite } from '../../../support/suite.ts';
import { World } from '../../support/world.ts';

const test = suite('CAs of job hooks');

const old = `${'o'.repeat(600)}`;
const wanted = `${'n'.repeat(600)}`;

async function started(authorities: () => string) {
	const world = new World();
	for (const name of ['with', 'without', 'new', 'ended']) world.runner(name);
	world.edit('with', { annotations: { [jobHooks.authorities]: old } });
	world.edit('ended', { annotations: { [jobHooks.authorities]: old } });
	world.edit('new', { annotations: { [jobHooks.authorities]: wanted } });
	world.exit('ended');
	await world.start((signal) => followAuthorities({ ...world.parts, authorities }, signal));
	await world.clock.pass(31_000);
	return world;
}
const on = (world: World) =>
	['with', 'without', 'new', 'ended'].map((name) => world.annotations(name)[jobHooks.authorities]);

test('written on running pods that have others, once', async () => {
	const world = await started(() => wanted);
	assert.equal(on(world), [wanted, undefined, wanted, old]);
	await world.clock.pass(60_000);
	assert.is(world.api.callsTo('PATCH', /pods/).length, 1);
	await world.stop();
});

test('not while they are not known', async () => {
	const world = await started(() => '');
	assert.is(world.api.callsTo('PATCH', /pods/).length, 0);
	await world.stop();
});

test('what fails is tried again', async () => {
	const world = await started(() => old);
	world.api.fail('PATCH', /pods/, new KubeError(500, '', 'etcd'), 1);
	world.edit('with', { annotations: { [jobHooks.authorities]: wanted } });
	await world.clock.pass(90_000);
	assert.is(world.annotations('with')[jobHooks.authorities], old);
	assert.ok(world.lines.some((line) => line.includes('could not be written')));
	await world.stop();
});

test.run();

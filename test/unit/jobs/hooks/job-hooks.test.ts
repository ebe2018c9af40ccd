/** Who gets hooks in each mode; the Service's address; a port that is taken. */

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import * as assert from 'uvu/assert';
import type { JobHooksMode } from '../../../../admission/api/job-hooks.ts';
import type { Pod } from '../../../../admission/api/kinds.ts';
import { JobHooks } from '../../../../admission/jobs/hooks/job-hooks.ts';
import { isHooked } from '../../../../admission/jobs/hooks/rules/inject.ts';
import { addressMaxAgeMs } from '../../../../admission/jobs/hooks/rules/policy.ts';
import { ServiceAddress } from '../../../../admission/jobs/hooks/service-address.ts';
import { unknownMark } from '../../../../admission/jobs/rules/marks.ts';
import { listenAgainMs } from '../../../../admission/jobs/rules/policy.ts';
import { KubeError } from '../../../../admission/kube/client.ts';
import { applied } from '../../../../admission/webhook/apply.ts';
import { freePort } from '../../../cluster/free-port.ts';
import { scaleSetPod } from '../../../sim/scale-set-pods.ts';
import { suite } from '../../../support/suite.ts';
import { authority, serving } from '../../certificates/authorities.ts';
import { World } from '../../support/world.ts';

const test = suite('job hooks of a server');

const services = '/api/v1/services';

async function hooksOf(mode: JobHooksMode, port = 9444) {
	const world = new World();
	const hooks = new JobHooks({
		...world.parts,
		sign: world.signer.signStatement,
		mode,
		port,
		url: 'https://hooks.example',
		githubUrl: 'https://github.com/',
		namespace: 'runners-system',
		tls: await serving(await authority()),
		authorities: () => ['b', 'a'],
	});
	return { world, hooks };
}
const pod = (): Pod => scaleSetPod({ name: 's-1', namespace: 'ci', ownerUid: 'u' }) as Pod;

test('off, or without a port: nobody gets hooks; else those of our sets', async () => {
	for (const [mode, port, wanted] of [
		['sets', 9444, true],
		['all', 9444, true],
		['off', 9444, false],
		['sets', 0, false],
	] as const) {
		const { hooks } = await hooksOf(mode, port);
		assert.is(isHooked(applied(pod(), hooks.forSets(pod()))), wanted, `${mode} ${port}`);
	}
});

test("others' pods get none, and nothing is tried, unless all do", async () => {
	for (const mode of ['sets', 'off'] as const) {
		const { world, hooks } = await hooksOf(mode);
		const request = { uid: 'u', operation: 'CREATE', namespace: 'ci', userInfo: {}, object: pod() } as const;
		const { patch = '' } = await hooks.reviewOthers(request);
		assert.equal(JSON.parse(Buffer.from(patch, 'base64').toString()), unknownMark(pod()));
		assert.is(world.api.calls.length, 0);
	}
});

test('the CAs have one order, so that the same are the same', async () => {
	const { hooks } = await hooksOf('sets');
	assert.is(hooks.authorities(), 'ab');
});

test("the Service's address is read, kept while the API server is away, and forgotten with the Service", async () => {
	const world = new World();
	const service = (clusterIP: string) =>
		world.api.put(services, {
			metadata: { name: 'runners-admission', namespace: 'runners-system' },
			spec: { clusterIP },
		});
	service('10.0.0.7');
	const address = new ServiceAddress();
	const stop = new AbortController();
	const running = address.run({ ...world.parts, namespace: 'runners-system' }, stop.signal);
	await world.clock.pass(1_000);
	assert.is(address.current, '10.0.0.7');
	const end = world.api.fail('GET', /services/, new KubeError(500, '', 'etcd'), 1);
	await world.clock.pass(addressMaxAgeMs);
	assert.is(address.current, '10.0.0.7');
	assert.ok(world.lines.some((line) => line.includes('address of the Service')));
	end();
	service('None');
	await world.clock.pass(addressMaxAgeMs);
	assert.is(address.current, undefined);
	stop.abort();
	await world.clock.pass(addressMaxAgeMs);
	await running;
});

test('a port that is taken is logged, and opened when it is free', async () => {
	const taken = createServer().listen(await freePort());
	await new Promise((resolve) => taken.once('listening', resolve));
	const { world, hooks } = await hooksOf('sets', (taken.address() as AddressInfo).port);
	const stop = new AbortController();
	const running = hooks.run(stop.signal);
	const logged = async (what: string) => {
		for (let waits = 0; waits < 100 && !world.lines.some((line) => line.includes(what)); waits++)
			await new Promise((resolve) => setTimeout(resolve, 20));
		assert.ok(
			world.lines.some((line) => line.includes(what)),
			what,
		);
	};
	await logged('cannot listen for job hooks');
	await new Promise((resolve) => taken.close(resolve));
	await world.clock.pass(listenAgainMs);
	await logged('listens for job hooks');
	stop.abort();
	await world.clock.pass(1_000);
	await running;
});

test.run();

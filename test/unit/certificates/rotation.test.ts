/** Years of several replicas in a second, with whatever delays: no API server ever meets what it does not trust. */

import * as assert from 'uvu/assert';
import { carryOut } from '../../../admission/certificates/carry-out.ts';
import { planCertificates, type Served } from '../../../admission/certificates/plan.ts';
import { propagationMs } from '../../../admission/certificates/policy.ts';
import { judgeSecret } from '../../../admission/certificates/secret.ts';
import { random } from '../../rig/random.ts';
import { suite } from '../../support/suite.ts';
import { authority, day, host, serving, startMs } from './authorities.ts';

const test = suite('certificates: rotation');
const chance = random();

const lifetimes = { servingMs: 0.01 * day, authorityMs: 0.03 * day };
const settleMs = propagationMs(lifetimes);
/** API servers read the configurations at most this late. */
const mostLagMs = settleMs - 5_000;

interface Replica {
	served: Served | undefined;
	/** CA -> since when it has seen it in the bundle. */
	trusted: Map<string, number>;
	/** It reads the Secret as it was then: a write from there is a conflict. */
	read: { version: number; data: Record<string, string> | undefined };
}

/** One Secret and one bundle, with what they held before; replicas that act whenever chance wants. */
class World {
	nowMs = startMs;
	version = 0;
	data: Record<string, string> | undefined;
	bundles: { atMs: number; bundle: string[] }[] = [{ atMs: 0, bundle: [] }];
	replicas: Replica[] = [];
	written: string[] = [];

	start(): void {
		this.replicas.push({ served: undefined, trusted: new Map(), read: { version: -1, data: undefined } });
	}

	get bundle(): string[] {
		return this.bundles.at(-1)?.bundle ?? [];
	}

	async act(replica: Replica): Promise<void> {
		const { nowMs, bundle } = this;
		for (const one of replica.trusted.keys()) if (!bundle.includes(one)) replica.trusted.delete(one);
		for (const one of bundle) if (!replica.trusted.has(one)) replica.trusted.set(one, nowMs);
		// Mostly it sees the newest state; sometimes somebody else writes between its read and its write.
		if (chance.between(0, 4) > 0) replica.read = { version: this.version, data: this.data };
		const found = judgeSecret(replica.read.data, [host], nowMs);
		const view = {
			served: replica.served,
			trustedSinceMs: (one: string) => replica.trusted.get(one),
			bundled: bundle,
		};
		const plan = planCertificates(found, view, nowMs, settleMs);
		const stale = replica.read.version !== this.version;
		if ('change' in plan) {
			const data = await carryOut(plan.change, [host], lifetimes, nowMs);
			if (stale) return; // conflict
			this.data = data;
			this.version += 1;
			this.written.push(plan.change.why);
		} else {
			replica.served = plan.serve;
			// The bundle is written from a Secret that was read a moment before.
			if (!stale && plan.bundle.join() !== bundle.join())
				this.bundles.push({ atMs: nowMs, bundle: plan.bundle });
		}
	}

	/** Serves something that an API server, behind by any time up to the longest lag, does not trust? */
	trusted({ served }: Replica): boolean {
		const seen = this.bundles.filter(
			(_, index) => (this.bundles[index + 1]?.atMs ?? Infinity) > this.nowMs - mostLagMs,
		);
		return !served || seen.every(({ bundle }) => bundle.includes(served.authority.cert));
	}

	/** Goes on for so long in random steps. All but the first replica may restart at any time. */
	async live(forMs: number, { restarts = false, trusted = this.replicas } = {}): Promise<void> {
		const untilMs = this.nowMs + forMs;
		while (this.nowMs < untilMs) {
			this.nowMs += chance.between(100, 30_000);
			if (restarts && chance.between(0, 4) === 0) {
				this.replicas.splice(chance.between(1, this.replicas.length), 1);
				this.start();
			}
			for (const replica of chance.shuffled(this.replicas)) {
				await this.act(replica);
				for (const one of trusted) assert.ok(this.trusted(one), `seed ${chance.seed}`);
			}
		}
	}
}

async function grown(): Promise<World> {
	const world = new World();
	for (let replica = 0; replica < 3; replica++) world.start();
	await world.live(4 * settleMs, { trusted: [] }); // nobody can call before the first bundle is there
	return world;
}
const times = (world: World, why: string) => world.written.filter((one) => one === why).length;

test('three replicas, two of which come and go: four CAs, and nothing served is ever not trusted', async () => {
	const world = await grown();
	assert.equal(world.written, ['repaired'], 'three replicas that start at once make one CA');
	await world.live(3 * lifetimes.authorityMs, { restarts: true });
	console.log(`seed ${chance.seed}: ${world.written.length} writes, ${world.bundles.length} bundles`);
	assert.ok(times(world, 'ca-replaced') >= 4);
	assert.ok(times(world, 'renewed') >= 8);
	assert.is(times(world, 'repaired'), 1);
	assert.ok(world.bundle.length <= 3, 'old CAs are dropped when they end');
});
test('the Secret is deleted or broken: it is repaired, and nothing served is ever not trusted', async () => {
	const world = await grown();
	for (const broken of [
		undefined,
		{},
		{ ...world.data, 'tls.key': 'eA==' },
		{ ...world.data, 'ca.crt': '' },
	]) {
		world.data = broken;
		world.version += 1;
		await world.live(3 * settleMs);
		assert.is(judgeSecret(world.data, [host], world.nowMs).fault, undefined);
	}
	assert.is(times(world, 'repaired'), 5);
});
test('the Secret is deleted, and who starts just then sees it first: what the others serve stays trusted', async () => {
	for (let time = 0; time < 10; time++) {
		const world = await grown();
		const running = [...world.replicas];
		world.data = undefined;
		world.version += 1;
		world.start();
		await world.act(world.replicas.at(-1)!);
		await world.live(4 * settleMs, { trusted: running });
		assert.is(new Set(world.replicas.map((replica) => replica.served?.cert)).size, 1);
	}
});
test('a person replaces CA and certificate: taken over when API servers trust it, by replicas that run', async () => {
	const world = await grown();
	const theirCa = await authority(world.nowMs, 300);
	const theirs = await serving(theirCa, world.nowMs, 30);
	const encode = (text: string) => Buffer.from(text).toString('base64');
	world.data = {
		'ca.crt': encode(theirCa.cert),
		'ca.key': encode(theirCa.key),
		'tls.crt': encode(theirs.cert),
		'tls.key': encode(theirs.key),
	};
	world.version += 1;
	await world.live(4 * settleMs);
	assert.equal(new Set(world.replicas.map((replica) => replica.served?.cert)), new Set([theirs.cert]));
	assert.is(world.bundle[0], theirCa.cert);
});

test.run();

/** Sets under a ResourceQuota: freed room is used at once, and the set says which quota is short of what. */
import * as assert from 'uvu/assert';
import { KubeError } from '../../../admission/kube/client.ts';
import { afterEnd, afterRefusal, quotaRefusal } from '../../../admission/sets/rules/quota.ts';
import { suite } from '../../support/suite.ts';
import type { Stored } from '../support/api-server.ts';
import { kinds, SetsWorld } from '../support/sets-world.ts';
import { paths } from '../support/world.ts';

const test = suite('quotas');
const minute = 60_000;

const refusal = (name: string, used: number, limit: number) =>
	`pods "${name}" is forbidden: exceeded quota: runners, requested: pods=1, used: pods=${used}, limited: pods=${limit}`;

/** What the API server answers, since several of its requests count one quota (k8s.io/apiserver, its admission plugin ResourceQuota). */
const moved =
	'Operation cannot be fulfilled on resourcequotas "runners": the object has been modified; please apply your changes to the latest version and try again';

test("the API server's message: which quota, how much is used, asked for and allowed", () => {
	assert.is(
		quotaRefusal({ code: 403, message: refusal('a-0', 3, 3) })?.message,
		'quota runners: pods=3 used of pods=3, a runner needs pods=1',
	);
	const several = 'exceeded quota: q, requested: cpu=1,pods=1, used: cpu=7500m,pods=3, limited: cpu=8,pods=3';
	assert.is(
		quotaRefusal({ code: 403, message: several })?.message,
		'quota q: cpu=7500m,pods=3 used of cpu=8,pods=3, a runner needs cpu=1,pods=1',
	);
	assert.is(
		quotaRefusal({ code: 403, message: 'exceeded quota: runners' })?.message,
		'exceeded quota: runners',
	);
	for (const message of ['', 'not allowed', 'failed quota: q: must specify limits.cpu'])
		assert.is(quotaRefusal({ code: 403, message }), undefined);
	assert.equal(quotaRefusal({ code: 409, message: moved }), {
		message: 'quota runners is changed by others at the same moment',
		moving: true,
	});
	assert.is(quotaRefusal({ code: 409, message: 'pods "a-0" already exists' }), undefined);
	assert.is(quotaRefusal({ code: 500, message: refusal('a-0', 3, 3) }), undefined);
	const long = quotaRefusal({
		code: 403,
		message: `exceeded quota: ${'x'.repeat(1_000_000)}\u001b[2J`,
	})?.message;
	assert.ok((long?.length ?? 0) <= 310 && !long?.includes('\u001b'));
	const odd = `exceeded quota: q, requested: ${', used: , limited: '.repeat(100_000)}`;
	assert.ok((quotaRefusal({ code: 403, message: odd })?.message.length ?? 0) <= 310);
});

test('tried again after 250 ms, 500 ms ... 30 s, and at once when a runner has ended', () => {
	const full = { message: 'full', moving: false };
	let wait = afterRefusal(undefined, full, 1_000);
	const waits: number[] = [];
	for (let nth = 0; nth < 9; nth++) {
		waits.push(wait.nextMs - 1_000);
		wait = afterRefusal(wait, full, 1_000);
	}
	assert.equal(waits, [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
	assert.is(afterEnd(wait).nextMs, 0);
	assert.is(afterRefusal(afterEnd(wait), full, 1_000).nextMs, 1_250);
});

for (const kind of kinds) {
	/** The namespace may have `limit` pods that have not ended. The quota is counted again `countedAfterMs` after one has ended. */
	const withQuota = async (replicas: number, { limit = 3, countedAfterMs = 400 } = {}) => {
		const world = new SetsWorld(kind);
		/** `moved`: so many creations find that others have changed the quota's count. */
		const room = { limit, moved: 0 };
		const ended = new Map<string, number>();
		const counts = ({ metadata, status }: Stored) => {
			if (status?.phase !== 'Succeeded' && status?.phase !== 'Failed') return true;
			const sinceMs = ended.get(metadata.uid ?? '') ?? world.clock.now();
			ended.set(metadata.uid ?? '', sinceMs);
			return world.clock.now() - sinceMs < countedAfterMs;
		};
		const podsThatCount = () => world.api.all(paths.pods).filter(counts).length;
		world.habits.noRoom = () => podsThatCount() >= room.limit || room.moved > 0;
		world.api.admission.unshift(({ operation, resource, object }) => {
			if (operation !== 'CREATE' || resource !== 'pods') return undefined;
			const used = podsThatCount();
			if (used < room.limit && room.moved > 0) {
				room.moved -= 1;
				return new KubeError(409, 'Conflict', moved);
			}
			const message = refusal(object.metadata.name, used, room.limit);
			return used >= room.limit ? new KubeError(403, 'Forbidden', message) : undefined;
		});
		world.put(replicas);
		await world.start();
		await world.clock.until('the room is used', () => world.live().length === room.limit, minute);
		await world.clock.pass(5 * minute);
		/** Also the StatefulSet controller has nothing left to try. */
		const end = async () => {
			room.limit = 100;
			await world.clock.pass(20 * minute);
			await world.end();
		};
		return { world, room, end };
	};
	const message = (world: SetsWorld) =>
		world.status.conditions?.find(({ type }) => type === 'QuotaExceeded')?.message;

	test(`${kind}: the set says which quota is short of what, with few calls; more room is used within 30 s`, async () => {
		const { world, room, end } = await withQuota(6);
		assert.is(world.live().length, 3);
		assert.is(world.condition('QuotaExceeded'), 'True');
		assert.is(message(world), 'quota runners: pods=3 used of pods=3, a runner needs pods=1');
		const posts = () => world.api.callsTo('POST', /\/(pods|statefulsets|runners)$/).length;
		const before = posts();
		await world.clock.pass(10 * minute);
		assert.ok(posts() - before <= 2 * 2 * 10 + 2, `${posts() - before} creations in 10 min`);
		room.limit = 6;
		await world.clock.until('all are there', () => world.live().length === 6, 40_000);
		await world.settled(6);
		assert.is(world.condition('QuotaExceeded'), 'False');
		assert.is(world.mostPods, 6);
		await end();
	});

	test(`${kind}: each freed room is used within 3 s, again and again`, async () => {
		const { world, end } = await withQuota(6);
		for (let nth = 0; nth < 5; nth++) {
			const [first = ''] = world.live();
			world.job(first);
			await world.clock.pass(2 * minute);
			world.completes(first);
			const tookMs = await world.clock.until(
				'the next one is there',
				() => world.live().length === 3 && !world.live().includes(first),
				minute,
			);
			assert.ok(tookMs < 3_000, `${tookMs} ms`);
		}
		assert.is(world.mostPods, 3);
		await end();
	});

	test(`${kind}: a name under which a runner has ended is never used again (invariant 6)`, async () => {
		const { world, end } = await withQuota(6);
		const names = new Map<string, number>();
		world.api.onChange((type, resource, { metadata }) => {
			if (type === 'ADDED' && resource === 'pods')
				names.set(metadata.name, (names.get(metadata.name) ?? 0) + 1);
		});
		for (let nth = 0; nth < 8; nth++) {
			const [first = ''] = world.live();
			world.job(first);
			await world.clock.pass(1_000);
			world.completes(first);
			await world.clock.until('the room is used', () => world.live().length === 3, minute);
		}
		await world.clock.pass(1_000);
		assert.ok(names.size >= 8);
		assert.equal(
			[...names].filter(([, times]) => times > 1),
			[],
		);
		await end();
	});

	for (const [times, withinMs] of [
		[1, 1_500],
		[10, 3_000],
	] as const)
		test(`${kind}: the quota is changed by others at the same moment, ${times} times: the pod is made within ${withinMs} ms`, async () => {
			const { world, room, end } = await withQuota(6);
			room.limit = 4;
			room.moved = times;
			const tookMs = await world.clock.until('the room is used', () => world.live().length === 4, 2 * minute);
			assert.ok(tookMs < 30_000 + withinMs, `${tookMs} ms`);
			assert.is(room.moved, 0, 'it was tried');
			await end();
		});

	test(`${kind}: scaled down to what there is room for: nothing waits, and the condition ends`, async () => {
		const { world, end } = await withQuota(6);
		world.scale(3);
		await world.settled(3, minute);
		await world.clock.pass(5_000);
		assert.is(world.condition('QuotaExceeded'), 'False');
		await end();
	});
}

test.run();

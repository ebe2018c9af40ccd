/** What a set and its autoscaler say to each other, in simulated time; the autoscaler here only takes notes. */
import * as assert from 'uvu/assert';
import type { ObjectKey } from '../../../admission/api/object-key.ts';
import { KubeError } from '../../../admission/kube/client.ts';
import type { Blocked } from '../../../admission/sets/demand-source.ts';
import { suite } from '../../support/suite.ts';
import { type Kind, kinds, SetsWorld } from '../support/sets-world.ts';

const test = suite('demand source of a set');
const minute = 60_000;

/** A set of an autoscaler that asks for nothing, so that its `replicas` count. */
function withAutoscaler(kind: Kind) {
	const reported: (Blocked | undefined)[] = [];
	const source = {
		synced: true,
		asked: 0,
		changed: (_key: ObjectKey, _jobs: number) => {},
		demandOf() {
			this.asked += 1;
			return undefined;
		},
		blocked: (_set: unknown, why: Blocked | undefined) => void reported.push(why),
		onChange(_kind: unknown, listener: (key: ObjectKey, jobs: number) => void) {
			this.changed = listener;
		},
	};
	return { world: new SetsWorld(kind, undefined, () => source), source, reported };
}

for (const kind of kinds) {
	test(`${kind} that starts runners is not blocked, and the autoscaler is asked at each reconcile`, async () => {
		const { world, source, reported } = withAutoscaler(kind);
		world.put(2);
		await world.start();
		await world.settled(2);
		assert.equal([...new Set(reported)], [undefined]);
		assert.is(source.asked, reported.length);
		await world.end();
	});
	for (const [what, blocked, prepare] of [
		[
			'whose spec is invalid',
			'SpecInvalid',
			(world: SetsWorld) =>
				world.change(({ spec }) => {
					const config = kind === 'RunnerSet' ? spec : spec.template.spec;
					Object.assign(config ?? {}, { repository: 'octo-org/app' });
				}),
		],
		[
			'without credentials',
			'CredentialsMissing',
			(world: SetsWorld) => {
				world.github.credentialsMissing = 'Secret ci/none does not exist';
				world.scale(3);
			},
		],
		[
			'whose credential GitHub refuses for its scope, though it has no runner to make',
			'CredentialsMissing',
			(world: SetsWorld) => {
				world.access = { kind: 'refused', detail: 'GitHub answered 403' };
				world.scale(0);
			},
		],
		[
			'for whose scope GitHub has not answered its credential yet',
			'ScopeUnconfirmed',
			(world: SetsWorld) => {
				world.access = { kind: 'unanswered' };
				world.scale(3);
			},
		],
		[
			'whose runners end before they register',
			'StartsFailing',
			(world: SetsWorld) => {
				world.habits.fails = 1;
				world.scale(3);
			},
		],
		[
			'whose pods the API server refuses',
			'StartsFailing',
			(world: SetsWorld) => {
				world.api.fail(
					'POST',
					/(statefulsets|runners|pods)$/,
					new KubeError(403, 'Forbidden', 'quota'),
					1_000,
				);
				world.scale(3);
			},
		],
	] as const)
		test(`${kind} ${what}: ${blocked}`, async () => {
			const { world, reported } = withAutoscaler(kind);
			world.put(1);
			await world.start();
			await world.settled(1);
			reported.length = 0;
			prepare(world);
			await world.clock.pass(minute);
			assert.is(reported.at(-1), blocked);
			await world.end();
		});
	test(`${kind}: GitHub answers for its scope: it counts at once, and nothing was said of it meanwhile`, async () => {
		const { world, reported } = withAutoscaler(kind);
		world.access = { kind: 'unanswered' };
		world.put(1);
		await world.start();
		await world.settled(1);
		assert.equal([reported.at(-1), world.condition('CredentialsMissing')], ['ScopeUnconfirmed', undefined]);
		world.answers({ kind: 'granted' });
		const afterMs = await world.clock.until('it counts', () => reported.at(-1) === undefined, 1_000);
		assert.ok(afterMs <= 100, `after ${afterMs} ms`);
		await world.end();
	});
	test(`${kind} whose pods the API server refused for a while: blocked until one is created, and its status is kept meanwhile`, async () => {
		const { world, reported } = withAutoscaler(kind);
		world.api.fail('POST', /(statefulsets|runners|pods)$/, new KubeError(403, 'Forbidden', 'quota'), 6);
		world.put(2);
		await world.start();
		await world.clock.until('it is blocked', () => reported.at(-1) === 'StartsFailing', 10_000);
		assert.is(world.status.selector?.endsWith('=example'), true, 'what was found is in the status');
		await world.settled(2, minute);
		world.scale(3);
		await world.settled(3, minute);
		assert.is(reported.at(-1), undefined);
		await world.end();
	});
	test(`${kind} whose pods the API server refused, and that needs none now: blocked until one is created`, async () => {
		const { world, reported } = withAutoscaler(kind);
		world.api.fail('POST', /(statefulsets|runners|pods)$/, new KubeError(403, 'Forbidden', 'quota'), 1_000);
		world.put(2);
		await world.start();
		await world.clock.pass(5_000);
		world.scale(0);
		await world.clock.pass(minute);
		assert.equal([world.owners(), reported.at(-1)], [[], 'StartsFailing']);
		await world.end();
	});
	test(`${kind} that is being deleted: blocked, and the autoscaler is not asked, nor waited for`, async () => {
		const { world, source, reported } = withAutoscaler(kind);
		world.put(2);
		await world.start();
		await world.settled(2);
		const [first = ''] = world.live();
		world.job(first);
		await world.clock.pass(1_000);
		const { asked } = source;
		source.synced = false;
		world.change(({ metadata }) => {
			metadata.deletionTimestamp = world.clock.iso();
		});
		await world.clock.pass(minute);
		assert.equal([world.live(), reported.at(-1), source.asked], [[first], 'Deleting', asked]);
		await world.end();
	});
	test(`${kind} while it is not known which sets have an autoscaler: nothing is created`, async () => {
		const { world, source } = withAutoscaler(kind);
		source.synced = false;
		world.put(2);
		await world.start();
		await world.clock.pass(5_000);
		assert.equal([world.owners(), source.asked], [[], 0]);
		source.synced = true;
		await world.settled(2);
		await world.end();
	});
	test(`${kind} whose demand changes is reconciled, later the more jobs it has`, async () => {
		const { world, source } = withAutoscaler(kind);
		world.put(1);
		await world.start();
		await world.settled(1);
		const reconciledAfter = async (jobs: number) => {
			const { looks } = world;
			source.changed('ci/example' as ObjectKey, jobs);
			return world.clock.until('it is reconciled', () => world.looks > looks, 10_000);
		};
		const [few, many] = [await reconciledAfter(0), await reconciledAfter(500)];
		assert.ok(few < many, `${few} and ${many} ms`);
		await world.end();
	});
}

test.run();

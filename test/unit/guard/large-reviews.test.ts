/** Reviews of which only what is short was kept: whose pod it is, and what becomes of it, is read from the API server. */
import * as assert from 'uvu/assert';
import { breakGlass, record } from '../../../admission/api/keys.ts';
import type { BreakGlassEdit } from '../../../admission/guard/break-glass.ts';
import { deletePods } from '../../../admission/guard/delete-pods.ts';
import { evictPods } from '../../../admission/guard/evict-pods.ts';
import { longestMessage } from '../../../admission/guard/rules/message.ts';
import { updateLargePods } from '../../../admission/guard/update-large-pods.ts';
import { KubeError } from '../../../admission/kube/client.ts';
import type { AdmissionRequest, AdmissionResponse } from '../../../admission/webhook/review.ts';
import { suite } from '../../support/suite.ts';
import { reviewParts } from '../support/guard.ts';
import { World } from '../support/world.ts';

const test = suite('large reviews of pods');
const worlds: World[] = [];
// What was asked of GitHub ends, or its time limits would keep this process for half a minute.
test.after.each(async () => {
	for (const { clock } of worlds.splice(0)) await clock.pass(60_000);
});

const server = 'system:serviceaccount:runners-system:runners-admission';

function setUp() {
	const world = new World();
	worlds.push(world);
	world.api.latencyMs = 1;
	const parts = reviewParts(world);
	const { clock } = world;
	async function send(asking: () => Promise<AdmissionResponse>): Promise<AdmissionResponse> {
		let answer: AdmissionResponse | undefined;
		const sent = asking().then((said) => {
			answer = said;
		});
		await clock.until('it is answered', () => answer !== undefined, 20_000);
		await sent;
		return answer as unknown as AdmissionResponse;
	}
	const arrival = () => ({ atMs: clock.now(), caller: 'known', certified: false }) as const;
	/** As LargeReview leaves it: the pod's spec and annotations were long. */
	const requestAbout = (name: string, change: Partial<AdmissionRequest>): AdmissionRequest => ({
		uid: 'review',
		name,
		namespace: 'ci',
		operation: 'DELETE',
		userInfo: { username: 'alice' },
		reduced: true,
		...change,
	});
	const headOf = (name: string) => ({
		metadata: { name, namespace: 'ci', uid: world.pod(name)?.metadata.uid, annotations: null },
		spec: null,
	});
	return {
		world,
		remove: (name: string, change: Partial<AdmissionRequest> = {}) =>
			send(() => deletePods(requestAbout(name, { oldObject: headOf(name), ...change }), arrival(), parts)),
		evict: (name: string, deleteOptions: object = {}) =>
			send(() => {
				const object = { metadata: { name, annotations: null }, deleteOptions };
				return evictPods(requestAbout(name, { operation: 'CREATE', object }), arrival(), parts);
			}),
		edit: (
			name: string,
			change: Partial<AdmissionRequest> = {},
			onBreakGlass?: (edit: BreakGlassEdit) => void,
		) =>
			send(() => {
				const objects = { oldObject: headOf(name), object: headOf(name) };
				const request = requestAbout(name, { operation: 'UPDATE', ...objects, ...change });
				return updateLargePods(request, server, parts, onBreakGlass);
			}),
		unread: async () =>
			[
				...(await world.metrics.registry.metrics()).matchAll(
					/^runners_unread_pods_total\{request="(\w+)"\} (\d)/gm,
				),
			].map(([, request, count]) => `${request} ${count}`),
	};
}
const recordOn = (world: World, name: string) => world.pod(name)?.metadata.annotations?.[record.requestedBy];
const plain = (world: World, name: string) => world.runner(name, { spec: { containers: [{ name: 'web' }] } });

test('a DELETE of a busy runner is refused and recorded; of a dry run nothing is written', async () => {
	const { world, remove } = setUp();
	world.runner('busy', {}, { busy: true });
	assert.is((await remove('busy', { dryRun: true })).status?.code, 409);
	assert.is(recordOn(world, 'busy'), undefined);
	const { allowed, status } = await remove('busy', { options: { gracePeriodSeconds: 7 } });
	assert.equal([allowed, status?.code, status?.details.causes[0]?.reason], [false, 409, 'busy']);
	assert.is(recordOn(world, 'busy'), 'alice');
	assert.match(world.pod('busy')?.metadata.annotations?.[record.options] ?? '', '"gracePeriodSeconds":7');
});
test('an eviction of a busy runner is refused and recorded; a dry run of it also where its stages were too many to be kept', async () => {
	const { world, evict } = setUp();
	world.runner('busy', {}, { busy: true });
	for (const dryRun of [['All'], null]) assert.is((await evict('busy', { dryRun })).status?.code, 429);
	assert.is(recordOn(world, 'busy'), undefined);
	assert.is((await evict('busy', { preconditions: null })).status?.details.causes[0]?.reason, 'busy');
	assert.is(recordOn(world, 'busy'), 'alice');
});
test('the pod of nobody’s runner is deleted, evicted and edited, and so is what has gone or ended', async () => {
	const { world, remove, evict, edit } = setUp();
	plain(world, 'web');
	world.runner('ended', { status: { phase: 'Succeeded', containerStatuses: [] } });
	for (const name of ['web', 'ended', 'nowhere']) {
		assert.ok((await evict(name)).allowed, name);
		assert.ok((await edit(name)).allowed, name);
		assert.ok((await remove(name)).allowed, name);
	}
});
test('an idle runner goes as ever, after GitHub’s 204', async () => {
	const { world, remove } = setUp();
	world.runner('idle');
	assert.ok((await remove('idle')).allowed);
	assert.equal(
		world.github.calls.filter((call) => call.startsWith('remove')),
		['remove 1'],
	);
});
test('a pod that has taken another’s place is not deleted in its stead', async () => {
	const { world, remove } = setUp();
	world.runner('idle');
	const oldObject = { metadata: { name: 'idle', namespace: 'ci', uid: 'before' } };
	const { status } = await remove('idle', { oldObject });
	assert.match(status?.message ?? '', 'replaced by another pod');
});
test('an edit of a live runner that cannot be compared is refused with what to do; the server’s own is not', async () => {
	const { world, edit } = setUp();
	world.runner('r1');
	const { status } = await edit('r1');
	assert.is(status?.code, 403);
	assert.match(
		status?.message ?? '',
		/too large to be checked \(over 3 MiB\): make it when the runner has ended/,
	);
	assert.ok((status?.message.length ?? 0) <= longestMessage, status?.message);
	assert.ok((await edit('r1', { userInfo: { username: server } })).allowed);
});
test('break-glass permits such an edit, and it is reported; a dry run of it is not', async () => {
	const { world, edit } = setUp();
	world.runner('r1');
	const reported: string[] = [];
	const report = ({ user, why }: BreakGlassEdit) => void reported.push(`${user}: ${why}`);
	const metadata = { name: 'r1', namespace: 'ci', annotations: { [breakGlass]: 'INC-1' } };
	for (const dryRun of [true, false])
		assert.ok((await edit('r1', { object: { metadata }, dryRun }, report)).allowed);
	assert.equal(reported, ['alice: INC-1']);
});
test('the one exception, while the API server does not answer us: any pod’s eviction is refused and counted, and it ends with the cause (invariant 9)', async () => {
	const { world, evict, edit, remove, unread } = setUp();
	plain(world, 'web');
	const { get } = world.pods;
	const failing = async () => {
		throw new KubeError(0, 'NoAnswer', 'timed out');
	};
	world.pods.get = failing;
	assert.equal([(await evict('web')).status?.code, await unread()], [429, ['eviction 1']]);
	assert.is((await edit('web')).status?.code, 429);
	assert.is((await remove('web')).status?.code, 409);
	assert.equal(await unread(), ['eviction 1', 'edit 1', 'delete 1']);
	world.pods.get = get;
	for (const ask of [evict, edit, remove] as const) assert.ok((await ask('web')).allowed);
	assert.equal(await unread(), ['eviction 1', 'edit 1', 'delete 1']);
});

test.run();

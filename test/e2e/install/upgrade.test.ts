/** A new version of the server with other defaults takes over: nobody's runner notices (H6). */
import { chmod, copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import manifest from '../../../package.json' with { type: 'json' };
import { eventually } from '../../rig/eventually.ts';
import { type History, startHistory } from '../../rig/history.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { kinds, SetUnderTest } from '../../rig/runner-sets.ts';
import { suite } from '../../support/suite.ts';
import { end } from '../support/space.ts';

interface Context {
	rig: Rig;
	history: History;
	sets: SetUnderTest[];
}

const test = suite<Context>('upgrade of the server');

const images = ['--runner-image', 'example.com/runner:9', '--docker-image', 'example.com/docker:9'];
const next = '9.9.9';
const replicas = 3;

test.before(async (context) => {
	context.rig = await startRig({ sets: true, replicas: 2 });
	context.history = await startHistory(context.rig);
	// One set whose template names no image, so that the defaults are in its pods, with the docker sidecar.
	context.sets = await Promise.all(
		kinds.map((kind) => SetUnderTest.make(context.rig, kind, { replicas, config: { dockerEnabled: true } })),
	);
});
test.after(async ({ rig, history, sets }) => {
	for (const set of sets ?? []) set.stop();
	history?.stop();
	await end(rig);
});
test.after.each(async ({ history, rig, sets }) => {
	assert.equal(await history.violationsAtRest(), []);
	for (const set of sets) assert.equal(set.reused(), [], 'a pod name was used twice (invariant 6)');
	assert.equal(
		rig.logs(({ level }) => level === 'error'),
		[],
	);
});

/** The same server under another version number, as a release of ours would be. */
async function nextVersion(rig: Rig): Promise<string> {
	const folder = join(rig.cluster.folder, 'next', 'dist');
	await mkdir(folder, { recursive: true });
	const dist = (name: string) => new URL(`../../../dist/${name}`, import.meta.url);
	const bundle = await readFile(dist('runners-admission.mjs'), 'utf8');
	const renamed = bundle.replace(`version:"${manifest.version}"`, `version:"${next}"`);
	assert.is.not(renamed, bundle, 'the version is in the bundle');
	await writeFile(join(folder, 'runners-admission.mjs'), renamed);
	const beside = 'runners-admission-certificates.mjs';
	await copyFile(dist(beside), join(folder, beside));
	// The launcher looks for the project's own Node beside its folder.
	await symlink(new URL('../../../node_modules', import.meta.url), join(folder, '..', 'node_modules'));
	const bin = join(folder, 'runners-admission');
	await copyFile(dist('runners-admission'), bin);
	await chmod(bin, 0o755);
	return bin;
}

test('replica by replica to a new version with other default images: no pod is replaced or written to, the jobs go on, a recorded deletion is kept (H6)', async ({
	rig,
	sets,
}) => {
	const busy = new Map(sets.map((set) => [set, set.known()[0] ?? '']));
	for (const [set, name] of busy) {
		await set.busy(name);
		const refused = await rig.kubectl(['-n', set.namespace, 'delete', 'pod', name, '--wait=false']);
		assert.match(refused.stderr, 'is busy');
	}
	const pods = async (set: SetUnderTest) =>
		new Map(
			(await rig.pods(set.namespace)).map(({ metadata, spec }) => [
				metadata.name,
				{ uid: metadata.uid, labels: metadata.labels, spec },
			]),
		);
	const before = new Map(await Promise.all(sets.map(async (set) => [set, await pods(set)] as const)));
	const bin = await nextVersion(rig);
	const old = [...rig.servers];
	for (const server of old) {
		await rig.addServer({ bin, args: images });
		await server.stop();
	}
	await rig.guarded();
	assert.equal(
		rig.logs(({ msg }) => msg === 'starting').map(({ version }) => version),
		[next, next],
	);
	for (const [set, were] of before) {
		await set.rests(replicas);
		assert.equal(await pods(set), were);
		assert.is(set.uids.size, replicas, 'no new pod');
		assert.equal(set.journal('job-killed'), []);
		const condition = await set.condition('RollingOut');
		assert.is.not(condition?.status, 'True');
	}
	for (const [set, name] of busy) {
		await set.endJob(name);
		await eventually(`${name} has gone by its recorded deletion`, () => !set.all().includes(name));
	}
});

test('runners that are made from now on have the new images; those of before stay beside them, as of the same template (H6)', async ({
	rig,
	sets,
}) => {
	for (const set of sets) {
		await set.registered(replicas);
		await set.scale(replicas + 1);
		await set.registered(replicas + 1);
		await set.rests(replicas + 1);
		assert.is(set.templates().size, 1, 'one template hash');
		const image = async (name: string) =>
			(await set.pod(name))?.spec?.containers?.find((container) => container.name === 'runner')?.image;
		const found = await Promise.all(set.live().map(image));
		assert.equal(
			found.sort(),
			[...Array(2).fill('example.com/runner:9'), ...Array(2).fill('summerwind/actions-runner:latest')],
			`one replaced, one added: ${rig.servers.length} servers`,
		);
	}
});

test.run();

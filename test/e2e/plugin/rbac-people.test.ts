/** The plugin with the roles for people and nothing else: what each of them can do, and what the others are shown. */
import * as assert from 'uvu/assert';
import { jobHooks, record } from '../../../admission/api/keys.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { SetUnderTest } from '../../rig/runner-sets.ts';
import { stage } from '../../rig/stage.ts';
import { suite } from '../../support/suite.ts';
import { type Finished, type Installed, installPlugin, type Running } from '../support/plugin-process.ts';
import { end } from '../support/space.ts';

/** `kubectl runners ...` as somebody, in the set's namespace. */
interface Person {
	run(...args: string[]): Promise<Finished>;
	start(...args: string[]): Running;
}

interface Context {
	rig: Rig;
	plugin: Installed;
	set: SetUnderTest;
	viewer: Person;
	editor: Person;
	developer: Person;
	/** May delete pods, and read no log. */
	deleter: Person;
	admin: Person;
}

const test = suite<Context>('roles for people');

/** Only this file's runners are on it: it is drained. */
const node = 'node-of-rbac-people';

test.before(async (context) => {
	const [rig, plugin] = await Promise.all([stage('sets'), installPlugin()]);
	Object.assign(context, { rig, plugin });
	await rig.cluster.addNode(node);
	const set = await SetUnderTest.make(rig, 'RunnerSet', {
		replicas: 4,
		spec: {
			template: {
				// Without job hooks only the log tells at once that a runner works.
				metadata: { labels: { app: 'example' }, annotations: { [jobHooks.wanted]: 'off' } },
				spec: { nodeSelector: { 'kubernetes.io/hostname': node } },
			},
		},
	});
	context.set = set;
	const at = ['-n', set.namespace];
	const as = async (user: string, role: string, everywhere = false): Promise<Person> => {
		const where = everywhere ? ['clusterrolebinding', user] : [...at, 'rolebinding', user];
		await rig.ok(['create', ...where, `--clusterrole=${role}`, `--user=${user}`]);
		const env = { KUBECONFIG: await rig.cluster.kubeconfigFor(user, []) };
		return {
			run: (...args) => plugin.run([...args, ...at], env),
			start: (...args) => plugin.start([...args, ...at], env),
		};
	};
	await rig.ok(['create', 'clusterrole', 'deleter', '--verb=get,delete', '--resource=pods']);
	Object.assign(context, {
		viewer: await as('viewer', 'view'),
		editor: await as('editor', 'runners-edit'),
		developer: await as('developer', 'edit'),
		deleter: await as('deleter', 'deleter'),
		admin: await as('admin-of-runners', 'runners-admin', true),
	});
});
test.after(async ({ rig, plugin, set }) => {
	set?.stop();
	await Promise.all([end(rig), plugin?.remove()]);
});

function ok({ code, stdout, stderr }: Finished): string {
	assert.is(code, 0, `exit code ${code}: ${stdout}${stderr}`);
	assert.is(stderr, '');
	return stdout;
}

/** Exit code 1, and kubectl's own message. */
function forbidden({ code, stdout, stderr }: Finished, what: RegExp): void {
	assert.is(code, 1, `exit code ${code}: ${stdout}${stderr}`);
	assert.match(stderr, /^Error from server \(Forbidden\): /);
	assert.match(stderr, what);
	assert.ok(stderr.trimEnd().split('\n').length <= 3, stderr);
}

test('view: lists and shows; whatever changes something is refused with kubectl’s message, and changes nothing', async ({
	rig,
	set,
	viewer,
}) => {
	const [pod = ''] = set.known();
	await set.busy(pod);
	await eventually('view has what is aggregated to it', async () => (await viewer.run('status')).code === 0);
	assert.match(ok(await viewer.run('list')), pod);
	assert.match(ok(await viewer.run('list', 'sets')), /^example /m);
	assert.match(ok(await viewer.run('status', 'example')), pod);

	const before = (await set.object()).spec;
	forbidden(await viewer.run('why', pod), /User "viewer" cannot delete resource "pods"/);
	forbidden(await viewer.run('delete', pod), /User "viewer" cannot delete resource "pods"/);
	forbidden(
		await viewer.run('delete', pod, '--now', '--reason', 'test'),
		/User "viewer" cannot patch resource "pods"/,
	);
	forbidden(
		await viewer.run('scale', 'example', '--replicas=0'),
		/cannot patch resource "runnersets\/scale"/,
	);
	forbidden(await viewer.run('drain', 'runnerset/example'), /cannot patch resource "runnersets\/scale"/);
	forbidden(await viewer.run('drain', node), /cannot (get|patch) resource "nodes"/);
	assert.equal((await set.object()).spec, before);
	const { annotations = {} } = (await rig.pod(pod, set.namespace))?.metadata ?? {};
	assert.is(annotations[record.requestedBy], undefined);
	await set.endJob(pod);
	await eventually('it has left', () => !set.all().includes(pod));
	await set.registered(4);
});

test('runners-edit alone: list, status, why, delete, cancel, wait, break-glass, scale, drain of a set', async ({
	rig,
	set,
	editor,
}) => {
	const [pod = '', hung = ''] = set.known();
	await set.busy(pod, hung);
	assert.match(ok(await editor.run('list')), pod);
	// Whether the set has settled, `status` says by its exit code.
	await eventually('the set has settled', async () => (await editor.run('status', 'example')).code === 0);
	assert.match(ok(await editor.run('status', 'example')), pod);
	const why = ok(await editor.run('why', pod));
	assert.match(why, /^Deletion: +denied \(busy\)$/m);
	assert.match(why, /^Sources: +runner's log +working since /m, 'it reads the log itself');
	ok(await editor.run('delete', pod, '--wait=false'));
	assert.match(ok(await editor.run('cancel', pod)), 'requested by editor');
	ok(await editor.run('delete', pod, '--wait=false'));
	const waiting = editor.start('wait', pod);
	await waiting.prints(/busy/);
	await set.endJob(pod);
	ok(await waiting.end());
	ok(await editor.run('delete', hung, '--now', '--reason', 'it hangs'));
	await set.registered(4);

	ok(await editor.run('scale', 'example', '--replicas=3', '--wait'));
	ok(await editor.run('drain', 'runnerset/example'));
	assert.equal(set.live(), []);
	ok(await editor.run('scale', 'example', '--replicas=4', '--wait'));
	forbidden(await editor.run('drain', node), /cannot (get|patch) resource "nodes"/);
	assert.match(ok(await editor.run('version')), 'Guard: unknown (you may not read webhook configurations)');
	assert.equal(
		rig.agents.killedJobs().map((killed) => killed.pod),
		[hung],
	);
});

test('without pods/log: why says so and who may, and the guard, which reads the log, names the job', async ({
	rig,
	set,
	deleter,
}) => {
	const [pod = ''] = set.known();
	const { displayName } = await rig.agents.runJob(set.namespace, pod);
	const why = ok(await deleter.run('why', pod));
	assert.match(why, /^Deletion: +denied \(busy\)$/m);
	assert.match(
		why,
		/runner's log +not known: you may not get pods\/log in namespace .*; the ClusterRoles view, runners-edit and runners-admin may$/m,
	);
	assert.match(why, new RegExp(`^Job: +${displayName}, busy for \\d+s`, 'm'));
	assert.match(why, /, busy \(guard\)$/m);
	await set.endJob(pod);
	await set.registered(4);
});

test("the cluster's own edit has it too", async ({ set, developer }) => {
	await eventually(
		'edit has what is aggregated to it',
		async () => (await developer.run('scale', 'example', '--replicas=3')).code === 0,
	);
	await set.registered(3);
	const [pod = ''] = set.known();
	ok(await developer.run('delete', pod));
	await set.registered(3);
});

test('runners-admin alone: a node is drained, the guard is seen', async ({ set, admin }) => {
	assert.match(ok(await admin.run('version')), /^Guard: installed$/m);
	assert.match(ok(await admin.run('list', '-A')), set.namespace);
	const [pod = ''] = set.known();
	await set.busy(pod);
	const draining = admin.start('drain', node);
	await draining.prints(/not evicted yet/);
	await set.endJob(pod);
	assert.match(ok(await draining.end()), `node/${node} drained of runners`);
});

test.run();

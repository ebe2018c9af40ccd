/** The plugin's verbs for RunnerSets and RunnerDeployments, against real reconcilers. */
import * as assert from 'uvu/assert';
import type { RunnerSet } from '../../../admission/api/sets.ts';
import { eventually } from '../../rig/eventually.ts';
import { kinds } from '../../rig/runner-sets.ts';
import { stage } from '../../rig/stage.ts';
import { type Finished, type Installed, installPlugin, type Running } from '../support/plugin-process.ts';
import { setTests } from '../support/set-tests.ts';

let plugin: Installed;
let env: { KUBECONFIG: string };

const test = setTests('kubectl runners, sets', {
	async prepare() {
		const rig = await stage('sets');
		plugin = await installPlugin();
		env = { KUBECONFIG: rig.cluster.kubeconfig };
		return rig;
	},
	cleanUp: () => plugin?.remove(),
});

const runners = (...args: string[]): Promise<Finished> => plugin.run(args, env);
const start = (...args: string[]): Running => plugin.start(args, env);

/** What the plugin says after the exit code; fails with all of it. */
function ok({ code, stdout, stderr }: Finished): string {
	assert.is(code, 0, `exit code ${code}: ${stdout}${stderr}`);
	return stdout;
}

for (const kind of kinds) {
	const resource = kind.toLowerCase();

	test(`${kind}: scale up with --wait ends when all are registered; status and list tell the same`, async ({
		rig,
		make,
	}) => {
		const set = await make(kind);
		const at = ['-n', set.namespace];
		const up = ok(await runners('scale', 'example', '--replicas=2', '--wait', '--timeout=120s', ...at));
		assert.match(up, new RegExp(`^${resource}.actions.summerwind.dev/example scaled\n`));
		assert.match(up, new RegExp(`^${resource}/example settled: 2 wanted: 2 idle\n$`, 'm'));
		const online = rig.github.runners(set.scope).filter(({ status }) => status === 'online');
		assert.is(online.length, 2);

		const before = set.live();
		await set.scale(3);
		await set.online(3);
		const [third = ''] = set.live().filter((name) => !before.includes(name));
		await set.busy(third);
		await eventually(
			'the status counts it',
			async () => {
				const { busyReplicas, idleReplicas } = (await set.object()).status ?? {};
				return busyReplicas === 1 && idleReplicas === 2;
			},
			{ withinMs: 60_000 },
		);
		const tree = ok(await runners('status', `${resource}/example`, ...at));
		assert.match(tree, new RegExp(`^${resource}/example +settled +\\d+s +3 wanted: 2 idle, 1 busy$`, 'm'));
		assert.match(
			tree,
			new RegExp(`^.─ ${third} +busy +\\d+s +on node-\\S+\n.{3}└─ job .* +running +\\d+s$`, 'm'),
		);
		assert.is(tree.match(/─ example-\S+ +idle /g)?.length, 2);

		const list = ok(await runners('list', 'sets', ...at));
		assert.match(list, /^NAME +KIND +DESIRED +CURRENT +IDLE +BUSY +DRAINING +AGE\n/);
		assert.match(list, new RegExp(`^example +${kind} +3 +3 +2 +1 +0 +\\d+s$`, 'm'));
		const ageless = (text: string) => text.replace(/\d+s$/m, '');
		assert.is(ageless(ok(await runners('list', `${resource}s`, ...at))), ageless(list));
	});
}

test('drain waits for the job, says for whom, and scales again with --replicas (C6)', async ({
	rig,
	make,
}) => {
	const set = await make('RunnerDeployment', { replicas: 2 });
	const [first = '', second = ''] = set.live();
	await set.busy(first);
	await set.registered(2);
	const draining = start('drain', 'runnerdeployment/example', '--replicas=1', '-n', set.namespace);
	await draining.prints(new RegExp(`^pod/${second} gone$`, 'm'));
	await draining.prints(new RegExp(`^waiting for ${set.namespace}/${first}: busy for \\d+s`, 'm'));
	await set.finish(first);
	const stdout = ok(await draining.end());
	assert.match(stdout, /^runnerdeployment.actions.summerwind.dev\/example scaled to 0 \(was 2\)\n/);
	assert.match(stdout, /^runnerdeployment\/example drained: 2 runners have left in \d+s\n.*scaled to 1\n$/m);
	assert.equal(rig.agents.killedJobs(), []);
	await set.reaches(1);
});

test('drain: --timeout is 2 and Ctrl-C is 130, both say what goes on and how to restore', async ({
	make,
}) => {
	const set = await make('RunnerSet', { replicas: 1 });
	const [only = ''] = set.live();
	await set.busy(only);
	const at = ['-n', set.namespace];
	const late = await runners('drain', 'runnerset/example', '--timeout=2s', ...at);
	assert.is(late.code, 2, late.stderr);
	const goesOn =
		/runnerset\/example stays scaled to 0, also without this command: 1 runner is still there, 1 of them busy/;
	assert.match(late.stderr, /^error: timed out waiting for the condition on runnerset\/example\n/);
	assert.match(late.stderr, goesOn);
	const restore = `kubectl runners scale runnerset/example --replicas=1 -n ${set.namespace}`;
	assert.ok(late.stderr.includes(`To restore: ${restore}\n`), late.stderr);

	const again = start('drain', 'runnerset', 'example', ...at);
	await again.prints(new RegExp(`${only}: busy`));
	again.interrupt();
	const { code, stderr } = await again.end();
	assert.is(code, 130);
	assert.match(stderr, goesOn);
	assert.not.match(stderr, /restore/, 'it wanted 0 before this drain');

	const third = start('drain', 'runnerset/example', ...at);
	await third.prints(new RegExp(`${only}: busy`));
	ok(await runners(...restore.split(' ').slice(2)));
	const overruled = await third.end();
	assert.equal(
		[overruled.code, overruled.stderr],
		[1, 'error: runnerset/example was scaled to 1 in the meantime\n'],
	);
	assert.equal(set.live(), [only], 'the busy runner was never touched');
});

test('scale --wait: a busy surplus is waited for by name; --timeout and Ctrl-C say how to undo it', async ({
	make,
}) => {
	const set = await make('RunnerSet', { replicas: 2 });
	const both = set.live();
	await set.busy(...both);
	const at = ['-n', set.namespace];
	const late = await runners('scale', 'example', '--replicas=1', '--wait', '--timeout=8s', ...at);
	assert.is(late.code, 2, late.stdout + late.stderr);
	assert.match(
		late.stdout,
		/^waiting for runnerset\/example: draining, 1 wanted: 2 busy \(1 draining\); 1 runner to be removed when no longer busy/m,
	);
	assert.match(late.stderr, /stays scaled to 1, also without this command.*To undo: .* --replicas=2 -n /);
	const status = await runners('status', ...at);
	assert.is(status.code, 2, status.stdout);
	assert.match(status.stdout, /^runnerset\/example +draining /m);

	const waiting = start('scale', 'example', '--replicas=1', '--wait', ...at);
	await waiting.prints(/waiting for runnerset\/example: draining/);
	waiting.interrupt();
	assert.is((await waiting.end()).code, 130);

	const last = start('scale', 'example', '--replicas=1', '--wait', ...at);
	await last.prints(/waiting for runnerset\/example: draining/);
	await set.finish(both[0] ?? '');
	assert.match(ok(await last.end()), /^runnerset\/example settled: 1 wanted: 1 busy$/m);
});

test('scale: preconditions, dry runs and formats as kubectl scale has them', async ({ make }) => {
	const set = await make('RunnerSet');
	const at = ['-n', set.namespace];
	const replicas = async () => (await set.object()).spec.replicas;
	const wrong = await runners('scale', 'example', '--replicas=1', '--current-replicas=3', ...at);
	assert.equal([wrong.code, wrong.stderr], [1, 'error: Expected replicas to be 3, was 0\n']);
	const stale = await runners('scale', 'example', '--replicas=1', '--resource-version=1', ...at);
	assert.match(stale.stderr, /^error: Expected resource version to be 1, was \d+\n$/);

	for (const [dryRun, suffix] of [
		['client', '(dry run)'],
		['server', '(server dry run)'],
	]) {
		const dry = ok(await runners('scale', 'example', '--replicas=4', `--dry-run=${dryRun}`, ...at));
		assert.is(dry, `runnerset.actions.summerwind.dev/example scaled ${suffix}\n`);
		const shown = ok(
			await runners('scale', 'example', '--replicas=4', `--dry-run=${dryRun}`, '-o', 'json', ...at),
		);
		const { kind, spec } = JSON.parse(shown) as RunnerSet;
		assert.equal([kind, spec.replicas], ['RunnerSet', 4]);
	}
	assert.is(await replicas(), 0);

	const named = ok(
		await runners(
			'scale',
			'runnersets',
			'example',
			'--replicas=1',
			'--current-replicas=0',
			'-o',
			'name',
			...at,
		),
	);
	assert.is(named, 'runnerset.actions.summerwind.dev/example\n');
	assert.is(await replicas(), 1);
	const yaml = ok(await runners('scale', 'example', '--replicas=0', '-o', 'yaml', ...at));
	assert.match(yaml, /^apiVersion: actions.summerwind.dev\/v1alpha1\nkind: RunnerSet\n/);
	assert.match(yaml, /^ {2}replicas: 0$/m);
});

test('a name alone: found whichever kind it is, refused if it is both, NotFound if neither', async ({
	rig,
	make,
}) => {
	const set = await make('RunnerDeployment');
	const at = ['-n', set.namespace];
	assert.is(
		ok(await runners('scale', 'example', '--replicas=0', ...at)),
		'runnerdeployment.actions.summerwind.dev/example scaled\n',
	);
	const spec = {
		replicas: 0,
		organization: 'o',
		selector: { matchLabels: { app: 'a' } },
		serviceName: 'a',
		template: { metadata: { labels: { app: 'a' } } },
	};
	await rig.apply({
		apiVersion: 'actions.summerwind.dev/v1alpha1',
		kind: 'RunnerSet',
		metadata: { name: 'example', namespace: set.namespace },
		spec,
	});
	const both = await runners('scale', 'example', '--replicas=0', ...at);
	assert.is(
		both.stderr,
		'error: there are runnerset/example and runnerdeployment/example: specify the kind\n',
	);
	assert.match(
		ok(await runners('list', 'sets', '-o', 'name', ...at)),
		/^runnerdeployment\.\S+\/example\nrunnerset\.\S+\/example\n$/,
	);
	assert.not.match(ok(await runners('list', 'runnersets', ...at)), /RunnerDeployment/);
	assert.match(ok(await runners('list', 'sets', '-A', '-o', 'wide')), /^NAMESPACE .* SCOPE +LABELS\n/);
	const none = await runners('scale', 'nobody', '--replicas=0', ...at);
	assert.is(
		none.stderr,
		'Error from server (NotFound): runnersets.actions.summerwind.dev "nobody" not found\n',
	);
	const missing = await runners('status', 'runnerdeployment/nobody', ...at);
	assert.equal([missing.code, missing.stdout], [1, '']);
	const empty = await runners('status', '-n', 'kube-public');
	assert.equal([empty.code, empty.stderr], [0, 'No resources found in kube-public namespace.\n']);
});

test('status -w and list sets -w in a pipe: the tree, then a line for every change', async ({ make }) => {
	const set = await make('RunnerSet', { replicas: 1 });
	await set.registered(1);
	await set.conditionIs('Settled', 'True');
	const [first = ''] = set.live();
	const at = ['-n', set.namespace];
	const status = start('status', 'example', '-w', ...at);
	const list = start('list', 'sets', '-w', ...at);
	await status.prints(new RegExp(`^└─ ${first} +idle`, 'm'));
	await list.prints(/^example +RunnerSet +1 +1 +1 +0 +0 /m);
	await set.scale(2);
	await set.online(2);
	const [second = ''] = set.live().filter((name) => name !== first);
	await set.busy(second);
	await status.prints(new RegExp(`^runnerset/example ${second}: busy`, 'm'));
	await list.prints(/^example +RunnerSet +2 +2 +1 +1 +0 /m);
	await set.scale(0);
	await status.prints(new RegExp(`^runnerset/example ${first}: gone$`, 'm'));
	await status.prints(
		/^runnerset\/example: draining; 0 wanted: 1 busy \(1 draining\); 1 runner to be removed when/m,
	);
	await set.finish(second);
	await status.prints(new RegExp(`^runnerset/example ${second}: gone$`, 'm'));
	await status.prints(/^runnerset\/example: settled; 0 wanted: none$/m);
	for (const running of [status, list]) {
		running.interrupt();
		const { code, stdout, stderr } = await running.end();
		assert.equal([code, stderr], [130, '']);
		assert.not.ok(stdout.includes('\u001b'));
		assert.is(new Set(stdout.split('\n')).size, stdout.split('\n').length, stdout);
	}
});

test('set names are completed, with what they are up to', async ({ make }) => {
	const set = await make('RunnerDeployment');
	const scale = ok(await runners('__complete', 'scale', '-n', set.namespace, 'ex'));
	assert.is(scale, 'example\t0 wanted: none\n:4\n');
	const drain = ok(await runners('__complete', 'drain', '-n', set.namespace, 'runner'));
	assert.match(drain, /^runnerdeployment\/example\t/);
});

test('with job hooks, list shows the job and its run as soon as the hook has run, whatever GitHub lists', async ({
	rig,
	make,
}) => {
	const set = await make('RunnerSet', { replicas: 2, withoutHooks: false });
	rig.github.delayHints(set.scope, 120_000);
	const at = ['-n', set.namespace];
	const [name = '', other = ''] = set.live();
	const { key, repository, workflow, workflowRunId } = await rig.agents.runJob(set.namespace, name);
	await eventually('its first hook has run', () =>
		rig.agents.journal.some(
			({ what, pod, namespace, hook }) =>
				what === 'hook-ran' && pod === name && namespace === set.namespace && hook?.phase === 'started',
		),
	);
	const wide = ok(await runners('list', '-o', 'wide', ...at));
	const row = wide.split('\n').find((line) => line.startsWith(`${name} `)) ?? '';
	assert.match(row, new RegExp(` busy +${key} \\(${repository}, run ${workflowRunId}\\) `));
	assert.match(row, new RegExp(` ${workflow} +\\S*${repository}(/actions/runs/| run )${workflowRunId}$`));
	assert.match(wide, new RegExp(`^${other} .* (idle|starting) `, 'm'));
	const { runner } = JSON.parse(ok(await runners('list', name, '-o', 'json', ...at)));
	assert.equal(
		[runner.job.repository, runner.job.workflow, runner.job.runId],
		[repository, workflow, workflowRunId],
	);
	assert.equal(
		runner.sources.map(({ by, state }: { by: string; state: string }) => `${by} ${state}`),
		['hook working'],
	);
	const why = ok(await runners('why', name, ...at));
	assert.match(why, new RegExp(`^ +job hook +working since .*: ${key} `, 'm'));
	assert.match(why, /^Sources: +runner's log +working since /m);
	const doctor = await runners('doctor', '-o', 'json');
	const hooks = JSON.parse(doctor.stdout).checks.find(
		({ check }: { check: string }) => check === 'job-hooks',
	);
	assert.match(hooks.message, /with job hooks, of which [1-9]\d* (has|have) reported a job$/);
	await set.finish(name);
});

test.run();

/** The plugin's verbs for autoscalers and workflow jobs, against a real API server with the shipped definitions and roles. */
import * as assert from 'uvu/assert';
import {
	autoscaleKinds,
	type HorizontalRunnerAutoscaler,
	type WorkflowJob,
	type WorkflowJobSpec,
	type WorkflowJobStatus,
} from '../../../admission/api/autoscale.ts';
import { names } from '../../../admission/api/keys.ts';
import { recordName } from '../../../admission/jobs/records/rules/name.ts';
import { Autoscaled } from '../../rig/autoscaled.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { kinds } from '../../rig/runner-sets.ts';
import { stage } from '../../rig/stage.ts';
import { type Finished, type Installed, installPlugin } from '../support/plugin-process.ts';
import { setTests } from '../support/set-tests.ts';

let plugin: Installed;
let env: { KUBECONFIG: string };

const test = setTests('kubectl runners, autoscalers and jobs', {
	async prepare() {
		const rig = await stage('sets');
		plugin = await installPlugin();
		env = { KUBECONFIG: rig.cluster.kubeconfig };
		return rig;
	},
	cleanUp: () => plugin?.remove(),
});

const runners = (...args: string[]): Promise<Finished> => plugin.run(args, env);

function ok({ code, stdout, stderr }: Finished): string {
	assert.is(code, 0, `exit code ${code}: ${stdout}${stderr}`);
	return stdout;
}

/** Nobody but the server's account may write jobs. */
const asServer = [
	`--as=system:serviceaccount:${names.namespace}:${names.server}`,
	'--as-group=system:masters',
	'-n',
	names.namespace,
];
let lastId = Date.now();

/** Jobs as the server records them, taken away in the end. */
class Jobs {
	readonly #rig: Rig;
	readonly #names: string[] = [];

	constructor(rig: Rig) {
		this.#rig = rig;
	}

	async make(spec: Partial<WorkflowJobSpec>, status: WorkflowJobStatus): Promise<string> {
		const id = ++lastId;
		const { apiVersion, kind } = autoscaleKinds.workflowJob;
		const name = recordName({ host: 'github.com', repository: 'octo-org/app', id });
		this.#names.push(name);
		const now = new Date().toISOString();
		const job: WorkflowJob = {
			apiVersion,
			kind,
			metadata: { name, namespace: names.namespace },
			spec: {
				host: 'github.com',
				id,
				repository: 'octo-org/app',
				runId: 42,
				runAttempt: 1,
				labels: ['self-hosted'],
				state: 'queued',
				createdAt: now,
				deliveredAt: now,
				stateSince: now,
				openedAt: now,
				...spec,
			},
		};
		await this.#rig.ok(['create', '-f', '-', ...asServer], JSON.stringify(job));
		await this.patch(name, { status }, 'status');
		return name;
	}

	async patch(name: string, change: object, subresource?: string): Promise<void> {
		const sub = subresource === undefined ? [] : [`--subresource=${subresource}`];
		const patch = ['--type=merge', '-p', JSON.stringify(change)];
		await this.#rig.ok(['patch', 'workflowjob', name, ...sub, ...patch, ...asServer]);
	}

	async end(): Promise<void> {
		if (this.#names.length === 0) return;
		await this.#rig.ok(['delete', 'workflowjob', '--ignore-not-found', ...this.#names, ...asServer]);
	}
}

for (const kind of kinds) {
	const resource = kind.toLowerCase();

	test(`${kind}: autoscale makes an autoscaler, changes it, and scale points at it`, async ({
		rig,
		make,
	}) => {
		const { namespace } = await make(kind);
		const at = ['-n', namespace];
		const autoscaler = async () =>
			JSON.parse(await rig.ok(['get', 'hra', 'example', '-o', 'json', ...at])) as HorizontalRunnerAutoscaler;
		const line = 'horizontalrunnerautoscaler.actions.summerwind.dev/example autoscaled';

		const dry = ok(await runners('autoscale', 'example', '--min=0', '--max=3', '--dry-run=server', ...at));
		assert.is(dry, `${line} (server dry run)\n`);
		assert.is((await rig.kubectl(['get', 'hra', 'example', ...at])).code, 1);

		assert.is(ok(await runners('autoscale', 'example', '--min=0', '--max=3', ...at)), `${line}\n`);
		const { spec } = await autoscaler();
		assert.equal(spec, {
			scaleTargetRef: { kind, name: 'example' },
			minReplicas: 0,
			maxReplicas: 3,
			scaleUpTriggers: [{ githubEvent: { workflowJob: {} } }],
		});
		ok(await runners('autoscale', `${resource}/example`, '--max=5', '--delay=90s', '--spare=0', ...at));
		assert.equal((await autoscaler()).spec, {
			...spec,
			maxReplicas: 5,
			scaleDownDelaySecondsAfterScaleOut: 90,
			spare: { replicas: 0 },
		});
		const wrong = await runners('autoscale', 'example', '--min=6', ...at);
		assert.equal(
			[wrong.code, wrong.stderr],
			[1, 'error: --max=N must be larger or equal to --min=N, max: 5, min: 6\n'],
		);

		const scaled = await runners('scale', 'example', '--replicas=2', ...at);
		assert.is(scaled.code, 1);
		assert.match(
			scaled.stderr,
			/^error: \S+\/example is scaled by horizontalrunnerautoscaler\/example \(min 0, max 5\)/,
		);
		const forced = ok(await runners('scale', 'example', '--replicas=0', '--force', ...at));
		assert.match(forced, /\/example scaled\n$/);

		const { stdout } = await runners('status', 'example', ...at);
		assert.match(stdout, new RegExp(`^${resource}/example +`, 'm'));
		assert.match(stdout, /^└─ autoscaler example +\S+ +\d+s +.*min 0, max 5/m);
		const known = ok(await runners('__complete', 'autoscale', ...at, '--name', 'ex'));
		assert.match(known, /^example\t.*min 0, max 5.*\n:4\n$/);
		await rig.ok(['delete', 'hra', 'example', '-n', namespace]);
	});
}

test('jobs: those of a namespace, of a set, and with -A those that no set can run; -w says what becomes of them', async ({
	rig,
	make,
}) => {
	const { namespace } = await make('RunnerSet');
	const jobs = new Jobs(rig);
	const at = ['-n', namespace];
	try {
		const set = { kind: 'RunnerSet', namespace, name: 'example' };
		const repository = `${namespace}/app`;
		const name = await jobs.make(
			{ repository, name: 'build', workflow: 'CI' },
			{ set, reason: 'RunnerStarting' },
		);
		const unmatched = { repository: `nobody-${namespace}/app`, name: 'lost', labels: ['self-hosted', 'gpu'] };
		await jobs.make(unmatched, { reason: 'NoMatchingSet' });

		const own = await eventually('its set is known', async () => {
			const { stdout } = await runners('jobs', ...at);
			return /^build /m.test(stdout) ? stdout : undefined;
		});
		assert.match(own, /^JOB +REPOSITORY +STATE +SINCE +SET +RUNNER +WAITS\n/);
		assert.match(own, new RegExp(`^build +${repository} +(queued|running) +\\d+s +example `, 'm'));
		assert.is(
			ok(await runners('jobs', 'runnerset/example', '-o', 'name', ...at)),
			`workflowjob.actions.summerwind.dev/${name}\n`,
		);
		assert.not.match(own, /^lost /m);
		const all = ok(await runners('jobs', '-A', '-o', 'wide'));
		assert.match(all, new RegExp(`^<none> +lost +nobody-${namespace}/app +queued .* self-hosted,gpu +`, 'm'));

		const watch = plugin.start(['jobs', 'example', '-w', ...at], env);
		await watch.prints(/^build +\S+ +(queued|running) /m);
		await jobs.patch(name, { spec: { state: 'completed', conclusion: 'success' } });
		await watch.prints(/^build +\S+ +completed /m);
		watch.interrupt();
		assert.is((await watch.end()).code, 130);
		const none = await runners('jobs', ...at);
		assert.equal([none.code, none.stdout], [0, '']);
		assert.match(none.stderr, /^No jobs found for sets of /);
	} finally {
		await jobs.end();
	}
});

test('jobs need a role in the namespace of the server; without it the error names the role', async ({
	rig,
	make,
}) => {
	const { namespace } = await make('RunnerDeployment');
	const user = `viewer-of-${namespace}`;
	const at = ['-n', namespace];
	const person = { KUBECONFIG: await rig.cluster.kubeconfigFor(user, []) };
	await rig.ok(['create', 'rolebinding', 'viewer', '--clusterrole=view', `--user=${user}`, ...at]);
	const refused = await plugin.run(['jobs', ...at], person);
	assert.is(refused.code, 1);
	assert.match(refused.stderr, /^error: you may not list workflowjobs in namespace runners-system/);
	assert.match(refused.stderr, /^Ask for the ClusterRole runners-jobs /m);
	assert.is(refused.stderr.trimEnd().split('\n').length, 3);
	const maker = await plugin.run(['autoscale', 'example', '--max=2', ...at], person);
	assert.match(
		maker.stderr,
		/^Error from server \(Forbidden\): .*cannot create resource "horizontalrunnerautoscalers"/,
	);
	await rig.ok(['create', 'rolebinding', 'editor', '--clusterrole=edit', `--user=${user}`, ...at]);
	const edited = await plugin.run(['autoscale', 'example', '--min=0', '--max=2', ...at], person);
	assert.match(ok(edited), /\/example autoscaled\n$/);
	await rig.ok(['delete', 'hra', 'example', ...at]);
	const binding = ['rolebinding', `jobs-${namespace}`, '-n', names.namespace];
	await rig.ok(['create', ...binding, '--clusterrole=runners-jobs', `--user=${user}`]);
	try {
		const allowed = await eventually('the role has come', async () => {
			const result = await plugin.run(['jobs', ...at], person);
			return result.code === 0 ? result : undefined;
		});
		assert.match(allowed.stderr, /^No jobs found /);
	} finally {
		await rig.ok(['delete', ...binding]);
	}
});

test('a job that GitHub has queued, from its event to its end: what jobs, status and why say of it', async ({
	make,
}) => {
	const set = await make('RunnerSet');
	const { namespace } = set;
	const at = ['-n', namespace];
	const autoscaled = await Autoscaled.make(set, { maxReplicas: 1, scaleDownDelaySecondsAfterScaleOut: 600 });
	const watch = plugin.start(['jobs', 'example', '-w', ...at], env);
	const first = autoscaled.queue();
	await eventually('it runs', () => first.status === 'in_progress', { withinMs: 60_000 });
	const runner = first.runnerName ?? '';
	await watch.prints(new RegExp(` running +\\d+s +example +${runner} `));

	const second = autoscaled.queue();
	await watch.prints(/ queued +\d+s +example +<none> +\S.*example is at its maximum of 1 runner$/m);
	const tree = await eventually('the status counts both', async () => {
		const { stdout } = await runners('status', 'example', ...at);
		return /autoscaler example +at-maximum .*1 job queued, 2 open; min 0, max 1: 1 wanted; /.test(stdout)
			? stdout
			: undefined;
	});
	assert.match(tree, /2 runners are needed, but maxReplicas is 1/);

	await set.endJob(runner);
	await watch.prints(/ completed +\d+s +example /);
	await eventually('the second runs', () => second.status === 'in_progress', { withinMs: 60_000 });
	await set.endJob(second.runnerName ?? '');
	await set.reaches(0);

	ok(await runners('autoscale', 'example', '--min=1', ...at));
	await set.registered(1);
	ok(await runners('autoscale', 'example', '--min=0', ...at));
	const [idle = ''] = set.live();
	await eventually('why says when it goes', async () => {
		const { stdout } = await runners('why', idle, ...at);
		return /^Idle: +for \d+s; 1 runner is surplus: .* in 9m\d+s at the earliest /m.test(stdout);
	});
	watch.interrupt();
	const { code, stdout } = await watch.end();
	assert.is(code, 130);
	const doctor = JSON.parse((await runners('doctor', '-o', 'json')).stdout) as {
		checks: { check: string; message: string; details?: string[] }[];
	};
	const events = doctor.checks.find(({ check }) => check === 'events');
	assert.match(events?.message ?? '', /^received: the last one \d+s ago, from /);
	assert.ok(
		events?.details?.some((line) => line.startsWith(`${namespace}, webhook `)),
		JSON.stringify(events),
	);
	assert.match(stdout, /^JOB +REPOSITORY /);
});

test('doctor says whether events come, and what is wrong with an autoscaler', async ({ rig, make }) => {
	const { namespace } = await make('RunnerSet');
	ok(await runners('autoscale', 'example', '--min=0', '--max=1', '-n', namespace));
	const { checks } = JSON.parse((await runners('doctor', '-o', 'json')).stdout) as {
		checks: { check: string; level: string; message: string }[];
	};
	const found = (name: string) => checks.find(({ check }) => check === name);
	assert.match(found('kinds')?.message ?? '', /horizontalrunnerautoscalers, workflowjobs: v1alpha1$/);
	assert.match(found('autoscalers')?.message ?? '', /HorizontalRunnerAutoscaler/);
	assert.match(found('events')?.message ?? '', /received|none has come/);
	await rig.ok(['delete', 'hra', 'example', '-n', namespace]);
});

test.run();

/**
 * From the delivery of a queued event, at a replica that does not lead, to the accepted creates of its runner: its owner
 * (a StatefulSet or a Runner) and its pod kept apart, by the API server's audit log. Beside it, in the same run, the time
 * of the API server for the three creates that none of this can do without.
 *
 * `waiting`: 20 events a second, of which 7 are queued and one of these comes twice; the others are in_progress and
 * completed of jobs elsewhere. There is no node, so that no simulated runner takes the cores. `working`: two jobs a second
 * that runners run for a second each, with all their events, creates and removals.
 *
 * `PARTS=waiting SECONDS_EACH=60 KINDS=RunnerSet make bench BENCH=autoscale-latency`; PROFILES=FOLDER has each server write
 * a CPU profile.
 */
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Autoscaled } from '../rig/autoscaled.ts';
import { eventually } from '../rig/eventually.ts';
import { type Rig, startRig } from '../rig/rig.ts';
import { type Kind, kinds, SetUnderTest } from '../rig/runner-sets.ts';
import { leads } from '../rig/server-process.ts';
import { statefulSetController } from '../rig/stage.ts';
import type { Webhook } from '../sim/simulator.ts';
import { createsIn } from './autoscale/latency/creates.ts';
import { type Delivered, type Steps, stepRows, stepsOf } from './autoscale/latency/steps.ts';
import { table } from './figures.ts';
import { serverUser } from './sets/api-calls.ts';
import { load } from './sets/stage.ts';

type Part = 'waiting' | 'working';

const forSeconds = Number(process.env.SECONDS_EACH ?? 60);
const wantedKinds = kinds.filter((kind) => (process.env.KINDS ?? kind).split(',').includes(kind));
const parts = (['waiting', 'working'] as const).filter((part) =>
	(process.env.PARTS ?? part).split(',').includes(part),
);
const perSecond: Record<Part, { queued: number; elsewhere: number }> = {
	waiting: { queued: 7, elsewhere: 6 },
	working: { queued: 2, elsewhere: 0 },
};
const jobMs = 1_000;
const eventsSecret = 'the secret of the benchmark';
/** The first ones meet code that has not run yet. */
const warmUpSeconds = 3;

console.log(`${availableParallelism()} cores, load ${load()} at the start`);
for (const part of parts) for (const kind of wantedKinds) await measure(part, kind);

async function measure(part: Part, kind: Kind): Promise<void> {
	const env: Record<string, string> = { GITHUB_TOKEN: 'test-token' };
	if (process.env.PROFILES) env.NODE_OPTIONS = `--cpu-prof --cpu-prof-dir=${process.env.PROFILES}`;
	const rig = await startRig({
		sets: true,
		replicas: 2,
		...(part === 'waiting' ? { nodes: [] } : {}),
		server: { eventsSecret, env },
		cluster: { audit: { users: [serverUser, statefulSetController], verbs: ['create'] } },
	});
	try {
		const { steps, events, seconds } = await measureOn(rig, part, kind);
		const rate = (count: number) => (count / seconds).toFixed(1);
		console.log(
			`\n${kind}, ${part}: ${steps.length} jobs, ${rate(events)} events a second, ${rate(steps.length)} of them queued; load ${load()}\n${table(stepRows(steps))}`,
		);
	} finally {
		await rig.stop();
	}
}

async function measureOn(
	rig: Rig,
	part: Part,
	kind: Kind,
): Promise<{ steps: Steps[]; events: number; seconds: number }> {
	const follower = rig.servers.find((server) => !leads(server));
	if (!follower) throw new Error('every replica leads');
	const set = await SetUnderTest.make(rig, kind, { withoutHooks: true });
	try {
		const autoscaled = await Autoscaled.make(set, { maxReplicas: 1_000 });
		autoscaled.hook.stop();
		const url = `http://127.0.0.1:${follower.eventsPort}`;
		const hook = rig.github.addWebhook({ url, secret: eventsSecret, scope: set.scope });
		const { queued } = perSecond[part];
		hook.fault({ kind: 'doubled', action: 'queued', every: queued });
		const queue = () =>
			autoscaled.queue(part === 'working' ? { durationMs: jobMs } : { scope: 'orgs/nobody' });
		await happen(rig, part, set, queue, warmUpSeconds);
		await settled(hook, part, set);

		const [before, fromMs] = [hook.deliveries.length, Date.now()];
		await happen(rig, part, set, queue, forSeconds);
		const seconds = (Date.now() - fromMs) / 1_000;
		await settled(hook, part, set);
		const delivered = hook.deliveries.slice(before);
		const creates = await createsIn(rig.cluster.folder, [set.namespace, 'runners-system']);
		for (const [resource, all] of creates)
			creates.set(
				resource,
				all.filter(({ askedMs }) => askedMs >= fromMs),
			);
		const steps = stepsOf(kind, 'github.com', firstOfEach(delivered), creates);
		return { steps, events: delivered.length, seconds };
	} finally {
		set.stop();
	}
}

/** Lets jobs be queued, and go on elsewhere, evenly over so many seconds. */
async function happen(
	{ github }: Rig,
	part: Part,
	{ namespace }: SetUnderTest,
	queue: () => unknown,
	seconds: number,
): Promise<void> {
	const { queued, elsewhere } = perSecond[part];
	const repository = `${namespace}/elsewhere`;
	const work: { atMs: number; do: () => unknown }[] = [];
	for (let nth = 0; nth < queued * seconds; nth++) work.push({ atMs: (nth * 1_000) / queued, do: queue });
	for (let nth = 0; nth < elsewhere * seconds; nth++) {
		const job = { repository, runId: nth + 1, runAttempt: 1, workflow: 'CI', name: 'build' };
		const { id } = github.jobs.add({ ...job, status: 'pending' });
		const atMs = (nth * 1_000) / elsewhere;
		work.push({ atMs, do: () => github.jobs.start(id, { id: null, name: 'a runner elsewhere' }) });
		work.push({ atMs: atMs + jobMs / 2, do: () => github.jobs.complete(id, 'success') });
	}
	const fromMs = Date.now();
	for (const one of work.toSorted((a, b) => a.atMs - b.atMs)) {
		await sleep(Math.max(0, fromMs + one.atMs - Date.now()));
		one.do();
	}
}

/** Every event has been answered, and each job that is left has its runner. */
async function settled(hook: Webhook, part: Part, set: SetUnderTest): Promise<void> {
	await hook.idle();
	const { jobs } = set.rig.github;
	const left = () =>
		jobs.list().filter(({ status, repository }) => status !== 'completed' && repository.endsWith('/app'));
	await eventually(
		'the jobs have their runners',
		() => (part === 'working' ? left().length === 0 : set.live().length === left().length),
		{ withinMs: 120_000 },
	);
	if (part === 'working') await set.reaches(0, 120_000);
}

/** Of each queued job its first delivery. */
function firstOfEach(deliveries: Webhook['deliveries']): Delivered[] {
	const first = new Map<number, Delivered>();
	for (const { action, request, deliveredAtMs } of deliveries) {
		if (action !== 'queued') continue;
		const { workflow_job, repository } = JSON.parse(request.body) as {
			workflow_job: { id: number };
			repository: { full_name: string };
		};
		const { id: jobId } = workflow_job;
		const atMs = Math.min(first.get(jobId)?.atMs ?? deliveredAtMs, deliveredAtMs);
		first.set(jobId, { jobId, repository: repository.full_name, atMs });
	}
	return [...first.values()];
}

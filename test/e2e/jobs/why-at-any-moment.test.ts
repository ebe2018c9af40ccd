/**
 * Runners start and end jobs at random, GitHub's list is minutes late, and 1,000 times somebody asks whether one may be
 * deleted now: by a dry-run DELETE, which is what `kubectl runners why` asks by, and some by the plugin itself. Whoever has
 * received a job is never said to be idle.
 */
import * as assert from 'uvu/assert';
import { type ApiCall, apiCalls, remove } from '../../rig/api-call.ts';
import { type Random, random } from '../../rig/random.ts';
import type { Rig } from '../../rig/rig.ts';
import { stage } from '../../rig/stage.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { suite } from '../../support/suite.ts';
import { type Installed, installPlugin } from '../support/plugin-process.ts';
import { end, Space } from '../support/space.ts';

interface Context {
	rig: Rig;
	space: Space;
	plugin: Installed;
	call: ApiCall;
	stopCalls(): void;
}

const statics = Array.from({ length: 10 }, (_, index) => `static-${index}`);
/** Each of these runs one job, and is asked about until its container has stopped. */
const ephemerals = Array.from({ length: 6 }, (_, index) => `ephemeral-${index}`);
const scaleSet = Array.from({ length: 4 }, (_, index) => `set-${index}`);
const apiMoments = 970;
const pluginMoments = 30;
/** Askers at a time. */
const atOnce = 16;
/** How long a job takes, and how long a static runner waits for the next one, ms. */
const [jobMs, pauseMs] = [
	[400, 4_000],
	[50, 700],
] as const;

const test = suite<Context>('why, at any moment');

test.before(async (context) => {
	[context.rig, context.plugin] = await Promise.all([stage('guard'), installPlugin()]);
	const { rig } = context;
	const { call, stop } = apiCalls(readKubeconfig(rig.cluster.kubeconfig));
	Object.assign(context, { call, stopCalls: stop });
	// Only its log tells what a runner does: all of this is over before GitHub's list shows the first job.
	context.space = await Space.make(rig, { ownCredentials: true, hintDelayMs: 600_000 });
	const { space } = context;
	await Promise.all([
		space.runners(statics, { ephemeral: false }),
		space.runners(ephemerals),
		space.scaleSetRunners(scaleSet),
	]);
});
test.after(async ({ rig, space, plugin, stopCalls }) => {
	stopCalls?.();
	await space?.clear();
	await Promise.all([end(rig), plugin?.remove()]);
});

/** What was said of a runner, and what it did while it was asked about. */
interface Answer {
	pod: string;
	said: 'allowed' | 'denied' | 'gone';
	/** 'changed': a job started or ended between question and answer. */
	did: 'worked' | 'idle' | 'changed';
	text: string;
}

/** Runs jobs on a runner, one after the other, until it is stopped. An ephemeral one has only one. */
async function work(rig: Rig, space: Space, pod: string, { between }: Random, stop: AbortSignal) {
	const rest = ([least, most]: readonly [number, number]) =>
		new Promise((resolve) => setTimeout(resolve, between(least, most)));
	const once = !statics.includes(pod);
	// Not all of these at the beginning.
	if (once) await rest([0, 8_000]);
	do {
		await rest(pauseMs);
		await rig.agents.runJob(space.name, pod);
		await rest(once ? [4_000, 10_000] : jobMs);
		await rig.agents.endJob(space.name, pod);
	} while (!once && !stop.aborted);
}

/** The job that a runner's process is at, by its journal, and how many it has had. */
function jobOf({ agents }: Rig, namespace: string, pod: string): { at: string | undefined; had: number } {
	const entries = agents.journal.filter((entry) => entry.namespace === namespace && entry.pod === pod);
	const started = entries.filter(({ what }) => what === 'job-started');
	const last = started.at(-1)?.job;
	const over = entries.some(({ what, job }) => what !== 'job-started' && what !== 'hook-ran' && job === last);
	return { at: over ? undefined : last, had: started.length };
}

async function ask(
	{ rig, space, plugin, call }: Context,
	pod: string,
	by: 'api' | 'plugin',
): Promise<Answer> {
	const before = jobOf(rig, space.name, pod);
	let said: Answer['said'];
	let text: string;
	if (by === 'api') {
		const { status, message } = await remove(call, space.name, pod, { dryRun: ['All'] });
		said = status === 404 ? 'gone' : status < 300 ? 'allowed' : 'denied';
		text = `${status} ${message}`;
	} else {
		const env = { KUBECONFIG: rig.cluster.kubeconfig };
		const { code, stdout, stderr } = await plugin.run(['why', pod, '-n', space.name, '-o', 'json'], env);
		text = stdout + stderr;
		if (code !== 0 && !/not found/.test(stderr)) throw new Error(`why ${pod}: ${text}`);
		const verdict = code === 0 ? (JSON.parse(stdout) as { verdict: string }).verdict : undefined;
		said = verdict === undefined ? 'gone' : verdict === 'denied' ? 'denied' : 'allowed';
	}
	const after = jobOf(rig, space.name, pod);
	const did = before.at !== after.at || before.had !== after.had ? 'changed' : after.at ? 'worked' : 'idle';
	return { pod, said, did, text };
}

test('1,000 random moments: no runner that has received a job is said to be idle, and idle ones are not held up', async (context) => {
	const { rig, space } = context;
	const dice = random();
	console.log(`SEED=${dice.seed}`);
	const all = [...statics, ...ephemerals, ...scaleSet];
	const stop = new AbortController();
	const working = all.map((pod) => work(rig, space, pod, dice, stop.signal));
	const questions = dice.shuffled([
		...Array<'api'>(apiMoments).fill('api'),
		...Array<'plugin'>(pluginMoments).fill('plugin'),
	]);
	const answers: Answer[] = [];
	const startedMs = performance.now();
	const live = () => all.filter((pod) => !rig.agents.journal.some(hasStopped(space, pod)));
	const asker = async () => {
		for (let by = questions.pop(); by; by = questions.pop()) {
			const pods = live();
			answers.push(await ask(context, pods[dice.between(0, pods.length)] ?? '', by));
		}
	};
	await Promise.all(Array.from({ length: atOnce }, asker));
	const tookMs = Math.round(performance.now() - startedMs);
	stop.abort();
	await Promise.all(working);

	const of = (did: Answer['did'], said?: Answer['said']) =>
		answers.filter((answer) => answer.did === did && (said === undefined || answer.said === said));
	console.log(
		`${answers.length} asked in ${tookMs} ms: ${of('worked').length} worked, ${of('changed').length} changed meanwhile, ` +
			`${of('idle').length} idle, of which ${of('idle', 'allowed').length} allowed`,
	);
	const others = Map.groupBy(of('idle', 'denied'), ({ text, pod }) => text.replaceAll(pod, 'POD'));
	for (const [text, { length }] of others) console.log(`${length} x idle and denied: ${text}`);
	assert.is(answers.length, apiMoments + pluginMoments);
	const wrong = of('worked').filter(({ said }) => said !== 'denied');
	assert.equal(wrong, []);
	assert.ok(of('worked').length > 400, 'many were asked about while they worked');
	assert.ok(of('idle', 'allowed').length > 0, 'who is idle may go');
	// Nothing was deleted by that, and GitHub was asked to remove nobody.
	assert.equal(space.removals(), []);
	assert.equal(space.killedJobs(), []);
	assert.ok(tookMs < 60_000, `${tookMs} ms`); // a third of that on two cores
});

const hasStopped =
	({ name }: Space, pod: string) =>
	(entry: { namespace: string; pod: string; what: string }) =>
		entry.namespace === name && entry.pod === pod && entry.what === 'container-stopped';

test.run();

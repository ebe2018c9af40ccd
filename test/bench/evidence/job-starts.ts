import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { busy } from '../../../admission/api/keys.ts';
import { hookFolder } from '../../../admission/jobs/hooks/rules/layout.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { type Kind, kinds, SetUnderTest } from '../../rig/runner-sets.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import type { JournalEntry } from '../../sim/journal.ts';
import { Kube, type KubeItem } from '../../sim/kube.ts';
import { Shells } from '../../sim/shells.ts';
import { added, head, row } from './samples.ts';

const jobs = 50;
const warmUps = 10;
/** All of them begin within a second. */
const apartMs = 1_000 / jobs;
/** GitHub's list is so late that only the hooks can have reported the job. */
const listsLateMs = 30 * 60_000;
const touched = 'test.runners/touched';

type Part = { title: string; rows: string[][] };

/** 50 jobs within a second: from each job's and each hook's start to the busy label, as a watch of the pods shows it. */
export async function jobStarts(rig: Rig): Promise<Part> {
	const rows = [head];
	rows.push(await callsAlone(rig));
	for (const kind of kinds) rows.push(...(await ofKind(rig, kind)));
	return { title: `${jobs} jobs within a second, with hooks: busy on the pod`, rows };
}

/**
 * Sends from this process what the hooks' shells and curls send: in reality each shell has its runner's CPU, here all
 * share the machine's.
 */
async function callsAlone(rig: Rig): Promise<string[]> {
	const set = await SetUnderTest.make(rig, 'RunnerDeployment', {
		...{ replicas: jobs + warmUps, ownCredentials: true, until: 'online' },
	});
	rig.github.delayHints(set.scope, listsLateMs);
	const watched = await watchPods(rig, set.namespace);
	try {
		const calls = await Promise.all(
			set.live().map(async (name) => {
				const token = await readFile(join(await rig.agents.root(set.namespace, name), hookFolder, 'token'));
				return () => say(rig.servers[0]?.jobsPort ?? 0, token.toString().trim(), name);
			}),
		);
		for (const call of calls.slice(0, warmUps)) await call();
		const saidMs = new Map<string, number>();
		await Promise.all(
			calls.slice(warmUps).map(async (call, index) => {
				await sleep(index * apartMs);
				const atMs = Date.now();
				saidMs.set(await call(), atMs);
			}),
		);
		await set.marked(...saidMs.keys());
		const took = [...saidMs].map(([name, atMs]) => (watched.busyMs.get(name) ?? Number.NaN) - atMs);
		return row("hooks' calls without their shells -> busy", took, 'p50 100, p95 300');
	} finally {
		watched.stop();
		await set.end();
	}
}

/**
 * Reports that a job has started on a pod, as its hook does, over a separate connection. Resolves with the pod's name.
 */
function say(port: number, token: string, name: string): Promise<string> {
	const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
	const to = { host: 'localhost', port, path: '/hooks/started', method: 'POST', headers };
	return new Promise((resolve, reject) => {
		const call = request({ ...to, agent: false, rejectUnauthorized: false, timeout: 10_000 }, (answer) => {
			answer.resume();
			if (answer.statusCode === 200) resolve(name);
			else reject(new Error(`the hook of ${name} was answered ${answer.statusCode}`));
		});
		call.once('timeout', () => call.destroy(new Error(`the hook of ${name} had no answer within 10 s`)));
		call.once('error', reject);
		call.end(JSON.stringify({ RUNNER_TRACKING_ID: name, GITHUB_JOB: 'build', GITHUB_RUN_ID: '42' }));
	});
}

async function ofKind(rig: Rig, kind: Kind): Promise<string[][]> {
	const replicas = jobs + warmUps;
	const set = await SetUnderTest.make(rig, kind, { replicas, ownCredentials: true, until: 'online' });
	rig.github.delayHints(set.scope, listsLateMs);
	const watched = await watchPods(rig, set.namespace);
	try {
		const names = set.live();
		await started(rig, set, names.slice(0, warmUps), 0);
		const working = names.slice(warmUps);
		// Beside it: how long a single patch of a pod takes to be seen, with as many patches at the same rate.
		const floor = await Promise.all(
			working.map(async (name, index) => {
				await sleep(index * apartMs);
				const fromMs = Date.now();
				const annotations = { [touched]: 'yes' };
				await rig.kube.patch(`/api/v1/namespaces/${set.namespace}/pods/${name}`, {
					metadata: { annotations },
				});
				await eventually('the patch is seen', () => watched.touchedMs.has(name), { everyMs: 5 });
				return (watched.touchedMs.get(name) ?? Number.NaN) - fromMs;
			}),
		);
		await started(rig, set, working, apartMs);
		const seen = (name: string) => watched.busyMs.get(name) ?? Number.NaN;
		const of = (what: JournalEntry['what']) => journalOf(rig, set, what, working);
		const fromJob = of('job-started').map(({ pod, atMs }) => seen(pod) - atMs);
		const fromHook = of('hook-ran').map(({ pod, atMs, hook }) => seen(pod) - (atMs - (hook?.tookMs ?? 0)));
		const failed = of('hook-ran').filter(({ hook }) => hook?.exitCode !== 0 || hook.output !== '').length;
		return [
			row(`${kind}: job start -> busy`, fromJob),
			row(`${kind}: hook start -> busy`, fromHook, 'p50 100, p95 300'),
			row(
				`${kind}: hooks' whole run`,
				of('hook-ran').map(({ hook }) => hook?.tookMs ?? Number.NaN),
			),
			row('  beside it: a patch of the pod -> seen', floor),
			...(failed > 0 ? [[`  ${failed} hooks failed`]] : []),
		];
	} finally {
		watched.stop();
		await set.end();
	}
}

/** Starts jobs on these, at this interval; resolves when all first hooks have ended and all pods are seen as busy. */
async function started(rig: Rig, set: SetUnderTest, names: string[], everyMs: number): Promise<void> {
	await Promise.all(
		names.map(async (name, index) => {
			await sleep(index * everyMs);
			await set.work(name);
		}),
	);
	await eventually('all hooks have run', () => {
		return journalOf(rig, set, 'hook-ran', names).length === names.length;
	});
	await set.marked(...names);
}

function journalOf(rig: Rig, set: SetUnderTest, what: JournalEntry['what'], names: string[]): JournalEntry[] {
	return rig.agents.journal.filter(
		(entry) =>
			entry.namespace === set.namespace &&
			entry.what === what &&
			entry.hook?.phase !== 'completed' &&
			names.includes(entry.pod),
	);
}

/** When a watch first showed each pod as busy, and as touched, Unix ms, by name. */
async function watchPods(rig: Rig, namespace: string) {
	const kube = new Kube(readKubeconfig(rig.cluster.kubeconfig));
	const [busyMs, touchedMs] = [new Map<string, number>(), new Map<string, number>()];
	await kube.watch<KubeItem>(`/api/v1/namespaces/${namespace}/pods`, {
		seen({ metadata: { name, labels, annotations } }) {
			if (labels?.[busy.label] === 'true' && !busyMs.has(name)) busyMs.set(name, Date.now());
			if (annotations?.[touched] && !touchedMs.has(name)) touchedMs.set(name, Date.now());
		},
		gone() {},
	});
	return { busyMs, touchedMs, stop: () => kube.stop() };
}

/** One job after the other: what the first hook adds to it, compared with an empty script run in the same way. */
export async function hookCost(rig: Rig): Promise<Part> {
	const set = await SetUnderTest.make(rig, 'RunnerDeployment', {
		...{ replicas: jobs + warmUps, ownCredentials: true, until: 'online' },
	});
	rig.github.delayHints(set.scope, listsLateMs);
	const folder = await mkdtemp(join(tmpdir(), 'bench-hook-'));
	try {
		const empty = join(folder, 'empty.sh');
		await writeFile(empty, '#!/bin/sh\n', { mode: 0o755 });
		const options = {
			env: { PATH: process.env.PATH ?? '' },
			cwd: folder,
			signal: new AbortController().signal,
		};
		const shells = new Shells();
		const [ours, beside, seen]: [number[], number[], number[]] = [[], [], []];
		const watched = await watchPods(rig, set.namespace);
		for (const [index, name] of set.live().entries()) {
			await started(rig, set, [name], 0);
			const { tookMs: emptyMs } = await shells.run(['/bin/bash', '-e', empty], options);
			if (index < warmUps) continue;
			const [ran] = journalOf(rig, set, 'hook-ran', [name]);
			const tookMs = ran?.hook?.tookMs ?? Number.NaN;
			ours.push(tookMs);
			beside.push(emptyMs);
			seen.push((watched.busyMs.get(name) ?? Number.NaN) - ((ran?.atMs ?? Number.NaN) - tookMs));
		}
		watched.stop();
		return {
			title: 'What the first hook adds to the start of a job, one after the other',
			rows: [
				head,
				row('the hook, with its call to the server', ours),
				row('  beside it: an empty script', beside),
				added('added', ours, beside, 'p95 <= 150'),
				row('hook start -> busy on the pod', seen, 'p50 100, p95 300'),
			],
		};
	} finally {
		await set.end();
		await rm(folder, { recursive: true, force: true });
	}
}

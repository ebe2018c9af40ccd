/** Pods whose deletion is requested while their containers are created: see guard/creation-race.test.ts. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, type ApiCall, evict, remove } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Random } from '../../rig/random.ts';
import type { Rig } from '../../rig/rig.ts';
import { type StartOptions, startAnnotation } from '../../sim/pod-plan.ts';
import { type PodManifest, runnerSetPod } from '../../sim/pods.ts';
import type { JournalEntry } from '../../sim/runner-agents.ts';
import { ephemeralRunner, scaleSetPod } from '../../sim/scale-set-pods.ts';
import type { Space } from './space.ts';

/** What is sent for a pod: kubectl delete, kubectl drain, kubectl delete --force --grace-period=0. */
const manners = ['delete', 'evict', 'force'] as const;
type Manner = (typeof manners)[number];

interface Racer {
	space: Space;
	name: string;
	kind: 'legacy' | 'scale-set';
	manner: Manner;
	/** From the pod's creation to the request. */
	afterMs: number;
	start: StartOptions;
	/** What its deletion raced with, for people. */
	what: string;
	docker: boolean;
}

export interface Fate {
	racer: Racer;
	/** Of the last answer. */
	status: number;
	/** How often it was asked for. */
	asks: number;
	/** From the first request to the end of the pod's object; undefined: it is still there after goneWithinMs. */
	waitedMs: number | undefined;
	/** For people. */
	story: string;
}

interface Race {
	rig: Rig;
	call: ApiCall;
	random: Random;
	/**
	 * Where jobs wait for every runner that registers, and where none does. Where pulls are failing, runners register after the
	 * bound of `cannot-start` (docs/concepts.md).
	 */
	spaces: { pulling: readonly Space[]; failing: readonly Space[] };
	/** How long a slow image is pulled. */
	slowMs: number;
	/** No request takes longer. */
	goneWithinMs: number;
}

const firstSecondsMs = 5_000;
const drainsEveryMs = 5_000;
export const graceSeconds = 3;

interface Layout {
	what: string;
	/** With a second container. */
	docker?: true;
	/** Its deletion is requested at any moment of the slow pull, not only in the first seconds. */
	slow?: true;
	start(times: { soon: () => number; slowMs: number }): StartOptions;
}

const layouts: readonly Layout[] = [
	{ what: 'one container', start: ({ soon }) => ({ mountMs: soon(), pullMs: { runner: soon() } }) },
	{
		what: 'a quick second image',
		docker: true,
		start: ({ soon }) => ({ mountMs: soon(), pullMs: { docker: soon() } }),
	},
	{
		what: 'a slow second image',
		docker: true,
		slow: true,
		start: ({ soon, slowMs }) => ({ pullMs: { runner: soon(), docker: slowMs } }),
	},
	{ what: 'a slow image', slow: true, start: ({ slowMs }) => ({ pullMs: { runner: slowMs } }) },
	{
		what: 'a pull that heals',
		slow: true,
		start: () => ({ pullMs: { runner: 500 }, pullFailsForMs: { runner: 3_000 } }),
	},
	{ what: 'a postStart hook', start: () => ({ postStartMs: { runner: firstSecondsMs } }) },
];

/** Pods of all kinds, each with its moment, in an order that the seed chooses. */
export function racers({ random, spaces, slowMs }: Race, count: number): Racer[] {
	const soon = () => random.between(0, 1_500);
	const all = Array.from({ length: count }, (_, index): Racer => {
		const layout = layouts[index % layouts.length] as Layout;
		const round = Math.floor(index / layouts.length);
		const start = layout.start({ soon, slowMs });
		const homes = start.pullFailsForMs ? spaces.failing : spaces.pulling;
		return {
			space: homes[round % homes.length] as Space,
			name: `racer-${index}`,
			// ARC's scale sets have Docker as a sidecar init container, or not at all.
			kind: !layout.docker && round % 3 === 2 ? 'scale-set' : 'legacy',
			manner: manners[random.between(0, manners.length)] as Manner,
			afterMs: random.between(0, layout.slow ? slowMs : firstSecondsMs),
			start: { ...start, sigterm: random.between(0, 2) === 0 ? 'stops' : 'ignores' },
			what: layout.what,
			docker: layout.docker ?? false,
		};
	});
	return random.shuffled(all);
}

/** Runs them, so many at a time. */
export async function run(race: Race, all: readonly Racer[], atOnce: number): Promise<Fate[]> {
	const waiting = [...all];
	const fates: Fate[] = [];
	const next = async () => {
		for (let racer = waiting.shift(); racer; racer = waiting.shift()) fates.push(await runOne(race, racer));
	};
	await Promise.all(Array.from({ length: atOnce }, next));
	return fates;
}

async function runOne({ rig, call, goneWithinMs }: Race, racer: Racer): Promise<Fate> {
	const uid = await create(rig, racer);
	await sleep(racer.afterMs);
	const askedMs = Date.now();
	const answer = await request(call, racer);
	const gone = (entry: JournalEntry) => entry.uid === uid && entry.what === 'pod-gone';
	const goneMs = await eventually('it is gone', () => rig.agents.journal.findLast(gone)?.atMs, {
		withinMs: goneWithinMs,
		everyMs: 250,
	}).catch(() => undefined);
	const { what, manner, afterMs, space, name } = racer;
	return {
		racer,
		status: answer.status,
		asks: answer.asks,
		waitedMs: goneMs && Math.max(0, goneMs - askedMs),
		story: `${space.name}/${name}, ${what}, ${manner} after ${afterMs} ms: ${answer.status} ${answer.message}`,
	};
}

/** Creates its pod; returns its UID. */
export async function create(
	rig: Rig,
	{ kind, space, name, docker, start }: Pick<Racer, 'kind' | 'space' | 'name' | 'docker' | 'start'>,
	spec: object = {},
): Promise<string> {
	const annotations = { [startAnnotation]: JSON.stringify(start) };
	const options = { annotations, terminationGracePeriodSeconds: graceSeconds };
	const pod =
		kind === 'legacy'
			? runnerSetPod(space.options(name, { ...options, dockerSidecar: docker }))
			: await scaleSetsPod(rig, space, name, options);
	const made = await rig.kube.create<{ metadata: { uid: string } }>(`/api/v1/namespaces/${space.name}/pods`, {
		...pod,
		spec: { ...pod.spec, ...spec },
	});
	return made.metadata.uid;
}

/** Its runner is registered before there is a pod, as ARC's controller does it. */
async function scaleSetsPod(
	{ kube, github }: Rig,
	space: Space,
	name: string,
	options: { annotations: Record<string, string>; terminationGracePeriodSeconds: number },
): Promise<PodManifest> {
	const config = {
		name,
		namespace: space.name,
		githubConfigUrl: `https://github.com/${space.name}`,
		...options,
	};
	const path = `/apis/actions.github.com/v1alpha1/namespaces/${space.name}/ephemeralrunners`;
	const owner = await kube.create<{ metadata: { uid: string } }>(path, ephemeralRunner(config));
	const runner = { scope: space.scope, name, kind: 'scale-set', ephemeral: true, status: 'offline' } as const;
	const status = { runnerId: github.addRunner(runner), runnerName: name, phase: 'Pending' };
	await kube.patch(`${path}/${name}/status`, { status });
	return scaleSetPod({ ...config, ownerUid: owner.metadata.uid });
}

/** As the guard says it of a request that it could not record: the API server was too slow for it. */
const unrecorded = /the API server did not answer us in time|the guard could not read the pod/;

/**
 * Once, but for an API server that got no answer from the guard in time, or gave it none. An eviction that a disruption
 * budget refuses is sent again every 5 s, as kubectl drain does: it is not the guard's to record.
 */
export async function request(
	call: ApiCall,
	{ manner, space, name }: Pick<Racer, 'manner' | 'space' | 'name'>,
): Promise<Answer & { asks: number }> {
	for (let asks = 1; ; asks++) {
		const answer =
			manner === 'evict'
				? await evict(call, space.name, name)
				: await remove(call, space.name, name, manner === 'force' ? { gracePeriodSeconds: 0 } : {});
		const ofBudget = answer.status === 429 && answer.message.includes('disruption budget');
		const asksAgain = ofBudget || unrecorded.test(answer.message);
		if (answer.status < 500 && !asksAgain) return { ...answer, asks };
		if (asksAgain) await sleep(drainsEveryMs);
	}
}

/** Resolves when no container in these namespaces runs any longer, seen or unseen. */
export function allStopped({ agents }: Rig, namespaces: readonly string[]): Promise<boolean> {
	const uids = (what: JournalEntry['what']) =>
		new Set(
			agents.journal
				.filter((entry) => entry.what === what && namespaces.includes(entry.namespace))
				.map(({ uid }) => uid),
		);
	const left = () => {
		const stopped = uids('container-stopped');
		return [...uids('container-started')].filter((uid) => !stopped.has(uid));
	};
	return eventually('no container runs any longer', () => left().length === 0, { withinMs: 120_000 });
}

/** What happened to a pod, with the seconds since the first entry, for people. */
export function lifeOf({ agents }: Rig, { uid }: Pick<JournalEntry, 'uid'>): string {
	const entries = agents.journal.filter((entry) => entry.uid === uid);
	const fromMs = entries[0]?.atMs ?? 0;
	return entries.map(({ atMs, what }) => `${((atMs - fromMs) / 1000).toFixed(1)} ${what}`).join(', ');
}

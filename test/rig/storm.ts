import { setTimeout as sleep } from 'node:timers/promises';
import { runnerSetPod, staticRunnerPod } from '../sim/pods.ts';
import { type Answer, type ApiCall, remove } from './api-call.ts';
import { eventually } from './eventually.ts';
import type { History } from './history.ts';
import type { Random } from './random.ts';
import type { Rig } from './rig.ts';
import { runnerNamespace } from './spaces.ts';

/** The results of a storm of deletions, by how they were answered. */
interface Outcome {
	/** Allowed: the pod is deleted. */
	allowed: string[];
	/** Refused, and the caller was promised that it is recorded. */
	promised: string[];
	/** The caller got an error: nobody answered for the guard, or the API server was away. */
	failed: { pod: string; why: string }[];
}

const sizes = { ephemeral: 20, idle: 20, static: 5, scaleSet: 5 };

/**
 * 50 runners of all sorts, 30 of them busy. At random moments each is deleted, jobs end, and one idle runner in four
 * gets a job, while `disturb` runs. Resolves when all deletions have been requested and all jobs are over.
 */
export async function storm(
	rig: Rig,
	call: ApiCall,
	random: Random,
	namespace: string,
	{ disturb }: { disturb: () => Promise<void> },
): Promise<Outcome> {
	await runnerNamespace(rig, namespace);
	const name = (kind: string) => (_: unknown, index: number) => `${namespace}-${kind}-${index}`;
	const ephemeral = Array.from({ length: sizes.ephemeral }, name('busy'));
	const idle = Array.from({ length: sizes.idle }, name('idle'));
	const fixed = Array.from({ length: sizes.static }, name('static'));
	const scaleSet = Array.from({ length: sizes.scaleSet }, name('set'));
	await rig.apply(
		...[...ephemeral, ...idle].map((pod) => runnerSetPod({ name: pod, namespace })),
		...fixed.map((pod) => staticRunnerPod({ name: pod, namespace })),
	);
	await rig.scaleSetRunners(scaleSet.map((pod) => ({ name: pod, namespace })));
	await rig.agents.waitRegistered([...ephemeral, ...idle, ...fixed], 60_000);

	const busy = [...ephemeral, ...fixed, ...scaleSet];
	for (const pod of busy) await rig.agents.runJob(namespace, pod);
	const outcome: Outcome = { allowed: [], promised: [], failed: [] };
	const at = async (ms: number, work: () => Promise<unknown>) => {
		await sleep(ms);
		await work();
	};

	await Promise.all([
		disturb(),
		...random.shuffled([...busy, ...idle]).map((pod) =>
			at(random.between(0, 7_000), async () => {
				sort(outcome, pod, await answerOf(remove(call, namespace, pod)));
			}),
		),
		...busy.map((pod) => at(random.between(2_000, 10_000), () => endJob(rig, namespace, pod))),
		...idle.slice(0, idle.length / 4).map((pod) =>
			at(random.between(0, 5_000), async () => {
				try {
					await rig.agents.runJob(namespace, pod);
				} catch {
					return; // unregistered or gone already: GitHub gives it no job
				}
				await at(random.between(1_000, 4_000), () => endJob(rig, namespace, pod));
			}),
		),
	]);
	return outcome;
}

/** Everything that was promised happens, and pods that nobody deleted stay. Returns a line for the test's output. */
export async function aftermath(
	rig: Rig,
	history: History,
	namespace: string,
	outcome: Outcome,
): Promise<string> {
	const fromMs = Date.now();
	await history.settled(120_000);
	const gone = async (pods: string[]) => {
		const there = new Set((await rig.pods(namespace)).map((pod) => pod.metadata.name));
		return pods.every((pod) => !there.has(pod));
	};
	await eventually('all that was allowed or promised is gone', () =>
		gone([...outcome.allowed, ...outcome.promised]),
	);
	const { allowed, promised, failed } = outcome;
	return `${allowed.length} allowed, ${promised.length} refused and recorded, ${failed.length} not answered; all settled ${Date.now() - fromMs} ms after the storm`;
}

async function endJob(rig: Rig, namespace: string, pod: string): Promise<void> {
	try {
		void rig.agents.endJob(namespace, pod).catch((error: unknown) => {
			if (!String(error).includes('runs no job')) throw error; // it was killed: the history shows that
		});
	} catch {
		return; // the pod is gone, its job with it: the history shows that
	}
}

async function answerOf(sent: Promise<Answer>): Promise<Answer | { error: string }> {
	try {
		return await sent;
	} catch (error) {
		return { error: String(error) };
	}
}

function sort(outcome: Outcome, pod: string, answer: Answer | { error: string }): void {
	if ('error' in answer) outcome.failed.push({ pod, why: answer.error });
	else if (answer.status < 300 || answer.status === 404) outcome.allowed.push(pod);
	else if (answer.message.includes('Recorded: ')) outcome.promised.push(pod);
	else outcome.failed.push({ pod, why: `${answer.status} ${answer.message}` });
}

import { type ApiCall, apiCalls } from '../../rig/api-call.ts';
import { type History, startHistory } from '../../rig/history.ts';
import type { Rig } from '../../rig/rig.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { suite } from '../../support/suite.ts';
import { end, Space, type SpaceOptions } from './space.ts';

type Tests<T extends object> = ReturnType<typeof suite<T>>;

/** On a shared stage: `() => stage(...)`, by which run.ts knows it. */
interface Prepare {
	prepare: () => Promise<Rig>;
}

/** A suite whose tests each have a Space of their own. */
export function spaceTests(
	name: string,
	{ prepare, ...options }: Prepare & SpaceOptions,
): Tests<{ rig: Rig; space: Space }> {
	const test = suite<{ rig: Rig; space: Space }>(name);
	test.before(async (context) => {
		context.rig = await prepare();
	});
	test.after(({ rig }) => end(rig));
	test.before.each(async (context) => {
		context.space = await Space.make(context.rig, options);
	});
	test.after.each(async ({ rig, space }) => {
		rig.github.clearFaults();
		await space.clear();
	});
	return test;
}

export interface HistoryContext {
	rig: Rig;
	history: History;
	call: ApiCall;
}

/** A suite whose tests send requests as any user, while a history is written of what becomes of all runner pods of the file. */
export function historyTests<T extends HistoryContext = HistoryContext>(
	name: string,
	{ prepare }: Prepare,
): Tests<T> {
	const test = suite<T>(name);
	let stopCalls = () => {};
	test.before(async (context) => {
		context.rig = await prepare();
		context.history = await startHistory(context.rig);
		const { call, stop } = apiCalls(readKubeconfig(context.rig.cluster.kubeconfig));
		context.call = call;
		stopCalls = stop;
	});
	test.after(async ({ rig, history }) => {
		stopCalls();
		history?.stop();
		await end(rig);
	});
	return test;
}

export interface Attack {
	rig: Rig;
	/** Whose runner is attacked; asked about with the server's own credentials, as the attacker's pods are. */
	victim: Space;
	/** The namespace in which user mallory has all rights (ClusterRole edit). */
	evil: Space;
}

/** A suite in which each test has an attacker and a victim; `unharmed` looks after each at what has become of the victim. */
export function attackTests(
	name: string,
	{ prepare, unharmed }: Prepare & { unharmed: (attack: Attack) => Promise<void> },
): Tests<Attack> {
	const test = suite<Attack>(name);
	test.before(async (context) => {
		context.rig = await prepare();
	});
	test.after(({ rig }) => end(rig));
	test.before.each(async (context) => {
		context.victim = await Space.make(context.rig);
		context.evil = await Space.make(context.rig);
		await context.evil.bind('mallory', 'edit');
		await context.victim.runners(['victim']);
	});
	test.after.each(async (context) => {
		await unharmed(context);
		await Promise.all([context.victim.clear(), context.evil.clear()]);
	});
	return test;
}

/** kubectl in the attacker's namespace, as the attacker. */
export const mallory = (space: Space, ...args: string[]) => space.kubectl(...args, '--as=mallory');

import type { Rig } from '../../rig/rig.ts';
import { suite } from '../../support/suite.ts';
import { end, Space } from './space.ts';

type Tests<T extends object> = ReturnType<typeof suite<T>>;

/** A suite on a shared stage: each test has a space of its own. `start` is `() => stage(...)`, by which run.ts knows it. */
export function spaceTests(title: string, start: () => Promise<Rig>): Tests<{ rig: Rig; space: Space }> {
	const test = suite<{ rig: Rig; space: Space }>(title);
	test.before(async (context) => {
		context.rig = await start();
	});
	test.after(({ rig }) => end(rig));
	test.before.each(async (context) => {
		context.space = await Space.make(context.rig);
	});
	test.after.each(({ space }) => space.clear());
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
	title: string,
	start: () => Promise<Rig>,
	unharmed: (attack: Attack) => Promise<void>,
): Tests<Attack> {
	const test = suite<Attack>(title);
	test.before(async (context) => {
		context.rig = await start();
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

/** Tests of RunnerSets and RunnerDeployments, each with sets of its own, several at a time. */
import * as assert from 'uvu/assert';
import { failures, type History, startHistory } from '../../rig/history.ts';
import type { Rig } from '../../rig/rig.ts';
import { type Kind, type SetOptions, SetUnderTest } from '../../rig/runner-sets.ts';
import { suite } from '../../support/suite.ts';
import { end } from './space.ts';

export interface SetTest {
	rig: Rig;
	/** A set with a namespace, an organization and GitHub credentials of its own, whose runners are online. */
	make(kind: Kind, options?: SetOptions): Promise<SetUnderTest>;
}

type Body = (context: SetTest) => Promise<void>;

/** Tests at a time: each mostly waits, for controllers, for GitHub's lists, for the second in which a status is written. */
const atOnce = 4;

/**
 * A suite of tests that do not touch each other's sets. They begin in the order of the file, up to `atOnce` at a time; when
 * a test is done its sets are taken away. The last test checks what the observers of all of them have recorded.
 */
export function setTests(
	name: string,
	{ prepare, cleanUp }: { prepare: () => Promise<Rig>; cleanUp?: () => Promise<void> },
): { (title: string, body: Body): void; run(): void } {
	const inner = suite<{ rig: Rig }>(name);
	const waiting: ((rig: Rig) => Promise<void>)[] = [];
	const all: SetUnderTest[] = [];
	let history: History | undefined;

	async function worker(rig: Rig): Promise<void> {
		for (let next = waiting.shift(); next; next = waiting.shift()) await next(rig);
	}

	inner.before(async (context) => {
		context.rig = await prepare();
		history = await startHistory(context.rig);
		for (let index = 0; index < atOnce; index++) void worker(context.rig);
	});
	inner.after(async ({ rig }) => {
		for (const set of all) set.stop();
		history?.stop();
		await cleanUp?.();
		await end(rig);
	});

	const test = (title: string, body: Body) => {
		const outcome = Promise.withResolvers<{ error: unknown } | undefined>();
		waiting.push(async (rig) => outcome.resolve(await carryOut(body, rig, all)));
		inner(title, async () => {
			const failed = await outcome.promise;
			if (failed) throw failed.error;
		});
	};
	const run = () => {
		inner(
			'meanwhile no invariant was violated, no name was used twice, and no error was logged (invariant 6)',
			async ({ rig }) => {
				assert.equal(history && (await failures(rig, history)), []);
				for (const set of all) if (set.ephemeral) assert.equal(set.reused(), [], set.namespace);
			},
		);
		inner.run();
	};
	return Object.assign(test, { run });
}

/** Runs one test and takes its sets away; resolves with what was thrown. */
async function carryOut(body: Body, rig: Rig, all: SetUnderTest[]): Promise<{ error: unknown } | undefined> {
	const sets: SetUnderTest[] = [];
	let failed: { error: unknown } | undefined;
	try {
		await body({
			rig,
			async make(kind, options = {}) {
				const own = { ownCredentials: true, withoutHooks: true, ...options };
				const set = await SetUnderTest.make(rig, kind, { ...own, until: 'online' });
				sets.push(set);
				all.push(set);
				return set;
			},
		});
	} catch (error) {
		failed = { error };
	}
	try {
		await Promise.all(sets.map((set) => set.end()));
	} catch (error) {
		failed ??= { error };
	}
	return failed;
}

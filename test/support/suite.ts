import { type Callback, type Test, suite as uvuSuite } from 'uvu';
import { currentFile } from './current-file.ts';

/**
 * uvu's suite, but a hook that throws is a failure: uvu itself swallows what `before`, `before.each` or `after.each`
 * throw, leaves the tests that follow out, and exits with 0 (seen with uvu 0.5.6).
 */
export function suite<T extends object>(name: string): Test<T> {
	const inner = uvuSuite<T>(name);
	const befores: Callback<T>[] = [];
	const afters: Callback<T>[] = [];
	const beforeEach: Callback<T>[] = [];
	const afterEach: Callback<T>[] = [];
	let broken: { error: unknown } | undefined;

	const guarded =
		(handler: Callback<T>): Callback<T> =>
		async (context) => {
			if (broken) throw broken.error;
			let failed: { error: unknown } | undefined;
			try {
				for (const hook of beforeEach) await hook(context);
				await handler(context);
			} catch (error) {
				failed = { error };
			}
			try {
				for (const hook of afterEach) await hook(context);
			} catch (error) {
				if (failed) console.error(`${name}: after a failed test:`, error);
				failed ??= { error };
			}
			if (failed) throw failed.error;
		};

	inner.before(async (context) => {
		try {
			for (const hook of befores) await hook(context);
		} catch (error) {
			broken = { error };
		}
	});
	const hooks = (list: Callback<T>[], each: Callback<T>[]): Test<T>['before'] =>
		Object.assign((hook: Callback<T>) => void list.push(hook), {
			each: (hook: Callback<T>) => void each.push(hook),
		});
	// What was set up last is torn down first.
	inner.after(async (context) => {
		for (const hook of afters.toReversed()) {
			try {
				await hook(context);
			} catch (error) {
				console.error(`${name}: clean-up failed:`, error);
				const file = currentFile.getStore();
				if (file) {
					file.cleanUpFailed = true;
					continue;
				}
				process.once('exit', () => {
					process.exitCode = 1; // uvu sets its own code after this hook
				});
			}
		}
	});
	const test = (title: string, handler: Callback<T>) => inner(title, guarded(handler));
	return Object.assign(test, {
		only: (title: string, handler: Callback<T>) => inner.only(title, guarded(handler)),
		skip: inner.skip,
		before: hooks(befores, beforeEach),
		after: hooks(afters, afterEach),
		run: inner.run,
	});
}

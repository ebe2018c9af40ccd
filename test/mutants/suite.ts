/**
 * Takes the place of test/support/suite.ts in the mutation run: keeps the tests of one file, to be run one by one until
 * the first one fails.
 */
export interface KeptTest {
	title: string;
	run(): Promise<void>;
}

export const kept: KeptTest[] = [];

type Handler = (context: object) => unknown;

export function suite(name: string) {
	const context = {};
	const before: Handler[] = [];
	const beforeEach: Handler[] = [];
	const afterEach: Handler[] = [];
	const after: Handler[] = [];
	let begun: Promise<unknown> | undefined;
	const hooks = (once: Handler[], each: Handler[]) =>
		Object.assign((hook: Handler) => void once.push(hook), { each: (hook: Handler) => void each.push(hook) });
	const test = (title: string, handler: Handler) => {
		kept.push({
			title: `${name}: ${title}`,
			async run() {
				begun ??= inTurn(before, context);
				await begun;
				await inTurn(beforeEach, context);
				await handler(context);
				await inTurn(afterEach, context);
			},
		});
	};
	return Object.assign(test, {
		before: hooks(before, beforeEach),
		after: hooks(after, afterEach),
		run: () => {},
	});
}

async function inTurn(hooks: readonly Handler[], context: object): Promise<void> {
	for (const hook of hooks) await hook(context);
}

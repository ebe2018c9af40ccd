/**
 * Runs the tests of one target against its mutants: `node worker.ts FILE INDEX...`. Prints a line of JSON for each. The
 * mutated text exists in memory only: every module of the project is loaded anew for each mutant, under its own query.
 */
import { readFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { mutationsOf } from './mutations.ts';
import { type KeptTest, kept } from './suite.ts';
import { targets } from './targets.ts';

/** One line of a worker's output: which test failed; undefined: none. */
export interface Result {
	index: number;
	caughtBy: string | undefined;
	error?: string;
}

const project = join(import.meta.dirname, '../..');
const [file = '', ...indexes] = process.argv.slice(2);
const target = targets.find((one) => one.file === file);
if (!target) throw new Error(`${file} is no target`);
const mutatedPath = join(project, file);
const source = readFileSync(mutatedPath, 'utf8');
const mutations = mutationsOf(source);
const suiteOfTests = pathToFileURL(join(project, 'test/support/suite.ts')).href;
const suiteOfMutants = pathToFileURL(join(project, 'test/mutants/suite.ts')).href;

let current = -1;
const stripped = new Map<string, string>();

registerHooks({
	resolve(specifier, context, next) {
		const resolved = next(specifier, context);
		if (resolved.url === suiteOfTests) return { ...resolved, url: suiteOfMutants };
		const ours = resolved.url.startsWith('file:') && !resolved.url.includes('/node_modules/');
		return ours && resolved.url !== suiteOfMutants && current >= 0
			? { ...resolved, url: `${resolved.url.split('?')[0]}?mutant=${current}` }
			: resolved;
	},
	load(url, context, next) {
		if (!url.includes('?mutant=')) return next(url, context);
		return { format: 'module', source: textOf(fileURLToPath(url)), shortCircuit: true };
	},
});

function textOf(path: string): string {
	const mutation = path === mutatedPath ? mutations[current] : undefined;
	if (mutation) {
		const { from, to, by } = mutation;
		return stripTypeScriptTypes(source.slice(0, from) + by + source.slice(to));
	}
	const known = stripped.get(path) ?? stripTypeScriptTypes(readFileSync(path, 'utf8'));
	stripped.set(path, known);
	return known;
}

/** Tests that have failed before are run first. */
const noticed = new Map<string, number>();
const byMerit = (a: KeptTest, b: KeptTest) => (noticed.get(b.title) ?? 0) - (noticed.get(a.title) ?? 0);

function report(result: Result): void {
	process.stdout.write(`${JSON.stringify(result)}\n`);
}

/** A promise that nobody waits for fails the process, and so the test, outside of this run as well. */
let stray: unknown;
process.on('unhandledRejection', (error) => {
	stray ??= error;
});
process.on('uncaughtException', (error) => {
	stray ??= error;
});

for (const index of indexes.map(Number)) {
	current = index;
	stray = undefined;
	report(await judge(index));
}

async function judge(index: number): Promise<Result> {
	for (const path of target?.tests ?? []) {
		kept.length = 0;
		try {
			await import(`${pathToFileURL(join(project, path)).href}?mutant=${index}`);
		} catch (error) {
			return { index, caughtBy: `${path} cannot be loaded`, error: String(error) };
		}
		for (const test of kept.toSorted(byMerit)) {
			try {
				await test.run();
				await new Promise((resolve) => setImmediate(resolve));
				if (stray) throw stray;
			} catch (error) {
				noticed.set(test.title, (noticed.get(test.title) ?? 0) + 1);
				return { index, caughtBy: test.title, error: String(error) };
			}
		}
	}
	return { index, caughtBy: undefined };
}

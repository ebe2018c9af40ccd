/**
 * Checks that another file imports each export: `node scripts/check/exports.ts`. What only its own file uses needs no export,
 * and the compiler then says what nobody uses at all.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { project } from './files.ts';
import { allExports } from './unused-exports.ts';

/**
 * Used by other means than an import: what scripts/build.ts and test/mutants put in the place of another module, and the
 * plugin's bundles, which are loaded by their file names.
 */
const usedOtherwise = /\/unused-[a-z-]+\.ts$|^test\/mutants\/suite\.ts$|^plugin\/.*\/main\.ts$/;

const files = globSync('{admission,plugin,scripts,test}/**/*.ts', { cwd: project });
const { all, unused } = allExports(
	new Map(files.map((file) => [file, readFileSync(join(project, file), 'utf8')])),
);
const problems = unused.filter(({ file }) => !usedOtherwise.test(file));
for (const { file, line, name } of problems)
	console.error(`${file}:${line} exports ${name}, and no other file imports it`);
if (problems.length === 0) console.log(`exports: ${all.length}, each imported by another file`);
process.exitCode = problems.length > 0 ? 1 : 0;

/** `make bench`: the benchmarks one after the other, or those named. They neither pass nor fail. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const helpers = ['run.ts', 'figures.ts'];
const all = readdirSync(import.meta.dirname).filter(
	(file) => file.endsWith('.ts') && !helpers.includes(file),
);
const wanted = process.argv.slice(2).map((name) => `${name.replace(/\.ts$/, '')}.ts`);
const unknown = wanted.filter((file) => !all.includes(file));
if (unknown.length > 0) {
	console.error(
		`error: no benchmark ${unknown.join(', ')}; there are: ${all.map((file) => file.replace('.ts', '')).join(', ')}`,
	);
	process.exit(1);
}
for (const file of wanted.length > 0 ? wanted : all) {
	console.log(`\n== ${file.replace('.ts', '')}`);
	const { status } = spawnSync(process.execPath, [join(import.meta.dirname, file)], { stdio: 'inherit' });
	if (status !== 0) process.exitCode = 1;
}

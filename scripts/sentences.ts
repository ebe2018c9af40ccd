/**
 * Prints every sentence that people read, to be read in one go: `node scripts/sentences.ts [KIND...] [PATH...]`. They are
 * grouped by kind, each with its file and line; `--kinds` lists the kinds. With paths only the files below them are printed.
 * Documents are read as they are: only their headings are printed.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { project, writtenFiles } from './check/files.ts';
import { type Kind, kinds, sentencesOf } from './prose/sentences.ts';

/** Made by `make manifests` from what is printed. */
const generated = /^manifests\/(?:rendered|crds)\//;

const args = process.argv.slice(2);
const names = Object.keys(kinds) as Kind[];
const wanted = names.filter((kind) => args.includes(kind));
const paths = args.filter((arg) => !(arg in kinds));

if (paths.includes('--kinds')) for (const kind of names) console.log(`${kind.padEnd(10)} ${kinds[kind]}`);
else {
	const files = writtenFiles()
		.filter((file) => !generated.test(file))
		.filter((file) => paths.length === 0 || paths.some((path) => file.startsWith(path)));
	const found = files.flatMap((file) =>
		sentencesOf(file, readFileSync(join(project, file), 'utf8')).map((sentence) => ({ file, ...sentence })),
	);
	for (const kind of wanted.length > 0 ? wanted : names) {
		const some = found.filter((sentence) => sentence.kind === kind);
		console.log(`\n# ${kind}: ${kinds[kind]} (${some.length})\n`);
		for (const { file, line, text } of some) console.log(`${file}:${line}  ${text}`);
	}
}

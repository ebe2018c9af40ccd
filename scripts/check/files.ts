/** The files of this repository that people write, as paths from its top. */
import { globSync } from 'node:fs';
import { join, relative } from 'node:path';

export const project = join(import.meta.dirname, '../..');

const folders = '{admission,plugin,scripts,test,docs,manifests,.github,.ci}';

/** Written by others, or generated. */
const foreign =
	/^package-lock\.json$|^test\/sim\/openapi\/|^test\/fixtures\/|^test\/cluster\/controlplane\/go\.|\.(?:svg|png)$/;

export function writtenFiles(): string[] {
	return globSync([`${folders}/**/*`, '*.{md,json,ts}', 'Makefile', 'Dockerfile'], {
		cwd: project,
		withFileTypes: true,
		exclude: (entry) => entry.name === 'node_modules',
	})
		.filter((entry) => entry.isFile())
		.map((entry) => relative(project, join(entry.parentPath, entry.name)))
		.filter((file) => !foreign.test(file))
		.sort();
}

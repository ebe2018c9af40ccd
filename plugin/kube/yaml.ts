import { createRequire } from 'node:module';
import { loadBeside } from '../load-beside.ts';
import { readPlainYaml } from './plain-yaml.ts';

/** js-yaml, in a bundle of its own beside the others; not in sources that run as they are. */
declare const __YAML_BUNDLE__: string | undefined;

type Library = typeof import('js-yaml');

/**
 * The first document; undefined if there is none. Throws js-yaml's error for what is no YAML, and CliError where js-yaml is
 * needed and its bundle is missing.
 */
export function readYaml(text: string): unknown {
	const plain = readPlainYaml(text);
	if (plain) return plain;
	const { loadAll } =
		typeof __YAML_BUNDLE__ === 'string'
			? loadBeside<Library>(__YAML_BUNDLE__)
			: (createRequire(import.meta.filename)('js-yaml') as Library);
	return loadAll(text)[0];
}

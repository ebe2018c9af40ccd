import { createRequire } from 'node:module';
import { readPlainYaml } from './plain-yaml.ts';

declare const __YAML_BUNDLE__: string | undefined;

/** js-yaml, in a bundle of its own beside the others; for sources that run as they are the package itself. */
const library = typeof __YAML_BUNDLE__ === 'string' ? __YAML_BUNDLE__ : 'js-yaml';

/** The first document; undefined if there is none. Throws js-yaml's error for what is no YAML. */
export function readYaml(text: string): unknown {
	const plain = readPlainYaml(text);
	if (plain) return plain;
	const { loadAll } = createRequire(import.meta.filename)(library) as typeof import('js-yaml');
	return loadAll(text)[0];
}

/** Which exports no other file imports. It reads declarations and imports as Biome formats them: each at the start of a line. */
import { dirname, join, normalize } from 'node:path';

export interface Export {
	file: string;
	line: number;
	name: string;
}

const declarations =
	/^export (?:async )?(?:function\*?|(?:abstract )?class|const|let|interface|type|enum) ([\w$]+)/gm;
const lists = /^export (?:type )?\{([^}]*)\}/gm;
const imports = /^(?:import|export) (?:type )?(?:\w+, )?\{([^}]*)\} from '(\.[^']+)'/gm;
/** Every export of the file counts as used. */
const importsOfAll = /(?:^(?:import|export) (?:type )?\* (?:as \w+ )?from |\bimport\()'(\.[^']+)'/gm;

/** `texts` are the files' contents, by their paths. */
export function allExports(texts: ReadonlyMap<string, string>): { all: Export[]; unused: Export[] } {
	const all = [...texts].flatMap(([file, text]) => exportsOf(file, text));
	const used = new Set<string>();
	for (const [file, text] of texts) {
		const target = (path = '') => normalize(join(dirname(file), path));
		for (const [, names = '', path] of text.matchAll(imports))
			for (const { there } of namesIn(names)) used.add(`${target(path)} ${there}`);
		for (const [, path] of text.matchAll(importsOfAll)) used.add(`${target(path)} *`);
	}
	return {
		all,
		unused: all.filter(({ file, name }) => !used.has(`${file} ${name}`) && !used.has(`${file} *`)),
	};
}

function exportsOf(file: string, text: string): Export[] {
	const at = (index: number, name: string): Export => ({
		file,
		line: text.slice(0, index).split('\n').length,
		name,
	});
	return [
		...[...text.matchAll(declarations)].map(({ index, 1: name = '' }) => at(index, name)),
		...[...text.matchAll(lists)].flatMap(({ index, 1: names = '' }) =>
			namesIn(names).map(({ here }) => at(index, here)),
		),
	];
}

/** `a, type b as c`: what each is called where it comes from (`there`), and in this file. */
function namesIn(list: string): { there: string; here: string }[] {
	return list
		.split(',')
		.map((item) => item.trim().replace(/^type /, ''))
		.filter(Boolean)
		.map((item) => {
			const [there = '', here = there] = item.split(' as ');
			return { there, here };
		});
}

/** Scenarios and invariants: the rows of docs/ that promise something, and the tests whose names carry their ids. */

interface Promised {
	/** `A7`, or `invariant 5`. */
	id: string;
	promise: string;
	shownBy: string;
}

export interface NamedTest {
	file: string;
	name: string;
}

/** `(A3, invariant 5)`, `(A14 to A16)`, `invariants 1 to 5 and 8`: A3, invariant 5, A14, A16, ... */
export function idsOf(text: string): string[] {
	const ids: string[] = [];
	for (const [, list = ''] of text.matchAll(/\(([^()]*)\)/g))
		ids.push(...list.split(/,\s*|\s+(?:and|to|or)\s+/).filter((item) => /^[A-I]\d{1,2}$/.test(item)));
	for (const [, numbers = ''] of text.matchAll(/\binvariants? (\d+(?:(?:, | to | and )\d+)*)/gi))
		ids.push(...(numbers.match(/\d+/g) ?? []).map((number) => `invariant ${number}`));
	return ids;
}

/** Names of tests: the first argument of a call, and the first cell of a row in a table of tests. */
export function testNames(text: string): string[] {
	return [...text.matchAll(/[([]\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g)].map(([, , name = '']) => name);
}

/** A row of a table whose first cell is an id: `| A7 | what is promised | shown by |`, `| 5 | ... | ... |`. */
export function rowOf(line: string): Promised | undefined {
	const [, first, promise = '', shownBy = ''] = /^\| ([A-I]?\d+) \| (.+?) \| (.*?) ?\|$/.exec(line) ?? [];
	if (first === undefined) return undefined;
	return { id: /^\d/.test(first) ? `invariant ${first}` : first, promise, shownBy };
}

export function printRow({ id, promise, shownBy }: Promised): string {
	return `| ${id.replace('invariant ', '')} | ${promise} | ${shownBy} |`;
}

/** Of the tests with an id, two are named: the first end-to-end test, and the first unit test. */
export function shownCell(tests: readonly NamedTest[]): string {
	const endToEnd = tests.find(({ file }) => file.startsWith('test/e2e/'));
	const unit = tests.find(({ file }) => !file.startsWith('test/e2e/'));
	return [endToEnd, unit]
		.filter((test) => test !== undefined)
		.map(({ file, name }) => `[${shortName(file)}](../${file}): ${printed(name)}`)
		.join('<br>');
}

function shortName(file: string): string {
	return file.replace(/^test\//, '').replace(/\.test\.ts$/, '');
}

/** Without the ids at its end; `${kind}` becomes KIND, and any other expression is left out. */
function printed(name: string): string {
	return name
		.replace(/\s*\([^()]*\)$/, '')
		.replace(/\$\{(\w+)\}/g, (_, variable: string) => variable.toUpperCase())
		.replace(/\$\{.*?\}/g, '…')
		.replace(/\\(.)/g, '$1')
		.replace(/\|/g, '\\|');
}

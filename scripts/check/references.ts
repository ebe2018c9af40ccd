/**
 * Checks that what is cited exists: `node scripts/check/references.ts [--write]`. Fails on
 * - an id of docs/scenarios.md or docs/invariants.md that is cited, as in (A7) or "invariant 5", and is not in them;
 * - a scenario or invariant that no test name carries, or whose column "shown by" is out of date (--write renews it);
 * - a path, a link or the bare name of a file that does not exist, and a make target that is not in the Makefile;
 * - a folder of admission/ that README's table leaves out, and a number of layers in a document;
 * - notes of a research that are not part of this repository.
 */
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { project, writtenFiles } from './files.ts';
import { idsOf, type NamedTest, printRow, rowOf, shownCell, testNames } from './promises.ts';

const tables = ['docs/invariants.md', 'docs/scenarios.md'];

/** Built by `make release`, and not in the repository. */
const released = /^install-[\w-]+\.yaml$/;
/** Checks and their tests, which are full of examples. */
const examples = /^scripts\/check\/(?:references|promises)|^test\/unit\/(?:check|prose)\//;

interface Citation {
	file: string;
	line: number;
	text: string;
}

const files = writtenFiles();
const texts = new Map(
	files
		.filter((file) => !examples.test(file))
		.map((file) => [file, readFileSync(join(project, file), 'utf8')]),
);
const baseNames = new Set(files.map((file) => basename(file)));

const shown = testsById();
if (process.argv.includes('--write')) for (const table of tables) renew(table);

const promised = tables.flatMap((file) =>
	(texts.get(file) ?? '').split('\n').flatMap((line) => {
		const row = rowOf(line);
		return row ? [{ ...row, file }] : [];
	}),
);
const problems = [
	...citedIds(),
	...promisesWithoutTest(),
	...missingFiles(),
	...missingTargets(),
	...foldersWithoutRow(),
	...countedLayers(),
	...research(),
];
for (const problem of problems) console.error(problem);
if (problems.length === 0)
	console.log(`references: ${promised.length} scenarios and invariants, each with a test; all files exist`);
process.exitCode = problems.length > 0 ? 1 : 0;

/** Each id that is cited is in one of the two tables. */
function citedIds(): string[] {
	const known = new Set(promised.map(({ id }) => id));
	return [...texts].flatMap(([file, text]) =>
		citations(file, text).flatMap((citation) =>
			idsOf(citation.text)
				.filter((id) => !known.has(id))
				.map((id) => `${at(citation)}: ${id} is in neither ${tables.join(' nor ')}`),
		),
	);
}

function promisesWithoutTest(): string[] {
	return promised.flatMap(({ id, file, shownBy }) => {
		if (!shown.has(id)) return [`${file}: no test carries ${id} in its name`];
		if (shownBy === shownCell(shown.get(id) ?? [])) return [];
		return [`${file}: ${id} is shown by other tests now: node scripts/check/references.ts --write`];
	});
}

/** Paths from the top of the repository, links of Markdown files, and in comments and Markdown bare names, too. */
function missingFiles(): string[] {
	const path =
		/(?<![\w./@:-])(?:admission|plugin|scripts|test|docs|manifests|\.github|\.ci)\/[\w./*{},<>$-]*[\w*}>]/g;
	const link = /\]\((?!https?:)([^)\s]+)\)/g;
	const bare = /(?<![\w./*{}<>$-])[\w-]+(?:\.test)?\.(?:ts|md|ya?ml)\b(?![\w/])/g;
	return [...texts].flatMap(([file, text]) =>
		citations(file, text).flatMap((citation) => {
			const markdown = file.endsWith('.md');
			const prose = markdown ? citation.text : commentOf(file, citation.text);
			const targets = markdown ? [...citation.text.matchAll(link)].map(([, to = '']) => to) : [];
			const missing = [
				...[...citation.text.matchAll(path)]
					.map(([found]) => found)
					.filter((found) => /\.\w+$/.test(found) || prose.includes(found)) // in code `test/hold` may be a finalizer
					.filter((found) => !exists(found)),
				...targets.filter((to) => !linked(file, to)),
				...[...prose.matchAll(bare)]
					.map(([found]) => found)
					.filter((found) => !baseNames.has(found) && !released.test(found)),
			];
			return missing.map((found) => `${at(citation)}: there is no ${found}`);
		}),
	);
}

/** `make x` in backquotes, and in documents at the start of a line of code. */
function missingTargets(): string[] {
	const targets = new Set(
		[...(texts.get('Makefile') ?? '').matchAll(/^([a-z-]+):/gm)].map(([, name = '']) => name),
	);
	const inProse = /`make ([a-z-]+(?: [a-z-]+)*)(?=`| [A-Z]+=)/g;
	const inCode = /^make ([a-z-]+(?: [a-z-]+)*)(?= {2}|$| [A-Z]+=)/g;
	return [...texts].flatMap(([file, text]) =>
		citations(file, text).flatMap((citation) =>
			[inProse, ...(file.endsWith('.md') ? [inCode] : [])]
				.flatMap((pattern) => [...citation.text.matchAll(pattern)])
				.flatMap(([, names = '']) => names.split(' '))
				.filter((name) => !targets.has(name))
				.map((name) => `${at(citation)}: the Makefile has no target ${name}`),
		),
	);
}

/** Each folder of admission/ is in the table of README that says where things are. */
function foldersWithoutRow(): string[] {
	const rows = (texts.get('README.md') ?? '')
		.split('\n')
		.flatMap((line) => /^\| (`.+?`) \|/.exec(line)?.[1] ?? []);
	const named = new Set(
		rows.flatMap((cell) => [...cell.matchAll(/`(?:admission\/)?([\w-]+)\/`/g)].map(([, name]) => name)),
	);
	return globSync('admission/*/', { cwd: project })
		.map((folder) => basename(folder))
		.filter((folder) => !named.has(folder))
		.map((folder) => `README.md: no row of the table says what is in admission/${folder}/`);
}

/** scripts/check/structure.ts has the layers and counts them; a number in a document is soon wrong. */
function countedLayers(): string[] {
	const counted = /\b(?:\d+|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve) layers\b/i;
	return [...texts].flatMap(([file, text]) =>
		!file.endsWith('.md')
			? []
			: citations(file, text)
					.filter((citation) => counted.test(citation.text))
					.map(
						(citation) => `${at(citation)}: do not count the layers: structure.ts prints how many there are`,
					),
	);
}

/** Facts are explained where they are used, or in docs/decisions/: a reader has nothing else. */
function research(): string[] {
	const notes =
		/\b(?:research\/|shared\/|api-server-facts|real-deleters|performance-probes|arc-semantics|design\.md|peers\.md)/;
	return [...texts].flatMap(([file, text]) =>
		citations(file, text).flatMap((citation) => {
			const found = notes.exec(citation.text);
			return found ? [`${at(citation)}: ${found[0]} is not part of this repository`] : [];
		}),
	);
}

/** The tests that carry an id in their name. */
function testsById(): Map<string, NamedTest[]> {
	const byId = new Map<string, NamedTest[]>();
	for (const [file, text] of texts) {
		if (!file.endsWith('.test.ts')) continue;
		for (const name of testNames(text))
			for (const id of idsOf(name)) byId.set(id, [...(byId.get(id) ?? []), { file, name }]);
	}
	return byId;
}

/** Rewrites the column "shown by". */
function renew(table: string): void {
	const text = texts.get(table) ?? '';
	const renewed = text
		.split('\n')
		.map((line) => {
			const row = rowOf(line);
			return row ? printRow({ ...row, shownBy: shownCell(shown.get(row.id) ?? []) }) : line;
		})
		.join('\n');
	if (renewed === text) return;
	writeFileSync(join(project, table), renewed);
	texts.set(table, renewed);
}

/** A file or folder of the repository; with `*` or `{a,b}` there is at least one. */
function exists(path: string): boolean {
	if (/[<>$]|\/[A-Z]+(?![\w.])/.test(path)) return true; // a placeholder, as in overlays/NAME
	const plain = path.replace(/\/$/, '');
	if (/[*{]/.test(plain)) return globSync(plain, { cwd: project }).length > 0;
	return existsSync(join(project, plain));
}

/** `other.md`, `other.md#heading`, `#heading`, as GitHub names headings. */
function linked(file: string, to: string): boolean {
	const [path = '', heading] = to.split('#');
	const target = path === '' ? file : normalize(join(dirname(file), path));
	if (!exists(target)) return false;
	if (heading === undefined) return true;
	const headings = [...(texts.get(target) ?? '').matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
		title
			.toLowerCase()
			.replace(/[^\p{L}\p{N}_ -]/gu, '')
			.replaceAll(' ', '-'),
	);
	return headings.includes(heading);
}

/** Comments of TypeScript and of what has `#`: elsewhere a name may be anything. */
function commentOf(file: string, line: string): string {
	if (file.endsWith('.ts') || file.endsWith('.go'))
		return /(?:^\s*\*|\/\*\*|(?<!:)\/\/)(.*)/.exec(line)?.[1] ?? '';
	return /#(.*)/.exec(line)?.[1] ?? '';
}

function citations(file: string, text: string): Citation[] {
	return text.split('\n').map((line, index) => ({ file, line: index + 1, text: line }));
}

function at({ file, line }: Citation): string {
	return `${file}:${line}`;
}

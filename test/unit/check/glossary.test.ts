/** Where a retired word of the glossary is found, and where it may stand. */
import * as assert from 'uvu/assert';
import { findRetired, retiredWords } from '../../../scripts/check/glossary.ts';
import { suite } from '../../support/suite.ts';

const test = suite('glossary');

const retired = retiredWords(
	[
		'# A glossary',
		'| term | what it is | instead of |',
		'|---|---|---|',
		'| runner | Runs jobs. | |',
		'| job signal | Says that a job runs. | claim, witness |',
		'| requeue | To reconcile again. | `lookAgain`, `holds` |',
		'| no longer | Not any more. | "is no count", "lists … no more" |',
	].join('\n'),
);
const allowed = [
	{ text: /\bvolumeClaimTemplates?\b|\bclaimName\b/g, why: "Kubernetes' own" },
	{ text: /\bclaims?\b/g, in: /jwt/, why: 'what a token says' },
];
const found = (file: string, text: string) =>
	findRetired(file, text, retired, allowed).map((hit) => `${hit.line} ${hit.found.replace(/\s+/g, ' ')}`);

test('the third column names words, names and phrases, and rows without any retire nothing', () => {
	assert.equal(
		retired.map(({ kind, text, term }) => [kind, text, term]),
		[
			['word', 'claim', 'job signal'],
			['word', 'witness', 'job signal'],
			['name', 'lookAgain', 'requeue'],
			['name', 'holds', 'requeue'],
			['phrase', 'is no count', 'no longer'],
			['phrase', 'lists … no more', 'no longer'],
		],
	);
});

const places: [where: string, file: string, text: string, found: string[]][] = [
	['an identifier', 'a.ts', 'const claim = 1;', ['1 claim']],
	['a part of an identifier', 'a.ts', 'openClaims(claimMs, CLAIM_MS);', ['1 Claims', '1 claim', '1 CLAIM']],
	['a private field', 'a.ts', '\nthis.#claims.clear();', ['2 claims']],
	['several parts of an identifier', 'a.ts', 'x.lookAgainMs = looked.again;', ['1 lookAgain']],
	[
		'an ending',
		'a.ts',
		'const unused = [claimed, claiming, witnesses, witnessed];',
		['1 claimed', '1 claiming', '1 witnesses', '1 witnessed'],
	],
	['a line comment', 'a.ts', '// Its\n// claim.', ['2 claim']],
	['a docstring', 'a.ts', '/**\n * A claim.\n */', ['2 claim']],
	['a phrase across lines', 'a.ts', '/**\n * "x" is\n * no count.\n */', ['2 is no count']],
	['a phrase with a gap', 'a.ts', '// GitHub lists it no more.', ['1 lists it no more']],
	['a string', 'a.ts', "throw new Error('the witness is gone');", ['1 witness']],
	['a key', 'a.ts', "const key = 'job-claim';", ['1 claim']],
	[
		'a template and its expressions',
		'a.ts',
		`say(\`the claim of \${witness} is \${'a claim'}\`);`,
		['1 claim', '1 witness', '1 claim'],
	],
	['a document', 'a.md', '# Title\n\nSeveral Witnesses speak.', ['3 Witnesses']],
	['a name in a document', 'a.md', 'See `lookAgain`.', ['1 lookAgain']],
	['a comment of YAML', 'a.yaml', 'a: 1 # It is\n# no claim.', ['2 claim']],
	['the name of a file', 'claims.ts', '`open-claims.ts`', ['1 claims']],
];
for (const [where, file, text, expected] of places)
	test(`a retired word is found in ${where}`, () => assert.equal(found(file, text), expected));

const fine: [what: string, file: string, text: string][] = [
	['a part of a word', 'a.ts', 'reclaim(claimant, proclaims);'],
	['a word that is only retired as a name', 'a.ts', '// A ceiling holds; we look again.'],
	['words of a phrase in code', 'a.ts', 'is(no, count);'],
	['an import of what has the name', 'a.ts', "import { a } from './claims.ts';"],
	['what is allowed', 'a.ts', "const { volumeClaimTemplates } = spec; // or 'claimName'"],
	['what is allowed in this file', 'jwt.ts', '// Its claims.'],
];
for (const [what, file, text] of fine)
	test(`nothing is found in ${what}`, () => assert.equal(found(file, text), []));

test('what is allowed in one file is not in another', () => {
	assert.equal(found('a.ts', '// Its claims.'), ['1 claims']);
});

test.run();

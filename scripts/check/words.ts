/**
 * Checks that no retired word of docs/glossary.md is used: `node scripts/check/words.ts`. A word is found in code, comments,
 * messages, documents and the names of files and folders; a `name` only as a part of a name, a "phrase" only in what is read.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { project, writtenFiles } from './files.ts';
import { type Allowed, findRetired, type Hit, retiredWords } from './glossary.ts';

/** The glossary itself, and what is full of examples of what is found. */
const exempt = /^docs\/glossary\.md$|^test\/unit\/check\/(?:glossary|words)/;
/** Made by `make manifests` from what is checked. */
const generated = /^manifests\/(?:rendered|crds)\//;

const allowed: readonly Allowed[] = [
	{
		text: /(?:persistent ?)?volume[ -]?claims?(?:templates?|retentionpolicy)?|\bclaim(?:Name|Ref)\b/gi,
		why: "Kubernetes' words: PersistentVolumeClaim, volumeClaimTemplates, claimName",
	},
	{
		text: /claim(?:s|ed)?/gi,
		in: /^admission\/(?:sets\/(?:stateful-set|pod)\/|api\/(?:schema\/)?sets\.ts)|^test\/(?:e2e|unit|bench)\/sets\/(?!phase)|^test\/e2e\/support\/set-|^docs\/runner-sets\.md/,
		why: 'what deals with the volumes of sets calls a PersistentVolumeClaim a claim, as Kubernetes does',
	},
	{
		text: /claims?/gi,
		in: /^test\/sim\/credentials\.ts|^test\/rig-tests\/sim\/jwt\.ts/,
		why: 'the claims of a JSON Web Token (RFC 7519), and what GitHub answers about them',
	},
	{
		text: /\bas claimed\b/g,
		why: 'shown to users after a name that only the review says',
	},
	{
		text: /(?:open)?claims?|words?/gi,
		in: /^scripts\/check\/(?:words|glossary)\.ts$/,
		why: 'what checks words calls them words, and gives an example',
	},
	{
		text: /\bactions-runner\/(?:job-claims|unregistration-claim)\b/g,
		why: 'annotations on the pods of running clusters',
	},
	{
		text: /\bheardAt\b/g,
		in: /\/webhook-note\.ts$|\/jobs\/events\/(?:known-webhooks|lost-deliveries)\.test\.ts$/,
		why: "a field of the notes on a running server's status ConfigMap",
	},
];

const retired = retiredWords(readFileSync(join(project, 'docs/glossary.md'), 'utf8'));
const files = writtenFiles().filter((file) => !exempt.test(file) && !generated.test(file));
const places = new Map<string, string[]>();
for (const file of files)
	for (const hit of findRetired(file, readFileSync(join(project, file), 'utf8'), retired, allowed))
		note(`${file}:${hit.line}`, hit);
for (const path of new Set(files.flatMap(withFolders)))
	for (const hit of findRetired(path, `\`${basename(path)}\``, retired, allowed)) note(path, hit);

const sorted = [...places].sort(([, some], [, others]) => others.length - some.length);
for (const [word, found] of sorted)
	console.error([`${word}:`, ...found.map((place) => `  ${place}`)].join('\n'));
if (places.size === 0) console.log(`words: none of ${retired.length} retired ones in ${files.length} files`);
else for (const [word, found] of sorted) console.error(`${String(found.length).padStart(5)}  ${word}`);
process.exitCode = places.size > 0 ? 1 : 0;

function note(place: string, { found, retired: { text, term } }: Hit): void {
	const word = `${text} (now: ${term})`;
	places.set(word, [...(places.get(word) ?? []), `${place}: ${found.replace(/\s+/g, ' ')}`]);
}

/** `a/b/c.ts`, and the folders `a/b` and `a`. */
function withFolders(path: string): string[] {
	const folder = dirname(path);
	return folder === '.' ? [path] : [path, ...withFolders(folder)];
}

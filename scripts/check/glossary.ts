/** The retired words of docs/glossary.md, and where they are still used. */
import { comments } from '../prose/comments.ts';
import { textOf, tokenize } from '../prose/tokens.ts';

/** The third column of the glossary names them: a word, a `name`, or a "phrase". */
interface Retired {
	kind: 'word' | 'name' | 'phrase';
	text: string;
	/** The term that is used instead. */
	term: string;
	pattern: RegExp;
}

export interface Hit {
	line: number;
	/** As it stands there. */
	found: string;
	retired: Retired;
}

/** A text that is allowed although it contains a retired word. */
export interface Allowed {
	/** With the flag g. */
	text: RegExp;
	/** Only in these files; default: everywhere. */
	in?: RegExp;
	why: string;
}

/** Rows of the table: `| term | what it is | instead of |`. */
export function retiredWords(glossary: string): Retired[] {
	return glossary.split('\n').flatMap((row) => {
		const cells = /^\| (.+?) \| (.+?) \| ?(.*?) ?\|$/.exec(row);
		if (!cells) return [];
		const [, term = '', , list = ''] = cells;
		if (term === 'term') return [];
		return [...list.matchAll(/`([^`]+)`|"([^"]+)"|([^\s,`"][^,`"]*)/g)].map(([, name, phrase, word = '']) => {
			const text = (name ?? phrase ?? word).trim();
			const pattern = phrase === undefined ? partPattern(text) : phrasePattern(text);
			return { kind: name ? 'name' : phrase ? 'phrase' : 'word', text, term, pattern };
		});
	});
}

/**
 * A word by itself, or as a part of a name: `claim` is in `openClaims`, `claim-name` and `CLAIM_MS`, and not in
 * `reclaim`. Its usual endings are found as well.
 */
function partPattern(text: string): RegExp {
	const [first = '', ...others] = parts(text);
	const either = (part: string) => `[${part[0]}${part[0]?.toUpperCase()}]${part.slice(1)}`;
	const capital = (part: string) => `${part[0]?.toUpperCase()}${part.slice(1)}`;
	const start = `(?:(?<![A-Za-z])${either(first)}|(?<=[A-Za-z\\d])${capital(first)})`;
	const rest = others.map((part) => `[-_]?${either(part)}`).join('');
	const constant = `(?<![A-Z])${[first, ...others].join('_').toUpperCase()}(?![A-Z])`;
	return new RegExp(`${start}${rest}(?:e?s|e?d|ing)?(?![a-z])|${constant}`, 'g');
}

/** Words one after the other; `…` stands for at most four others. */
function phrasePattern(text: string): RegExp {
	const words = text
		.split(/\s+/)
		.map((word) =>
			word === '…' ? '(?:\\s+\\S+){0,4}?' : `\\s+${word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`,
		)
		.join('')
		.replace(/^\\s\+/, '');
	return new RegExp(`(?<![\\w-])${words}(?![\\w-])`, 'gi');
}

/** Places with a retired word, from the top. */
export function findRetired(
	file: string,
	source: string,
	retired: readonly Retired[],
	allowed: readonly Allowed[],
): Hit[] {
	const hits: Hit[] = [];
	const any = new RegExp(retired.map(({ text }) => longestPart(text)).join('|') || '(?!)', 'i');
	const mayStand = allowed.filter((one) => one.in?.test(file) ?? true);
	const look = (line: number, text: string, as: 'name' | 'prose'): void => {
		if (!any.test(text)) return; // fast path: most texts contain none
		const rest = mayStand.reduce((left, { text: may }) => left.replace(may, blank), text);
		for (const word of retired) {
			if (as === 'name' && word.kind === 'phrase') continue;
			const where = as === 'prose' && word.kind === 'name' ? onlyNames(rest) : rest;
			for (const { 0: found, index } of where.matchAll(word.pattern))
				hits.push({ line: line + newlines(rest.slice(0, index)), found, retired: word });
		}
	};
	if (!file.endsWith('.ts')) look(1, source.replace(/^[ \t]*(?:#|\/\/)/gm, blank), 'prose');
	else {
		const tokens = tokenize(source);
		for (const { line, text } of comments(tokens)) look(line, text, 'prose');
		for (const token of tokens) {
			if (token.kind === 'name') look(token.line, token.text, 'name');
			else if (token.kind === 'string' || token.kind === 'template' || token.kind === 'regex')
				if (!/^\.\.?\/|^node:/.test(textOf(token)))
					// the imported file is found by its own name
					look(token.line, token.text, /\s/.test(token.text) ? 'prose' : 'name');
		}
	}
	return hits.sort((one, other) => one.line - other.line);
}

function longestPart(text: string): string {
	return parts(text).reduce((longest, part) => (part.length > longest.length ? part : longest), '');
}

function parts(text: string): string[] {
	return text.split(/[^A-Za-z]+|(?<=[a-z])(?=[A-Z])/).map((part) => part.toLowerCase());
}

/** The same text with everything but names blanked: what stands in backquotes, camelCase, and names of files. */
function onlyNames(text: string): string {
	const names = /`[^`\n]+`|[\w$]*[a-z][A-Z][\w$]*|[\w./-]+\.(?:ts|md|ya?ml)\b/g;
	let kept = '';
	for (const { 0: name, index } of text.matchAll(names)) kept += blank(text.slice(kept.length, index)) + name;
	return kept + blank(text.slice(kept.length));
}

function blank(text: string): string {
	return text.replace(/[^\n]/g, ' ');
}

function newlines(text: string): number {
	return text.split('\n').length - 1;
}

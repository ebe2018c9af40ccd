/**
 * TypeScript as tokens, for tools that read what a program says: comments, strings and names. It needs no types and no syntax
 * tree, and knows only as much of the grammar as is needed to tell a string from a comment and a regular expression from a
 * division.
 */

type TokenKind = 'comment' | 'string' | 'template' | 'regex' | 'number' | 'name' | 'punctuation';

export interface Token {
	kind: TokenKind;
	/** As in the source. A template with expressions is several tokens: `` `a${ ``, `}b${`, `` }c` ``. */
	text: string;
	/** The line of its first character, from 1. */
	line: number;
	/** The index of its first character in the source. */
	start: number;
}

const grammar = [
	/(?<comment>\/\/[^\n]*|\/\*[\s\S]*?\*\/)/,
	/(?<string>'(?:\\[\s\S]|[^'\\\n])*'|"(?:\\[\s\S]|[^"\\\n])*")/,
	/(?<number>\d[\w.]*)/,
	/(?<name>[#@]?[\p{L}_$][\p{L}\p{N}_$]*)/u,
	/(?<punctuation>=>|\+\+|--|[^\s])/,
]
	.map(({ source }) => source)
	.join('|');

const regexLiteral = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/y;
/** The text of a template up to its end or to its next expression. */
const templateText = /(?:\\[\s\S]|\$(?!\{)|[^\\$`])*(?:`|\$\{)/y;
/** After these words a value follows, so that a slash begins a regular expression. */
const beforeValue = /^(?:return|typeof|case|in|of|void|delete|throw|new|else|do|await|yield|instanceof)$/;

export function tokenize(source: string): Token[] {
	const next = new RegExp(grammar, 'yu');
	const tokens: Token[] = [];
	/** For each open brace: does it belong to an expression in a template? */
	const braces: boolean[] = [];
	let at = 0;
	let line = 1;
	let previous: Token | undefined;

	const take = (kind: TokenKind, end: number): void => {
		const token = { kind, text: source.slice(at, end), line, start: at };
		tokens.push(token);
		if (kind !== 'comment') previous = token;
		at = end;
		line += newlines(token.text);
	};
	const takeTemplate = (): void => {
		templateText.lastIndex = at + 1;
		if (!templateText.test(source)) throw new Error(`line ${line}: this template has no end`);
		take('template', templateText.lastIndex);
		if (previous?.text.endsWith('${')) braces.push(true);
	};

	for (;;) {
		const space = /\s*/y;
		space.lastIndex = at;
		space.test(source);
		line += newlines(source.slice(at, space.lastIndex));
		at = space.lastIndex;
		if (at >= source.length) return tokens;

		const first = source[at];
		if (first === '`') takeTemplate();
		else if (first === '}' && braces.pop()) takeTemplate();
		else if (first === '/' && regexHere(source, at, previous)) take('regex', regexLiteral.lastIndex);
		else {
			next.lastIndex = at;
			const groups = next.exec(source)?.groups ?? {};
			const kind = Object.keys(groups).find((name) => groups[name] !== undefined) as TokenKind;
			if (first === '{') braces.push(false);
			take(kind, next.lastIndex);
		}
	}
}

function regexHere(source: string, at: number, previous: Token | undefined): boolean {
	if (/[/*]/.test(source[at + 1] ?? '')) return false; // a comment
	if (endsValue(previous)) return false;
	regexLiteral.lastIndex = at;
	return regexLiteral.test(source);
}

function endsValue(token: Token | undefined): boolean {
	switch (token?.kind) {
		case undefined:
			return false;
		case 'name':
			return !beforeValue.test(token.text);
		case 'punctuation':
			return /^(?:[)\]}]|\+\+|--)$/.test(token.text);
		case 'template':
			return token.text.endsWith('`');
		default:
			return true;
	}
}

/** What a string or a piece of a template says, without its quotes. */
export function textOf({ kind, text }: Token): string {
	const inner = kind === 'template' ? text.replace(/^[`}]|(?:`|\$\{)$/g, '') : text.slice(1, -1);
	return inner.replace(/\\(?:u\{([\da-f]+)\}|u([\da-f]{4})|x([\da-f]{2})|([\s\S]))/gi, (_, a, b, c, one) =>
		one === undefined ? String.fromCodePoint(Number.parseInt(a ?? b ?? c, 16)) : (escapes[one] ?? one),
	);
}

const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r', b: '\b', '0': '\0', '\n': '' };

function newlines(text: string): number {
	let count = 0;
	for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) count++;
	return count;
}

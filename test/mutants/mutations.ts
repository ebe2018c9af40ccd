/**
 * Breaks a source file in every small way: each condition is set to true and to false, each operand of `&&` and `||`
 * left out, each case of a switch never matched, each comparison and each quantifier inverted, each filter and each
 * plain statement left out. Works on the text as Biome formats it; what is in comments, strings and types of
 * declarations is left alone.
 */
export interface Mutation {
	line: number;
	/** The trimmed text of the line where it begins, to find it again in a list. */
	text: string;
	what: string;
	from: number;
	to: number;
	by: string;
}

export function mutationsOf(source: string): Mutation[] {
	const code = masked(source);
	const found: Mutation[] = [];
	const add = (what: string, from: number, to: number, by: string) => {
		const before = source.slice(0, from);
		const line = before.split('\n').length;
		const text = (source.split('\n')[line - 1] ?? '').trim();
		if (found.some((one) => one.from === from && one.to === to && one.by === by)) return;
		found.push({ line, text, what, from, to, by });
	};
	const shown = (from: number, to: number) => source.slice(from, to).replace(/\s+/g, ' ').slice(0, 70);

	/** Ranges that are inverted as a whole: a comparison that is one of them need not be inverted again. */
	const conditions: [number, number][] = [];
	const condition = (from: number, to: number) => {
		conditions.push([from, to]);
		// A test that notices an operand left out notices the weaker change of the whole as well.
		const inside = flat(code.slice(from, to));
		if (!inside.includes('&&')) add(`true in place of ${shown(from, to)}`, from, to, 'true');
		if (!inside.includes('||') || inside.includes('&&'))
			add(`false in place of ${shown(from, to)}`, from, to, 'false');
	};
	const eachMatch = (pattern: RegExp, take: (at: number, match: RegExpExecArray) => void) => {
		for (const match of code.matchAll(pattern)) take(match.index, match);
	};

	eachMatch(/\b(?:if|while) \(/g, (at, [keyword]) => {
		const open = at + keyword.length - 1;
		condition(open + 1, closing(code, open));
	});
	eachMatch(/(?<=\s)\? /g, (at) => {
		const from = operandStart(code, at, ['?', ':', '??']);
		if (from !== undefined && !isType(code, from)) condition(from, trimEnd(code, at));
	});
	eachMatch(/&&|\|\|/g, (at, [operator]) => {
		const stops = operator === '&&' ? ['&&', '||', '??', '?', ':'] : ['||', '??', '?', ':'];
		const neutral = operator === '&&' ? 'true' : 'false';
		const from = operandStart(code, at, stops);
		const to = operandEnd(code, at + 2, stops);
		if (from !== undefined) {
			conditions.push([from, trimEnd(code, at)]);
			add(`without ${shown(from, trimEnd(code, at))}`, from, trimEnd(code, at), neutral);
		}
		const start = at + 2 + (code.slice(at + 2).length - code.slice(at + 2).trimStart().length);
		conditions.push([start, to]);
		add(`without ${shown(start, to)}`, start, to, neutral);
	});
	eachMatch(/\bcase ([^:]+):/g, (at, [whole]) => {
		add(`never ${shown(at, at + whole.length)}`, at + 5, at + whole.length - 1, `'never'`);
	});
	const turned: Record<string, string> = {
		'===': '!==',
		'!==': '===',
		'<': '>=',
		'<=': '>',
		'>': '<=',
		'>=': '<',
	};
	eachMatch(/ (===|!==|<=|>=|<|>) /g, (at, [, operator = '']) => {
		const all = conditions.some(([from, to]) => from <= at && at < to);
		if (!all)
			add(
				`${turned[operator]} in place of ${operator}`,
				at + 1,
				at + 1 + operator.length,
				turned[operator] ?? '',
			);
	});
	eachMatch(/\.(some|every)\(/g, (at, [, method]) => {
		add(
			`${method === 'some' ? 'every' : 'some'} in place of ${method}`,
			at + 1,
			at + 1 + String(method).length,
			method === 'some' ? 'every' : 'some',
		);
	});
	eachMatch(/\bMath\.(min|max)\(/g, (at, [, method]) => {
		add(
			`${method === 'min' ? 'max' : 'min'} in place of ${method}`,
			at + 5,
			at + 8,
			method === 'min' ? 'max' : 'min',
		);
	});
	eachMatch(/\.filter\(/g, (at) => {
		const to = closing(code, at + 7) + 1;
		add(`without ${shown(at, to)}`, at, to, '.slice()');
	});
	// Statements of one line: calls and assignments. What is only logged or counted is no rule.
	eachMatch(
		/^\t+(?!(?:return|const|let|throw|import|export|type|break|continue|yield|case|default)\b)[^\n{}]*;$/gm,
		(at, [text]) => {
			const statement = text.trim();
			const call = /^(?:await |void )?[\w.#?]+\(.*\);$/.test(statement);
			const assignment = /^[\w.#[\]]+ (?:[-+|&?]{0,2}=) .*;$/.test(statement);
			const isDeclaration = /^(?:readonly |static |#?\w+[?]?: )/.test(statement);
			if ((!call && !assignment) || isDeclaration || /\b(?:log|metrics)\b/.test(statement)) return;
			const from = at + text.length - text.trimStart().length;
			// A lone statement after a condition must leave something behind it.
			add(`without ${shown(from, at + text.length)}`, from, at + text.length, ';');
		},
	);
	return found.sort((a, b) => a.from - b.from || a.to - b.to);
}

/** The same length, with comments, strings and regular expressions blanked out. */
function masked(source: string): string {
	const out = [...source];
	const blank = (from: number, to: number) => {
		for (let at = from; at < to; at++) if (out[at] !== '\n') out[at] = '_';
	};
	const pattern =
		/\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`|(?<=[(,=]\s*)\/(?:[^/\\\n]|\\.)+\/[a-z]*/g;
	for (const match of source.matchAll(pattern)) {
		const text = match[0];
		if (text.startsWith('/'))
			for (let at = match.index; at < match.index + text.length; at++)
				out[at] = out[at] === '\n' ? '\n' : ' ';
		else blank(match.index + 1, match.index + text.length - 1);
	}
	return out.join('');
}

/** Without what stands in brackets. */
function flat(code: string): string {
	let depth = 0;
	return [...code]
		.filter((char) => {
			if (opens.includes(char)) depth += 1;
			if (closes.includes(char)) depth -= 1;
			return depth === 0;
		})
		.join('');
}

const opens = '([{';
const closes = ')]}';

/** Where the bracket that opens here is closed. */
function closing(code: string, open: number): number {
	let depth = 0;
	for (let at = open; at < code.length; at++) {
		if (opens.includes(code[at] ?? '')) depth += 1;
		else if (closes.includes(code[at] ?? '') && --depth === 0) return at;
	}
	throw new Error(`nothing closes the bracket at ${open}`);
}

const trimEnd = (code: string, at: number) => code.slice(0, at).trimEnd().length;

/** Where the operand that ends before `end` begins; undefined if that is not clear. */
function operandStart(code: string, end: number, stops: readonly string[]): number | undefined {
	let depth = 0;
	for (let at = end - 1; at >= 0; at--) {
		const char = code[at] ?? '';
		if (closes.includes(char)) depth += 1;
		else if (opens.includes(char)) {
			if (depth === 0) return begin(code, at + 1);
			depth -= 1;
		} else if (depth === 0) {
			const two = code.slice(at, at + 2);
			const keyword = /\b(?:return|yield)$/.exec(code.slice(0, at + 1));
			if (char === ';' || char === ',') return begin(code, at + 1);
			if (two === '=>' || stops.includes(two)) return begin(code, at + 2);
			if (keyword) return begin(code, at + 1);
			const alone = code[at - 1] === ' ' || code[at - 1] === '\t';
			if (char === '=' && alone && code[at + 1] === ' ') return begin(code, at + 1);
			if ((char === '?' || char === ':') && stops.includes(char) && alone && code[at + 1] === ' ')
				return begin(code, at + 1);
		}
	}
	return undefined;
}

function operandEnd(code: string, start: number, stops: readonly string[]): number {
	let depth = 0;
	for (let at = start; at < code.length; at++) {
		const char = code[at] ?? '';
		if (opens.includes(char)) depth += 1;
		else if (closes.includes(char)) {
			if (depth === 0) return trimEnd(code, at);
			depth -= 1;
		} else if (depth === 0) {
			if (char === ';' || char === ',' || stops.includes(code.slice(at, at + 2))) return trimEnd(code, at);
			if ((char === '?' || char === ':') && stops.includes(char) && code[at + 1] === ' ')
				return trimEnd(code, at);
		}
	}
	return code.length;
}

const begin = (code: string, at: number) => at + code.slice(at).length - code.slice(at).trimStart().length;

/** `A extends B ? C : D`, and what stands in a declaration of a type. */
function isType(code: string, from: number): boolean {
	const line = code.slice(code.lastIndexOf('\n', from) + 1, code.indexOf('\n', from));
	return /\bextends\b/.test(line) || /^\s*(?:export )?(?:type|interface)\b/.test(line);
}

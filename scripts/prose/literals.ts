/** The texts in a program, each with what shows its purpose. */
import { type Token, textOf, tokenize } from './tokens.ts';

export interface Literal {
	line: number;
	/** Concatenated strings are one text; expressions in a template are kept as they are. */
	text: string;
	/** The property or variable whose value it is. */
	key: string | undefined;
	/** The functions that it is passed to, from the inside out: `log.warn`, `Error`, `events.send`. */
	calls: readonly string[];
	/** Names in CamelCase next to it, such as a condition's type and reason. */
	labels: readonly string[];
}

/** An open bracket, and what was read in it so far. */
interface Frame {
	bracket: string;
	/** Before a `(`: what is called. */
	callee: string | undefined;
	/** A function's body, or another block of statements. */
	block: boolean;
	key: string | undefined;
	labels: string[];
	/** Where its first text stands in the result. */
	first: number;
}

const opening = /^[([{]$/;
const closing = /^[)\]}]$/;
const camelCase = /^[A-Z][a-z]+(?:[A-Z][a-z]+)*$/;

export function literals(source: string): Literal[] {
	const tokens = tokenize(source).filter(({ kind }) => kind !== 'comment');
	const at = (index: number) => tokens[index]?.text ?? '';
	const found: Literal[] = [];
	const frames: Frame[] = [frameAt(tokens, -1, 0)];
	for (let index = 0; index < tokens.length; index++) {
		const { kind, text } = tokens[index] as Token;
		const frame = frames.at(-1) as Frame;
		if (kind === 'string' || kind === 'template') {
			const before = at(index - 1);
			const literal = literalAt(source, tokens, index, frames);
			index = literal.end;
			if (isKey(before, at(index + 1), frame)) frame.key = literal.text;
			else if (camelCase.test(literal.text)) frame.labels.push(literal.text);
			else found.push(literal);
		} else if (opening.test(text)) frames.push(frameAt(tokens, index, found.length));
		else if (closing.test(text)) {
			const closed = frames.length > 1 ? (frames.pop() as Frame) : frame;
			if (text === ']' && at(index + 1) === '.' && at(index + 2) === 'join') joinLines(found, closed.first);
		} else if (text === ',' || text === ';') {
			if (text === ';' || !frame.block) frame.key = undefined;
		} else if (kind === 'name' && isKey(at(index - 1), at(index + 1), frame)) frame.key = text;
	}
	return found;
}

/** `{ key: value`, `key = value`. A name before a colon may also be the middle of `a ? b : c`. */
function isKey(before: string, after: string, { block }: Frame): boolean {
	if (after === '=') return true;
	return after === ':' && (block ? /^(?:const|let)$/ : /^[{,]$/).test(before);
}

function frameAt(tokens: readonly Token[], index: number, first: number): Frame {
	const bracket = tokens[index]?.text ?? '';
	const before = tokens[index - 1];
	const block =
		index < 0 || (bracket === '{' && /^(?:=>|\)|else|try|finally|do|;|\}|\{)$/.test(before?.text ?? '{'));
	let callee: string | undefined;
	if (bracket === '(' && before?.kind === 'name') {
		const object = tokens[index - 2]?.text === '.' ? `${tokens[index - 3]?.text}.` : '';
		callee = (object + before.text).replaceAll('#', '');
	}
	return { bracket, callee, block, key: undefined, labels: [], first };
}

/** The text that begins at this token, with what `+` adds to it, and the index of its last token. */
function literalAt(source: string, tokens: readonly Token[], index: number, frames: readonly Frame[]) {
	const parts: string[] = [];
	let end = index;
	for (let start = index; ; start = end + 2) {
		end = endOf(tokens, start);
		const [first, last] = [tokens[start] as Token, tokens[end] as Token];
		parts.push(
			start === end ? textOf(first) : source.slice(first.start + 1, last.start + last.text.length - 1),
		);
		const goesOn = tokens[end + 1]?.text === '+' && /string|template/.test(tokens[end + 2]?.kind ?? '');
		if (!goesOn) break;
	}
	const outside = frames.slice(frames.findLastIndex(({ block }) => block));
	return {
		line: tokens[index]?.line ?? 0,
		text: parts.join(''),
		key: outside.findLast(({ key }) => key !== undefined)?.key,
		calls: outside.flatMap(({ callee }) => callee ?? []).reverse(),
		labels: [...(outside.at(-1)?.labels ?? [])],
		end,
	};
}

/** The last piece of the template that begins here; a string is one piece. */
function endOf(tokens: readonly Token[], index: number): number {
	let open = 0;
	for (let end = index; end < tokens.length; end++) {
		const { kind, text } = tokens[end] as Token;
		if (kind === 'template' && text.startsWith('`')) open++;
		if (kind === 'template' && text.endsWith('`')) open--;
		if (open === 0) return end;
	}
	return index;
}

/** `[...].join('\n')`: lines of one text. */
function joinLines(found: Literal[], first: number): void {
	const lines = found.splice(first);
	const [top] = lines;
	if (top) found.push({ ...top, text: lines.map(({ text }) => text).join(' ') });
}

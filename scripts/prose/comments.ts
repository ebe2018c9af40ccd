/** Comments as a reader sees them: several lines that belong together are one text. */
import type { Token } from './tokens.ts';

export interface Passage {
	/** The line at which it begins, from 1. */
	line: number;
	/** With the line breaks of the source, so that positions map to lines, and without the comment markers. */
	text: string;
}

/** Comments of TypeScript. Comments with `//` on successive lines are one. */
export function comments(tokens: readonly Token[]): Passage[] {
	const found: (Passage & { lastLine: number })[] = [];
	for (const [index, { kind, text, line }] of tokens.entries()) {
		if (kind !== 'comment') continue;
		const block = text.startsWith('/*');
		const before = found.at(-1);
		const goesOn =
			!block &&
			tokens[index - 1]?.text.startsWith('//') &&
			before !== undefined &&
			before.lastLine === line - 1;
		const said = block ? withoutStars(text) : text.replace(/^\/\/+ ?/, '');
		const lastLine = line + text.split('\n').length - 1;
		if (goesOn) Object.assign(before, { text: `${before.text}\n${said}`, lastLine });
		else found.push({ line, text: said, lastLine });
	}
	return found.map(({ line, text }) => ({ line, text }));
}

/** Comments of YAML, Makefiles and shell scripts: `#` at the start of a line or after a space. */
export function hashComments(source: string): Passage[] {
	const found: Passage[] = [];
	let goesOn = false;
	for (const [index, content] of source.split('\n').entries()) {
		const [, code = '', said] = /^(.*?)(?:^|\s)#+(?!!)\s?(.*)$/.exec(content) ?? [];
		const before = found.at(-1);
		if (said !== undefined && goesOn && before && code.trim() === '') before.text += `\n${said}`;
		else if (said !== undefined) found.push({ line: index + 1, text: said });
		goesOn = said !== undefined;
	}
	return found;
}

function withoutStars(text: string): string {
	return text
		.slice(2, -2)
		.replace(/^\*/, '')
		.replace(/\n[ \t]*\*?[ \t]?/g, '\n');
}

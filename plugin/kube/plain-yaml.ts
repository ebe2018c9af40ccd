/**
 * Reads the plain part of YAML that kubectl and the clouds' tools write a kubeconfig in: block mappings and sequences of
 * scalars. Loading a whole YAML parser for that would cost `kubectl runners list` a fifth more CPU (measured, Node 24: 91 ms,
 * and 112 with js-yaml in its place).
 *
 * Undefined for everything else, mistakes included: then a whole parser has to read it. So what is taken here is
 * deliberately little, and never anything that could mean something else.
 */
export function readPlainYaml(text: string): object | undefined {
	const lines: Line[] = [];
	for (const line of text.split('\n')) {
		if (line === '' || /^ *#/.test(line)) continue;
		const [, spaces = '', content = ''] = /^( *)(.*)$/.exec(line) ?? [];
		lines.push({ indent: spaces.length, content });
	}
	if (lines.length === 0) return undefined;
	try {
		const reader = new Reader(lines);
		const value = reader.mapping(0);
		return reader.atEnd ? value : undefined;
	} catch (error) {
		if (error === notPlain) return undefined;
		throw error;
	}
}

interface Line {
	indent: number;
	content: string;
}

const notPlain = new Error('not plain YAML');

const entry = /^([A-Za-z][A-Za-z0-9_.-]{0,99}):(?: (.+))?$/;
/** A scalar that begins so is neither a number nor a time, and holds nothing that YAML knows. */
const plain = /^[A-Za-z/][A-Za-z0-9_./@+=:-]*$/;
const quoted = /^"([A-Za-z0-9_./@+=: -]*)"$/;
/** Scalars that some YAML reads as a boolean or as null. */
const special = /^(?:true|false|null|yes|no|on|off|y|n)$/i;

class Reader {
	readonly #lines: readonly Line[];
	#at = 0;

	constructor(lines: readonly Line[]) {
		this.#lines = lines;
	}

	get atEnd(): boolean {
		return this.#at === this.#lines.length;
	}

	mapping(indent: number, first?: string): Record<string, unknown> {
		const value: Record<string, unknown> = {};
		for (let content = first; ; content = undefined) {
			content ??= this.#contentAt(indent);
			if (content === undefined || content.startsWith('- ')) return value;
			const [, key, rest] = entry.exec(content) ?? [];
			if (key === undefined || special.test(key) || Object.hasOwn(value, key)) throw notPlain;
			this.#at++;
			value[key] = rest === undefined ? this.#below(indent) : scalar(rest);
		}
	}

	/** What stands under a key. A sequence may be as far out as its key. */
	#below(indent: number): unknown {
		const next = this.#lines[this.#at];
		if (next === undefined || next.indent < indent) return null;
		if (next.content.startsWith('- ')) return this.#sequence(next.indent);
		return next.indent === indent ? null : this.mapping(next.indent);
	}

	#sequence(indent: number): unknown[] {
		const items: unknown[] = [];
		for (;;) {
			const content = this.#contentAt(indent);
			if (!content?.startsWith('- ')) return items;
			const item = content.slice(2);
			if (entry.test(item)) items.push(this.mapping(indent + 2, item));
			else {
				this.#at++;
				items.push(scalar(item));
			}
		}
	}

	/** Of the next line, if it is as far in as this; undefined if it is further out. */
	#contentAt(indent: number): string | undefined {
		const line = this.#lines[this.#at];
		if (line === undefined || line.indent < indent) return undefined;
		if (line.indent > indent) throw notPlain;
		return line.content;
	}
}

function scalar(text: string): unknown {
	if (text === '{}') return {};
	if (text === '[]') return [];
	if (text === 'true' || text === 'false') return text === 'true';
	const [, inside] = quoted.exec(text) ?? [];
	if (inside !== undefined) return inside;
	if (!plain.test(text) || text.endsWith(':') || special.test(text)) throw notPlain;
	return text;
}

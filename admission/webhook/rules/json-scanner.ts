/** The text is not JSON, or such as no API server writes. */
export class UnusableJson extends Error {}

/** What a JsonScanner calls. Positions are those in the chunk that is being read. */
export interface JsonListener {
	/** A key or a value begins at this byte. */
	begins(position: number, byte: number, isKey: boolean): void;
	/** The key, or the innermost value, has ended before this position. */
	ends(position: number, isKey: boolean): void;
}

/** What the next byte may be. Up to `end`, spaces may come before it. */
const at = {
	value: 0,
	/** The first value of an array, or its end. */
	valueOrEnd: 1,
	/** The first key of an object, or its end. */
	keyOrEnd: 2,
	key: 3,
	colon: 4,
	commaOrEnd: 5,
	end: 6,
	string: 7,
	/** After a backslash. */
	escape: 8,
	/** The four digits after \u. */
	unicode: 9,
	literal: 10,
	/** In a number: after its minus, after a leading 0, among the digits before the point, and so on. */
	minus: 11,
	zero: 12,
	integer: 13,
	point: 14,
	fraction: 15,
	exponent: 16,
	exponentSign: 17,
	exponentDigits: 18,
} as const;
type At = (typeof at)[keyof typeof at];

const code = (character: string) => character.charCodeAt(0);
const quote = code('"');
const backslash = code('\\');
const letterU = code('u');
const zeroDigit = code('0');
const openArray = code('[');
const closeArray = code(']');
export const openObject = code('{');
const closeObject = code('}');

function tableOf(characters: string): Uint8Array {
	const table = new Uint8Array(256);
	for (const character of characters) table[code(character)] = 1;
	return table;
}
const isSpace = tableOf(' \t\n\r');
const isDigit = tableOf('0123456789');
const isHex = tableOf('0123456789abcdefABCDEF');
const isEscaped = tableOf('"\\/bfnrt');
const literals: ReadonlyMap<number, Buffer> = new Map(
	['true', 'false', 'null'].map((text) => [code(text), Buffer.from(text)]),
);

/** Which bytes may follow in a number, by its state, and the state that each leads to. */
const inNumber: readonly (readonly [state: At, bytes: string, next: At])[] = [
	[at.minus, '0', at.zero],
	[at.minus, '123456789', at.integer],
	[at.integer, '0123456789', at.integer],
	...([at.zero, at.integer] as const).map((state) => [state, '.', at.point] as const),
	[at.point, '0123456789', at.fraction],
	[at.fraction, '0123456789', at.fraction],
	...([at.zero, at.integer, at.fraction] as const).map((state) => [state, 'eE', at.exponent] as const),
	[at.exponent, '+-', at.exponentSign],
	...([at.exponent, at.exponentSign, at.exponentDigits] as const).map(
		(state) => [state, '0123456789', at.exponentDigits] as const,
	),
];
/** The next state of a number by its state and a byte; 0: the byte does not belong to it. */
const nextInNumber = new Uint8Array(256 * (at.exponentDigits + 1));
for (const [state, bytes, next] of inNumber)
	for (const byte of Buffer.from(bytes)) nextInNumber[256 * state + byte] = next;
const mayEndNumber: ReadonlySet<At> = new Set([at.zero, at.integer, at.fraction, at.exponentDigits]);

/**
 * Finds where the keys and values of a JSON text begin and end, chunk by chunk. It accepts what JSON.parse accepts, but for
 * the depth. Its time grows with the number of bytes alone, and it holds one byte for each level of nesting.
 */
export class JsonScanner {
	readonly #listener: JsonListener;
	/** Whether each open array or object is an object. */
	readonly #isObject: Uint8Array;
	#depth = 0;
	#at: At = at.value;
	#isKey = false;
	/** What is missing of a \u, in digits, or of a literal, in characters. */
	#missing = 0;
	#literal: Buffer = Buffer.alloc(0);

	/** @param mostDepth how deep arrays and objects may be nested */
	constructor(listener: JsonListener, mostDepth: number) {
		this.#listener = listener;
		this.#isObject = new Uint8Array(mostDepth);
	}

	/** How many arrays and objects are open. */
	get depth(): number {
		return this.#depth;
	}

	/** Reads the next bytes. @throws UnusableJson */
	write(chunk: Buffer): void {
		let position = 0;
		while (position < chunk.length) {
			const byte = chunk[position] as number;
			const state = this.#at;
			if (state === at.string) position = this.#readString(chunk, position);
			else if (state < at.string) {
				if (isSpace[byte] === 0) this.#readStructure(byte, position);
				position += 1;
			} else if (state < at.minus) {
				this.#readPart(byte, position);
				position += 1;
			} else if (this.#readNumber(byte)) position += 1;
			else this.#valueEnds(position);
		}
	}

	/** The text has ended. @throws UnusableJson if it is not complete */
	end(): void {
		if (mayEndNumber.has(this.#at)) this.#valueEnds(0);
		if (this.#at !== at.end) throw new UnusableJson('it is incomplete');
	}

	/** Reads on to the end of the string, to a backslash in it, or to the end of the chunk. */
	#readString(chunk: Buffer, from: number): number {
		let position = from;
		for (;;) {
			let byte = chunk[position];
			while (byte !== undefined && byte >= 0x20 && byte !== quote && byte !== backslash)
				byte = chunk[++position];
			if (byte === undefined) return position;
			if (byte === quote) {
				this.#stringEnds(position + 1);
				return position + 1;
			}
			if (byte !== backslash) throw new UnusableJson('a string contains a control character');
			if (!isWholeUnicodeEscape(chunk, position)) {
				this.#at = at.escape;
				return position + 1;
			}
			position += 6;
		}
	}

	#stringEnds(position: number): void {
		if (!this.#isKey) {
			this.#valueEnds(position);
			return;
		}
		this.#isKey = false;
		this.#at = at.colon;
		this.#listener.ends(position, true);
	}

	/** One byte of an escape or of a literal. */
	#readPart(byte: number, position: number): void {
		if (this.#at === at.escape) {
			if (byte !== letterU && isEscaped[byte] === 0) throw new UnusableJson('a string has an unknown escape');
			this.#at = byte === letterU ? at.unicode : at.string;
			this.#missing = 4;
		} else if (this.#at === at.unicode) {
			if (isHex[byte] === 0) throw new UnusableJson('a string has an unknown escape');
			if (--this.#missing === 0) this.#at = at.string;
		} else {
			if (byte !== this.#literal[this.#literal.length - this.#missing]) throw unexpected(byte);
			if (--this.#missing === 0) this.#valueEnds(position + 1);
		}
	}

	/** Whether the byte belongs to the number that is being read. */
	#readNumber(byte: number): boolean {
		const next = nextInNumber[256 * this.#at + byte] as At;
		if (next !== 0) this.#at = next;
		else if (!mayEndNumber.has(this.#at)) throw unexpected(byte);
		return next !== 0;
	}

	#readStructure(byte: number, position: number): void {
		const state = this.#at;
		if (state === at.valueOrEnd && byte === closeArray) this.#closes(position);
		else if (state <= at.valueOrEnd) this.#valueBegins(byte, position);
		else if (state === at.keyOrEnd && byte === closeObject) this.#closes(position);
		else if (state <= at.key && byte === quote) this.#keyBegins(byte, position);
		else if (state === at.colon && byte === code(':')) this.#at = at.value;
		else if (state === at.commaOrEnd) this.#readAfterValue(byte, position);
		else throw unexpected(byte);
	}

	#readAfterValue(byte: number, position: number): void {
		const isObject = this.#isObject[this.#depth - 1] === 1;
		if (byte === code(',')) this.#at = isObject ? at.key : at.value;
		else if (byte === (isObject ? closeObject : closeArray)) this.#closes(position);
		else throw unexpected(byte);
	}

	#keyBegins(byte: number, position: number): void {
		this.#isKey = true;
		this.#at = at.string;
		this.#listener.begins(position, byte, true);
	}

	#valueBegins(byte: number, position: number): void {
		this.#listener.begins(position, byte, false);
		if (byte === quote) this.#at = at.string;
		else if (byte === openObject) this.#opens(1, at.keyOrEnd);
		else if (byte === openArray) this.#opens(0, at.valueOrEnd);
		else if (byte === code('-')) this.#at = at.minus;
		else if (isDigit[byte] === 1) this.#at = byte === zeroDigit ? at.zero : at.integer;
		else {
			const literal = literals.get(byte);
			if (!literal) throw unexpected(byte);
			this.#at = at.literal;
			this.#literal = literal;
			this.#missing = literal.length - 1;
		}
	}

	#opens(isObject: 0 | 1, next: At): void {
		if (this.#depth === this.#isObject.length) throw new UnusableJson('it is nested too deep');
		this.#isObject[this.#depth++] = isObject;
		this.#at = next;
	}

	#closes(position: number): void {
		this.#depth -= 1;
		this.#valueEnds(position + 1);
	}

	#valueEnds(position: number): void {
		this.#at = this.#depth === 0 ? at.end : at.commaOrEnd;
		this.#listener.ends(position, false);
	}
}

/** Whether the chunk has the six bytes of an escape such as \u003c here, as most characters of a large review are written. */
function isWholeUnicodeEscape(chunk: Buffer, position: number): boolean {
	return (
		position + 5 < chunk.length &&
		chunk[position + 1] === letterU &&
		isHex[chunk[position + 2] as number] === 1 &&
		isHex[chunk[position + 3] as number] === 1 &&
		isHex[chunk[position + 4] as number] === 1 &&
		isHex[chunk[position + 5] as number] === 1
	);
}

const unexpected = (byte: number) => new UnusableJson(`byte ${byte} is not expected where it stands`);

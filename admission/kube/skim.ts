/** Which fields of a JSON document are kept: `true` keeps a text, number or boolean; `*` stands for each element of a list. */
export type Kept = { readonly [key: string]: Kept | true };

/** A document without what was not kept. */
export interface Skimmed<T> {
	value: T;
	/** False: some of what should have been kept was too long, or too much. */
	whole: boolean;
}

/** A text that is longer is not kept, in bytes of JSON: the longest that matters is the `continue` of a list. */
const longestKept = 4_096;
/** How many texts, numbers and booleans are kept of one document. */
const mostKept = 1_000;

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const openList = 0x5b;
const closeList = 0x5d;
const openObject = 0x7b;
const closeObject = 0x7d;

interface Frame {
	kept: Kept;
	target: unknown[] | Record<string, unknown>;
	/** Of an object: the key before the value that comes; undefined: a key comes, or it was too long to be one that is kept. */
	key: string | undefined;
	keyComes: boolean;
}

/**
 * Reads a JSON document of any size as it arrives, and keeps a few of its fields: memory does not grow with the document, and
 * each byte is looked at once. It is for documents of the API server, which are well formed: of others anything may be kept.
 */
export class Skimmer<T> {
	readonly #frames: Frame[] = [];
	readonly #kept: Kept;
	#value: unknown;
	#whole = true;
	#count = 0;
	/** How deep in a list or object of which nothing is kept. */
	#skipped = 0;
	#inText = false;
	#inScalar = false;
	#escaped = false;
	/** The text or scalar that is being kept; undefined: the one that is being read is not. */
	#parts: Buffer[] | undefined;
	#length = 0;

	constructor(kept: Kept) {
		this.#kept = kept;
	}

	/** Reads the next part. */
	push(chunk: Buffer): void {
		let at = 0;
		while (at < chunk.length) {
			if (this.#inText) at = this.#text(chunk, at);
			else if (this.#inScalar) at = this.#scalar(chunk, at);
			else if (this.#skipped > 0) at = this.#skip(chunk, at);
			else this.#structure(chunk[at] ?? 0, at++, chunk);
		}
	}

	/** What was kept, once the last part has been read. */
	get result(): Skimmed<T> {
		return { value: this.#value as T, whole: this.#whole };
	}

	#text(chunk: Buffer, from: number): number {
		let at = from;
		let escaped = this.#escaped;
		for (; at < chunk.length; at++) {
			if (escaped) escaped = false;
			else if (chunk[at] === backslash) escaped = true;
			else if (chunk[at] === quote) break;
		}
		this.#escaped = escaped;
		this.#keep(chunk, from, at);
		if (at === chunk.length) return at;
		this.#inText = false;
		if (this.#skipped === 0) this.#read(this.#taken((text) => JSON.parse(`"${text}"`)));
		return at + 1;
	}

	#scalar(chunk: Buffer, from: number): number {
		let at = from;
		while (at < chunk.length && !endsScalar(chunk[at] ?? 0)) at++;
		this.#keep(chunk, from, at);
		if (at === chunk.length) return at;
		this.#inScalar = false;
		this.#read(this.#taken((text) => JSON.parse(text)));
		return at;
	}

	#skip(chunk: Buffer, from: number): number {
		for (let at = from; at < chunk.length; at++) {
			const byte = chunk[at];
			if (byte === quote) {
				this.#inText = true;
				return at + 1;
			}
			if (byte === openObject || byte === openList) this.#skipped += 1;
			else if ((byte === closeObject || byte === closeList) && --this.#skipped === 0) return at + 1;
		}
		return chunk.length;
	}

	#structure(byte: number, at: number, chunk: Buffer): void {
		const frame = this.#frames.at(-1);
		switch (byte) {
			case openObject:
			case openList:
				this.#open(byte === openList);
				return;
			case closeObject:
			case closeList:
				this.#frames.pop();
				return;
			case colon:
				return;
			case comma:
				if (frame && !Array.isArray(frame.target)) {
					frame.key = undefined;
					frame.keyComes = true;
				}
				return;
			case quote:
				this.#begin(frame?.keyComes || this.#keptHere() === true);
				this.#inText = true;
				return;
		}
		if (byte <= 0x20) return;
		this.#begin(this.#keptHere() === true);
		this.#inScalar = true;
		this.#scalar(chunk.subarray(at, at + 1), 0);
	}

	#open(isList: boolean): void {
		const kept = this.#frames.length === 0 ? this.#kept : this.#keptHere();
		if (typeof kept !== 'object' || this.#count >= mostKept) {
			if (kept !== undefined) this.#whole = false;
			this.#skipped = 1;
			return;
		}
		const target = isList ? [] : {};
		this.#put(target);
		this.#frames.push({ kept, target, key: undefined, keyComes: !isList });
	}

	/** What is kept of the value that comes. */
	#keptHere(): Kept | true | undefined {
		const frame = this.#frames.at(-1);
		if (!frame) return undefined;
		const key = Array.isArray(frame.target) ? '*' : frame.key;
		return key !== undefined && Object.hasOwn(frame.kept, key) ? frame.kept[key] : undefined;
	}

	#begin(isKept: boolean): void {
		this.#parts = isKept ? [] : undefined;
		this.#length = 0;
	}

	#keep(chunk: Buffer, from: number, to: number): void {
		if (!this.#parts) return;
		this.#length += to - from;
		if (this.#length <= longestKept) this.#parts.push(Buffer.from(chunk.subarray(from, to)));
		else this.#parts = [];
	}

	/** The text or scalar that has been read; undefined: it is not kept. */
	#taken(parse: (json: string) => unknown): unknown {
		const parts = this.#parts;
		this.#parts = undefined;
		if (!parts) return undefined;
		if (this.#length <= longestKept) return parse(Buffer.concat(parts).toString('utf8'));
		if (!this.#frames.at(-1)?.keyComes) this.#whole = false;
		return undefined;
	}

	/** A key or a value has been read. */
	#read(value: unknown): void {
		const frame = this.#frames.at(-1);
		if (frame?.keyComes) {
			frame.keyComes = false;
			frame.key = value as string | undefined;
		} else if (value !== undefined) this.#put(value);
	}

	#put(value: unknown): void {
		const frame = this.#frames.at(-1);
		this.#count += 1;
		if (!frame) this.#value = value;
		else if (this.#count > mostKept) this.#whole = false;
		else if (Array.isArray(frame.target)) frame.target.push(value);
		else if (frame.key !== undefined) frame.target[frame.key] = value;
	}
}

const endsScalar = (byte: number) =>
	byte === comma || byte === closeObject || byte === closeList || byte <= 0x20;

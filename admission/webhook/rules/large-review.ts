import { type JsonListener, JsonScanner, openObject, UnusableJson } from './json-scanner.ts';

/** An object whose members are kept one by one; a member that is not named here is kept whole, or as null. */
type Members = ReadonlyMap<string, Members>;
const members = (of: Record<string, Members> = {}): Members => new Map(Object.entries(of));
const object = members({ metadata: members(), deleteOptions: members() });
const review = members({
	request: members({ object, oldObject: object, options: members(), userInfo: members() }),
});
/** A key that is longer is none of these, even if each of its characters is escaped. */
const longestKeyBytes = 6 * 'deleteOptions'.length + 2;

interface Limits {
	/** Of a value that is kept whole, bytes. */
	value: number;
	/** Of all that is kept, bytes. */
	all: number;
	/** How deep arrays and objects may be nested. */
	depth: number;
}

const leftOut = Buffer.from('null');
const comma = Buffer.from(',');
const colon = Buffer.from(':');
const opening = Buffer.from('{');
const closing = Buffer.from('}');

/**
 * Makes a large review small while it arrives, so that it need not be held. Each member of the review, of its request, and of
 * the request's objects and their metadata is kept if it is short, and becomes null if it is long. What remains is read
 * by JSON.parse, as any other review is: only JSON.parse says what a review means, and this class finds by the same
 * grammar where values begin and end. So of duplicate keys the last one counts, keys may be escaped, and bytes that are
 * not UTF-8 are replaced, as in a small review.
 *
 * It holds at most `all` bytes and a chunk.
 */
export class LargeReview implements JsonListener {
	readonly #limits: Limits;
	readonly #scanner: JsonScanner;
	/** The objects that are open and whose members are kept one by one, the innermost last. */
	readonly #open: { members: Members; isEmpty: boolean }[] = [];
	/** How the next value is kept if it is an object; undefined: as a whole, or not. */
	#next: Members | undefined = review;
	/** How deep the value is that is read as a whole; undefined: none is. */
	#wholeDepth: number | undefined;
	/** Where the key or value that is copied begins in the chunk; undefined: none is. */
	#copyFrom: number | undefined;
	/** ... and where it begins in the text. */
	#copiedTo = 0;
	#chunk: Buffer = Buffer.alloc(0);
	#text = Buffer.allocUnsafe(4_096);
	#length = 0;

	constructor(limits: Limits) {
		this.#limits = limits;
		this.#scanner = new JsonScanner(this, limits.depth);
	}

	/** Reads the next bytes. @throws UnusableJson */
	write(chunk: Buffer): void {
		this.#chunk = chunk;
		this.#scanner.write(chunk);
		this.#copyUpTo(chunk.length);
		if (this.#copyFrom !== undefined) this.#copyFrom = 0;
	}

	/** The review has ended: what is kept of it, as JSON. @throws UnusableJson if it is not complete */
	end(): Buffer {
		this.#chunk = Buffer.alloc(0);
		this.#scanner.end();
		return this.#text.subarray(0, this.#length);
	}

	begins(position: number, byte: number, isKey: boolean): void {
		if (this.#wholeDepth !== undefined) return;
		const within = this.#open.at(-1);
		if (isKey && within) {
			if (!within.isEmpty) this.#append(comma);
			within.isEmpty = false;
		} else if (this.#next && byte === openObject) {
			this.#append(opening);
			this.#open.push({ members: this.#next, isEmpty: true });
			return;
		} else {
			this.#wholeDepth = this.#scanner.depth;
		}
		this.#copyFrom = position;
		this.#copiedTo = this.#length;
	}

	ends(position: number, isKey: boolean): void {
		if (this.#wholeDepth === undefined) {
			if (isKey) this.#keyEnds(position);
			else {
				this.#append(closing);
				this.#open.pop();
			}
		} else if (!isKey && this.#wholeDepth === this.#scanner.depth) {
			this.#valueEnds(position);
		}
	}

	#keyEnds(position: number): void {
		this.#copyUpTo(position);
		this.#copyFrom = undefined;
		const key = this.#text.subarray(this.#copiedTo, this.#length);
		const isShort = key.length <= longestKeyBytes;
		this.#next = isShort ? this.#open.at(-1)?.members.get(JSON.parse(key.toString())) : undefined;
		this.#append(colon);
	}

	#valueEnds(position: number): void {
		this.#copyUpTo(position);
		if (this.#copyFrom === undefined) {
			this.#length = this.#copiedTo;
			this.#append(leftOut);
		}
		this.#copyFrom = undefined;
		this.#wholeDepth = undefined;
	}

	/** Copies what is new of the key or value. A value that turns out to be too long is copied no further. */
	#copyUpTo(position: number): void {
		if (this.#copyFrom === undefined) return;
		const isKey = this.#wholeDepth === undefined;
		const length = this.#length - this.#copiedTo + position - this.#copyFrom;
		if (isKey || length <= this.#limits.value) this.#append(this.#chunk.subarray(this.#copyFrom, position));
		else this.#copyFrom = undefined;
	}

	#append(bytes: Buffer): void {
		const length = this.#length + bytes.length;
		if (length > this.#limits.all) throw new UnusableJson('it has too much beside its objects');
		if (length > this.#text.length) {
			const larger = Buffer.allocUnsafe(Math.max(length, 2 * this.#text.length));
			this.#text.copy(larger, 0, 0, this.#length);
			this.#text = larger;
		}
		bytes.copy(this.#text, this.#length);
		this.#length = length;
	}
}

import { type Kept, type Skimmed, Skimmer } from './skim.ts';

/** What becomes of the lines of an answer. */
export interface Lines {
	/** Called for each line that is not empty, without its end. */
	onLine: (line: string) => void;
	/** In bytes. Of a longer line `onLine` gets the start, unless there is `long`. Default: any length. */
	longestLine?: number;
	/** Longer lines are JSON documents of which a few fields are kept. */
	long?: { kept: Kept; onSkimmed: (document: Skimmed<unknown>) => void };
}

const newline = 0x0a;

/**
 * Finds the lines in a text that arrives in parts. Each byte is looked at once and copied at most once, and no more of a line
 * than `longestLine` is held.
 */
export class LineReader {
	readonly #lines: Lines;
	readonly #longest: number;
	/** The line that has begun. */
	#parts: Buffer[] = [];
	/** Its length so far, also where not all of it is held. */
	#length = 0;
	#skimmer: Skimmer<unknown> | undefined;

	constructor(lines: Lines) {
		this.#lines = lines;
		this.#longest = lines.longestLine ?? Number.POSITIVE_INFINITY;
	}

	/** Reads the next part, and calls back for each line that ends in it. */
	push(chunk: Buffer): void {
		let from = 0;
		for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
			this.#add(chunk.subarray(from, end));
			this.#end();
			from = end + 1;
		}
		this.#add(chunk.subarray(from));
	}

	#add(part: Buffer): void {
		if (part.length === 0) return;
		const room = this.#longest - this.#length;
		this.#length += part.length;
		if (part.length <= room) this.#parts.push(part);
		else if (this.#lines.long) this.#skim(part, this.#lines.long.kept);
		else if (room > 0) this.#parts.push(part.subarray(0, room));
	}

	#skim(part: Buffer, kept: Kept): void {
		if (!this.#skimmer) {
			this.#skimmer = new Skimmer(kept);
			for (const before of this.#parts) this.#skimmer.push(before);
			this.#parts = [];
		}
		this.#skimmer.push(part);
	}

	#end(): void {
		const [parts, skimmer, { onLine, long }] = [this.#parts, this.#skimmer, this.#lines];
		this.#parts = [];
		this.#length = 0;
		this.#skimmer = undefined;
		if (skimmer) long?.onSkimmed(skimmer.result);
		else if (parts.length > 0) onLine(Buffer.concat(parts).toString('utf8'));
	}
}

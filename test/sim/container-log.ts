/**
 * The log of one container, stored and read as by a kubelet: long lines are cut into parts (containerd's 16 KiB) that
 * count as lines for `tailLines`, `limitBytes` counts from the first byte that is chosen, and only the newest part of a
 * long log is kept.
 */

export interface LogQuery {
	tailLines?: number;
	limitBytes?: number;
	/** Unix ms; older lines are left out. */
	sinceMs?: number;
	timestamps?: boolean;
}

/** The same line, or part of a line, repeated: gigabytes that need not be stored. */
interface Stretch {
	atMs: number;
	/** Ends in a line break, or is a part of a longer line. */
	text: string;
	times: number;
}

/** containerd's max_container_log_line_size. */
const partBytes = 16 * 1024;
/** A kubelet keeps 10 MiB in one file; hundreds of simulated runners share one process. */
const keptBytes = 256 * 1024;
/** What one write to the reader holds at most, about. */
const chunkBytes = 64 * 1024;

export class ContainerLog {
	#stretches: Stretch[] = [];
	/** How many were dropped from the front: a following reader counts its position. */
	#dropped = 0;
	#bytes = 0;
	/** A line without its end yet: the container runtime writes it down when it is whole, or too long. */
	#open = '';
	#ended = false;
	#wake = Promise.withResolvers<void>();

	print(text: string, atMs = Date.now()): void {
		if (this.#ended) return;
		const lines = (this.#open + text).split('\n');
		this.#open = '';
		const rest = lines.pop() ?? '';
		for (const line of lines) this.#add(`${line}\n`, 1, atMs);
		if (rest.length >= partBytes) this.#add(rest, 1, atMs);
		else this.#open = rest;
	}

	/** This number of bytes of one endless line, or with `lineBytes`, of lines of that length. */
	flood(bytes: number, lineBytes?: number, atMs = Date.now()): void {
		const length = Math.min(lineBytes ?? partBytes, partBytes);
		const line = `${'x'.repeat(length - 1)}\n`;
		const times = Math.ceil(bytes / length);
		if (lineBytes !== undefined) this.#add(line, times, atMs);
		else {
			if (times > 1) this.#add('x'.repeat(length), times - 1, atMs);
			this.#add(line, 1, atMs);
		}
	}

	/** The container has stopped: following readers read the rest and end. */
	end(): void {
		if (this.#open !== '') this.#add(this.#open, 1, Date.now());
		this.#open = '';
		this.#ended = true;
		this.#notify();
	}

	/** The present content, in pieces. */
	*read(query: LogQuery): Generator<Buffer> {
		yield* limited(this.#chosen(query), query);
	}

	/** The same, followed by new content, until the container stops or the reader closes. */
	async *follow(query: LogQuery, readerLeft: Promise<void>): AsyncGenerator<Buffer> {
		let left = query.limitBytes ?? Infinity;
		let chosen = this.#chosen(query);
		let gone = false;
		void readerLeft.then(() => {
			gone = true;
		});
		while (!gone) {
			const next = this.#dropped + this.#stretches.length;
			const wake = this.#wake.promise;
			for (const piece of limited(chosen, { ...query, limitBytes: left })) {
				left -= piece.length;
				yield piece;
			}
			if (left <= 0) return;
			const more = this.#dropped + this.#stretches.length > next;
			if (!more && this.#ended) return;
			if (!more) await Promise.race([wake, readerLeft]);
			chosen = this.#stretches.slice(Math.max(0, next - this.#dropped));
		}
	}

	/** Counts lines from the end, as the kubelet does to find the start. */
	#chosen({ tailLines = Infinity, sinceMs = 0 }: LogQuery): Stretch[] {
		const chosen: Stretch[] = [];
		let left = tailLines;
		for (const stretch of this.#stretches.toReversed()) {
			if (left <= 0) break;
			if (stretch.atMs >= sinceMs) chosen.push({ ...stretch, times: Math.min(stretch.times, left) });
			left -= stretch.times;
		}
		return chosen.reverse();
	}

	#add(text: string, times: number, atMs: number): void {
		for (let from = 0; from < text.length; from += partBytes) {
			const part = text.slice(from, from + partBytes);
			this.#stretches.push({ atMs, text: part, times });
			this.#bytes += part.length;
		}
		while (this.#bytes > keptBytes && this.#stretches.length > 1) {
			this.#bytes -= this.#stretches.shift()!.text.length;
			this.#dropped++;
		}
		this.#notify();
	}

	#notify(): void {
		this.#wake.resolve();
		this.#wake = Promise.withResolvers<void>();
	}
}

function* limited(
	stretches: readonly Stretch[],
	{ limitBytes = Infinity, timestamps = false }: LogQuery,
): Generator<Buffer> {
	let left = limitBytes;
	let insideLine = false;
	for (const { atMs, text, times } of stretches) {
		const stamp = timestamps && !insideLine ? `${new Date(atMs).toISOString()} ` : '';
		insideLine = !text.endsWith('\n');
		// Parts of one line share one timestamp.
		const pieces = insideLine ? [stamp, ...repeated(text, times)] : repeated(stamp + text, times);
		for (const text of pieces) {
			if (left <= 0) return;
			const piece = Buffer.from(text);
			if (piece.length > 0) yield piece.length > left ? piece.subarray(0, left) : piece;
			left -= piece.length;
		}
	}
}

function* repeated(text: string, times: number): Generator<string> {
	const together = Math.max(1, Math.floor(chunkBytes / text.length));
	const many = times > together ? text.repeat(together) : '';
	let left = times;
	for (; left > together; left -= together) yield many;
	yield text.repeat(left);
}

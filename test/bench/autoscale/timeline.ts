/** Simulated time: what is to happen, the earliest first, and in the order of its making where it is at the same time. */
export class Timeline {
	nowMs = 0;
	#made = 0;
	readonly #heap: { atMs: number; nth: number; run: () => void }[] = [];

	at(atMs: number, run: () => void): void {
		const heap = this.#heap;
		const entry = { atMs: Math.max(atMs, this.nowMs), nth: this.#made++, run };
		let index = heap.push(entry) - 1;
		while (index > 0) {
			const parent = (index - 1) >> 1;
			if (!before(entry, heap[parent]!)) break;
			heap[index] = heap[parent]!;
			index = parent;
		}
		heap[index] = entry;
	}

	in(ms: number, run: () => void): void {
		this.at(this.nowMs + ms, run);
	}

	/** Lets time pass until `endMs`. */
	run(endMs: number): void {
		for (let next = this.#heap[0]; next && next.atMs <= endMs; next = this.#heap[0]) {
			this.#removeFirst();
			this.nowMs = next.atMs;
			next.run();
		}
		this.nowMs = endMs;
	}

	#removeFirst(): void {
		const heap = this.#heap;
		const last = heap.pop()!;
		if (heap.length === 0) return;
		let index = 0;
		for (;;) {
			let child = 2 * index + 1;
			if (child >= heap.length) break;
			if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1;
			if (!before(heap[child]!, last)) break;
			heap[index] = heap[child]!;
			index = child;
		}
		heap[index] = last;
	}
}

const before = (a: { atMs: number; nth: number }, b: { atMs: number; nth: number }) =>
	a.atMs < b.atMs || (a.atMs === b.atMs && a.nth < b.nth);
